"""What somebody sends in, checked alike for the form and the API: each mistake has its own answer.

Each way in reads its own format and gives a `Draft`; `check` makes of it what can be stored.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import assert_never

from shapely import Point
from shapely.geometry.base import BaseGeometry
from sqlalchemy.orm import Session

from data.models.association import NEAR_M
from data.models.report import DESCRIPTION_LIMIT, EMAIL_LIMIT, NAME_LIMIT, PHONE_LIMIT
from data.queries import associations, places, reports
from data.queries.places import Exactness, Place
from data.queries.reports import Contact, NewReport, OutsideServedArea, Submitted
from data.queries.street_lights import Light
from geo.addresses import LONGEST
from geo.categories import BY_CODE, Category
from geo.kinds import Severity
from geo.places import (
    Box,
    PlaceError,
    PlaceFault,
    Position,
    TimeFault,
    line,
    plain_text,
    point,
    position,
    shape,
    time_fault,
)
from server import poles, screening
from server.faults import Fault, Refused
from server.languages import Language
from server.poles import Pole
from server.positions import Positions
from server.screening import Finding
from server.visitors import Visitor

MOST_CHOICES = 6
"""Places that are offered for what was typed."""

_CLEARLY_BETTER = 0.08  # of a score from 0 to 1
_SAME_PLACE_DEGREES = 1e-5
_NEAR_FEET = round(NEAR_M * 3.28084 / 100) * 100


@dataclass(frozen=True, slots=True)
class Pair:
    """A place by its coordinates, in degrees as they were sent.

    Attributes
    ----------
    called : str
        The text for which the coordinates were found, if they were.
    """

    latitude: object
    longitude: object
    called: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """A place by an address, a corner or a landmark."""

    text: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of street by its two ends."""

    start: "Pair | Named | Fault"
    end: "Pair | Named | Fault"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A place as a GeoJSON geometry, or what was sent as one."""

    geometry: object


Where = Pair | Named | Stretch | Drawn


@dataclass(frozen=True, slots=True)
class Draft:
    """A report as it was read, before it is checked; in place of what nobody can read stands a fault.

    Attributes
    ----------
    category : Category or Fault
    where : Pair, Named, Stretch, Drawn, Fault or None
        None where only a pole is named.
    occurred_at : datetime, Fault or None
        None for now.
    long_ago : bool
        Whether it was confirmed that it was that long ago.
    severity : Severity or None
    description : str
    contact : Contact
    key : str
        Sent again with a repetition.
    body : bytes
        What was sent, in one spelling, to tell a repetition from another report.
    on_behalf_of_id : int, Fault or None
        The block watch in whose name it is sent, to which the sender belongs.
    pole : Pole or None
        The street light that was picked.
    """

    category: Category | Fault
    where: Where | Fault | None
    occurred_at: datetime | Fault | None
    long_ago: bool
    severity: Severity | None
    description: str
    contact: Contact
    key: str
    body: bytes
    on_behalf_of_id: int | Fault | None = None
    pole: Pole | None = None

    @property
    def body_hash(self) -> bytes:
        """What is stored of the body."""
        return sha256(self.body).digest()


@dataclass(frozen=True, slots=True)
class Located:
    """Where a report is, in EPSG:4326, and the name under which it was found if it was."""

    place: BaseGeometry
    address: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """A report as it was sent in, checked as far as that is possible without storing it.

    Attributes
    ----------
    findings : tuple of Finding
        What in the description points at a person.
    key, body_hash, on_behalf_of_id
        As of `Draft`.
    street_light_id : int or None
        The light that was picked; the place is then its pole.
    """

    category: Category
    place: BaseGeometry
    occurred_at: datetime | None
    severity: Severity | None
    description: str
    findings: tuple[Finding, ...]
    address: str
    contact: Contact
    key: str
    body_hash: bytes
    on_behalf_of_id: int | None = None
    street_light_id: int | None = None


def check(
    session: Session, draft: Draft, positions: Positions, language: Language, city: str
) -> Sent:
    """Check what was sent.

    Parameters
    ----------
    session : Session
    draft : Draft
    positions : Positions
    language : Language
        In which faults are told.
    city : str
        Its name.

    Returns
    -------
    Sent

    Raises
    ------
    Refused
        With everything that is wrong.
    """
    faults: list[Fault] = []
    category, occurred_at = draft.category, draft.occurred_at
    if isinstance(category, Fault):
        faults.append(category)
    located, light, misplaced = _placed(session, draft, positions, language, city)
    faults += misplaced
    if located is not None and isinstance(category, Category):
        faults += poles.marked_faults(session, category, located.place, language)
    if isinstance(occurred_at, Fault):
        faults.append(occurred_at)
    else:
        faults += occurred_faults(occurred_at, long_ago=draft.long_ago, language=language)
    description = plain_text(draft.description)
    faults += description_faults(description, language)
    contact = cleaned(draft.contact)
    faults += contact_faults(contact, language)
    behalf = draft.on_behalf_of_id
    if isinstance(behalf, Fault):
        faults.append(behalf)
    elif behalf is not None and located is not None:
        faults += on_behalf_faults(session, behalf, located.place, language)
    if faults:
        raise Refused(*faults)
    assert isinstance(category, Category)
    assert located is not None
    assert not isinstance(occurred_at, Fault)
    assert not isinstance(behalf, Fault)
    return Sent(
        category=category,
        place=located.place,
        occurred_at=occurred_at,
        severity=draft.severity,
        description=description,
        findings=screening.screen(description),
        address=located.address,
        contact=contact,
        key=draft.key,
        body_hash=draft.body_hash,
        on_behalf_of_id=behalf,
        street_light_id=None if light is None else light.id,
    )


def _placed(
    session: Session, draft: Draft, positions: Positions, language: Language, city: str
) -> tuple[Located | None, Light | None, list[Fault]]:
    """Find the place and the light that was picked, of which the pole is the place."""
    located: Located | None = None
    light: Light | None = None
    faults: list[Fault] = []
    if isinstance(draft.where, Fault):
        faults.append(draft.where)
    elif draft.where is not None:
        try:
            located = locate(session, draft.where, positions, language, city)
        except Refused as refused:
            faults += refused.faults
    if draft.pole is not None:
        try:
            place = None if located is None else located.place
            light = poles.picked_light(session, draft.pole, draft.category, place, language)
        except Refused as refused:
            faults += refused.faults
        else:
            pole = Point(light.longitude, light.latitude)
            located = Located(pole, located.address if located else "")
    return located, light, faults


def locate(
    session: Session, where: Where, positions: Positions, language: Language, city: str
) -> Located:
    """Find the place of a report.

    Parameters
    ----------
    session : Session
    where : Pair, Named, Stretch or Drawn
    positions : Positions
    language : Language
        In which faults are told.
    city : str
        Its name.

    Returns
    -------
    Located
        A point, a line or a polygon.

    Raises
    ------
    Refused
    """
    served = positions.bounds(session)
    try:
        match where:
            case Drawn(geometry):
                return Located(shape(geometry, served))
            case Stretch():
                return _stretch(session, where, served, language, city)
            case Pair() | Named():
                found, name = _end(session, where, served, language)
                return Located(point(found), name)
        assert_never(where)
    except PlaceError as error:
        raise Refused(place_fault(error, language, city)) from error


def _stretch(
    session: Session, stretch: Stretch, served: Box | None, language: Language, city: str
) -> Located:
    """Give the straight line between two ends; what is wrong with both is told at once."""
    found: list[Position] = []
    names: list[str] = []
    faults: list[Fault] = []
    for field, end in (("place", stretch.start), ("to", stretch.end)):
        if isinstance(end, Fault):
            faults.append(end)
            continue
        try:
            at, name = _end(session, end, served, language)
            found.append(at)
            names.append(name)
        except PlaceError as error:
            faults.append(replace(place_fault(error, language, city), field=field))
        except Refused as refused:
            faults += (replace(fault, field=field) for fault in refused.faults)
    if faults:
        raise Refused(*faults)
    coordinates = [(end.longitude, end.latitude) for end in found]
    return Located(line(coordinates, served), " - ".join(names) if all(names) else "")


def _end(
    session: Session, where: Pair | Named, served: Box | None, language: Language
) -> tuple[Position, str]:
    if isinstance(where, Named):
        named = place_by_name(session, where.text, language)
        return Position(named.lat, named.lon), named.label
    found = position(where.latitude, where.longitude, served)
    return found, name_of(session, where.called, found)


def category_fault(code: str, language: Language) -> Fault:
    """Say that there is no such category."""
    _ = language.gettext
    near = difflib.get_close_matches(code, BY_CODE, n=1)
    message = (
        _("There is no category “{code}”. Did you mean “{near}”?").format(code=code, near=near[0])
        if near
        else _("There is no category “{code}”. The list is at /api/categories.").format(code=code)
    )
    return Fault("category", "unknown_category", message)


def place_fault(error: PlaceError, language: Language, city: str) -> Fault:
    """Say what is wrong with a place."""
    _ = language.gettext
    if error.meant is not None:
        message = _(
            "Latitude and longitude seem to be swapped. Did you mean latitude {latitude}, "
            "longitude {longitude}?"
        ).format(latitude=error.meant.latitude, longitude=error.meant.longitude)
        return Fault("place", error.fault.value, message, meant=error.meant)
    messages = {
        PlaceFault.NOT_A_NUMBER: _("These are no coordinates. Write two numbers in degrees."),
        PlaceFault.OUT_OF_RANGE: _(
            "These coordinates do not exist. Latitude goes from -90 to 90, longitude from -180 to "
            "180."
        ),
        PlaceFault.ZERO: _(
            "Latitude 0, longitude 0 is what a device sends that does not know where it is. Choose "
            "the place on the map, or type an address."
        ),
        PlaceFault.FAR_AWAY: _("This place is far from {city}. Check the coordinates.").format(
            city=city
        ),
        PlaceFault.NOT_A_SHAPE: _(
            "The shape cannot be read. Draw it again, or type an address in its place."
        ),
        PlaceFault.TOO_FEW_POSITIONS: _(
            "A stretch of street needs two different points at least, and a lot three. Add more."
        ),
        PlaceFault.TOO_MANY_POSITIONS: _(
            "This shape has too many points. Draw it with 500 at most."
        ),
        PlaceFault.NOT_CLOSED: _("The outline of a lot must end where it begins."),
        PlaceFault.CROSSES_ITSELF: _(
            "The outline of the lot crosses itself. Draw it again, from corner to corner, all the "
            "way around."
        ),
        PlaceFault.TOO_LARGE: _(
            "This is larger than 5 kilometers (3 miles). Send a report for each place."
        ),
    }
    return Fault("place", error.fault.value, messages[error.fault])


def outside_fault(language: Language, city: str) -> Fault:
    """Say that the place is not the city's."""
    _ = language.gettext
    return Fault(
        "place",
        "outside_served_area",
        _(
            "This place is outside {city}. Porchlight takes reports inside the city limits only; "
            "please tell the city or county in which it lies."
        ).format(city=city),
    )


def place_by_name(session: Session, typed: str, language: Language) -> Place:
    """Find the one place that a text clearly names.

    Parameters
    ----------
    session : Session
    typed : str
        An address, a corner or a landmark.
    language : Language

    Returns
    -------
    Place

    Raises
    ------
    Refused
        Where none is found, where several fit alike, and where only a street or a neighbourhood is
        named. The choices stand in the fault.
    """
    _ = language.gettext
    if len(typed) > LONGEST:
        message = _("This is too long for an address. Use {most} characters at most.")
        raise Refused(Fault("place", "too_long", message.format(most=LONGEST)))
    found = places.search(session, typed, limit=MOST_CHOICES)
    if not found:
        raise Refused(
            Fault(
                "place",
                "no_such_place",
                _(
                    "We found no place called “{typed}”. Check the spelling, or try a nearby "
                    "address, a corner such as “39th and Main”, or a landmark."
                ).format(typed=typed),
            )
        )
    best = found[0]
    clear = (
        len(found) == 1
        or best.score - found[1].score >= _CLEARLY_BETTER
        or best.label.casefold() == typed.strip().casefold()
    )
    if clear and best.exactness is not Exactness.MIDDLE:
        return best
    if clear:
        message = _(
            "“{place}” is long. Add a house number or the nearest corner, or choose its middle."
        ).format(place=best.label)
        raise Refused(Fault("place", "place_not_exact", message, choices=tuple(found)))
    message = _("Which of these places do you mean?")
    raise Refused(Fault("place", "several_places", message, choices=tuple(found)))


def name_of(session: Session, typed: str, position: Position) -> str:
    """Give the name under which a place was found, where its position was taken from there.

    What somebody types is never stored as an address: only names that the gazetteer knows are.
    """
    for found in places.search(session, typed, limit=MOST_CHOICES) if typed else ():
        if (
            abs(found.lat - position.latitude) < _SAME_PLACE_DEGREES
            and abs(found.lon - position.longitude) < _SAME_PLACE_DEGREES
        ):
            return found.label
    return ""


def occurred_faults(
    occurred_at: datetime | None, *, long_ago: bool, language: Language
) -> Iterable[Fault]:
    """Say what is wrong with a time; `long_ago` is the answer to the question whether it is so."""
    _ = language.gettext
    fault = occurred_at and time_fault(occurred_at, datetime.now(UTC))
    if not fault or (fault is TimeFault.LONG_AGO and long_ago):
        return
    messages = {
        TimeFault.FUTURE: _("This time is in the future. Say when you saw it."),
        TimeFault.LONG_AGO: _("This is more than two years ago. Is the date right?"),
        TimeFault.TOO_LONG_AGO: _("This is more than a hundred years ago. Check the year."),
    }
    yield Fault("occurred_at", fault.value, messages[fault])


def description_faults(description: str, language: Language) -> Iterable[Fault]:
    """Say by how much a description is too long."""
    excess = len(description) - DESCRIPTION_LIMIT
    if excess <= 0:
        return
    message = language.ngettext(
        "The description has {n} character too many; {limit} fit. Shorten it a little.",
        "The description has {n} characters too many; {limit} fit. Shorten it a little.",
        excess,
    ).format(n=excess, limit=DESCRIPTION_LIMIT)
    yield Fault("description", "too_long", message)


def on_behalf_of(visitor: Visitor, block_watch_id: int, language: Language) -> int | Fault:
    """Give the block watch in whose name somebody may send, or say that they are none of its own."""
    if visitor.belongs(block_watch_id):
        return block_watch_id
    _ = language.gettext
    message = _(
        "Only its members send in the name of a block watch. Sign in as one, or send it in no name."
    )
    return Fault("on_behalf_of", "not_a_member", message)


def on_behalf_faults(
    session: Session, block_watch_id: int, place: BaseGeometry, language: Language
) -> Iterable[Fault]:
    """Say that a place is too far from a block watch to be its matter."""
    if associations.is_near(session, block_watch_id, place, NEAR_M):
        return
    _ = language.gettext
    message = _(
        "This place is more than two blocks ({feet} feet) outside of the block watch. Send the report "
        "in no name; it counts the same."
    )
    yield Fault("on_behalf_of", "too_far", message.format(feet=_NEAR_FEET))


def contact_faults(contact: Contact, language: Language) -> list[Fault]:
    """Say what is wrong with an e-mail address or a phone number, which both may be missing."""
    _ = language.gettext
    faults = []
    for field, value, most in (
        ("name", contact.name, NAME_LIMIT),
        ("email", contact.email, EMAIL_LIMIT),
        ("phone", contact.phone, PHONE_LIMIT),
    ):
        if len(value) > most:
            message = _("This is too long. Use {most} characters at most.").format(most=most)
            faults.append(Fault(field, "too_long", message))
    name, _at, host = contact.email.rpartition("@")
    if contact.email and not (name and "." in host.strip(".") and " " not in contact.email):
        message = _("This is no e-mail address. Write it like name@example.org, or leave it empty.")
        faults.append(Fault("email", "not_an_email_address", message))
    digits = sum(character.isdigit() for character in contact.phone)
    if contact.phone and not 7 <= digits <= 15:
        message = _("This is no phone number. Write it like 816-555-0100, or leave it empty.")
        faults.append(Fault("phone", "not_a_phone_number", message))
    return faults


def cleaned(contact: Contact) -> Contact:
    """Give the contact as it is kept."""
    return Contact(*(plain_text(part) for part in (contact.name, contact.email, contact.phone)))


def store(
    session: Session,
    sent: Sent,
    positions: Positions,
    language: Language,
    city: str,
    *,
    reporter_id: int | None = None,
) -> Submitted:
    """Store what was sent, once a key.

    Of a text in which something points at a person, nothing is public until a moderator has read
    it; the report itself is.

    Raises
    ------
    Refused
        Outside the served area; the transaction is rolled back.
    data.queries.reports.KeyReused
    """
    held = bool(sent.findings)
    new = NewReport(
        category=sent.category,
        exact=sent.place,
        public=positions.public(session, sent.place, sent.category, sent.key),
        occurred_at=sent.occurred_at,
        severity=sent.severity,
        description=sent.description,
        public_text="" if held else sent.description,
        text_waits=held,
        address=sent.address,
        contact=sent.contact,
        reporter_id=reporter_id,
        on_behalf_of_id=sent.on_behalf_of_id,
        street_light_id=sent.street_light_id,
        language=language.code,
    )
    try:
        return reports.submit(session, new, key=sent.key, body_hash=sent.body_hash)
    except OutsideServedArea as error:
        session.rollback()
        raise Refused(outside_fault(language, city)) from error
