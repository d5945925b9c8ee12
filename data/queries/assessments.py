"""Assessments of action plans: what is compared, what happened there, and verdicts, which stay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import RowMapping, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from data.queries import tallies
from data.queries.hot_spots import Places, Source
from geo.crs import CITY_SRID, to_city, to_stored
from geo.places import Box


@dataclass(frozen=True, slots=True)
class Design:
    """How a plan will be judged.

    The attributes are those of `data.models.Assessment`. `categories` are for residents' reports,
    `offense_groups` for police incidents; what has none is not counted.
    """

    response_starts: date
    before_from: date
    before_until: date
    after_from: date
    after_until: date
    settling_days: int
    ring_m: int
    categories: tuple[str, ...]
    offense_groups: tuple[str, ...]
    worst_first: bool
    zone: str
    reason: str = ""

    @property
    def before_days(self) -> int:
        """How long the period before is."""
        return (self.before_until - self.before_from).days + 1

    @property
    def after_days(self) -> int:
        """How long the period after is."""
        return (self.after_until - self.after_from).days + 1

    @property
    def due(self) -> date:
        """The first day on which the verdict can be found: late reports have come in."""
        return self.after_until + timedelta(days=self.settling_days + 1)

    @property
    def sources(self) -> tuple[Source, ...]:
        """What is counted, each for itself."""
        asked = {Source.REPORTS: self.categories, Source.POLICE: self.offense_groups}
        return tuple(source for source, codes in asked.items() if codes)

    def codes(self, source: Source) -> tuple[str, ...]:
        """Give the categories, or the groups of offenses, that are counted."""
        return self.categories if source is Source.REPORTS else self.offense_groups


_DESIGN = tuple(Design.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Grounds:
    """The four areas of an assessment, in the city's metres; all but the first may be empty."""

    treated: BaseGeometry
    ring: BaseGeometry
    control: BaseGeometry
    control_ring: BaseGeometry


@dataclass(frozen=True, slots=True)
class Assessment:
    """An assessment as everybody may read it, a draft as those who lead the plan may.

    Attributes
    ----------
    design : Design
    controls : int
        Places of which the control consists.
    chosen_reason : str
        Why not those that were proposed; empty where they are.
    late : bool
        Whether it was fixed only after the response had begun.
    fixed_at : datetime or None
        None for a draft.
    """

    id: int
    plan_id: int
    design: Design
    chosen: tuple[int, ...]
    chosen_reason: str
    late: bool
    fixed_at: datetime | None

    @property
    def controls(self) -> int:
        """Of how many places the control consists."""
        return len(self.chosen)


_READ = f"""
    SELECT id, plan_id, chosen, chosen_reason, late, fixed_at, {", ".join(_DESIGN)} FROM assessment
"""  # noqa: S608 (names of this module)


def _assessment(row: RowMapping) -> Assessment:
    lists = {name: tuple(row[name]) for name in ("categories", "offense_groups")}
    return Assessment(
        id=row["id"],
        plan_id=row["plan_id"],
        design=Design(**{name: row[name] for name in _DESIGN} | lists),
        chosen=tuple(row["chosen"]),
        chosen_reason=row["chosen_reason"],
        late=row["late"],
        fixed_at=row["fixed_at"],
    )


def of_plan(session: Session, plan_id: int) -> list[Assessment]:
    """Give the assessments of a plan that the visitor may read, the first first, a draft last."""
    rows = session.execute(
        text(f"{_READ} WHERE plan_id = :plan_id ORDER BY fixed_at NULLS LAST, id"),
        {"plan_id": plan_id},
    )
    return [_assessment(row) for row in rows.mappings()]


def hold(session: Session, plan_id: int) -> None:
    """Have others wait who would write or change the draft of a plan, until the transaction ends."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtext('assessment'), hashtext(:id))"),
        {"id": str(plan_id)},
    )


def is_first(session: Session, id: int) -> bool:
    """Tell whether an assessment was the first of its plan to be fixed."""
    found: bool = session.scalars(
        text("""
            SELECT NOT EXISTS (
                SELECT FROM assessment AS earlier WHERE earlier.plan_id = assessment.plan_id
                    AND (earlier.fixed_at, earlier.id) < (assessment.fixed_at, assessment.id))
            FROM assessment WHERE id = :id
        """),
        {"id": id},
    ).one()
    return found


def by_id(session: Session, id: int) -> Assessment:
    """Give an assessment that is known to be there."""
    return _assessment(
        session.execute(text(f"{_READ} WHERE id = :id"), {"id": id}).mappings().one()
    )


@dataclass(frozen=True, slots=True)
class Private:
    """What those of a plan read of its assessment: `proposal` as it was written."""

    proposal: Mapping[str, Any]


_OPEN, _PRIVATE = ("assessment", "id"), ("assessment_private", "assessment_id")
"""Where what is not for everybody is read: by the owner of the store, and by those of the plan."""


def private(session: Session, id: int, *, as_owner: bool = False) -> Private | None:
    """Give what is not for everybody; None for whoever may not read it."""
    table, key = _OPEN if as_owner else _PRIVATE
    row = session.execute(
        text(f"SELECT proposal FROM {table} WHERE {key} = :id"),  # noqa: S608 (as above)
        {"id": id},
    ).one_or_none()
    return None if row is None else Private(*row)


_AREAS = tuple(Grounds.__dataclass_fields__)


def grounds(session: Session, id: int, *, as_owner: bool = False) -> Grounds | None:
    """Give the areas of an assessment; None for whoever may not see them.

    Parameters
    ----------
    session : Session
    id : int
    as_owner : bool
        Whether the session is the owner's, who needs no view.
    """
    columns = ", ".join(f"ST_AsBinary(ST_Transform({area}, {CITY_SRID}))" for area in _AREAS)
    table, key = _OPEN if as_owner else _PRIVATE
    row = session.execute(
        text(f"SELECT {columns} FROM {table} WHERE {key} = :id"),  # noqa: S608 (as above)
        {"id": id},
    ).one_or_none()
    return None if row is None else Grounds(*(shapely.from_wkb(bytes(area)) for area in row))


def save(
    session: Session, plan_id: int, design: Design, proposal: Mapping[str, Any], place: BaseGeometry
) -> None:
    """Keep a draft, in place of an earlier one, without a control as yet.

    Parameters
    ----------
    session : Session
        Of whoever leads the plan; the store refuses others.
    plan_id : int
    design : Design
    proposal : mapping
        As JSON.
    place : shapely MultiPolygon
        The plan's, EPSG:4326.
    """
    values: dict[str, Any] = {name: getattr(design, name) for name in _DESIGN}
    values |= {
        "categories": [*design.categories],
        "offense_groups": [*design.offense_groups],
        "proposal": orjson.dumps(proposal).decode(),
        "plan_id": plan_id,
        "place": shapely.to_wkb(place),
    }
    nowhere = "ST_GeomFromText('MULTIPOLYGON EMPTY', 4326)"
    columns = {
        **{name: f":{name}" for name in _DESIGN},
        "proposal": "CAST(:proposal AS jsonb)",
        "chosen": "'{}'",
        "chosen_reason": "''",
        "treated": "ST_GeomFromWKB(:place, 4326)",
        "ring": nowhere,
        "control": nowhere,
        "control_ring": nowhere,
    }
    # DO UPDATE would take the right to read what is private.
    session.execute(
        text(f"""
            INSERT INTO assessment (plan_id, {", ".join(columns)})
            VALUES (:plan_id, {", ".join(columns.values())}) ON CONFLICT DO NOTHING
        """),  # noqa: S608 (names of this module)
        values,
    )
    session.execute(
        text(f"""
            UPDATE assessment SET {", ".join(f"{name} = {value}" for name, value in columns.items())}
            WHERE plan_id = :plan_id AND fixed_at IS NULL
        """),  # noqa: S608 (as above)
        values,
    )


def choose(session: Session, id: int, chosen: Sequence[int], reason: str, areas: Grounds) -> None:
    """Say which places are the control of a draft.

    Parameters
    ----------
    session : Session
    id : int
    chosen : sequence of int
        Numbers in the proposal.
    reason : str
        Why not those that were proposed.
    areas : Grounds
        The first is left as it is.
    """
    stored = {name: _stored(getattr(areas, name)) for name in _AREAS[1:]}
    session.execute(
        text(f"""
            UPDATE assessment SET chosen = :chosen, chosen_reason = :reason,
                {", ".join(f"{name} = ST_GeomFromWKB(:{name}, 4326)" for name in stored)}
            WHERE id = :id AND fixed_at IS NULL
        """),  # noqa: S608 (as above)
        {"id": id, "chosen": [*chosen], "reason": reason, **stored},
    )


def _stored(area: BaseGeometry) -> bytes:
    """Write an area of the city's metres as the columns hold it."""
    turned = shapely.make_valid(
        shapely.transform(area, lambda at: np.column_stack(to_stored().transform(*at.T)))
    )
    parts = [one for one in shapely.get_parts(shapely.get_parts(turned)) if one.area > 0]
    written: bytes = shapely.to_wkb(shapely.MultiPolygon(parts))
    return written


class NotFixed(ValueError):  # noqa: N818 (it is the name of what happened)
    """The store refused to fix an assessment; the argument is its constraint."""


def fix(session: Session, id: int, *, late: bool) -> None:
    """Fix a draft for ever. Another one's changes meanwhile are waited for.

    Parameters
    ----------
    session : Session
    id : int
    late : bool
        Whether it may be fixed though the response has begun.

    Raises
    ------
    NotFixed
        The transaction has failed; roll it back before anything else.
    """
    try:
        session.execute(
            text(
                "UPDATE assessment SET fixed_at = now(), late = :late "
                "WHERE id = :id AND fixed_at IS NULL"
            ),
            {"id": id, "late": late},
        )
    except IntegrityError as error:
        constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        raise NotFixed(constraint or "") from error


def fix_as_of(session: Session, id: int, moment: datetime) -> None:
    """Replace a draft by the same assessment, fixed at a moment of the past: for what is made up.

    As the owner of the store; nobody else could say when something was fixed.
    """
    columns = ", ".join(("plan_id", "proposal", "chosen", "chosen_reason", *_DESIGN, *_AREAS))
    session.execute(
        text(
            f"INSERT INTO assessment ({columns}, fixed_at) "  # noqa: S608 (names of this module)
            f"SELECT {columns}, :moment FROM assessment WHERE id = :id"
        ),
        {"id": id, "moment": moment},
    )
    session.execute(text("DELETE FROM assessment WHERE id = :id"), {"id": id})


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict as the visitor may read it.

    Attributes
    ----------
    reason : str
        Why it stands beside an earlier one; empty for the first.
    computed_at : datetime or None
        None while a job is at it.
    published : mapping or None
    found : mapping or None
        All counts; None for whoever may not read them.
    """

    id: int
    assessment_id: int
    source: Source
    reason: str
    asked_at: datetime
    computed_at: datetime | None
    method: int | None
    published: Mapping[str, Any] | None
    found: Mapping[str, Any] | None


def verdicts(session: Session, plan_id: int) -> list[Verdict]:
    """Give all verdicts on a plan, the first first."""
    rows = session.execute(
        text("""
            SELECT verdict.id, assessment_id, source, verdict.reason, asked_at, computed_at, method,
                published, assessment_found.found
            FROM assessment_verdict AS verdict JOIN assessment ON assessment.id = assessment_id
            LEFT JOIN assessment_found ON verdict_id = verdict.id
            WHERE plan_id = :plan_id ORDER BY assessment_id, source DESC, asked_at, verdict.id
        """),
        {"plan_id": plan_id},
    )
    return [
        Verdict(**row | {"source": Source(row["source"])}) for row in map(dict, rows.mappings())
    ]


def newest(session: Session, plan_ids: Sequence[int]) -> list[tuple[int, Source, str]]:
    """Give of plans the source and outcome of the newest verdict, as everybody may know them.

    Where several are equally new, that of residents' reports.
    """
    rows = session.execute(
        text("""
            SELECT DISTINCT ON (plan_id) plan_id, source, published->>'outcome'
            FROM assessment_verdict AS verdict JOIN assessment ON assessment.id = assessment_id
            WHERE plan_id = ANY (:ids) AND computed_at IS NOT NULL
            ORDER BY plan_id, fixed_at DESC, source DESC, computed_at DESC
        """),
        {"ids": [*plan_ids]},
    )
    return [(plan_id, Source(source), outcome) for plan_id, source, outcome in rows]


def ask_again(session: Session, assessment_id: int, source: Source, reason: str) -> bool:
    """Ask for another verdict beside the earlier one.

    Returns
    -------
    bool
        False where one is being found already.
    """
    # With columns named after ON CONFLICT, the web role would have to read all of them.
    added = session.execute(
        text(
            "INSERT INTO assessment_verdict (assessment_id, source, reason) "
            "VALUES (:id, :source, :reason) ON CONFLICT DO NOTHING RETURNING id"
        ),
        {"id": assessment_id, "source": source.value, "reason": reason},
    )
    return added.one_or_none() is not None


def ask_for_due(session: Session, reached: Mapping[Source, date]) -> int:
    """Have verdicts found whose time has come. As the owner of the store.

    Parameters
    ----------
    session : Session
    reached : mapping of Source to date
        The last day that has wholly passed, or up to which there are rows, whichever is earlier.

    Returns
    -------
    int
        How many.
    """
    asked = [
        session.execute(
            text(f"""
                INSERT INTO assessment_verdict (assessment_id, source)
                SELECT id, :source FROM assessment
                WHERE fixed_at IS NOT NULL AND cardinality({codes}) > 0
                    AND after_until + settling_days <= :reached
                ON CONFLICT DO NOTHING RETURNING id
            """),  # noqa: S608 (one of two words)
            {"source": source.value, "reached": reached[source]},
        ).all()
        for source, codes in ((Source.REPORTS, "categories"), (Source.POLICE, "offense_groups"))
        if source in reached
    ]
    return sum(map(len, asked))


def waiting(session: Session) -> list[int]:
    """Give the verdicts that wait for a job. As the owner of the store."""
    rows = session.scalars(
        text("SELECT id FROM assessment_verdict WHERE computed_at IS NULL ORDER BY id")
    )
    return [*rows]


def begin(session: Session, verdict_id: int) -> tuple[int, Source] | None:
    """Take up a verdict that waits: its assessment and what is counted; None where it is found."""
    row = session.execute(
        text(
            "SELECT assessment_id, source FROM assessment_verdict "
            "WHERE id = :id AND computed_at IS NULL FOR UPDATE"
        ),
        {"id": verdict_id},
    ).one_or_none()
    return None if row is None else (row[0], Source(row[1]))


def end(
    session: Session,
    verdict_id: int,
    *,
    method: int,
    found: Mapping[str, Any],
    published: Mapping[str, Any],
) -> None:
    """Write a verdict down, for ever."""
    session.execute(
        text("""
            UPDATE assessment_verdict SET computed_at = clock_timestamp(), method = :method,
                found = CAST(:found AS jsonb), published = CAST(:published AS jsonb)
            WHERE id = :id
        """),
        {
            "id": verdict_id,
            "method": method,
            "found": orjson.dumps(found).decode(),
            "published": orjson.dumps(published).decode(),
        },
    )


_HAPPENED = {
    Source.REPORTS: """
        SELECT ST_AsBinary(CASE GeometryType({geom}) WHEN 'POINT' THEN {geom}
                ELSE ST_Centroid({geom}) END),
            extract(epoch FROM occurred_at)::float8, array_position(:codes, category_code)
        FROM report
        WHERE status NOT IN ('held', 'duplicate') AND category_code = ANY (:codes)
            AND reported_at >= :since AND occurred_at >= :since AND occurred_at < :until
            AND reported_at <= occurred_at + make_interval(days => :settling)
    """,
    Source.POLICE: """
        SELECT ST_AsBinary({geom}), extract(epoch FROM occurred_at)::float8,
            array_position(:codes, offense_group)
        FROM police_incident
        WHERE NOT sensitive AND offense_group = ANY (:codes)
            AND occurred_at >= :since AND occurred_at < :until
    """,
}
_IN_BOX = "AND {geom} && ST_MakeEnvelope(:west, :south, :east, :north, 4326)"


def happened(
    session: Session,
    source: Source,
    design: Design,
    period: tuple[datetime, datetime],
    box: Box,
    *,
    exact: bool,
) -> Places:
    """Read what happened in a box and a period.

    Parameters
    ----------
    session : Session
        As the owner of the store where `exact`.
    source : Source
    design : Design
        Says what counts, and how late a report may have come.
    period : tuple of (datetime, datetime)
        From the first to before the second.
    box : tuple of float
        West, south, east, north in degrees.
    exact : bool
        By true positions; else by those that everybody sees.

    Returns
    -------
    Places
        Sensitive offenses, such as violence at home, are never among them.
    """
    geom = "exact_geom" if exact else "public_geom"
    rows = session.execute(
        text((_HAPPENED[source] + _IN_BOX).format(geom=geom)),
        {
            "codes": [*design.codes(source)],
            "since": period[0],
            "until": period[1],
            "settling": design.settling_days,
            **dict(zip(("west", "south", "east", "north"), box, strict=True)),
        },
    ).all()
    points = shapely.from_wkb(np.array([bytes(row[0]) for row in rows], object))
    lon, lat = shapely.get_x(points), shapely.get_y(points)
    return Places(
        lon,
        lat,
        np.column_stack(to_city().transform(lon, lat)).reshape(-1, 2),
        np.array([row[1] for row in rows], np.float64),
        np.array([row[2] for row in rows], np.int32),
    )


_SPANS = {
    Source.REPORTS: text("SELECT min(reported_at), max(reported_at) FROM report"),
    Source.POLICE: text("SELECT min(occurred_at), max(occurred_at) FROM police_incident"),
}


def span(session: Session, source: Source) -> tuple[datetime, datetime] | None:
    """Give the first and the last moment of which there are rows; None where there are none."""
    first, last = session.execute(_SPANS[source]).one()
    return None if first is None else (first, last)


def state_of_rows(session: Session, source: Source) -> dict[str, int | None]:
    """Give by what the rows that were counted can be told: their version, and the last import."""
    layer = "reports" if source is Source.REPORTS else "police_incidents"
    table = "report" if source is Source.REPORTS else "police_incident"
    run = session.scalar(text(f"SELECT max(import_run_id) FROM {table}"))  # noqa: S608 (two words)
    return {"rows_version": tallies.versions(session)[layer], "import_run": run}


def offense_groups(session: Session) -> list[str]:
    """Give the groups of offenses that police incidents have, but for the sensitive ones."""
    rows = session.scalars(
        text(
            "SELECT DISTINCT offense_group FROM police_incident WHERE NOT sensitive "
            "AND offense_group <> '' ORDER BY offense_group"
        )
    )
    return [*rows]


def elsewhere(session: Session, plan_id: int, until: date) -> BaseGeometry | None:
    """Give, in the city's metres, where other plans have a response that begins by a day.

    As whoever leads the plan; None for others, and where there is no such place.
    """
    read = session.scalar(
        text(
            "SELECT ST_AsBinary(ST_Transform(assessment_elsewhere(:id, :until), "
            "CAST(:srid AS integer)))"
        ),
        {"id": plan_id, "until": until, "srid": CITY_SRID},
    )
    return None if read is None else shapely.from_wkb(bytes(read))


def categories_of_plan(session: Session, plan_id: int) -> list[str]:
    """Give the categories of the reports of a plan, for those of the plan; none for others."""
    rows = session.scalars(
        text(
            "SELECT DISTINCT category_code FROM plan_report JOIN report ON report.id = report_id "
            "WHERE plan_id = :id ORDER BY category_code"
        ),
        {"id": plan_id},
    )
    return [*rows]
