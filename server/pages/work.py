"""The work list of staff and liaisons, a report as they see it, and their changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Annotated, Literal, TypedDict
from urllib.parse import parse_qsl, urlencode

import orjson
from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BeforeValidator, Field
from sqlalchemy.orm import Session

from data.models import AreaLayer, Department, ResponseTemplate, SavedFilter
from data.models.work import LIST_NAME_LIMIT, NOTE_LIMIT, QUERY_LIMIT
from data.queries import areas, audit, work
from data.queries.areas import Named
from data.queries.work import (
    Assign,
    Change,
    Changed,
    Colleague,
    Counts,
    Refused,
    Why,
    Worker,
    WorkFilter,
    WorkItem,
    WorkReport,
)
from geo.categories import CATEGORIES, N_
from geo.places import plain_text, typed_number
from geo.roles import Act, Role
from geo.statuses import OPEN, STEPS, Party, Status, choices, parties
from layers.atlas import Atlas, View
from server.assignments import tell_assigned
from server.dependencies import Chosen, Who, Writing, own_site
from server.fixes import ask_neighbours
from server.languages import Language
from server.pages.map import AREAS, KINDS, STATUSES
from server.pages.page import page
from server.pages.reports import ICONS, LOOK_ZOOM, SEVERITIES, look_atlas
from server.picks import picked_ids, picked_versions
from server.problems import Problem
from server.report_words import not_found
from server.schemas.cursors import CURSOR, cursor_of, cursor_text
from server.schemas.filters import LARGEST_ID, OPEN_WORD, Filters, none_if_empty
from server.screening import Marked, marked, screen, seal
from server.settings import Settings
from server.spreadsheets import csv_text
from server.visitors import Visitor, require
from server.work_words import refused_words

router = APIRouter(dependencies=[Depends(own_site)], include_in_schema=False)

MOST_LISTED = 50
MOST_EXPORTED = 5_000
MOST_CHANGED = 200
"""Reports of a page, of a file, and of one change."""

WORKERS = (Role.STAFF, Role.LIAISON, Role.ADMINISTRATOR)

ORDERS: dict[str, str] = {
    "": N_("Oldest first"),
    "due": N_("Due first"),
    "newest": N_("Newest first"),
    "supported": N_("Most neighbours first"),
}

WORK_STATUSES: dict[str, str] = {**STATUSES, Status.HELD: N_("Held by a moderator")}
WORK_ICONS: dict[Status, str] = {**ICONS, Status.HELD: "…"}
"""The city's people see on the timeline that a report was held."""

_MOST_ASKED = 200
_CITY_STEPS = tuple(
    after
    for after in Status
    if any(Party.CITY in step.by for (_, to), step in STEPS.items() if to is after)
)


class WorkQuery(Filters):
    """What the work list is asked for."""

    assigned: Literal["", "me", "nobody"] = ""
    overdue: Annotated[bool | None, BeforeValidator(none_if_empty)] = None
    q: Annotated[str, Field(max_length=200)] = ""
    order: work.Order = ""
    cursor: Annotated[str | None, Field(pattern=f"^{CURSOR.pattern}$")] = None

    def filter(self, settings: Settings, today: date) -> WorkFilter:
        """Give the filter as queries take it."""
        public = self.chosen(settings.zone)
        return WorkFilter(
            **{field.name: getattr(public, field.name) for field in fields(public)},
            today=today,
            assigned=self.assigned,
            overdue=bool(self.overdue),
            words=plain_text(self.q),
            order=self.order,
        )


def _worker(request: Request, who: Visitor) -> Worker:
    require(request, who, WORKERS)
    assert who.person_id is not None
    return Worker(who.person_id, who.grants)


def _log(
    session: Session, who: Visitor, action: str, subject: str, ids: Sequence[int] = ()
) -> None:
    """Write down who read what is not public: one entry a page."""
    audit.add(session, who.person_id, action, subject, {"reports": [*ids]} if ids else None)


@dataclass(frozen=True, slots=True)
class Typed:
    """The form of a change as it was sent, to be shown again where it is refused."""

    to: str = ""
    note: str = ""
    template: str = ""
    internal: str = ""
    other: str = ""
    assigned: str = ""
    screened: str = ""


def _typed(
    *,
    to: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
    template: Annotated[str, Form()] = "",
    internal: Annotated[str, Form()] = "",
    other: Annotated[str, Form()] = "",
    assigned: Annotated[str, Form()] = "",
    screened: Annotated[str, Form()] = "",
) -> Typed:
    # Of any length: what is too long is said, with the form as it was typed.
    return Typed(to, note, template, internal, other, assigned, screened)


Sent = Annotated[Typed, Depends(_typed)]


class Unreadable(ValueError):  # noqa: N818 (it is the name of what happened)
    """What was typed makes no change; the message says what to mend."""


@dataclass(frozen=True, slots=True)
class Warned:
    """What in a public note seems to be about a person, to be said otherwise or confirmed."""

    marked: Marked
    seal: str


def _warned(typed: Typed) -> Warned | None:
    note = plain_text(typed.note)
    findings = () if typed.screened == seal(note) else screen(note)
    return Warned(marked(note, findings), seal(note)) if findings else None


def _warning(language: Language) -> str:
    return language.gettext(
        "Something in the public note seems to be about a person. Say it in other words, or confirm "
        "it at the note. Nothing was changed yet."
    )


def _change(typed: Typed, worker: Worker, language: Language) -> Change:
    """Read a change from the form.

    Raises
    ------
    Unreadable
    """
    _ = language.gettext
    note, internal = plain_text(typed.note), plain_text(typed.internal)
    if max(len(note), len(internal)) > NOTE_LIMIT:
        raise Unreadable(_("A note has up to {most} characters.").format(most=NOTE_LIMIT))
    if typed.to and typed.to not in set(Status):
        raise Unreadable(_("Choose a status of the list."))
    other = typed.other.strip().removeprefix("#")
    return Change(
        to=Status(typed.to) if typed.to else None,
        note=note,
        template_id=_number(typed.template, _("Choose a ready answer of the list.")),
        internal=internal,
        other_id=_number(other, _("Write the number of a report in figures, such as 1234.")),
        assign=_assign(typed.assigned, worker, language),
    )


def _assign(word: str, worker: Worker, language: Language) -> Assign | None:
    if not word:
        return None
    if word == "nobody":
        return Assign()
    if word == "me":
        return Assign(person_id=worker.person_id)
    unknown = language.gettext("Choose a person or a department of the list.")
    kind, _dash, number = word.partition("-")
    if not number:
        raise Unreadable(unknown)
    if kind == "department":
        return Assign(department_id=_number(number, unknown))
    if kind == "person":
        return Assign(person_id=_number(number, unknown))
    raise Unreadable(unknown)


def _number(text: str, otherwise: str) -> int | None:
    """Read the number of something; None where none is written.

    Raises
    ------
    Unreadable
        With the words given for what is no such number.
    """
    if not text:
        return None
    number = typed_number(text)
    if not number:
        raise Unreadable(otherwise)
    return number


class Choosable(TypedDict):
    """What the form of a change offers."""

    typed: Typed
    warned: Warned | None
    steps: Sequence[Status]
    templates: Sequence[ResponseTemplate]
    departments: Sequence[Department]
    colleagues: Sequence[Colleague]
    statuses: dict[str, str]
    icons: dict[Status, str]
    note_limit: int


def _offered(
    session: Session,
    typed: Typed,
    steps: Sequence[Status],
    templates: Sequence[ResponseTemplate],
    warned: Warned | None = None,
) -> Choosable:
    return Choosable(
        typed=typed,
        warned=warned,
        steps=steps,
        templates=[template for template in templates if template.status in steps],
        departments=work.departments(session),
        colleagues=work.colleagues(session),
        statuses=WORK_STATUSES,
        icons=WORK_ICONS,
        note_limit=NOTE_LIMIT,
    )


class WorkList(Choosable):
    """What the work list shows."""

    items: Sequence[WorkItem]
    counts: Counts
    older: str | None
    asked: str
    query: WorkQuery
    open_word: str
    kinds: dict[str, str]
    categories: dict[str, str]
    areas: dict[str, Sequence[Named]]
    saved: Sequence[SavedFilter]
    open: frozenset[Status]
    most_exported: int
    export: str
    orders: dict[str, str]
    fault: str
    picked: frozenset[int]
    name: str
    name_fault: str


@router.get("/work")
def work_list(
    request: Request,
    session: Writing,
    settings: Chosen,
    who: Who,
    query: Annotated[WorkQuery, Query()],
) -> HTMLResponse:
    """Show the reports that are the visitor's to work on, the oldest first if not said otherwise."""
    return _listed(request, session, settings, who, query, told=request.query_params.multi_items())


def _listed(
    request: Request,
    session: Session,
    settings: Settings,
    who: Visitor,
    query: WorkQuery,
    *,
    told: Sequence[tuple[str, str]],
    typed: Typed | None = None,
    fault: str = "",
    picked: Sequence[str] = (),
    name: str = "",
    name_fault: str = "",
) -> HTMLResponse:
    """Show the work list, and what was typed there with what is wrong with it."""
    worker = _worker(request, who)
    days = work.targets(session)
    chosen = query.filter(settings, settings.today())
    found, after = work.items(
        session, worker, chosen, days, limit=MOST_LISTED, after=cursor_of(query.cursor)
    )
    _log(session, who, "work_list.read", "", [item.id for item in found])
    asked = [pair for pair in told if pair[0] not in {"cursor", "lang"} and pair[1] != ""]
    context = WorkList(
        items=found,
        counts=work.counts(session, worker, chosen, days),
        older=None
        if after is None
        else f"/work?{urlencode([*asked, ('cursor', cursor_text(after))])}",
        asked=urlencode(asked),
        query=query,
        open_word=OPEN_WORD,
        kinds=KINDS,
        categories={category.code: category.name for category in CATEGORIES},
        areas=_areas(session),
        saved=work.saved_filters(session),
        open=OPEN,
        most_exported=MOST_EXPORTED,
        export=f"?{urlencode(asked)}" if asked else "",
        orders=ORDERS,
        fault=fault,
        picked=picked_ids(picked),
        name=name,
        name_fault=name_fault,
        **_offered(session, typed or Typed(), _CITY_STEPS, work.templates(session)),
    )
    return page(request, "work.html", context, status=422 if fault or name_fault else 200)


_REPEATED = {"kind", "category", "status"}
_ASKED = {field.alias or name for name, field in WorkQuery.model_fields.items() if name != "cursor"}


def _read_asked(asked: str) -> tuple[WorkQuery, list[tuple[str, str]]]:
    """Read filters that a form carries, and what of them the list knows.

    Raises
    ------
    ValueError
        Where the list would not take them.
    """
    told = [pair for pair in parse_qsl(asked, max_num_fields=_MOST_ASKED) if pair[0] in _ASKED]
    values: dict[str, str | list[str]] = dict(told)
    for key in _REPEATED & values.keys():
        values[key] = [value for known, value in told if known == key]
    return WorkQuery.model_validate(values), told


def _areas(session: Session) -> dict[str, Sequence[Named]]:
    layers = (AreaLayer.COUNCIL_DISTRICT, AreaLayer.PATROL_DIVISION)
    return {AREAS[layer]: areas.named(session, layer) for layer in layers}


_COLUMNS = (
    "report", "kind", "category", "status", "place", "neighbourhood", "council_district",
    "patrol_division", "reported_at", "expected_by", "overdue", "supports", "assigned_to",
)  # fmt: skip


def _facts(item: WorkItem) -> tuple[object, ...]:
    return (
        item.id, item.category.kind.value, item.category.code, item.status.value, item.place,
        item.neighbourhood, item.council_district, item.patrol_division,
        item.reported_at.isoformat(), item.due and item.due.isoformat(), item.overdue,
        item.supports, item.assigned_to,
    )  # fmt: skip


def _exported(
    request: Request, session: Session, settings: Settings, who: Visitor, query: WorkQuery
) -> list[WorkItem]:
    worker = _worker(request, who)
    chosen = query.filter(settings, settings.today())
    found, _after = work.items(session, worker, chosen, work.targets(session), limit=MOST_EXPORTED)
    _log(session, who, "work_list.export", "", [item.id for item in found])
    return found


def _file(content: str | bytes, name: str, media_type: str) -> Response:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
    }
    return Response(content, headers=headers, media_type=media_type)


@router.get("/work.csv")
def work_table(
    request: Request,
    session: Writing,
    settings: Chosen,
    who: Who,
    query: Annotated[WorkQuery, Query()],
) -> Response:
    """Give the work list as a table for spreadsheets."""
    found = _exported(request, session, settings, who, query)
    content = csv_text(_COLUMNS, map(_facts, found))
    return _file(content, "work.csv", "text/csv; charset=utf-8")


@router.get("/work.geojson")
def work_features(
    request: Request,
    session: Writing,
    settings: Chosen,
    who: Who,
    query: Annotated[WorkQuery, Query()],
) -> Response:
    """Give the work list as GeoJSON, at the exact places."""
    found = _exported(request, session, settings, who, query)
    features = [
        {
            "type": "Feature",
            "id": item.id,
            "geometry": orjson.Fragment(item.geometry),
            "properties": dict(zip(_COLUMNS, _facts(item), strict=True)),
        }
        for item in found
    ]
    content = orjson.dumps({"type": "FeatureCollection", "features": features})
    return _file(content, "work.geojson", "application/geo+json")


class Summary(Choosable):
    """What became of a change of several reports."""

    changed: Sequence[Changed]
    refused: Sequence[tuple[int, str]]
    again: Sequence[WorkItem]
    versions: Mapping[int, int]
    asked: str
    fault: str


@router.post("/work/changes")
def change_several(
    *,
    request: Request,
    session: Writing,
    settings: Chosen,
    who: Who,
    typed: Sent,
    pick: Annotated[list[str] | None, Form()] = None,
    asked: Annotated[str, Form()] = "",
) -> HTMLResponse:
    """Change all reports that were picked, each as one or not at all, and say what became of it."""
    worker, language = _worker(request, who), request.state.language
    try:
        query, told = _read_asked(asked)
    except ValueError:
        query, told = WorkQuery(), []
    try:
        picked = _picked(pick or [], language)
    except Unreadable as error:
        return _listed(
            request, session, settings, who, query,
            told=told, typed=typed, fault=str(error), picked=pick or [],
        )  # fmt: skip
    changed: list[Changed] = []
    refused: list[tuple[int, str]] = []
    fault, warned = "", _warned(typed)
    try:
        wanted = _change(typed, worker, language)
    except Unreadable as error:
        fault = str(error)
    else:
        if warned:
            fault = _warning(language)
        else:
            changed, refused = _each(session, worker, picked=picked, wanted=wanted, words=language)
            _follow_up(session, settings, worker, changed, wanted)
    days = work.targets(session)
    chosen = WorkQuery().filter(settings, settings.today())
    left = [id for id, _words in refused] if not fault else [*picked]
    again = work.some(session, worker, left, chosen, days)
    if again:
        _log(session, who, "work_list.read", "", [item.id for item in again])
    context = Summary(
        changed=changed,
        refused=refused,
        again=again,
        # What nothing was tried with is as it was seen; of the rest it is said what happened.
        versions={item.id: picked[item.id] if fault else item.version for item in again},
        asked=urlencode(told),
        fault=fault,
        **_offered(session, typed, _CITY_STEPS, work.templates(session), warned),
    )
    return page(request, "work_changed.html", context, status=200 if changed else 422)


def _picked(pick: Sequence[str], language: Language) -> dict[int, int]:
    """Read which reports were ticked, each with its version as it was seen.

    Raises
    ------
    Unreadable
    """
    _ = language.gettext
    if not pick:
        raise Unreadable(_("No report is ticked. Tick those that you want to change."))
    if len(pick) > MOST_CHANGED:
        raise Unreadable(_("Change up to {most} reports at once.").format(most=MOST_CHANGED))
    found = picked_versions(pick)
    if found is None:
        raise Unreadable(_("The list had changed. Tick the reports again."))
    return found


def _each(
    session: Session,
    worker: Worker,
    *,
    picked: Mapping[int, int],
    wanted: Change,
    words: Language,
) -> tuple[list[Changed], list[tuple[int, str]]]:
    changed: list[Changed] = []
    refused: list[tuple[int, str]] = []
    work.hold(session, picked)
    for id, version in picked.items():
        try:
            made = work.change(session, worker, id, wanted, version=version)
        except Refused as error:
            refused.append((id, refused_words(error, words)))
        else:
            changed.append(made)
    return changed, refused


def _follow_up(
    session: Session, settings: Settings, worker: Worker, made: Sequence[Changed], wanted: Change
) -> None:
    """Write to whom a change asks or gives something."""
    if wanted.to is Status.DONE:
        for one in made:
            ask_neighbours(session, settings, one.id, one.category)
    given = wanted.assign and wanted.assign.person_id
    if given and given != worker.person_id and made:
        tell_assigned(session, settings, given, made)


class OneReport(Choosable):
    """What the city's people see of a report."""

    report: WorkReport
    version: str
    kind: str
    severity: str | None
    due: date | None
    overdue: bool
    works: bool
    atlas: Atlas
    fault: str
    changed: bool


@router.get("/work/{id:int}")
def read_report(
    *,
    request: Request,
    id: int,
    session: Writing,
    settings: Chosen,
    who: Who,
    changed: str = "",
) -> HTMLResponse:
    """Show all that somebody of the city may know of a report."""
    return _shown(request, session, settings, who, id, changed=bool(changed))


@router.post("/work/{id:int}", response_model=None)
def change_one(
    *,
    request: Request,
    id: int,
    session: Writing,
    settings: Chosen,
    who: Who,
    typed: Sent,
    version: Annotated[str, Form()] = "",
) -> HTMLResponse | RedirectResponse:
    """Change one report, or say why not with all that was typed."""
    worker, language = _worker(request, who), request.state.language
    if id > LARGEST_ID:
        raise not_found(language)
    try:
        wanted = _change(typed, worker, language)
        if warned := _warned(typed):
            return _shown(
                request, session, settings, who, id,
                typed=typed, fault=_warning(language), warned=warned, version=version,
            )  # fmt: skip
        stale = language.gettext("The page was incomplete. Look again, and send your change again.")
        made = work.change(session, worker, id, wanted, version=_number(version, stale) or 0)
    except Unreadable as error:
        return _shown(request, session, settings, who, id, typed=typed, fault=str(error))
    except Refused as error:
        if error.why is Why.NOT_FOUND:
            raise not_found(language) from error
        if error.why is Why.OUT_OF_SCOPE:
            raise Problem(
                403, language.gettext("Not for this account"), refused_words(error, language)
            ) from error
        return _shown(
            request,
            session,
            settings,
            who,
            id,
            typed=typed,
            fault=refused_words(error, language),
            status=409 if error.why is Why.CHANGED_MEANWHILE else 422,
        )
    _follow_up(session, settings, worker, [made], wanted)
    return RedirectResponse(f"/work/{id}?changed=1", 303)


def _shown(
    request: Request,
    session: Session,
    settings: Settings,
    who: Visitor,
    id: int,
    *,
    typed: Typed | None = None,
    fault: str = "",
    warned: Warned | None = None,
    version: str = "",
    status: int = 422,
    changed: bool = False,
) -> HTMLResponse:
    worker, language = _worker(request, who), request.state.language
    found = work.one(session, worker, id, language.code) if id <= LARGEST_ID else None
    if found is None:
        raise not_found(language)
    _log(session, who, "report.read", f"report {id}")
    today = settings.today()
    due = work.due_on(
        found.category, found.status, found.reported_at, work.targets(session), settings.zone
    )
    as_whom = parties(worker.grants, found.site)
    steps = choices(found.status, as_whom & {Party.CITY})
    context = OneReport(
        report=found,
        # What was not tried yet goes by the version that was seen.
        version=version or str(found.version),
        kind=KINDS[found.category.kind],
        severity=found.severity and SEVERITIES[found.severity],
        due=due,
        overdue=due is not None and due < today,
        works=who.may(Act.WORK, found.site),
        atlas=look_atlas(
            language.code,
            View(round(found.latitude, 6), round(found.longitude, 6), LOOK_ZOOM),
            settings,
        ),
        fault=fault,
        changed=changed,
        **_offered(
            session, typed or Typed(), steps, work.templates(session, found.category), warned
        ),
    )
    return page(request, "work_report.html", context, status=status if fault else 200)


@router.post("/work/filters", response_model=None)
def save_filter(
    *,
    request: Request,
    session: Writing,
    settings: Chosen,
    who: Who,
    name: Annotated[str, Form()] = "",
    asked: Annotated[str, Form()] = "",
) -> HTMLResponse | RedirectResponse:
    """Keep the filters of the list under a name."""
    worker = _worker(request, who)
    _ = request.state.language.gettext
    name, fault = plain_text(name), ""
    try:
        query, told = _read_asked(asked)
    except ValueError:
        fault = _("The work list does not know these filters. Choose them again, then save.")
        query, told = WorkQuery(), []
    kept = urlencode(told)
    if len(kept) > QUERY_LIMIT:
        fault = _("These are too many filters to save. Choose fewer.")
    if not 1 <= len(name) <= LIST_NAME_LIMIT:
        fault = _("Give the list a name of up to {most} characters.").format(most=LIST_NAME_LIMIT)
    if fault:
        return _listed(
            request, session, settings, who, query, told=told, name=name, name_fault=fault
        )
    work.save_filter(session, worker.person_id, name, kept)
    return RedirectResponse(f"/work?{kept}" if kept else "/work", 303)


@router.post("/work/filters/{id:int}/forget")
def forget_filter(request: Request, id: int, session: Writing, who: Who) -> RedirectResponse:
    """Delete a filter that the visitor has saved."""
    _worker(request, who)
    if id <= LARGEST_ID:
        work.forget_filter(session, id)
    return RedirectResponse("/work", 303)
