"""Bringing in the city's pole file: what it changes is shown first, then applied or dropped."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Literal, TypedDict

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile

from data.models import PoleChangeKind, PoleImportState
from data.queries import audit, pole_imports
from data.queries.pole_imports import CHANGED, FAULT, Change, Staged
from geo.areas import OUTSIDE
from geo.categories import N_
from geo.kinds import Kind
from geo.places import plain_text
from geo.roles import Act, Role, Site
from layers.atlas import Atlas
from server.dependencies import Chosen, Reading, Who, Writing, own_site
from server.languages import Language
from server.pages.page import page
from server.pages.work_plans import marked_atlas
from server.problems import Problem
from server.schemas.filters import LARGEST_ID
from server.settings import Settings
from server.spreadsheets import csv_text
from server.visitors import require

router = APIRouter(prefix="/desk/lights/import", include_in_schema=False)

LISTED, SHOWN = 10, 100
"""Files of the list, and changes of a page."""

_NAME_LIMIT, _CRS_LIMIT = 200, 100

STATES: dict[PoleImportState, str] = {
    PoleImportState.READING: N_("Being read"),
    PoleImportState.READY: N_("Waits for your decision"),
    PoleImportState.APPLYING: N_("Being applied"),
    PoleImportState.APPLIED: N_("Applied"),
    PoleImportState.DROPPED: N_("Dropped, nothing changed"),
    PoleImportState.FAILED: N_("Cannot be read"),
}

KINDS: dict[PoleChangeKind, str] = {
    PoleChangeKind.ADDED: N_("New poles"),
    PoleChangeKind.MOVED: N_("Moved poles"),
    PoleChangeKind.GONE: N_("Poles the file no longer has"),
    PoleChangeKind.UNUSABLE: N_("Rows that cannot be used"),
}

REASONS: dict[str, str] = {
    OUTSIDE: N_("outside the served area"),
    "no geometry": N_("it has no place"),
    "not a point": N_("its place is not a point"),
    "an earlier row of the file has the same id": N_("an earlier row has the same number"),
    "another record has this pole_id": N_("another pole has the same number"),
    FAULT: N_(
        "Something went wrong that we did not expect, so nothing was changed. The log of the server says "
        "what it was: tell whoever runs it."
    ),
}
"""Words for why a row or a file can not be used; other reasons are shown as the reader gave them."""


def _keeper(request: Request, who: Who) -> int:
    """Refuse whoever does not work on the lights of the whole city."""
    require(request, who, (Role.STAFF, Role.ADMINISTRATOR))
    assert who.person_id is not None
    if not who.may(Act.WORK, Site(Kind.LIGHTING)):
        _ = request.state.language.gettext
        raise Problem(
            403,
            _("Not for this account"),
            _(
                "The pole file is for people who work on the lights of the whole city. Ask an "
                "administrator of your city."
            ),
        )
    return who.person_id


Keeper = Annotated[int, Depends(_keeper)]
"""The person, who may change the stored poles: asked for before any file is looked at."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What the form was sent with; no content where no file was chosen."""

    name: str
    content: bytes
    crs: str


async def _sent(request: Request, keeper: Keeper, own: Annotated[None, Depends(own_site)]) -> Sent:
    async with request.form(max_files=1) as form:
        file, crs = form.get("file"), form.get("crs", "")
        name, content = "", b""
        if isinstance(file, UploadFile):
            name, content = file.filename or "", await file.read()
        return Sent(name, content, crs if isinstance(crs, str) else "")


class PoleFiles(TypedDict):
    """What the page of files shows."""

    files: Sequence[Staged]
    states: dict[PoleImportState, str]
    crs: str
    fault: str


@router.get("")
def pole_files(request: Request, session: Reading, keeper: Keeper) -> HTMLResponse:
    """Show the form for a pole file, and the files of before."""
    return _listed(request, session)


def _listed(request: Request, session: Session, crs: str = "", fault: str = "") -> HTMLResponse:
    context = PoleFiles(
        files=pole_imports.latest(session, LISTED), states=STATES, crs=crs, fault=fault
    )
    return page(request, "pole_files.html", context, status=422 if fault else 200)


@router.post("", response_model=None)
def send_poles(
    request: Request, session: Writing, keeper: Keeper, sent: Annotated[Sent, Depends(_sent)]
) -> HTMLResponse | RedirectResponse:
    """Take a pole file in, and have it read."""
    _ = request.state.language.gettext
    crs, fault = plain_text(sent.crs), ""
    if not sent.content:
        fault = _("Choose the file with the city's poles.")
    elif len(crs) > _CRS_LIMIT:
        fault = _("Write the coordinate system in short, such as EPSG:4326.")
    if fault:
        return _listed(request, session, crs, fault)
    name = plain_text(PurePath(sent.name).name)[-_NAME_LIMIT:] or _("Poles")
    id = pole_imports.stage(session, keeper, name, crs, sent.content)
    audit.add(session, keeper, "poles.send", f"pole import {id}")
    return RedirectResponse(f"/desk/lights/import/{id}", 303)


class PoleFile(TypedDict):
    """What the page of one file shows."""

    file: Staged
    state: str
    kinds: dict[PoleChangeKind, str]
    kind: PoleChangeKind
    changes: Sequence[Change]
    more: int | None
    reasons: dict[str, str]
    looked_at_again: bool
    fault: str
    atlas: Atlas | None


@router.get("/{id:int}")
def pole_file(
    *,
    request: Request,
    id: int,
    session: Reading,
    settings: Chosen,
    keeper: Keeper,
    kind: Literal["", "added", "moved", "gone", "unusable"] = "",
    after: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0,
) -> HTMLResponse:
    """Show what a pole file changes."""
    asked = PoleChangeKind(kind) if kind else None
    return _shown(request, session, settings, id, asked, after=after)


def _found(request: Request, session: Session, id: int) -> Staged:
    found = pole_imports.one(session, id) if id <= LARGEST_ID else None
    if found is None:
        _ = request.state.language.gettext
        raise Problem(
            404, _("No such file"), _("There is no pole file with this number. Look in the list.")
        )
    return found


def _shown(
    request: Request,
    session: Session,
    settings: Settings,
    id: int,
    asked: PoleChangeKind | None,
    *,
    after: int = 0,
    fault: str = "",
) -> HTMLResponse:
    found = _found(request, session, id)
    if "HX-Request" in request.headers and not found.under_way:
        return HTMLResponse("", headers={"HX-Refresh": "true"})  # its map comes with a page alone
    kind = asked or next(
        (kind for kind in (PoleChangeKind.MOVED, *PoleChangeKind) if found.counts.get(kind)),
        PoleChangeKind.MOVED,
    )
    changes = [*pole_imports.changes(session, id, kind, after=after, limit=SHOWN + 1)]
    places = [
        (change.longitude, change.latitude)
        for change in changes[:SHOWN]
        if change.longitude is not None and change.latitude is not None
    ]
    numbered = kind is not PoleChangeKind.UNUSABLE and not found.under_way
    context = PoleFile(
        atlas=marked_atlas(places, settings, request.state.language) if numbered else None,
        file=found,
        state=STATES[found.state],
        kinds=KINDS,
        kind=kind,
        changes=changes[:SHOWN],
        more=changes[SHOWN - 1].id if len(changes) > SHOWN else None,
        reasons=REASONS,
        looked_at_again=found.reason == CHANGED,
        fault=fault,
    )
    return page(request, "pole_file.html", context, status=409 if fault else 200)


_COLUMNS = (
    "change", "pole_id", "moved_m", "reported", "row", "reason", "longitude", "latitude",
)  # fmt: skip


@router.get("/{id:int}.csv")
def pole_table(request: Request, id: int, session: Reading, keeper: Keeper) -> Response:
    """Give all that a pole file changes as a table for spreadsheets."""
    _found(request, session, id)

    def rows() -> Iterator[Sequence[object]]:
        for change in pole_imports.changes(session, id):
            yield (
                change.kind.value, change.pole_id, change.distance_m, change.asked,
                change.row_number, change.reason, change.longitude, change.latitude,
            )  # fmt: skip

    return Response(
        csv_text(_COLUMNS, rows()),
        headers={
            "Content-Disposition": f'attachment; filename="poles-{id}.csv"',
            "Cache-Control": "no-store",
        },
        media_type="text/csv; charset=utf-8",
    )


@router.post("/{id:int}", response_model=None, dependencies=[Depends(own_site)])
def decide(
    *,
    request: Request,
    id: int,
    session: Writing,
    settings: Chosen,
    keeper: Keeper,
    act: Annotated[str, Form()] = "",
    seen: Annotated[str, Form(pattern="^([0-9a-f]{64})?$")] = "",
    remove_gone: Annotated[bool, Form()] = False,
) -> HTMLResponse | RedirectResponse:
    """Apply a pole file, or drop it, as it was looked at."""
    found = _found(request, session, id)
    state = {"apply": PoleImportState.APPLYING, "drop": PoleImportState.DROPPED}.get(act)
    if state is None or not pole_imports.decide(
        session, id, state, seen=bytes.fromhex(seen), remove_gone=remove_gone
    ):
        fault = _too_late(found, request.state.language)
        return _shown(request, session, settings, id, None, fault=fault)
    audit.add(session, keeper, f"poles.{act}", f"pole import {id}", {"remove_gone": remove_gone})
    return RedirectResponse(f"/desk/lights/import/{id}", 303)


def _too_late(found: Staged, language: Language) -> str:
    _ = language.gettext
    if found.state is PoleImportState.READY:
        return _(
            "What this file changes is not what you looked at: the stored poles have changed. "
            "Look again, then decide."
        )
    return _("This was decided already: {state}.").format(state=_(STATES[found.state]))
