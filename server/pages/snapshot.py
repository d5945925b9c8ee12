"""A map as one file, to take to a meeting without internet."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

from babel.dates import format_datetime
from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, Field
from sqlalchemy.orm import Session

from data.queries import areas, features, imports, listing
from data.queries import snapshot as collected
from data.queries.filters import Bounds, ReportFilter
from geo.categories import BY_CODE
from geo.statuses import OPEN
from layers.atlas import view_of
from layers.registry import BY_NAME, LAYERS
from layers.snapshot import snapshot
from server.dependencies import Chosen, Reading
from server.feature_words import Speech, feature_said, report_said
from server.languages import Language
from server.pages.map import KINDS, STATUSES
from server.pages.page import STATIC
from server.problems import Problem
from server.schemas.filters import OPEN_WORD, Box, Filters, bounds
from server.settings import Settings

router = APIRouter(include_in_schema=False)

MOST_FEATURES = 5_000
"""Of one layer; a browser opens such a file in a second."""

_ATTRIBUTES: dict[str, dict[str, str]] = {
    "street_lights": {"status": "status"},
    "service_locations": {"type": "type"},
    "block_watches": {"name": "name"},
    "neighbourhoods": {"name": "name"},
    "council_districts": {"name": "name"},
    "police_incidents": {"group": "offense_group"},
}
"""As the layer's tiles carry them: attribute to public column."""


_MAKING = threading.Semaphore(1)
_PATIENCE_S = 10.0


class NoCity(LookupError):  # noqa: N818 (it is the name of what is the case)
    """No city has been imported, so that there is nothing to show."""


def _known_layers(text: str) -> str:
    if unknown := [name for name in text.split(",") if name and name not in BY_NAME]:
        raise ValueError(f"there is no layer {unknown[0]!r}; there are {', '.join(BY_NAME)}")
    return text


class SnapshotQuery(Filters):
    """What the file is to show."""

    bbox: Box = None
    layers: Annotated[str, AfterValidator(_known_layers)] = Field(
        "", max_length=300, description="Names of layers, split by commas."
    )

    @property
    def layer_names(self) -> list[str]:
        """The layers asked for, or those that are shown where nobody chose."""
        asked = [name for name in self.layers.split(",") if name]
        return asked or [layer.name for layer in LAYERS if layer.shown]


def snapshot_of(
    session: Session,
    settings: Settings,
    language: Language,
    *,
    chosen: ReportFilter,
    box: Bounds | None,
    names: Sequence[str],
    now: datetime,
) -> str:
    """Write a map with its features inside as one HTML file.

    Parameters
    ----------
    session : Session
    settings : Settings
    language : Language
    chosen : ReportFilter
        Narrows down the reports.
    box : Bounds or None
        The view; None for the whole city.
    names : sequence of str
        Of layers.
    now : datetime.datetime
        The moment of which it is.

    Returns
    -------
    str
        With public positions only.

    Raises
    ------
    NoCity
        Where no view is given and there is no city.
    """
    _ = Speech(language, settings.zone)
    box = box or areas.extent(session)
    if box is None:
        raise NoCity
    cut: list[str] = []
    collections = {}
    for name in names:
        found, whole = (
            _reports(session, chosen, box, _)
            if name == "reports"
            else _others(session, name, box, _)
        )
        collections[name] = collected.collection(found)
        if not whole:
            cut.append(_(BY_NAME[name].title))
    moment = format_datetime(now.astimezone(settings.zone), "medium", locale=language.locale)
    note = _("As of {moment}.").format(moment=moment)
    if imports.is_sample(session):
        note = " ".join(
            (_("This is a sample city: the streets are real, everything else is made up."), note)
        )
    if filters := _said(session, chosen, _):
        note += " " + _("Of the reports it has only these: {filters}.").format(filters=filters)
    if cut:
        most = _.number(MOST_FEATURES)
        note += " " + _("Not all fit into one file; only {most} are in it of: {layers}.").format(
            most=most, layers=", ".join(cut)
        )
    return snapshot(
        collections,
        collected.base(session, box),
        view_of(box.west, box.south, box.east, box.north),
        static=STATIC,
        title=f"Porchlight {settings.city_name}",
        note=note,
        language=language.code,
        translate=language.gettext,
    )


def _said(session: Session, chosen: ReportFilter, _: Speech) -> str:
    """Say in words which reports were asked for; nothing where all were."""
    area = chosen.area_id and areas.area(session, chosen.area_id)
    watch = chosen.block_watch_id and areas.outline_of_block_watch(session, chosen.block_watch_id)
    open_ones = frozenset(chosen.statuses) == OPEN
    statuses = [STATUSES[OPEN_WORD]] if open_ones else [STATUSES[one] for one in chosen.statuses]
    values = {
        _("Kind of report"): ", ".join(_(KINDS[kind]) for kind in chosen.kinds),
        _("Status"): ", ".join(map(_, statuses)),
        _("What it is about"): ", ".join(_(BY_CODE[code].name) for code in chosen.categories),
        _("Reported from"): chosen.since and _.day(chosen.since),
        _("Reported to"): chosen.until and _.day(chosen.until),
        _("Area"): area and area.name,
        _("Block watch"): watch and watch.name,
    }
    return "; ".join(f"{label}: {value}" for label, value in values.items() if value)


def _reports(
    session: Session, chosen: ReportFilter, box: Bounds, _: Speech
) -> tuple[list[dict[str, Any]], bool]:
    found = listing.newest(session, chosen, box, MOST_FEATURES)
    made = []
    for report in found.reports:
        said = report_said(report, _)
        properties = {
            "kind": report.category.kind.value,
            "category": report.category.code,
            "status": report.status.value,
            "title": said.title,
            "facts": said.known,
        }
        made.append(collected.feature(json.loads(report.geometry), properties, report.id))
    return made, found.total == len(made)


def _others(
    session: Session, name: str, box: Bounds, _: Speech
) -> tuple[list[dict[str, Any]], bool]:
    found = features.within(session, name, box, MOST_FEATURES + 1)
    made = []
    for placed in found[:MOST_FEATURES]:
        said = feature_said(name, placed.row, _)
        attributes = _ATTRIBUTES.get(name, {})
        properties = {
            **{attribute: placed.row[column] for attribute, column in attributes.items()},
            "title": said.title,
            "facts": said.known,
        }
        made.append(collected.feature(placed.geometry, properties, placed.id))
    return made, len(found) <= MOST_FEATURES


@contextmanager
def _turn(language: Language) -> Iterator[None]:
    """Wait for one's turn: a file takes tens of MiB to make, and a server's memory is shared."""
    _ = language.gettext
    if not _MAKING.acquire(timeout=_PATIENCE_S):
        raise Problem(
            503,
            _("Others are saving maps, too"),
            _("Several maps are being saved right now. Try again in half a minute."),
            {"Retry-After": "30"},
        )
    try:
        yield
    finally:
        _MAKING.release()


@router.get("/snapshot")
def download_snapshot(
    request: Request,
    session: Reading,
    settings: Chosen,
    query: Annotated[SnapshotQuery, Query()],
) -> Response:
    """Give the view as one HTML file."""
    language = request.state.language
    _ = language.gettext
    now = datetime.now(settings.zone)
    try:
        box = bounds(query.bbox)
    except ValueError as error:
        fault = {"loc": ("query", "bbox"), "msg": str(error)}
        raise RequestValidationError([fault]) from error
    try:
        with _turn(language):
            text = snapshot_of(
                session,
                settings,
                language,
                chosen=query.chosen(settings.zone),
                box=box,
                names=query.layer_names,
                now=now,
            )
    except NoCity as error:
        raise Problem(
            404, _("Nothing to show yet"), _("No city has been imported into this site.")
        ) from error
    name = f"porchlight-{now:%Y-%m-%d}.html"
    return Response(
        text,
        media_type="text/html; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )
