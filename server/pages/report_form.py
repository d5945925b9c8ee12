"""The form with which people report a problem."""

import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from functools import lru_cache
from typing import Annotated, TypedDict

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, field_validator
from shapely import LineString, Point
from shapely.geometry.base import BaseGeometry
from sqlalchemy.orm import Session

from data.queries import areas, associations, people, photos, reports, street_lights
from data.queries.photos import ChosenPhoto
from data.queries.reports import Contact, KeyReused, NearbyReport
from data.queries.street_lights import Light, NearLight
from geo.categories import BY_CODE, CATEGORIES, N_, Category, Setting
from geo.kinds import Kind, Severity
from geo.outages import BLOCK, DARK, NEEDED, POLE, REACH_M
from geo.places import plain_text, typed_coordinates
from geo.statuses import Status
from layers.atlas import Atlas, Mark, Options, Raster, View, atlas, view_of
from layers.features import Features
from layers.reports import Reports
from layers.street_lights import StreetLights
from layers.words import words
from server import limits, poles, submissions
from server.dependencies import Chosen, Places, Reading, Who, Writing, own_site
from server.faults import Fault, Refused
from server.languages import Language, language
from server.pages.map import KINDS, SOMEWHERE, STATUSES, raster
from server.pages.page import asset, page
from server.pages.photos import Received, received
from server.pages.reports import (
    FEET_PER_METRE,
    ICONS,
    LIGHT_STATES,
    SEVERITIES,
    in_feet,
    look_atlas,
    name_of_place,
)
from server.poles import Pole
from server.positions import Positions
from server.screening import Marked, marked, seal
from server.settings import Settings
from server.submissions import (
    Draft,
    Drawn,
    Named,
    Pair,
    Sent,
    Stretch,
    Where,
)
from server.supporters import neighbour, remember, sender
from server.visitors import Visitor

router = APIRouter(dependencies=[Depends(own_site)], include_in_schema=False)

KIND_HINTS: dict[Kind, str] = {
    Kind.LIGHTING: N_("A street light is out, or a place is too dark"),
    Kind.CLEANUP: N_("Trash, weeds, graffiti, an abandoned car"),
    Kind.PROBLEM_SPOT: N_("A building, corner or spot that does not feel safe"),
}

SHAPES: dict[str, str] = {
    "point": N_("A spot"),
    "line": N_("A stretch of street"),
    "polygon": N_("A lot or area"),
}

DANGERS: dict[str, str] = {
    "wires": N_("Wires hang down or lie on the ground"),
    "leaning": N_("The pole leans or has fallen"),
    "cover": N_("A cover is open, or bare wires can be reached"),
    "none": N_("None of these"),
}
"""What may be dangerous about a light. All but the last stop the form."""

DAMAGED = "light_damaged"
"""The category of which that is asked."""

DANGER_NOTES: dict[str, str] = {
    "wires": "Wires are down. The reporter says that they have called.",
    "leaning": "The pole leans or has fallen. The reporter says that they have called.",
    "cover": "A cover is open or wires are bare. The reporter says that they have called.",
}
"""What the staff reads of it, which is not translated, as all of their notes."""

SAME_ZOOM = 17
"""Of the small map beside the question whether it is one of these: as far as their radius reaches."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")
_ID = re.compile(r"[0-9]{1,18}")


class ReportForm(BaseModel):
    """The form as it was typed. Everything is text, so that nothing typed is ever lost.

    Attributes
    ----------
    shape : str
        Of `SHAPES`.
    drawn : str
        GeoJSON of the corners that were set on the map, for a line or a polygon.
    place, to_place : str
        The one of the places offered for `address` and for `to`, the other end of a stretch, that
        was chosen.
    place_for, to_place_for : str
        The text for which they were offered.
    screened : str
        Mark of the description that shall be sent though it is held for a moderator.
    album : str
        By which the photos are known that were chosen; it lasts longer than `token`.
    on_behalf_of : str
        Id of the block watch in whose name it is sent.
    signed_in : str
        Something where the form was opened by somebody who was signed in.
    street_light : str
        Id of the light that was picked; empty for the one that is nearest.
    danger : str
        Of `DANGERS`. Whatever the light's category, all but the last stop the form.
    called : str
        The danger of which whoever sends it says that they have called for help.
    """

    kind: str = ""
    category: str = ""
    shape: str = "point"
    address: str = ""
    lat: str = ""
    lon: str = ""
    place: str = ""
    place_for: str = ""
    to: str = ""
    to_place: str = ""
    to_place_for: str = ""
    drawn: str = ""
    when: str = "now"
    day: str = ""
    time: str = ""
    long_ago: str = ""
    description: str = ""
    severity: str = ""
    name: str = ""
    email: str = ""
    phone: str = ""
    screened: str = ""
    token: str = ""
    album: str = ""
    on_behalf_of: str = ""
    signed_in: str = ""
    street_light: str = ""
    danger: str = ""
    called: str = ""

    @field_validator("token", "album")
    @classmethod
    def _usable(cls, token: str) -> str:
        """Give the token, or a new one in place of what is none."""
        return token if _TOKEN.fullmatch(token) else _token()


@dataclass(frozen=True, slots=True)
class Choice:
    """A place offered for what was typed; the value is what the form sends back."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Lights:
    """Street lights around the place of a report.

    Attributes
    ----------
    marked : tuple of Light
        Those that a block, a stretch or a lot will mark.
    dark : bool
        Whether it marks them as dark.
    near : tuple of NearLight
        Those that can be picked, the nearest first.
    nearest : Light or None
        The one of these that counts where none is picked.
    picked : str
        Id of the one that is picked, as the form sends it.
    fault : str
        Why they are too many to be marked; none are listed then.
    """

    marked: tuple[Light, ...] = ()
    dark: bool = False
    near: tuple[NearLight, ...] = ()
    nearest: Light | None = None
    picked: str = ""
    fault: str = ""


class LightsPage(TypedDict):
    """What the form shows of street lights around its place; None before one is chosen."""

    lights: Lights | None
    feet: Mapping[int, int]
    light_states: Mapping[str, str]
    form: ReportForm


class Calls(TypedDict):
    """Whom to call where a pole or a wire is dangerous."""

    city_phone: str
    utility_name: str
    utility_phone: str


class DangerPage(Calls):
    """What stops whoever reports that wires are down."""

    form: ReportForm
    danger: str


class FormPage(LightsPage, Calls):
    """What the form's page shows. `wrong` and `choices` go by the field they are about."""

    faults: Sequence[Fault]
    dangers: dict[str, str]
    wrong: Mapping[str, Fault]
    choices: Mapping[str, Sequence[Choice]]
    kinds: dict[Kind, str]
    kind_hints: dict[Kind, str]
    categories: dict[Kind, dict[str, list[Category]]]
    severities: dict[Severity, str]
    shapes: dict[str, str]
    today: date
    photos: Sequence[ChosenPhoto]
    watches: Sequence[people.Choice]
    sent_id: int | None
    signed_out: bool
    atlas: Atlas
    words: str


class SamePage(TypedDict):
    """What "is it one of these?" shows."""

    form: ReportForm
    category: Category
    has_photos: bool
    same: Sequence[NearbyReport]
    names: Mapping[int, str | None]
    feet: Mapping[int, int]
    statuses: dict[str, str]
    icons: dict[Status, str]
    atlas: Atlas


class ScreenPage(TypedDict):
    """What is shown to whoever wrote something that points at a person."""

    form: ReportForm
    marked: Marked
    screened: str


@router.get("/report", response_class=HTMLResponse)
def report_form(
    *,
    request: Request,
    session: Reading,
    settings: Chosen,
    who: Who,
    kind: str = "",
    category: str = "",
    on_behalf_of: str = "",
) -> HTMLResponse:
    """Show the empty form."""
    chosen = BY_CODE.get(category)
    form = ReportForm(
        kind=chosen.kind if chosen else kind,
        category=category,
        token=_token(),
        album=_token(),
        on_behalf_of=on_behalf_of,
        signed_in="" if who.person_id is None else "1",
    )
    return _form_page(request, session, settings, form)


@router.post("/report")
def send_form(
    *,
    request: Request,
    form: Annotated[ReportForm, Form()],
    photographed: Annotated[Received, Depends(received)],
    visitor: Who,
    session: Writing,
    settings: Chosen,
    positions: Places,
    new: Annotated[str, Form()] = "",
    change: Annotated[str, Form()] = "",
    lights: Annotated[str, Form()] = "",
    nameless: Annotated[str, Form()] = "",
) -> Response:
    """Check what was typed, ask whether it is known already, and store it."""
    language, city = request.state.language, settings.city_name
    browser = neighbour(request)
    form, reporter_id = _sender(form, visitor, nameless=bool(nameless))
    faults = photographed.faults
    unsent = _unsent(request, session, settings, form, faults, change=change, lights=lights)
    if unsent:
        return unsent
    try:
        draft = _draft(form, settings, language, visitor)
        sent = _checked(session, form, draft, positions, language=language, city=city)
        asked = _held(request, form, sent)
        # Whoever joined another report instead would leave out what is dangerous.
        if asked is None and not new and not _danger(form):
            homes = positions.homes(session)
            same = reports.nearby_same(session, sent.place, sent.category, homes)
            if same:
                asked = _same_page(request, session, settings, form, sent=sent, same=same)
        # A second tap must not be asked whether its own report is the same. Looked up last: the first
        # tap may have been stored meanwhile.
        submitted = reports.sent_before(session, key=sent.key, body_hash=sent.body_hash)
        if submitted is None:
            if asked:
                return asked
            submitted = submissions.store(
                session, sent, positions, language, city, reporter_id=reporter_id
            )
            if not submitted.replayed:
                limits.count_stored(request, session, limits.reports_from_address(request))
                mark = sender(positions.secret, browser, submitted.id)
                reports.remember_browser(session, submitted.id, mark)
            _note_danger(session, form, submitted.id)
            photos.send(session, form.album, submitted.id)
    except Refused as refused:
        return _form_page(request, session, settings, form, faults=refused.faults, status=422)
    except limits.TooMany as error:
        session.rollback()
        faults = (Fault("send", "too_many", limits.said(request, error)),)
        answer = _form_page(request, session, settings, form, faults=faults, status=429)
        answer.headers["Retry-After"] = str(error.retry_after_s)
        return answer
    except KeyReused as error:
        # Whoever went back and changed something wants to send that, too: under a new key.
        fresh = form.model_copy(update={"token": _token()})
        return _form_page(request, session, settings, fresh, status=409, sent_id=error.report_id)
    response = RedirectResponse(f"/reports/{submitted.id}?new=1", 303)
    remember(response, browser)
    return response


def _sender(form: ReportForm, visitor: Visitor, *, nameless: bool) -> tuple[ReportForm, int | None]:
    """Give the form with whose report it is: nobody's where that was chosen."""
    if nameless:
        return form.model_copy(update={"signed_in": "", "on_behalf_of": ""}), None
    return form, visitor.person_id


def _unsent(
    request: Request,
    session: Session,
    settings: Settings,
    form: ReportForm,
    faults: Sequence[Fault],
    *,
    change: str,
    lights: str,
) -> HTMLResponse | None:
    """Show the form as typed, or what stops it, where it is not to be sent now."""
    if lights:
        faults = faults or _place_faults(request, session, settings, form)
    if faults:
        return _form_page(request, session, settings, form, faults=faults, status=422)
    # Nobody's report becomes nameless in silence.
    signed_out = bool(form.signed_in) and request.state.visitor.signed_in is None
    if change or lights:
        return _form_page(request, session, settings, form, signed_out=signed_out)
    danger = _danger(form)
    if danger and form.called != danger:
        context = DangerPage(form=form, danger=DANGERS[danger], **_calls(settings))
        return page(request, "report_danger.html", context)
    if signed_out:
        return _form_page(request, session, settings, form, signed_out=True, status=401)
    return None


def _danger(form: ReportForm) -> str:
    """Give what is dangerous about a light; empty where nothing is, or it is about something else."""
    category = BY_CODE.get(form.category)
    kind = form.kind or (category and category.kind)
    return form.danger if kind == Kind.LIGHTING and form.danger in DANGER_NOTES else ""


def _calls(settings: Settings) -> Calls:
    return Calls(
        city_phone=settings.city_phone,
        utility_name=settings.utility_name,
        utility_phone=settings.utility_phone,
    )


def _note_danger(session: Session, form: ReportForm, id: int) -> None:
    """Tell the staff what is dangerous about a light, where something is."""
    danger = _danger(form)
    if danger:
        reports.note_for_staff(session, id, DANGER_NOTES[danger], key=f"danger {form.token}")


def _checked(
    session: Session,
    form: ReportForm,
    draft: Draft,
    positions: Positions,
    *,
    language: Language,
    city: str,
) -> Sent:
    """Check what was typed, and that it was said whether a damaged pole is dangerous."""
    faults: tuple[Fault, ...] = ()
    if form.category == DAMAGED and form.danger not in DANGERS:
        _ = language.gettext
        message = _("Say whether the damage is dangerous. If it is, call first.")
        faults = (Fault("danger", "missing", message),)
    try:
        sent = submissions.check(session, draft, positions, language, city)
    except Refused as refused:
        raise Refused(*faults, *_chosen_again(refused.faults, language)) from refused
    if faults:
        raise Refused(*faults)
    return sent


def _chosen_again(faults: Sequence[Fault], language: Language) -> Iterator[Fault]:
    """Say of a light, which nobody types here, that it is to be chosen again."""
    _ = language.gettext
    message = _("The light you chose is not near this place. Look below which one is chosen now.")
    for fault in faults:
        yield replace(fault, message=message) if fault.field == "street_light" else fault


def _held(request: Request, form: ReportForm, sent: Sent) -> HTMLResponse | None:
    """Show what in a description points at a person, once; None where nothing does, or it was shown."""
    if not sent.findings or form.screened == seal(sent.description):
        return None
    context = ScreenPage(
        form=form,
        marked=marked(sent.description, sent.findings),
        screened=seal(sent.description),
    )
    return page(request, "report_screen.html", context)


def _token() -> str:
    return secrets.token_urlsafe(16)


def _draft(form: ReportForm, settings: Settings, language: Language, visitor: Visitor) -> Draft:
    _ = language.gettext
    category = BY_CODE.get(form.category)
    if category is None or (form.kind and form.kind != category.kind):
        category = None
    told = form.model_dump(
        exclude={
            "token",
            "album",
            "screened",
            "kind",
            "place_for",
            "to_place_for",
            "on_behalf_of",
            "signed_in",
            "street_light",
            "danger",
            "called",
        }
    )
    pole = _pole(form, category)
    if pole:
        told["street_light"] = form.street_light
    watch = form.on_behalf_of
    if watch:
        told["on_behalf_of"] = watch
    return Draft(
        category=category or Fault("category", "missing", _("Choose what it is about.")),
        where=_where(form, language),
        occurred_at=_occurred_at(form, settings, language),
        long_ago=bool(form.long_ago),
        severity=_severity(form),
        description=form.description,
        contact=Contact(form.name, form.email, form.phone),
        key=f"form {form.token}",
        body=json.dumps(told).encode(),
        on_behalf_of_id=submissions.on_behalf_of(
            visitor, int(watch) if _ID.fullmatch(watch) else 0, language
        )
        if watch
        else None,
        pole=pole,
    )


def _severity(form: ReportForm) -> Severity | None:
    """Give how bad it is. Whoever says that a wire hangs down says that it is dangerous."""
    if _danger(form):
        return Severity.DANGEROUS
    return Severity(form.severity) if form.severity in set(Severity) else None


def _pole(form: ReportForm, category: Category | None) -> Pole | None:
    """Give the pole that was picked, where the report is of one.

    One that is not offered here was picked for a place that was given before.
    """
    picks = category is not None and poles.names_a_pole(category) and form.shape == "point"
    if not picks or not _ID.fullmatch(form.street_light):
        return None
    return Pole(int(form.street_light), within_m=street_lights.OFFERED_M)


def _lights(
    session: Session, form: ReportForm, positions: Positions, language: Language, city: str
) -> Lights | None:
    """Give the street lights around the place of the form; None where it names none, or none yet."""
    category = BY_CODE.get(form.category)
    if category is None or category.kind is not Kind.LIGHTING or category.code == NEEDED:
        return None
    where = _where(form, language)
    if isinstance(where, Fault):
        return None
    try:
        place = submissions.locate(session, where, positions, language, city).place
    except Refused:
        return None
    if category.code == BLOCK or not isinstance(place, Point):
        found = street_lights.meant_by(session, category.code, place).lights
        fault = poles.marked_fault(len(found), language)
        if fault is not None:
            return Lights(fault=fault.message)
        marked = tuple(sorted(found, key=lambda light: light.pole))
        return Lights(marked=marked, dark=category.code in DARK)
    near = tuple(street_lights.near(session, place))
    nearest = near[0].light if near and near[0].distance_m <= REACH_M else None
    if category.code not in POLE:
        nearest = None
    offered = {str(one.light.id) for one in near if one.light != nearest}
    picked = form.street_light if form.street_light in offered else ""
    return Lights(near=near, nearest=nearest, picked=picked)


def _place_faults(
    request: Request, session: Session, settings: Settings, form: ReportForm
) -> tuple[Fault, ...]:
    """Say why no street lights can be looked for around the place."""
    positions: Positions = request.app.state.positions
    language = request.state.language
    where = _where(form, language)
    if isinstance(where, Fault):
        return (where,)
    try:
        submissions.locate(session, where, positions, language, settings.city_name)
    except Refused as refused:
        return refused.faults
    return ()


def _feet(lights: Lights | None) -> dict[int, int]:
    near = lights.near if lights else ()
    return {one.light.id: max(10, 10 * round(one.distance_m * FEET_PER_METRE / 10)) for one in near}


@router.post("/report/lights", response_class=HTMLResponse)
def offer_lights(
    *,
    request: Request,
    form: Annotated[ReportForm, Form()],
    session: Reading,
    settings: Chosen,
    positions: Places,
) -> HTMLResponse:
    """Show the street lights around the place that was chosen so far."""
    lights = _lights(session, form, positions, request.state.language, settings.city_name)
    context = LightsPage(lights=lights, feet=_feet(lights), light_states=LIGHT_STATES, form=form)
    return page(request, "report_lights.html", context)


def _where(form: ReportForm, language: Language) -> Where | Fault:
    """Read where it is.

    A place chosen from those offered counts for the text it was offered for; the map comes before
    the text, since tapping it after typing means the tap. For a lot that was not drawn its address
    will do.
    """
    _ = language.gettext
    if form.shape in {"line", "polygon"} and form.drawn:
        return Drawn(drawn_geometry(form.drawn))
    if form.shape == "line":
        start = _("Say where it begins: type an address or a corner, or draw it on the map.")
        end = _("Say where it ends: type an address or a corner, or draw it on the map.")
        return Stretch(
            offered_place(form.address, form.place, form.place_for)
            or typed_place(form.address)
            or Fault("place", "missing", start),
            offered_place(form.to, form.to_place, form.to_place_for)
            or typed_place(form.to)
            or Fault("to", "missing", end),
        )
    if offered := offered_place(form.address, form.place, form.place_for):
        return offered
    if form.lat or form.lon:
        return Pair(form.lat, form.lon, called=plain_text(form.address))
    message = _("Say where it is: tap the map, use your position, or type an address.")
    return typed_place(form.address) or Fault("place", "missing", message)


def drawn_geometry(drawn: str) -> object:
    """Read what should be GeoJSON; None where it is nothing of the kind."""
    try:
        return json.loads(drawn)
    except (ValueError, RecursionError):
        return None


def offered_place(typed: str, chosen: str, offered_for: str) -> Pair | None:
    """Give the place that was chosen of those offered, as long as the text is that it was offered for."""
    if not chosen or offered_for != typed:
        return None
    latitude, _comma, longitude = chosen.partition(",")
    return Pair(latitude, longitude, called=plain_text(typed))


def typed_place(text: str) -> Pair | Named | None:
    """Read a place that was typed: its coordinates, or a name; None where nothing was."""
    typed = plain_text(text)
    if coordinates := typed_coordinates(typed):
        return Pair(*coordinates)
    return Named(typed) if typed else None


def _occurred_at(
    form: ReportForm, settings: Settings, language: Language
) -> datetime | Fault | None:
    """Read day and time of the city; None for now, a fault where they cannot be read."""
    _ = language.gettext
    now = datetime.now(settings.zone)
    if form.when not in {"today", "earlier"}:
        return None
    try:
        day = now.date() if form.when == "today" else date.fromisoformat(form.day.strip())
    except ValueError:
        message = _("Say on which day, or choose “Now, or all the time”.")
        return Fault("occurred_at", "missing_day", message)
    if form.when == "today" and not form.time:
        message = _("Say about what time it was, or choose “Now, or all the time”.")
        return Fault("occurred_at", "missing_time", message)
    try:
        clock = time.fromisoformat(form.time.strip()) if form.time else time(12)
    except ValueError:
        message = _("This is no time. Write it like 9:30 PM or 21:30.")
        return Fault("occurred_at", "not_a_time", message)
    moment = datetime.combine(day, clock.replace(tzinfo=None), settings.zone)
    # A day without a time counts as its noon, which on this very day may be still to come.
    return moment if form.time else min(moment, max(now, datetime.combine(day, time(), now.tzinfo)))


def _form_page(
    request: Request,
    session: Session,
    settings: Settings,
    form: ReportForm,
    *,
    faults: Sequence[Fault] = (),
    status: int = 200,
    sent_id: int | None = None,
    signed_out: bool = False,
) -> HTMLResponse:
    box = areas.extent(session)
    view = SOMEWHERE if box is None else view_of(box.west, box.south, box.east, box.north)
    positions: Positions = request.app.state.positions
    lights = _lights(session, form, positions, request.state.language, settings.city_name)
    context = FormPage(
        form=form,
        lights=lights,
        feet=_feet(lights),
        light_states=LIGHT_STATES,
        dangers=DANGERS,
        **_calls(settings),
        faults=faults,
        wrong={fault.field: fault for fault in reversed(faults)},
        choices={fault.field: choices for fault in faults if (choices := choices_of(fault))},
        kinds={kind: KINDS[kind] for kind in KIND_HINTS},
        kind_hints=KIND_HINTS,
        categories=_categories(),
        severities=SEVERITIES,
        shapes=SHAPES,
        today=datetime.now(settings.zone).date(),
        photos=photos.chosen(session, form.album) if request.method == "POST" else (),
        watches=associations.named(session, request.state.visitor.watches),
        sent_id=sent_id,
        signed_out=signed_out,
        atlas=pick_atlas(request.state.language.code, view, raster(settings)),
        words=json.dumps(words(request.state.language.gettext)),
    )
    return page(request, "report.html", context, status=status)


def choices_of(fault: Fault) -> list[Choice]:
    """Give the places that were perhaps meant."""
    choices = [Choice(place.label, f"{place.lat},{place.lon}") for place in fault.choices]
    if fault.meant is not None:
        found = f"{fault.meant.latitude},{fault.meant.longitude}"
        choices.append(Choice(found.replace(",", ", "), found))
    return choices


@lru_cache(maxsize=1)
def _categories() -> dict[Kind, dict[str, list[Category]]]:
    found: dict[Kind, dict[str, list[Category]]] = {kind: {} for kind in KIND_HINTS}
    for category in CATEGORIES:
        found[category.kind].setdefault(category.group, []).append(category)
    return found


@lru_cache(maxsize=64)
def pick_atlas(
    code: str,
    view: View,
    base: Raster | None,
    shown: tuple[type[Features], ...] = (Reports, StreetLights),
) -> Atlas:
    """Give the map on which a place is chosen or a shape drawn, beside a form whose fields search."""
    options = Options(
        mode="pick",
        asset=asset,
        translate=language(code).gettext,
        raster=base,
        places="",  # the form's own fields search
    )
    return atlas(shown, view, options)


def _same_page(
    request: Request,
    session: Session,
    settings: Settings,
    form: ReportForm,
    *,
    sent: Sent,
    same: Sequence[NearbyReport],
) -> HTMLResponse:
    language = request.state.language
    marks = [
        Mark(round(report.latitude, 6), round(report.longitude, 6), number)
        for number, report in enumerate(same, 1)
        if report.category.setting is Setting.PUBLIC_SPACE
    ]
    context = SamePage(
        form=form,
        category=sent.category,
        has_photos=bool(photos.chosen(session, form.album)),
        same=same,
        names={report.id: name_of_place(session, report, language) for report in same},
        feet=in_feet(same),
        statuses=STATUSES,
        icons=ICONS,
        atlas=look_atlas(language.code, _view(sent.place), settings, marks),
    )
    return page(request, "report_same.html", context)


def _view(place: BaseGeometry) -> View:
    middle = (
        place.interpolate(0.5, normalized=True)
        if isinstance(place, LineString)
        else place.point_on_surface()
    )
    return View(round(middle.y, 6), round(middle.x, 6), SAME_ZOOM)
