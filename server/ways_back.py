"""Where a request came from, and where somebody goes on after signing in: pages of ours alone."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import Request
from starlette.routing import Match

_OWN_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]{0,2000}")
_ON_THE_WAY = ("/sign-in", "/sign-out", "/invitation", "/watches/join")
_LEFT_OUT = {"lang", "token"}


def own_path(typed: str) -> str:
    """Give where to go on, if it is a page of ours; else the map.

    Two slashes, or a backslash, which browsers take for one, would lead to another site.
    """
    return typed if _OWN_PATH.fullmatch(typed) else "/"


def from_own_page(request: Request) -> bool:
    """Tell whether a page of ours sent a form, or a program, which has no cookie to be abused."""
    fetched_from = request.headers.get("sec-fetch-site")
    if fetched_from is not None:
        return fetched_from in {"same-origin", "none"}
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host")


def way_back(request: Request) -> str:
    """Give the page on which somebody is, or from which they sent a form, with its query.

    For a form that is where the browser says that it stood, and else the nearest page above the
    address to which it was sent: an address that only takes forms is no page to come back to.

    Parameters
    ----------
    request : Request

    Returns
    -------
    str
        Path and query, without what opens something by itself (`token`).
    """
    if request.method == "GET":
        return _page(request.url.path, request.url.query)
    for path, query in _sent_from(request):
        if _is_page(request, path):
            return _page(path, query)
    return "/"


def _sent_from(request: Request) -> Iterator[tuple[str, str]]:
    referrer = urlsplit(request.headers.get("referer", ""))
    if referrer.netloc == request.headers.get("host"):
        yield referrer.path, referrer.query
    path = request.url.path
    while path:
        yield path, ""
        path = path.rpartition("/")[0]


def _is_page(request: Request, path: str) -> bool:
    asked = {**request.scope, "method": "GET", "path": path}
    return any(route.matches(dict(asked))[0] is Match.FULL for route in request.app.routes)


def _page(path: str, query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    if path.startswith(_ON_THE_WAY):
        return own_path(dict(pairs).get("next", "/"))
    kept = urlencode([pair for pair in pairs if pair[0] not in _LEFT_OUT])
    return own_path(f"{path}?{kept}" if kept else path)
