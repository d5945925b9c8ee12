"""Whatever is done to reports in whatever order: status, timeline, tallies and duplicates agree.

Some hundred steps here; bench/faults.py takes two thousand.
"""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from data.models import EventKind, Report, ReportEvent, Support
from data.queries import reports, work
from data.queries.work import Change, Refused, Worker
from geo.roles import Grant, Role
from geo.statuses import OPEN, PUBLIC, TRANSITIONS, Status
from tests.people import person
from tests.places import found_city
from tests.reports import send

REPORTS = 4
ADMINISTRATOR = (Grant(Role.ADMINISTRATOR),)


class Workflow(RuleBasedStateMachine):
    """On the session of a subclass; all of its work is undone after each run."""

    session: Session
    taken = 0
    """Steps that were taken and not refused, of all runs."""

    def __init__(self):
        super().__init__()
        self.undo = self.session.begin_nested()
        found_city(self.session)
        self.worker = Worker(person(self.session, Role.ADMINISTRATOR), ADMINISTRATOR)
        self.ids = [send(self.session, key=f"machine-{n}") for n in range(REPORTS)]
        self.statuses = dict.fromkeys(self.ids, Status.RECEIVED)
        self.stands_for = dict.fromkeys(self.ids)
        self.joined = dict.fromkeys(self.ids, 0)
        as_worker = text(
            "SELECT set_config('porchlight.person', :person, true), "
            "set_config('porchlight.strong', 'true', true)"
        )
        self.session.execute(as_worker, {"person": str(self.worker.person_id)})

    def teardown(self):
        self.undo.rollback()

    @rule(
        n=st.integers(0, REPORTS - 1),
        other=st.integers(0, REPORTS - 1),
        step=st.integers(0, 9),
        any_status=st.none() | st.sampled_from(Status),
        note=st.sampled_from(["A reason", "A reason", "A reason", ""]),
        seen=st.sampled_from([0, 0, 0, 0, 0, -1]),
    )
    def change(self, n, other, step, any_status, note, seen):
        id, other_id = self.ids[n], self.ids[other]
        allowed = sorted(TRANSITIONS[self.statuses[id]])
        to = any_status or allowed[step % len(allowed)]
        version = self.session.scalar(
            select(func.max(ReportEvent.id)).where(
                ReportEvent.report_id == id, ReportEvent.kind != EventKind.SUPPORT
            )
        )
        wanted = Change(to, note, other_id=other_id if to is Status.DUPLICATE else None)
        try:
            work.change(self.session, self.worker, id, wanted, version=version + seen)
        except Refused:
            return
        assert seen == 0, "a change of what was not seen"
        assert to in TRANSITIONS[self.statuses[id]]
        if to is Status.DUPLICATE:
            assert self.statuses[other_id] is not Status.DUPLICATE
            for merged in (id, *(k for k, v in self.stands_for.items() if v == id)):
                self.stands_for[merged] = other_id
        else:
            self.stands_for[id] = None
        self.statuses[id] = to
        type(self).taken += 1

    @rule(n=st.integers(0, REPORTS - 1), who=st.binary(min_size=4, max_size=4))
    def join(self, n, who):
        id = self.ids[n]
        try:
            found = reports.support(self.session, id, who * 8)
        except reports.NotOpen:
            return
        assert found is not None
        self.joined = {
            id: self.session.scalar(
                select(func.count()).select_from(Support).where(Support.report_id == id)
            )
            for id in self.ids
        }

    @invariant()
    def all_agree(self):
        rows = self.session.execute(
            select(Report.id, Report.status, Report.duplicate_of_id, Report.closed_at)
        ).all()
        assert {row.id: row.status for row in rows} == self.statuses
        assert {row.id: row.duplicate_of_id for row in rows} == self.stands_for
        for row in rows:
            if row.status is not Status.HELD:
                assert (row.closed_at is None) == (row.status in OPEN), row
            # One stands for others, or another for it: never both.
            assert row.duplicate_of_id is None or row.id not in self.stands_for.values()
        told = self.session.execute(
            text(
                "SELECT DISTINCT ON (report_id) report_id, to_status FROM report_event "
                "WHERE kind = 'status' ORDER BY report_id, id DESC"
            )
        )
        assert {id: Status(status) for id, status in told} == self.statuses
        counted = self.session.scalar(text("SELECT sum(n) FROM report_tally WHERE level = 14"))
        assert counted == sum(status in PUBLIC for status in self.statuses.values())
        there = self.session.execute(
            select(Support.report_id, func.count()).group_by(Support.report_id)
        )
        assert {id: n for id, n in self.joined.items() if n} == dict(there.all())


def walk(on: Session, runs: int, steps: int) -> int:
    """Give how many changes were made."""

    class Walk(Workflow):
        session = on

    run_state_machine_as_test(
        Walk,
        settings=settings(
            max_examples=runs,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return Walk.taken


def test_status_timeline_tallies_and_duplicates_agree_after_every_step(session):
    assert walk(session, 4, 25) > 10
