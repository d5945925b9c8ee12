"""Block associations: what everybody may know of a watch, its meetings, and its members."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from data.queries import audit, people
from data.queries.sign_ins import hashed
from geo.categories import BY_CODE, Category
from geo.crs import CITY_SRID
from geo.roles import Role
from geo.statuses import OPEN, Status

MOST_LISTED = 20
"""Reports that the page of a watch lists of each sort."""

MOST_INVITATIONS = 20
"""Invitations of a watch that hold at a time."""

_NEAR_PLACES = 40

_IS_OPEN = "status IN ({})".format(", ".join(f"'{status}'" for status in sorted(OPEN)))
_IS_DONE = "status IN ('done', 'verified') AND closed_at >= :since"


@dataclass(frozen=True, slots=True)
class ListedWatch:
    """A block watch as the list shows it.

    Attributes
    ----------
    meeting : str
        When it meets, in the words of whoever imported or keeps it.
    open_reports : int
    """

    id: int
    name: str
    meeting: str
    open_reports: int


_WATCHES = text(f"""
    WITH inside AS (
        SELECT block_watch_id, count(*) AS n FROM report
        WHERE block_watch_id IS NOT NULL AND {_IS_OPEN} GROUP BY block_watch_id
    )
    SELECT id, name, meeting, coalesce(n, 0) FROM block_watch
    LEFT JOIN inside ON block_watch_id = id ORDER BY name, id
""")  # noqa: S608 (its own constants)


def watches(session: Session) -> list[ListedWatch]:
    """Give all block watches by name."""
    return [ListedWatch(*row) for row in session.execute(_WATCHES)]


@dataclass(frozen=True, slots=True)
class Watch:
    """A block watch as everybody may know it.

    Attributes
    ----------
    contact, meeting : str
        Words for everybody.
    member_contact : str
        Words for members; empty for others, whatever stands there.
    has_captain : bool
    has_asked : bool
        Whether the visitor has asked to join, and waits.
    asking : int
        How many wait, of those the visitor may know of.
    west, south, east, north : float
        How far its boundary reaches, in degrees on WGS 84.
    """

    id: int
    name: str
    contact: str
    meeting: str
    member_contact: str
    has_captain: bool
    has_asked: bool
    asking: int
    west: float
    south: float
    east: float
    north: float


_WATCH = text("""
    SELECT id, name, block_watch.contact, meeting, coalesce(member_contact.contact, ''),
        watch_has_captain(id), waiting.has_asked, waiting.n,
        ST_XMin(boundary), ST_YMin(boundary), ST_XMax(boundary), ST_YMax(boundary)
    FROM block_watch LEFT JOIN member_contact ON block_watch_id = id
    CROSS JOIN LATERAL (
        SELECT count(*) AS n, coalesce(bool_or(person_id = visitor()), false) AS has_asked
        FROM join_request WHERE block_watch_id = block_watch.id AND decided_at IS NULL
    ) AS waiting
    WHERE block_watch.id = :id
""")


def watch(session: Session, id: int) -> Watch | None:
    """Give a block watch as far as the visitor may know it; None where there is none."""
    found = session.execute(_WATCH, {"id": id}).one_or_none()
    return None if found is None else Watch(*found)


def named(session: Session, ids: Collection[int]) -> list[people.Choice]:
    """Give the names of watches, in their order."""
    if not ids:
        return []
    rows = session.execute(
        text("SELECT id, name FROM block_watch WHERE id = ANY (:ids) ORDER BY name, id"),
        {"ids": sorted(ids)},
    )
    return [people.Choice(*row) for row in rows]


def is_near(session: Session, id: int, place: BaseGeometry, within_m: float) -> bool:
    """Tell whether a place in EPSG:4326 lies in a watch, or so many metres from it at the most."""
    found = session.scalar(
        text(
            "SELECT ST_DWithin(ST_Transform(boundary, CAST(:srid AS integer)), ST_Transform("
            "ST_GeomFromWKB(:place, 4326), CAST(:srid AS integer)), :within_m) "
            "FROM block_watch WHERE id = :id"
        ),
        {"id": id, "place": shapely.to_wkb(place), "srid": CITY_SRID, "within_m": within_m},
    )
    return bool(found)


def change_watch(
    session: Session, id: int, *, contact: str, meeting: str, member_contact: str
) -> None:
    """Change the words of a watch. The store refuses whoever does not keep it."""
    session.execute(
        text("UPDATE block_watch SET contact = :contact, meeting = :meeting WHERE id = :id"),
        {"id": id, "contact": contact, "meeting": meeting},
    )
    session.execute(
        text(
            "INSERT INTO member_contact (block_watch_id, contact) VALUES (:id, :contact) "
            "ON CONFLICT (block_watch_id) DO UPDATE SET contact = excluded.contact"
        ),
        {"id": id, "contact": member_contact},
    )


@dataclass(frozen=True, slots=True)
class ReportInside:
    """A report inside of a watch.

    Attributes
    ----------
    place : str
        Its public address, or the neighbourhood; may be empty.
    at : datetime
        When it was reported, or done.
    """

    id: int
    category: Category
    status: Status
    place: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Inside:
    """Reports inside of a watch: how many of each status, and the newest of them."""

    counts: Mapping[Status, int]
    newest: Sequence[ReportInside]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts.values())


def open_inside(session: Session, id: int) -> Inside:
    """Give the open reports inside of a watch, as reported, newest first."""
    return _inside(session, _IS_OPEN, "reported_at", {"id": id})


def done_inside(session: Session, id: int, since: datetime) -> Inside:
    """Give what came to done or verified inside of a watch since a moment, latest first."""
    return _inside(session, _IS_DONE, "closed_at", {"id": id, "since": since})


def _inside(session: Session, meant: str, at: str, values: Mapping[str, Any]) -> Inside:
    counted = session.execute(
        text(
            "SELECT status, count(*) FROM report "  # noqa: S608 (its own constants)
            f"WHERE block_watch_id = :id AND {meant} GROUP BY status"
        ),
        values,
    )
    counts = {Status(status): n for status, n in counted}
    # Materialized, or else the newest of the whole city would be gone through for those of one watch.
    rows = session.execute(
        text(f"""
            WITH inside AS MATERIALIZED (
                SELECT id, category_code, status, address, neighbourhood_id, {at} AS at
                FROM report WHERE block_watch_id = :id AND {meant}
            ), newest AS (SELECT * FROM inside ORDER BY at DESC, id DESC LIMIT :most)
            SELECT newest.id, category_code, status, coalesce(nullif(address, ''), area.name, ''), at
            FROM newest LEFT JOIN area ON area.id = neighbourhood_id
            ORDER BY at DESC, newest.id DESC
        """),  # noqa: S608 (as above)
        {**values, "most": MOST_LISTED},
    )
    return Inside(
        counts,
        [
            ReportInside(id, BY_CODE[code], Status(status), place, moment)
            for id, code, status, place, moment in rows
        ],
    )


@dataclass(frozen=True, slots=True)
class NewMeeting:
    """A meeting as a captain writes it down.

    Attributes
    ----------
    starts_at : datetime
        Of the first of them, with its zone.
    rrule : str
        As of `data.models.Meeting`.
    """

    place: str
    service_location_id: int | None
    starts_at: datetime
    rrule: str
    duration_minutes: int
    note: str


@dataclass(frozen=True, slots=True)
class ChangedDate:
    """One date of a meeting that recurs, when it is not as planned.

    Attributes
    ----------
    moved_to : datetime or None
        None where it is cancelled.
    """

    moved_to: datetime | None
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class PlannedMeeting:
    """A meeting of a watch.

    Attributes
    ----------
    location, location_address : str or None
        Of the service location where it is.
    is_cancelled : bool
    dates : mapping of date to ChangedDate
        By the day on which each would be, in the city's time.
    """

    id: int
    uid: UUID
    place: str
    service_location_id: int | None
    location: str | None
    location_address: str | None
    starts_at: datetime
    rrule: str
    duration_minutes: int
    note: str
    sequence: int
    changed_at: datetime
    is_cancelled: bool
    dates: Mapping[date, ChangedDate]


_MEETINGS = text("""
    SELECT meeting.id, uid, place, service_location_id, service_location.name AS location,
        service_location.address AS location_address, starts_at, rrule, duration_minutes, note,
        sequence, changed_at, cancelled_at IS NOT NULL AS is_cancelled
    FROM meeting LEFT JOIN service_location
        ON service_location.id = service_location_id AND NOT confidential
    WHERE block_watch_id = :block_watch_id
        AND (cancelled_at IS NULL OR cancelled_at > now() - interval '60 days')
    ORDER BY starts_at, meeting.id
""")


_DATES = text("""
    SELECT meeting_id, day, moved_to, meeting_date.changed_at
    FROM meeting_date JOIN meeting ON meeting.id = meeting_id
    WHERE block_watch_id = :block_watch_id ORDER BY day
""")


def meetings(session: Session, block_watch_id: int) -> list[PlannedMeeting]:
    """Give the meetings of a watch, and for 60 days those that were cancelled."""
    values = {"block_watch_id": block_watch_id}
    rows = session.execute(_MEETINGS, values).mappings().all()
    dates: dict[int, dict[date, ChangedDate]] = {}
    for id, day, moved_to, changed_at in session.execute(_DATES, values):
        dates.setdefault(id, {})[day] = ChangedDate(moved_to, changed_at)
    return [PlannedMeeting(**row, dates=dates.get(row["id"], {})) for row in rows]


def add_meeting(session: Session, block_watch_id: int, new: NewMeeting) -> int:
    """Write down a meeting, and give its id. The store refuses whoever does not keep the watch."""
    id: int = session.scalars(
        text(
            "INSERT INTO meeting (block_watch_id, place, service_location_id, starts_at, rrule, "
            "duration_minutes, note) VALUES (:block_watch_id, :place, :service_location_id, "
            ":starts_at, :rrule, :duration_minutes, :note) RETURNING id"
        ),
        {"block_watch_id": block_watch_id, **_values(new)},
    ).one()
    return id


def change_meeting(session: Session, block_watch_id: int, id: int, new: NewMeeting) -> bool:
    """Change a meeting; False where there is none that still takes place."""
    changed = session.execute(
        text(
            "UPDATE meeting SET place = :place, service_location_id = :service_location_id, "
            "starts_at = :starts_at, rrule = :rrule, duration_minutes = :duration_minutes, "
            "note = :note, sequence = sequence + 1, changed_at = now() WHERE id = :id "
            "AND block_watch_id = :block_watch_id AND cancelled_at IS NULL RETURNING id"
        ),
        {"id": id, "block_watch_id": block_watch_id, **_values(new)},
    )
    return changed.first() is not None


def cancel_meeting(session: Session, block_watch_id: int, id: int) -> bool:
    """Cancel a meeting with all its dates; False where there is none that takes place."""
    cancelled = session.execute(
        text(
            "UPDATE meeting SET cancelled_at = now(), changed_at = now(), sequence = sequence + 1 "
            "WHERE id = :id AND block_watch_id = :block_watch_id AND cancelled_at IS NULL "
            "RETURNING id"
        ),
        {"id": id, "block_watch_id": block_watch_id},
    )
    return cancelled.first() is not None


def change_date(session: Session, id: int, day: date, moved_to: datetime | None) -> None:
    """Move one date of a meeting, or cancel it; None cancels. The store refuses whoever may not.

    Parameters
    ----------
    session : Session
    id : int
        Of a meeting that recurs and takes place.
    day : date
        On which it would be, in the city's time.
    moved_to : datetime or None
    """
    session.execute(
        text(
            "INSERT INTO meeting_date (meeting_id, day, moved_to) VALUES (:id, :day, :moved_to) "
            "ON CONFLICT (meeting_id, day) DO UPDATE "
            "SET moved_to = excluded.moved_to, changed_at = now()"
        ),
        {"id": id, "day": day, "moved_to": moved_to},
    )
    _touch(session, id)


def keep_date(session: Session, id: int, day: date) -> None:
    """Have one date of a meeting be as planned again."""
    session.execute(
        text("DELETE FROM meeting_date WHERE meeting_id = :id AND day = :day"),
        {"id": id, "day": day},
    )
    _touch(session, id)


def _touch(session: Session, id: int) -> None:
    """Let calendars learn of a change."""
    session.execute(
        text("UPDATE meeting SET sequence = sequence + 1, changed_at = now() WHERE id = :id"),
        {"id": id},
    )


def _values(new: NewMeeting) -> dict[str, Any]:
    return {name: getattr(new, name) for name in NewMeeting.__slots__}


def places_near(session: Session, block_watch_id: int) -> list[people.Choice]:
    """Give the service locations nearest to a watch, by name, for its meetings to be at."""
    rows = session.execute(
        text("""
            SELECT id, name FROM (
                SELECT place.id, place.name FROM service_location AS place
                WHERE NOT confidential ORDER BY place.geom <-> (
                    SELECT ST_Centroid(boundary) FROM block_watch WHERE id = :id
                ) LIMIT :most
            ) AS near ORDER BY name, id
        """),
        {"id": block_watch_id, "most": _NEAR_PLACES},
    )
    return [people.Choice(*row) for row in rows]


# Members, as the owner of the store ---------------------------------------------------------------


class NotCaptain(PermissionError):  # noqa: N818 (it is the name of what happened)
    """Whoever changes the members of a watch is none of its captains any more."""


class LastCaptain(ValueError):  # noqa: N818 (as above)
    """Without this captain the watch would have none."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody of a watch. The name may be empty.

    Attributes
    ----------
    since : datetime
        Of the role held now.
    came_at : datetime
        When the membership began, whatever roles it has had.
    asked_at : datetime or None
        When the person asked to join, where a captain let them in for that.
    by_link : bool
        Whether the person came by a captain's link, without having asked.
    """

    person_id: int
    name: str
    role: Role
    since: datetime
    came_at: datetime
    asked_at: datetime | None
    by_link: bool


# A change of role ends a grant at the moment at which it makes the next one; who asked is let in at
# the moment of the first; and a captain lets nobody else in but by a link.
_MEMBERS = text("""
    SELECT held.person_id, name, held.role, held.granted_at, came.granted_at, asked_at,
        asked_at IS NULL AND EXISTS (
            SELECT FROM role_grant AS captain WHERE captain.person_id = came.granted_by_id
                AND captain.block_watch_id = came.block_watch_id AND captain.role = 'captain'
                AND captain.granted_at < came.granted_at
                AND coalesce(captain.ended_at > came.granted_at, true)
        )
    FROM role_grant AS held JOIN person ON person.id = held.person_id
    CROSS JOIN LATERAL (
        SELECT granted_at, granted_by_id, block_watch_id FROM role_grant AS first
        WHERE first.person_id = held.person_id AND first.block_watch_id = held.block_watch_id
            AND first.granted_at <= held.granted_at AND NOT EXISTS (
                SELECT FROM role_grant AS earlier WHERE earlier.person_id = first.person_id
                    AND earlier.block_watch_id = first.block_watch_id
                    AND earlier.id <> first.id AND earlier.ended_at = first.granted_at
            )
        ORDER BY granted_at DESC LIMIT 1
    ) AS came
    LEFT JOIN join_request ON join_request.block_watch_id = held.block_watch_id
        AND join_request.person_id = held.person_id AND approved AND decided_at = came.granted_at
    WHERE held.block_watch_id = :block_watch_id AND held.ended_at IS NULL AND disabled_at IS NULL
    ORDER BY held.role = 'member', lower(name), held.person_id
""")


def members(session: Session, block_watch_id: int) -> list[Member]:
    """Give the members of a watch, its captains first: for members' eyes only."""
    rows = session.execute(_MEMBERS, {"block_watch_id": block_watch_id})
    return [Member(id, name, Role(role), *how) for id, name, role, *how in rows]


def captains(session: Session, block_watch_id: int) -> int:
    """Count the captains of a watch."""
    found = members(session, block_watch_id)
    return sum(member.role is Role.CAPTAIN for member in found)


def _take_turns(session: Session, block_watch_id: int) -> None:
    """Have others who change the members wait until the end of the transaction."""
    session.execute(
        text("SELECT FROM block_watch WHERE id = :id FOR NO KEY UPDATE"), {"id": block_watch_id}
    )


def _as_captain(session: Session, block_watch_id: int, person_id: int) -> None:
    _take_turns(session, block_watch_id)
    if _role(session, block_watch_id, person_id) is not Role.CAPTAIN:
        raise NotCaptain


def _role(session: Session, block_watch_id: int, person_id: int) -> Role | None:
    found = members(session, block_watch_id)
    return next((member.role for member in found if member.person_id == person_id), None)


def _become(
    session: Session, block_watch_id: int, person_id: int, role: Role | None, *, by_id: int
) -> None:
    """Make a person this of a watch, and nothing else; None ends it."""
    ended = session.execute(
        text(
            "UPDATE role_grant SET ended_at = now() WHERE person_id = :person_id "
            "AND block_watch_id = :block_watch_id AND ended_at IS NULL "
            "AND role::text <> :role RETURNING id"
        ),
        {"person_id": person_id, "block_watch_id": block_watch_id, "role": role or ""},
    )
    for id in ended.scalars().all():
        audit.add(session, by_id, "role.end", f"person {person_id}", {"role_grant": id})
    if role is None:
        return
    made = people.grant(
        session, person_id, role, granted_by_id=by_id, block_watch_id=block_watch_id
    )
    if made is not None:
        detail = {"role": role.value, "block_watch_id": block_watch_id}
        audit.add(session, by_id, "role.grant", f"person {person_id}", detail)


def make_captain(session: Session, block_watch_id: int, person_id: int, *, by_id: int) -> bool:
    """Make a member a captain; False where the person is none.

    Raises
    ------
    NotCaptain
    """
    _as_captain(session, block_watch_id, by_id)
    if _role(session, block_watch_id, person_id) is None:
        return False
    _become(session, block_watch_id, person_id, Role.CAPTAIN, by_id=by_id)
    return True


def hand_over(session: Session, block_watch_id: int, person_id: int, *, by_id: int) -> bool:
    """Make a member captain in one's own place; False where the person is none.

    Raises
    ------
    NotCaptain
    """
    if person_id == by_id or not make_captain(session, block_watch_id, person_id, by_id=by_id):
        return False
    _become(session, block_watch_id, by_id, Role.MEMBER, by_id=by_id)
    return True


def remove(session: Session, block_watch_id: int, person_id: int, *, by_id: int) -> bool:
    """End the membership of somebody else; False where the person has none.

    Raises
    ------
    NotCaptain
    """
    _as_captain(session, block_watch_id, by_id)
    if person_id == by_id or _role(session, block_watch_id, person_id) is None:
        return False
    _become(session, block_watch_id, person_id, None, by_id=by_id)
    return True


def leave(session: Session, block_watch_id: int, person_id: int, *, even_last: bool) -> None:
    """End one's own membership.

    Parameters
    ----------
    session : Session
    block_watch_id, person_id : int
    even_last : bool
        Whether the watch may be left without a captain.

    Raises
    ------
    LastCaptain
    """
    _take_turns(session, block_watch_id)
    is_captain = _role(session, block_watch_id, person_id) is Role.CAPTAIN
    if is_captain and not even_last and captains(session, block_watch_id) == 1:
        raise LastCaptain
    _become(session, block_watch_id, person_id, None, by_id=person_id)


@dataclass(frozen=True, slots=True)
class Asking:
    """Somebody who asks to join."""

    id: int
    name: str
    note: str
    asked_at: datetime


def ask_to_join(session: Session, block_watch_id: int, person_id: int, note: str) -> bool:
    """Ask to become a member; False for whoever is one already, or has asked: nothing changes."""
    _take_turns(session, block_watch_id)
    if _role(session, block_watch_id, person_id) is not None:
        return False
    asked = session.execute(
        text(
            "INSERT INTO join_request (block_watch_id, person_id, note) "
            "VALUES (:block_watch_id, :person_id, :note) ON CONFLICT DO NOTHING RETURNING id"
        ),
        {"block_watch_id": block_watch_id, "person_id": person_id, "note": note},
    )
    return asked.first() is not None


@dataclass(frozen=True, slots=True)
class Addressee:
    """Where to write to somebody, and in which language."""

    email: str
    language: str


def captains_to_tell(session: Session, block_watch_id: int) -> list[Addressee]:
    """Give where to write to the captains of a watch."""
    rows = session.execute(
        text(
            "SELECT email, language FROM role_grant JOIN person ON person.id = person_id "
            "WHERE block_watch_id = :id AND role = 'captain' AND ended_at IS NULL "
            "AND disabled_at IS NULL AND email IS NOT NULL ORDER BY person_id"
        ),
        {"id": block_watch_id},
    )
    return [Addressee(*row) for row in rows]


def person_to_tell(session: Session, person_id: int) -> Addressee | None:
    """Give where to write to a person; None where that is not known, or the account is closed."""
    found = session.execute(
        text(
            "SELECT email, language FROM person "
            "WHERE id = :id AND disabled_at IS NULL AND email IS NOT NULL"
        ),
        {"id": person_id},
    ).one_or_none()
    return None if found is None else Addressee(*found)


def asking(session: Session, block_watch_id: int) -> list[Asking]:
    """Give who asks to join a watch, the first first: for its captains' eyes only."""
    rows = session.execute(
        text(
            "SELECT join_request.id, name, note, asked_at FROM join_request "
            "JOIN person ON person.id = person_id WHERE block_watch_id = :block_watch_id "
            "AND decided_at IS NULL AND disabled_at IS NULL ORDER BY asked_at, join_request.id"
        ),
        {"block_watch_id": block_watch_id},
    )
    return [Asking(*row) for row in rows]


def was_asked(session: Session, block_watch_id: int, id: int) -> bool:
    """Tell whether there is such a request to join a watch, decided or not."""
    found = session.execute(
        text("SELECT FROM join_request WHERE id = :id AND block_watch_id = :block_watch_id"),
        {"id": id, "block_watch_id": block_watch_id},
    )
    return found.first() is not None


def decide(
    session: Session, block_watch_id: int, id: int, *, approved: bool, by_id: int
) -> int | None:
    """Take somebody in who asked, or refuse, and give the person; None where nothing waits.

    Raises
    ------
    NotCaptain
    """
    _as_captain(session, block_watch_id, by_id)
    person_id: int | None = session.scalar(
        text(
            "UPDATE join_request SET decided_at = now(), approved = :approved, note = '', "
            "decided_by_id = :by_id WHERE id = :id AND block_watch_id = :block_watch_id "
            "AND decided_at IS NULL RETURNING person_id"
        ),
        {"id": id, "block_watch_id": block_watch_id, "approved": approved, "by_id": by_id},
    )
    if person_id is None:
        return None
    if not approved:
        detail = {"block_watch_id": block_watch_id}
        audit.add(session, by_id, "watch.refuse", f"person {person_id}", detail)
    elif _role(session, block_watch_id, person_id) is None:
        _become(session, block_watch_id, person_id, Role.MEMBER, by_id=by_id)
    return person_id


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation that holds. Its link is not known any more."""

    id: int
    made_at: datetime
    expires_at: datetime
    uses_left: int


_HOLDS = """
    revoked_at IS NULL AND expires_at > now() AND uses_left > 0 AND EXISTS (
        SELECT FROM role_grant WHERE person_id = made_by_id AND role = 'captain'
            AND role_grant.block_watch_id = watch_invitation.block_watch_id AND ended_at IS NULL
    )
"""


def invitations(session: Session, block_watch_id: int) -> list[Invitation]:
    """Give the invitations of a watch that hold, the newest first."""
    rows = session.execute(
        text(
            "SELECT id, made_at, expires_at, uses_left FROM watch_invitation "  # noqa: S608 (its own constants)
            f"WHERE block_watch_id = :block_watch_id AND {_HOLDS} ORDER BY id DESC"
        ),
        {"block_watch_id": block_watch_id},
    )
    return [Invitation(*row) for row in rows]


def invite(session: Session, block_watch_id: int, *, uses: int, by_id: int) -> str | None:
    """Make an invitation, and give its token; None where too many hold already.

    Raises
    ------
    NotCaptain
    """
    _as_captain(session, block_watch_id, by_id)
    if len(invitations(session, block_watch_id)) >= MOST_INVITATIONS:
        return None
    token = secrets.token_urlsafe(32)
    session.execute(
        text(
            "INSERT INTO watch_invitation (block_watch_id, token_hash, made_by_id, uses_left) "
            "VALUES (:block_watch_id, :token_hash, :by_id, :uses)"
        ),
        {
            "block_watch_id": block_watch_id,
            "token_hash": hashed(token),
            "by_id": by_id,
            "uses": uses,
        },
    )
    audit.add(session, by_id, "watch.invite", f"block_watch {block_watch_id}", {"uses": uses})
    return token


def revoke(session: Session, block_watch_id: int, id: int, *, by_id: int) -> None:
    """Have an invitation hold no longer.

    Raises
    ------
    NotCaptain
    """
    _as_captain(session, block_watch_id, by_id)
    revoked = session.execute(
        text(
            "UPDATE watch_invitation SET revoked_at = now() WHERE id = :id "
            "AND block_watch_id = :block_watch_id AND revoked_at IS NULL RETURNING id"
        ),
        {"id": id, "block_watch_id": block_watch_id},
    )
    if revoked.first() is not None:
        subject = f"block_watch {block_watch_id}"
        audit.add(session, by_id, "watch.revoke", subject, {"watch_invitation": id})


@dataclass(frozen=True, slots=True)
class Invited:
    """To which watch an invitation leads."""

    id: int
    name: str


def invited_to(session: Session, token: str) -> Invited | None:
    """Tell to which watch an invitation leads; None where it does not hold."""
    found: RowMapping | None = (
        session.execute(
            text(
                "SELECT block_watch.id, name FROM watch_invitation "  # noqa: S608 (its own constants)
                "JOIN block_watch ON block_watch.id = block_watch_id "
                f"WHERE token_hash = :token_hash AND {_HOLDS}"
            ),
            {"token_hash": hashed(token)},
        )
        .mappings()
        .one_or_none()
    )
    return None if found is None else Invited(**found)


def accept(session: Session, token: str, person_id: int) -> int | None:
    """Become a member by an invitation, and give the watch; None where it does not hold.

    Whoever is a member already uses nothing up.
    """
    invited = invited_to(session, token)
    if invited is None:
        return None
    _take_turns(session, invited.id)
    if _role(session, invited.id, person_id) is not None:
        return invited.id
    made_by_id = session.scalar(
        text(
            "UPDATE watch_invitation SET uses_left = uses_left - 1 "  # noqa: S608 (its own constants)
            f"WHERE token_hash = :token_hash AND {_HOLDS} RETURNING made_by_id"
        ),
        {"token_hash": hashed(token)},
    )
    if made_by_id is None:
        return None
    session.execute(
        text(
            "UPDATE join_request SET decided_at = now(), approved = true, note = '', "
            "decided_by_id = :by_id WHERE block_watch_id = :block_watch_id "
            "AND person_id = :person_id AND decided_at IS NULL"
        ),
        {"block_watch_id": invited.id, "person_id": person_id, "by_id": made_by_id},
    )
    _become(session, invited.id, person_id, Role.MEMBER, by_id=made_by_id)
    return invited.id
