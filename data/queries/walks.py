"""Block walks: what ended ones have found for everybody, their stops for members of the watch."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from data.queries.reports import OutsideServedArea
from geo.categories import BY_CODE, Category
from geo.statuses import Status
from geo.walks import QUESTION_BY_CODE, Answer, Question, Sum


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk as far as the visitor may know it.

    Attributes
    ----------
    watch : str
        Name of the block watch.
    title, leader : str
        For members; empty for others.
    created_at : datetime or None
        For members. No stop was seen before it.
    is_own : bool
        Whether the visitor has begun it.
    stops : int
    """

    id: int
    block_watch_id: int
    watch: str
    title: str
    leader: str
    walked_on: date
    created_at: datetime | None
    ended_at: datetime | None
    is_own: bool
    stops: int


_WALKS = """
    SELECT open.id, open.block_watch_id, block_watch.name, coalesce(walk.title, ''),
        coalesce(walk_leader(open.id), ''), open.walked_on, walk.created_at, open.ended_at,
        coalesce(walk.started_by_id = visitor(), false), open.stops
    FROM walk_open AS open JOIN block_watch ON block_watch.id = open.block_watch_id
    LEFT JOIN walk ON walk.id = open.id
"""


def walk(session: Session, id: int) -> Walk | None:
    """Give a walk; None where there is none that the visitor may know of."""
    found = session.execute(text(f"{_WALKS} WHERE open.id = :id"), {"id": id}).one_or_none()
    return None if found is None else Walk(*found)


def of_watch(session: Session, block_watch_id: int, *, most: int = 100) -> list[Walk]:
    """Give the walks of a block watch that the visitor may know of, the latest first."""
    rows = session.execute(
        text(
            f"{_WALKS} WHERE open.block_watch_id = :id "
            "ORDER BY open.walked_on DESC, open.id DESC LIMIT :most"
        ),
        {"id": block_watch_id, "most": most},
    )
    return [Walk(*row) for row in rows]


def before(session: Session, of: Walk) -> Walk | None:
    """Give the last walk of the same block watch before this one that has any stops."""
    found = session.execute(
        text(
            f"{_WALKS} WHERE open.block_watch_id = :block_watch_id AND open.stops > 0 "
            "AND (open.walked_on, open.id) < (:walked_on, :id) "
            "ORDER BY open.walked_on DESC, open.id DESC LIMIT 1"
        ),
        {"block_watch_id": of.block_watch_id, "walked_on": of.walked_on, "id": of.id},
    ).one_or_none()
    return None if found is None else Walk(*found)


def sums(session: Session, walks: Collection[Walk]) -> dict[int, Sum]:
    """Give what walks have found, by their ids."""
    counts: dict[int, dict[tuple[str, str], int]] = {one.id: {} for one in walks}
    rows = session.execute(
        text("SELECT walk_id, question, answer, n FROM walk_sum WHERE walk_id = ANY (:ids)"),
        {"ids": [*counts]},
    )
    for walk_id, question, answer, n in rows:
        counts[walk_id][question, answer] = n
    return {one.id: Sum(one.stops, counts[one.id]) for one in walks}


@dataclass(frozen=True, slots=True)
class ReportOfWalk:
    """A public report that came of a walk, or that it joined."""

    id: int
    category: Category
    status: Status
    joined: bool


def reports(session: Session, walk_id: int) -> list[ReportOfWalk]:
    """Give the reports of a walk that everybody may see, in the order of their numbers."""
    rows = session.execute(
        text(
            "SELECT report.id, category_code, status, bool_and(joined) FROM walk_report "
            "JOIN report ON report.id = report_id WHERE walk_id = :id AND status <> 'held' "
            "GROUP BY report.id ORDER BY report.id"
        ),
        {"id": walk_id},
    )
    return [ReportOfWalk(id, BY_CODE[code], Status(status), one) for id, code, status, one in rows]


# For members of the block watch -------------------------------------------------------------------


def start(
    session: Session, block_watch_id: int, *, title: str, walked_on: date, person_id: int
) -> int:
    """Begin a walk, and give its id. The store refuses whoever is not of the block watch."""
    id: int = session.execute(
        text(
            "INSERT INTO walk (block_watch_id, title, walked_on, started_by_id) "
            "VALUES (:block_watch_id, :title, :walked_on, :person_id) RETURNING id"
        ),
        {
            "block_watch_id": block_watch_id,
            "title": title,
            "walked_on": walked_on,
            "person_id": person_id,
        },
    ).scalar_one()
    return id


def rename(session: Session, id: int, title: str) -> None:
    """Give a walk another title. The store refuses whoever may not."""
    session.execute(
        text("UPDATE walk SET title = :title WHERE id = :id"), {"id": id, "title": title}
    )


def end(session: Session, id: int) -> None:
    """Show everybody what a walk has found. Stops that come later count, too."""
    session.execute(
        text("UPDATE walk SET ended_at = coalesce(ended_at, now()) WHERE id = :id"), {"id": id}
    )


def delete(session: Session, id: int) -> None:
    """Delete a walk with its stops. Its reports stay."""
    session.execute(text("DELETE FROM walk WHERE id = :id"), {"id": id})


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen at a stop.

    Attributes
    ----------
    question : Question
    answer : Answer
    report_id : int or None
        The report that it became, or joined.
    status : Status or None
        Of that report.
    joined : bool
    undecided : bool
        Whether a report was asked for that somebody has still to decide on.
    """

    question: Question
    answer: Answer
    report_id: int | None
    status: Status | None
    joined: bool
    undecided: bool


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop of a walk, with its number on that walk; degrees on WGS 84."""

    id: int
    number: int
    longitude: float
    latitude: float
    address: str
    note: str
    seen_at: datetime
    seen: Sequence[Seen]


def stops(session: Session, walk_id: int) -> list[Stop]:
    """Give the stops of a walk in the order in which they were seen: none to who is not a member."""
    seen: dict[int, list[Seen]] = {}
    rows = session.execute(
        text(
            "SELECT stop_id, question, answer, report_id, status, joined, report_text IS NOT NULL "
            "FROM walk_answer JOIN walk_stop ON walk_stop.id = stop_id "
            "LEFT JOIN report ON report.id = report_id WHERE walk_id = :id"
        ),
        {"id": walk_id},
    )
    for stop_id, asked, answered, report_id, status, joined, undecided in rows:
        question = QUESTION_BY_CODE.get(asked)
        answer = question.answer(answered) if question else None
        if question and answer:
            known = None if status is None else Status(status)
            entry = Seen(question, answer, report_id, known, joined, undecided)
            seen.setdefault(stop_id, []).append(entry)
    order = {code: place for place, code in enumerate(QUESTION_BY_CODE)}
    found = session.execute(
        text(
            "SELECT id, row_number() OVER (ORDER BY seen_at, id) AS number, ST_X(geom) AS longitude, "
            "ST_Y(geom) AS latitude, address, note, seen_at FROM walk_stop WHERE walk_id = :id ORDER BY seen_at, id"
        ),
        {"id": walk_id},
    )
    return [
        Stop(
            id=row.id,
            number=row.number,
            longitude=row.longitude,
            latitude=row.latitude,
            address=row.address,
            note=row.note,
            seen_at=row.seen_at,
            seen=sorted(seen.get(row.id, ()), key=lambda one: order[one.question.code]),
        )
        for row in found
    ]


@dataclass(frozen=True, slots=True)
class NewStop:
    """A stop as it is sent in, checked.

    Attributes
    ----------
    place : shapely.Point
        EPSG:4326.
    address, note : str
    seen_at : datetime
        The database's clock decides what is future.
    answers : mapping of Question to Answer
    """

    place: BaseGeometry
    address: str
    note: str
    seen_at: datetime
    answers: Mapping[Question, Answer]


@dataclass(frozen=True, slots=True)
class StoredStop:
    """What became of a stop that was sent.

    Attributes
    ----------
    id : int
    replayed : bool
        Whether it had been sent before.
    """

    id: int
    replayed: bool


class StopKeyReused(ValueError):  # noqa: N818 (it is the name of what happened)
    """The key was used for another stop of this walk before."""


_ADD = text("""
    WITH made AS (
        INSERT INTO walk_stop (walk_id, key, body_hash, geom, address, note, seen_at)
        VALUES (:walk_id, :key, :body_hash, ST_GeomFromWKB(:place, 4326), :address, :note,
            least(:seen_at, now()))
        ON CONFLICT (walk_id, key) DO NOTHING
        RETURNING id
    )
    SELECT id FROM made
""")


def add_stop(
    session: Session, walk_id: int, new: NewStop, *, key: str, body_hash: bytes
) -> StoredStop:
    """Store a stop, once a key.

    Parameters
    ----------
    session : Session
        Nothing is committed here.
    walk_id : int
    new : NewStop
    key : str
        Whoever sends the same stop again sends the same key. One that is being used by another
        transaction is waited for.
    body_hash : bytes
        Of what was sent, to tell a repetition from another stop under a used key.

    Returns
    -------
    StoredStop

    Raises
    ------
    data.queries.reports.OutsideServedArea
        The transaction has failed; roll it back before anything else.
    StopKeyReused
    """
    try:
        id = session.scalar(
            _ADD,
            {
                "walk_id": walk_id,
                "key": key,
                "body_hash": body_hash,
                "place": shapely.to_wkb(new.place),
                "address": new.address,
                "note": new.note,
                "seen_at": new.seen_at,
            },
        )
    except IntegrityError as error:
        constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        if constraint == "walk_stop_within_served_area":
            raise OutsideServedArea from error
        raise
    if id is None:
        earlier = sent_before(session, walk_id, key=key, body_hash=body_hash)
        assert earlier is not None
        return earlier
    if new.answers:
        session.execute(
            text(
                "INSERT INTO walk_answer (stop_id, question, answer) "
                "VALUES (:stop_id, :question, :answer)"
            ),
            [
                {"stop_id": id, "question": question.code, "answer": answer.code}
                for question, answer in new.answers.items()
            ],
        )
    return StoredStop(id, replayed=False)


def sent_before(session: Session, walk_id: int, *, key: str, body_hash: bytes) -> StoredStop | None:
    """Give the stop that was sent with this key; None where the key is new.

    Raises
    ------
    StopKeyReused
    """
    earlier = session.execute(
        text("SELECT id, body_hash FROM walk_stop WHERE walk_id = :walk_id AND key = :key"),
        {"walk_id": walk_id, "key": key},
    ).one_or_none()
    if earlier is None:
        return None
    if bytes(earlier.body_hash) != body_hash:
        raise StopKeyReused(earlier.id)
    return StoredStop(earlier.id, replayed=True)


def delete_stop(session: Session, walk_id: int, id: int) -> None:
    """Delete a stop. Its reports stay. The store refuses whoever may not."""
    session.execute(
        text("DELETE FROM walk_stop WHERE id = :id AND walk_id = :walk_id"),
        {"id": id, "walk_id": walk_id},
    )


@dataclass(frozen=True, slots=True)
class Wish:
    """A report that somebody asked for at a stop, to be decided on.

    Attributes
    ----------
    stop_id : int
    key : str
        Of the stop.
    place : shapely.Point
        EPSG:4326.
    text : str
    """

    stop_id: int
    question: Question
    answer: Answer
    key: str
    place: BaseGeometry
    seen_at: datetime
    text: str


def wishes(
    session: Session, walk_id: int, *, stop_id: int | None = None, question: str | None = None
) -> list[Wish]:
    """Give the reports of a walk that are to be decided on, in the order of its stops.

    Parameters
    ----------
    session : Session
    walk_id : int
    stop_id, question : int and str, optional
        Only this one, which nobody else can decide on until the end of the transaction.

    Returns
    -------
    list of Wish
    """
    rows = session.execute(
        text(
            "SELECT stop_id, question, answer, key, ST_AsBinary(geom), seen_at, report_text "
            "FROM walk_answer JOIN walk_stop ON walk_stop.id = stop_id "
            "WHERE walk_id = :walk_id AND report_text IS NOT NULL "
            "AND (CAST(:stop_id AS bigint) IS NULL OR (stop_id = :stop_id AND question = :question)) "
            "ORDER BY seen_at, stop_id, question"
            + ("" if stop_id is None else " FOR UPDATE OF walk_answer")
        ),
        {"walk_id": walk_id, "stop_id": stop_id, "question": question},
    )
    found = []
    for stop, asked, answered, key, place, seen_at, words in rows:
        known = QUESTION_BY_CODE.get(asked)
        answer = known.answer(answered) if known else None
        if known and answer:
            geometry = shapely.from_wkb(bytes(place))
            found.append(Wish(stop, known, answer, key, geometry, seen_at, words))
    return found


def wish(session: Session, stop_id: int, question: Question, words: str) -> None:
    """Keep the words of a report that is to be decided on."""
    _change(session, stop_id, question, report_text=words)


def decide(
    session: Session,
    stop_id: int,
    question: Question,
    report_id: int | None,
    *,
    joined: bool = False,
) -> None:
    """Link what was seen at a stop with its report; None where there shall be none."""
    _change(session, stop_id, question, report_id=report_id, joined=joined)


def _change(
    session: Session,
    stop_id: int,
    question: Question,
    *,
    report_text: str | None = None,
    report_id: int | None = None,
    joined: bool = False,
) -> None:
    session.execute(
        text(
            "UPDATE walk_answer SET report_text = :report_text, report_id = :report_id, "
            "joined = :joined WHERE stop_id = :stop_id AND question = :question"
        ),
        {
            "stop_id": stop_id,
            "question": question.code,
            "report_text": report_text,
            "report_id": report_id,
            "joined": joined,
        },
    )


def became(session: Session, stop_id: int) -> dict[Question, int | None]:
    """Give what was asked to become a report at a stop: the report, or None while it is undecided."""
    rows = session.execute(
        text(
            "SELECT question, report_id FROM walk_answer WHERE stop_id = :stop_id "
            "AND (report_id IS NOT NULL OR report_text IS NOT NULL)"
        ),
        {"stop_id": stop_id},
    )
    return {QUESTION_BY_CODE[asked]: report_id for asked, report_id in rows}
