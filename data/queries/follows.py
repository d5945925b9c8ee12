"""What people follow, and what there is to tell them: each public event once a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import shapely
from shapely import Polygon
from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from data.models import AreaLayer, Pace
from geo.categories import BY_CODE, Category
from geo.kinds import Kind
from geo.statuses import PUBLIC, Status

MOST_FOLLOWED = 200
"""What one person may follow; more is a program's work, and for that there are feeds."""

_OVERLAP = "1 hour"
"""News may be committed this long after the moment they bear."""

_KEPT = "60 days"
"""How long it is remembered who was told what; longer than any gap in the telling."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is followed: one of four things, or the whole city, narrowed to kinds or categories.

    Attributes
    ----------
    drawn : shapely.Polygon or None
        EPSG:4326, with 100 points at the most.
    name : str
        What the person calls the drawn area.
    """

    report_id: int | None = None
    block_watch_id: int | None = None
    area_id: int | None = None
    drawn: Polygon | None = None
    name: str = ""
    kinds: tuple[Kind, ...] = ()
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """What can be followed, with what it takes to name it.

    Attributes
    ----------
    report_category : Category or None
        Of the report.
    name : str or None
        Of the block watch or the area; what the person calls the drawn area; the address of the
        report, where it is public, or its neighbourhood.
    layer : AreaLayer or None
        Of the area.
    """

    report_id: int | None
    report_category: Category | None
    drawn: bool
    name: str | None
    layer: AreaLayer | None
    kinds: tuple[Kind, ...]
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Followed:
    """Something a person follows, and how soon they are told.

    Attributes
    ----------
    drawn : shapely.Polygon or None
        EPSG:4326.
    """

    id: int
    named: Named
    pace: Pace
    drawn: Polygon | None


@dataclass(frozen=True, slots=True)
class News:
    """A public event that a follower has not been told.

    Attributes
    ----------
    follow_id : int
        Through what it is told: the finest of all that the person follows and it fits.
    status : Status or None
        The status the report came to.
    place : str or None
        The address of a thing in public space.
    neighbourhood : str or None
        Its name.
    """

    follow_id: int
    report_id: int
    category: Category
    at: datetime
    status: Status | None
    note: str
    place: str | None
    neighbourhood: str | None


@dataclass(frozen=True, slots=True)
class Follower:
    """Whom to tell, and in the language in which they last chose something to follow."""

    person_id: int
    email: str
    language: str


_ADD = text("""
    INSERT INTO follow (person_id, report_id, block_watch_id, area_id, drawn, name, kinds,
        categories, pace, language)
    SELECT :person_id, CAST(:report_id AS bigint), CAST(:block_watch_id AS bigint),
        CAST(:area_id AS bigint), ST_GeomFromWKB(CAST(:drawn AS bytea), 4326), :name,
        CAST(:kinds AS report_kind[]), CAST(:categories AS text[]), CAST(:pace AS follow_pace),
        :language
    WHERE (SELECT count(*) FROM follow WHERE person_id = :person_id) < :most
    ON CONFLICT (person_id, report_id, block_watch_id, area_id, drawn, kinds, categories)
        DO UPDATE SET pace = excluded.pace, language = excluded.language, name = excluded.name
""")

_OF_PERSON = """
    SELECT follow.id, pace, report_id, report.category_code, ST_AsBinary(drawn) AS drawn,
        coalesce(watch.name, area.name, nullif(follow.name, ''),
            CASE WHEN report.status <> 'held' THEN nullif(report.address, '') END,
            CASE WHEN report.status <> 'held' THEN around.name END) AS name,
        area.layer, follow.kinds::text[] AS kinds, categories
    FROM follow
    LEFT JOIN report ON report.id = follow.report_id
    LEFT JOIN area AS around ON around.id = report.neighbourhood_id
    LEFT JOIN block_watch AS watch ON watch.id = follow.block_watch_id
    LEFT JOIN area ON area.id = follow.area_id
    WHERE person_id = :person_id AND (CAST(:id AS bigint) IS NULL OR follow.id = :id)
    ORDER BY follow.id DESC
"""

_NAMES = text("""
    SELECT report.category_code, coalesce(watch.name, area.name, nullif(report.address, ''),
        around.name) AS name, area.layer
    FROM (SELECT) AS one
    LEFT JOIN report ON report.id = CAST(:report_id AS bigint) AND report.status <> 'held'
    LEFT JOIN area AS around ON around.id = report.neighbourhood_id
    LEFT JOIN block_watch AS watch ON watch.id = CAST(:block_watch_id AS bigint)
    LEFT JOIN area ON area.id = CAST(:area_id AS bigint)
    WHERE num_nonnulls(report.id, watch.id, area.id)
        = num_nonnulls(CAST(:report_id AS bigint), CAST(:block_watch_id AS bigint),
            CAST(:area_id AS bigint))
""")

_IS_NEWS = f"""
    event.public AND report.status::text = ANY (:public)
    AND (event.to_status::text = ANY (:public) OR (event.kind = 'note' AND event.note <> ''))
    AND event.at > greatest(follow.told_to - interval '{_OVERLAP}', follow.created_at)
    AND CASE
        WHEN follow.report_id IS NOT NULL THEN
            event.report_id = follow.report_id OR event.report_id = (
                SELECT duplicate_of_id FROM report AS followed WHERE followed.id = follow.report_id)
        ELSE report.public_geom IS NOT NULL
            AND (follow.kinds = '{{}}' OR report.kind = ANY (follow.kinds))
            AND (follow.categories = '{{}}' OR report.category_code = ANY (follow.categories))
            AND CASE
                WHEN follow.block_watch_id IS NOT NULL THEN
                    follow.block_watch_id IN (report.block_watch_id, report.on_behalf_of_id)
                WHEN follow.area_id IS NOT NULL THEN
                    follow.area_id IN (report.neighbourhood_id, report.council_district_id,
                        report.patrol_division_id, report.tract_id)
                WHEN follow.drawn IS NOT NULL THEN ST_Intersects(report.public_geom, follow.drawn)
                ELSE true END
        END
    AND NOT EXISTS (
        SELECT FROM told WHERE told.person_id = follow.person_id AND told.event_id = event.id)
"""  # noqa: S608 (its own constant)

_DUE = """
    CASE follow.pace WHEN 'at_once' THEN true
        WHEN 'daily' THEN follow.told_to < :morning
        ELSE follow.told_to < :monday END
"""

_WITH_NEWS = text(f"""
    SELECT DISTINCT follow.person_id
    FROM follow JOIN person ON person.id = follow.person_id
    JOIN report_event AS event
        ON event.at > follow.told_to - interval '{_OVERLAP}'
    JOIN report ON report.id = event.report_id
    WHERE person.email IS NOT NULL AND person.disabled_at IS NULL AND {_DUE} AND {_IS_NEWS}
    ORDER BY follow.person_id
""")  # noqa: S608 (its own constants)

_CLAIM = text("""
    SELECT person.id, email, (
        SELECT language FROM follow WHERE person_id = person.id ORDER BY id DESC LIMIT 1
    ) AS language
    FROM person WHERE id = :person_id AND email IS NOT NULL AND disabled_at IS NULL
        AND EXISTS (SELECT FROM follow WHERE person_id = person.id)
    FOR UPDATE OF person
""")

# Of all that a report fits, the finest tells of it; a report is told of in one place.
_TELL = text(f"""
    WITH fitting AS (
        SELECT event.id AS event_id, event.report_id, follow.id AS follow_id, CASE
            WHEN follow.report_id IS NOT NULL THEN 1
            WHEN follow.block_watch_id IS NOT NULL THEN 2
            WHEN follow.drawn IS NOT NULL THEN 3
            WHEN follow.area_id IS NOT NULL THEN 4
            ELSE 5 END AS coarseness
        FROM follow JOIN report_event AS event
            ON event.at > follow.told_to - interval '{_OVERLAP}'
        JOIN report ON report.id = event.report_id
        WHERE follow.person_id = :person_id AND {_DUE} AND {_IS_NEWS}
    ), through AS (
        SELECT DISTINCT ON (report_id) report_id, follow_id FROM fitting
        ORDER BY report_id, coarseness, follow_id
    ), news AS (
        INSERT INTO told (person_id, event_id)
        SELECT DISTINCT CAST(:person_id AS bigint), event_id FROM fitting
        ON CONFLICT DO NOTHING RETURNING event_id
    )
    SELECT follow_id, event.report_id, report.category_code, event.at, event.to_status,
        event.note, event.note_spanish,
        nullif(report.address, '') AS place, area.name AS neighbourhood
    FROM news JOIN report_event AS event ON event.id = event_id
    JOIN report ON report.id = event.report_id
    JOIN through ON through.report_id = report.id
    LEFT JOIN area ON area.id = report.neighbourhood_id
    ORDER BY event.at, event.id
""")  # noqa: S608 (as above)

# A row that tells at once moves on every hour only: each minute would rewrite the table.
_MOVE_ON = text(f"""
    UPDATE follow SET told_to = :now
    WHERE {_DUE} AND (pace <> 'at_once' OR told_to < CAST(:now AS timestamptz) - interval '1 hour')
""")  # noqa: S608 (as above)

_FORGET = text(f"DELETE FROM told WHERE at < now() - interval '{_KEPT}'")  # noqa: S608 (as above)


def named(session: Session, subject: Subject) -> Named | None:
    """Give what it takes to name something; None where there is no such thing, or it is held."""
    row = session.execute(
        _NAMES,
        {
            "report_id": subject.report_id,
            "block_watch_id": subject.block_watch_id,
            "area_id": subject.area_id,
        },
    ).one_or_none()
    if row is None:
        return None
    return Named(
        report_id=subject.report_id,
        report_category=BY_CODE[row.category_code] if row.category_code else None,
        drawn=subject.drawn is not None,
        name=subject.name or row.name,
        layer=row.layer and AreaLayer(row.layer),
        kinds=subject.kinds,
        categories=subject.categories,
    )


def add(session: Session, person_id: int, subject: Subject, pace: Pace, language: str) -> bool:
    """Follow something that there is, or change how soon it is told where it is followed already.

    Parameters
    ----------
    session : Session
        In which the person is named.
    person_id : int
    subject : Subject
    pace : Pace
    language : str
        Of the messages.

    Returns
    -------
    bool
        False where the person follows as much as anybody may.
    """
    added = session.execute(
        _ADD,
        {
            "person_id": person_id,
            "report_id": subject.report_id,
            "block_watch_id": subject.block_watch_id,
            "area_id": subject.area_id,
            "drawn": subject.drawn and shapely.to_wkb(subject.drawn),
            "name": subject.name,
            "kinds": sorted(kind.value for kind in subject.kinds),
            "categories": sorted(subject.categories),
            "pace": pace.value,
            "language": language,
            "most": MOST_FOLLOWED,
        },
    )
    return bool(added.rowcount)  # type: ignore[attr-defined]  # of the cursor of a statement


def of_person(session: Session, person_id: int, id: int | None = None) -> list[Followed]:
    """Give what a person follows, the newest first; or the one of it that is named by its id."""
    found = session.execute(text(_OF_PERSON), {"person_id": person_id, "id": id})
    return [
        Followed(
            id=row.id,
            named=Named(
                report_id=row.report_id,
                report_category=BY_CODE[row.category_code] if row.category_code else None,
                drawn=row.drawn is not None,
                name=row.name,
                layer=row.layer and AreaLayer(row.layer),
                kinds=tuple(map(Kind, row.kinds)),
                categories=tuple(row.categories),
            ),
            pace=Pace(row.pace),
            drawn=None if row.drawn is None else _polygon(row.drawn),
        )
        for row in found
    ]


def _polygon(wkb: bytes) -> Polygon:
    shape = shapely.from_wkb(bytes(wkb))
    assert isinstance(shape, Polygon)
    return shape


def of_report(session: Session, person_id: int, report_id: int) -> Followed | None:
    """Give how a person follows a report; None where they do not."""
    id = session.scalar(
        text("SELECT id FROM follow WHERE person_id = :person_id AND report_id = :report_id"),
        {"person_id": person_id, "report_id": report_id},
    )
    return None if id is None else of_person(session, person_id, id)[0]


def change(session: Session, person_id: int, id: int, pace: Pace) -> None:
    """Tell sooner or later from now on."""
    session.execute(
        text(
            "UPDATE follow SET pace = CAST(:pace AS follow_pace) "
            "WHERE id = :id AND person_id = :person_id"
        ),
        {"pace": pace.value, "id": id, "person_id": person_id},
    )


def redraw(session: Session, person_id: int, id: int, subject: Subject) -> None:
    """Follow another drawn area from now on, in place of one that was.

    Raises
    ------
    sqlalchemy.exc.IntegrityError
        Where the person follows the very same area already.
    """
    session.execute(
        text(
            "UPDATE follow SET drawn = ST_GeomFromWKB(CAST(:drawn AS bytea), 4326), name = :name, "
            "kinds = CAST(:kinds AS report_kind[]) "
            "WHERE id = :id AND person_id = :person_id AND drawn IS NOT NULL"
        ),
        {
            "drawn": shapely.to_wkb(subject.drawn),
            "name": subject.name,
            "kinds": sorted(kind.value for kind in subject.kinds),
            "id": id,
            "person_id": person_id,
        },
    )


def stop_all(session: Session, person_id: int) -> None:
    """Follow nothing any longer."""
    session.execute(
        text("DELETE FROM follow WHERE person_id = :person_id"), {"person_id": person_id}
    )


def stop(session: Session, person_id: int, id: int) -> None:
    """Follow something no longer."""
    session.execute(
        text("DELETE FROM follow WHERE id = :id AND person_id = :person_id"),
        {"id": id, "person_id": person_id},
    )


def with_news(session: Session, morning: datetime, monday: datetime) -> Sequence[int]:
    """Give the ids of the people for whom there is something to tell now.

    Parameters
    ----------
    session : Session
        As the owner of the store.
    morning, monday : datetime
        The last morning at which daily digests were due, and weekly ones.
    """
    values = {"morning": morning, "monday": monday, **_public()}
    return session.scalars(_WITH_NEWS.bindparams(_PUBLIC), values).all()


def tell(
    session: Session, person_id: int, morning: datetime, monday: datetime
) -> tuple[Follower, list[News]] | None:
    """Give whom to tell and what, of all that they follow, and write down that they were told it.

    Parameters
    ----------
    session : Session
        As the owner of the store. What is given must be posted in the same transaction.
    person_id : int
    morning, monday : datetime
        As for `with_news`.

    Returns
    -------
    tuple of (Follower, list of News) or None
        Oldest news first. None where there is nothing to tell.
    """
    found = session.execute(_CLAIM, {"person_id": person_id}).one_or_none()
    if found is None:
        return None
    values = {"person_id": person_id, "morning": morning, "monday": monday, **_public()}
    rows = session.execute(_TELL.bindparams(_PUBLIC), values).all()
    if not rows:
        return None
    return Follower(found.id, found.email, found.language), [
        News(
            follow_id=row.follow_id,
            report_id=row.report_id,
            category=BY_CODE[row.category_code],
            at=row.at,
            status=row.to_status and Status(row.to_status),
            note=(found.language == "es" and row.note_spanish) or row.note,
            place=row.place,
            neighbourhood=row.neighbourhood,
        )
        for row in rows
    ]


def move_on(session: Session, now: datetime, morning: datetime, monday: datetime) -> None:
    """Write down that all was told which had happened by a moment before the telling began."""
    session.execute(_MOVE_ON, {"now": now, "morning": morning, "monday": monday})


def forget(session: Session) -> None:
    """Forget who was told what long ago."""
    session.execute(_FORGET)


_PUBLIC = bindparam("public", type_=ARRAY(Text))


def _public() -> dict[str, list[str]]:
    return {"public": [status.value for status in Status if status in PUBLIC]}
