"""Reports that were forgotten: overdue, without any news for some time, and not nudged yet."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from data.models import Nudge
from data.queries import work
from data.queries.work import WorkFilter
from geo.categories import BY_CODE, Category

QUIET_DAYS = 14
"""Days without news after which an overdue report counts as forgotten."""

_TO_TELL = text("""
    WITH forgotten AS (
        SELECT report.id, report.category_code, report.kind, report.exact_patrol_division_id,
            report.exact_council_district_id, assignment.person_id
        FROM report LEFT JOIN assignment ON assignment.report_id = report.id
        WHERE report.id = ANY (:overdue)
            AND NOT EXISTS (SELECT FROM nudge WHERE nudge.report_id = report.id)
            AND NOT EXISTS (
                SELECT FROM report_event AS event WHERE event.report_id = report.id
                    AND event.kind <> 'support' AND event.at > now() - make_interval(days => :quiet)
            )
    )
    SELECT DISTINCT forgotten.id, forgotten.category_code, person.email, person.language
    FROM forgotten
    JOIN role_grant AS held ON held.ended_at IS NULL
    LEFT JOIN department ON department.id = held.department_id
    JOIN person ON person.id = held.person_id AND disabled_at IS NULL AND email IS NOT NULL
    WHERE (forgotten.person_id IS NULL OR forgotten.person_id = person.id) AND CASE held.role
        WHEN 'staff' THEN forgotten.kind = ANY (department.kinds)
            AND (held.area_id IS NULL OR held.area_id = forgotten.exact_council_district_id)
        WHEN 'liaison' THEN forgotten.kind = 'problem_spot'
            AND held.area_id = forgotten.exact_patrol_division_id
        WHEN 'administrator' THEN forgotten.person_id = person.id
        ELSE false END
    ORDER BY person.email, forgotten.id
""")


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody who is told of forgotten reports."""

    email: str
    language: str


def forgotten(
    session: Session, chosen: WorkFilter
) -> Mapping[Recipient, list[tuple[int, Category]]]:
    """Give the forgotten reports by whom to tell: who has the work, or else all whose scope it is in.

    Parameters
    ----------
    session : Session
        As the owner of the store.
    chosen : WorkFilter
        What day it is, and where.

    Returns
    -------
    mapping of Recipient to list of tuple of int and Category
        Ids and categories of reports.
    """
    overdue = work.overdue_ids(session, chosen)
    found: dict[Recipient, list[tuple[int, Category]]] = {}
    for row in session.execute(_TO_TELL, {"overdue": overdue, "quiet": QUIET_DAYS}):
        told = found.setdefault(Recipient(row.email, row.language), [])
        told.append((row.id, BY_CODE[row.category_code]))
    return found


def nudged(session: Session, ids: Collection[int]) -> None:
    """Keep that somebody was told, so that nobody is told twice."""
    if ids:
        rows = [{"report_id": id} for id in sorted(ids)]
        session.execute(postgresql.insert(Nudge).values(rows).on_conflict_do_nothing())
