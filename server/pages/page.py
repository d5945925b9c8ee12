"""How a page is made: a template, a context, a language, and a policy that lets only our own run."""

import secrets
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta
from babel.numbers import format_decimal
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from server.languages import CODES, COOKIE
from server.ways_back import way_back

HERE = Path(__file__).parent.parent
STATIC = HERE / "static"

_versions: dict[str, str] = {}


def asset(path: str) -> str:
    """Give the address of a static file, with a version that changes when the file does.

    Parameters
    ----------
    path : str
        Below `server/static/`.
    """
    if path not in _versions:
        _versions[path] = sha256((STATIC / path).read_bytes()).hexdigest()[:12]
    return f"/static/{path}?v={_versions[path]}"


@pass_context
def _day(context: Context, moment: datetime | date) -> str:
    local = moment.astimezone(context["time_zone"]) if isinstance(moment, datetime) else moment
    return _date(local.date() if isinstance(local, datetime) else local, context["language"].locale)


@pass_context
def _moment(context: Context, moment: datetime) -> Markup:
    local = moment.astimezone(context["time_zone"])
    hour = format_time(local, "short", locale=context["language"].locale)
    shown = f"{_day(context, moment)}, {hour}"
    return Markup('<time datetime="{}">{}</time>').format(moment.isoformat(), shown)


@pass_context
def _ago(context: Context, moment: datetime) -> Markup:
    elapsed = moment - context["now"]
    shown = format_timedelta(elapsed, add_direction=True, locale=context["language"].locale)
    return Markup('<time datetime="{}">{}</time>').format(moment.isoformat(), shown)


@pass_context
def _number(context: Context, value: float) -> str:
    return _decimal(value, context["language"].locale)


# Babel reads its pattern anew for each number and each day, of which lists have hundreds.
@lru_cache(maxsize=4096)
def _decimal(value: float, locale: Locale) -> str:
    return str(format_decimal(value, locale=locale))


@lru_cache(maxsize=4096)
def _date(day: date, locale: Locale) -> str:
    return str(format_date(day, "medium", locale=locale))


@pass_context
def _gettext(context: Context, message: str, /, **values: object) -> str:
    return _filled(context, context["language"].gettext(message), values)


@pass_context
def _ngettext(context: Context, one: str, many: str, n: int, /, **values: object) -> str:
    return _filled(context, context["language"].ngettext(one, many, n), {"num": n, **values})


def _filled(context: Context, words: str, values: Mapping[str, object]) -> str:
    said = Markup(words) if context.eval_ctx.autoescape else words  # noqa: S704 (our own words; values are escaped)
    return said % values if "%" in words else said


def environment() -> Environment:
    """Give the templates, with everything escaped and every missing name an error."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"day": _day, "moment": _moment, "ago": _ago, "number": _number}
    made.globals |= {"asset": asset, "_": _gettext, "ngettext": _ngettext}
    return made


TEMPLATES = environment()


def policy(nonce: str, tiles: str = "") -> str:
    """Give the Content-Security-Policy of a page.

    Parameters
    ----------
    nonce : str
        Carried by every script and style element of this page.
    tiles : str
        Origin of the operator's raster tiles, or nothing.
    """
    return (
        "default-src 'none'; "
        f"script-src 'nonce-{nonce}'; "
        f"style-src 'self' 'nonce-{nonce}'; "
        f"img-src 'self' data: blob: {tiles}".rstrip()
        + "; "
        "font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )


def page(
    request: Request,
    template: str,
    context: Mapping[str, Any],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """Render a page or a fragment of one.

    Parameters
    ----------
    request : Request
        Whose language, time and settings the page is for.
    template : str
        Below `server/templates/`.
    context : mapping
        What the template shows, beside what every page has: language, visitor, now, time zone,
        city, nonce, way back.
    status : int
        HTTP status.
    headers : mapping, optional
        Further headers.
    """
    settings = request.app.state.settings
    nonce = secrets.token_urlsafe(16)
    language = request.state.language
    content = TEMPLATES.get_template(template).render(
        {
            "request": request,
            "nonce": nonce,
            "language": language,
            "visitor": request.state.visitor,
            "languages": CODES,
            "now": datetime.now(UTC),
            "time_zone": settings.zone,
            "city_name": settings.city_name,
            "is_sample": request.app.state.is_sample(),
            "way_back": way_back(request),
            **context,
        }
    )
    response = HTMLResponse(content, status, dict(headers or {}))
    response.headers["Content-Security-Policy"] = policy(nonce, settings.tile_origin)
    response.headers.setdefault("Cache-Control", "no-store")
    if request.query_params.get("lang") in CODES:
        response.set_cookie(
            COOKIE, language.code, max_age=31_536_000, samesite="lax", httponly=True
        )
    return response
