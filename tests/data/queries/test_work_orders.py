"""Work orders, as the web role: the program's rules and the store's at once."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Thread
from time import sleep
from uuid import uuid4

import pytest
from shapely import LineString
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.orm import Session

from data import database
from data.models import (
    Crew,
    Need,
    NeedReport,
    Report,
    ReportEvent,
    ResponseTemplate,
    WorkOrder,
    WorkOrderEvent,
    WorkOrderPhoto,
)
from data.models.work_order import HOLDS_NEED
from data.queries import photos, work_order_lists, work_orders
from data.queries.work import Worker
from data.queries.work_order_lists import OrderFilter
from data.queries.work_orders import OrderRefused, Stop, Wanted, Why
from geo.kinds import Kind
from geo.roles import Grant, Role
from geo.statuses import Status
from geo.work_orders import STEPS, Outcome, Party, Refusal, State, Visit, holds_need
from tests.people import person
from tests.places import IN_EASTSIDE, IN_WESTSIDE, found_city
from tests.reports import moved, new, send
from tests.work_orders import DAY, Works, found_works, needed, pole

FIXED = Wanted(State.DONE, Outcome.FIXED)
NOT_FOUND = Wanted(State.DONE, Outcome.NOT_FOUND)
NEXT_DOOR = (IN_EASTSIDE[0] + 0.0008, IN_EASTSIDE[1])


@pytest.fixture
def works(session) -> Works:
    found_city(session)
    return found_works(session)


@pytest.fixture
def staff(works) -> Worker:
    return Worker(works.staff, (Grant(Role.STAFF, kinds=frozenset({Kind.LIGHTING})),))


@pytest.fixture
def acting(session):
    """The same transaction, as pages see it that somebody asks."""

    @contextmanager
    def act(person_id, strong=True):
        session.execute(text(f"SET LOCAL ROLE {database.WEB_ROLE}"))
        database.name_visitor(session, person_id, strong=strong)
        try:
            yield
        finally:
            session.execute(text("RESET ROLE"))
            database.name_visitor(session, None, strong=False)

    return act


@pytest.fixture
def order(session, works, acting):
    """Draft an order of a need, and bring it as far as a step."""

    def make(need, crew=True, state=State.DRAFT):
        stop = Stop(need, works.lighting if crew else None, DAY if crew else None, 1)
        with acting(works.staff):
            id = work_orders.draft(session, works.staff, None, [stop]).made[need]
        if state is not State.DRAFT:
            session.execute(update(WorkOrder).where(WorkOrder.id == id).values(state="issued"))
        if state is State.IN_FIELD:
            session.execute(update(WorkOrder).where(WorkOrder.id == id).values(state="in_field"))
        return id

    return make


@pytest.fixture
def step(session, staff, acting):
    """Take a step as the desk sees the order now, or as a crew."""

    def take(id, wanted, by=Party.DESK, version=None):
        now = session.scalar(select(WorkOrder.version).where(WorkOrder.id == id))
        with acting(staff.person_id):
            return work_orders.step(session, staff, id, wanted, version=version or now, by=by)

    return take


@pytest.fixture
def stored(session):
    def read(id):
        return session.execute(
            select(WorkOrder.state, WorkOrder.outcome, WorkOrder.version).where(WorkOrder.id == id)
        ).one()

    return read


def status(session, report):
    return session.scalar(select(Report.status).where(Report.id == report))


def told(session, report):
    """What everybody has read of a report last, in both languages."""
    return session.execute(
        select(ReportEvent.note, ReportEvent.note_spanish)
        .where(ReportEvent.report_id == report, ReportEvent.public)
        .order_by(ReportEvent.id.desc())
        .limit(1)
    ).one()


def ready(session, visit):
    return session.execute(
        select(ResponseTemplate.english, ResponseTemplate.spanish).where(
            ResponseTemplate.visit == visit
        )
    ).one()


def refused(why, take):
    with pytest.raises(OrderRefused) as caught:
        take()
    assert caught.value.why is why
    return caught.value


class TestDrafting:
    def test_a_need_has_one_order_at_a_time_and_the_other_planner_is_told_which(
        self, session, works, order, acting
    ):
        _report, need = needed(session)
        first = order(need)
        with acting(works.staff):
            again = work_orders.draft(session, works.staff, None, [Stop(need)])
        assert (dict(again.made), dict(again.held)) == ({}, {need: first})

    def test_a_closed_need_gets_none(self, session, works, acting):
        report, need = needed(session)
        session.execute(update(Report).where(Report.id == report).values(status=Status.DECLINED))
        with acting(works.staff):
            drafted = work_orders.draft(session, works.staff, None, [Stop(need)])
        assert drafted.closed == {need}

    def test_staff_of_another_department_gets_none_and_sees_none(
        self, session, works, order, acting
    ):
        _report, need = needed(session)
        id = order(need)
        other = person(session, Role.MODERATOR)
        with acting(other):
            assert work_order_lists.one(session, id) is None
            assert work_orders.draft(session, other, None, [Stop(need)]).closed == {need}
        with acting(works.staff, strong=False):
            assert work_order_lists.one(session, id) is None


class TestTheStore:
    def test_holds_exactly_the_steps_that_there_are(self, session, order):
        _report, need = needed(session)
        id = order(need)
        for before in State:
            for after in set(State) - {before}:
                nested = session.begin_nested()
                session.execute(text("SET LOCAL session_replication_role = replica"))
                visited = {State.DONE, State.INSPECTED}
                session.execute(
                    update(WorkOrder)
                    .where(WorkOrder.id == id)
                    .values(state=before, outcome="fixed" if before in visited else "")
                )
                session.execute(text("SET LOCAL session_replication_role = origin"))
                try:
                    session.execute(
                        update(WorkOrder)
                        .where(WorkOrder.id == id)
                        .values(state=after, outcome="fixed" if after in visited else "")
                    )
                    taken = True
                except IntegrityError:
                    taken = False
                nested.rollback()
                assert taken == ((before, after) in STEPS), (before, after)

    def test_what_happened_is_only_ever_added_to(self, session, order):
        _report, need = needed(session)
        order(need)
        for change in ("UPDATE work_order_event SET note = 'x'", "DELETE FROM work_order_event"):
            with pytest.raises(DBAPIError, match="only ever added to"), session.begin_nested():
                session.execute(text(change))

    def test_pages_neither_delete_an_order_nor_write_in_anothers_name(
        self, session, works, order, acting
    ):
        _report, need = needed(session)
        id = order(need)
        other = person(session)
        with (
            acting(works.staff),
            pytest.raises(ProgrammingError, match="denied"),
            session.begin_nested(),
        ):
            session.execute(text("DELETE FROM work_order"))
        with (
            acting(works.staff),
            pytest.raises(ProgrammingError, match="row-level"),
            session.begin_nested(),
        ):
            session.execute(
                insert(WorkOrderEvent).inline().values(work_order_id=id, person_id=other)
            )

    def test_an_order_stays_when_the_reports_of_its_need_come_to_another(self, session, order):
        report, need = needed(session)
        id = order(need, state=State.ISSUED)
        session.execute(text("DELETE FROM need_report WHERE need_id = :need"), {"need": need})
        session.expire_all()
        assert session.get_one(Need, need).closed_at is not None
        assert session.get(WorkOrder, id) is not None
        assert session.get(Report, report) is not None


class TestSteps:
    def test_the_whole_way_moves_the_reports_and_says_so_in_both_languages(
        self, session, order, step, stored
    ):
        report, need = needed(session)
        id = order(need)
        step(id, Wanted(State.ISSUED))
        assert status(session, report) is Status.SCHEDULED
        english, spanish = told(session, report)
        assert english.startswith("A lighting crew will repair")
        assert spanish.startswith("Una cuadrilla de alumbrado")
        step(id, Wanted(State.IN_FIELD), Party.FIELD)
        assert status(session, report) is Status.IN_PROGRESS
        made = step(id, FIXED, Party.FIELD)
        assert [(one.id, one.after) for one in made.changed] == [(report, Status.DONE)]
        assert status(session, report) is Status.DONE
        session.expire_all()
        assert session.get_one(Need, need).closed_at is not None
        step(id, Wanted(State.INSPECTED))
        assert stored(id)[:2] == (State.INSPECTED, Outcome.FIXED)
        assert status(session, report) is Status.DONE, "verified is the neighbours' word"

    @pytest.mark.parametrize(
        ("outcome", "visit"),
        [(Outcome.NOT_FOUND, Visit.NOT_FOUND), (Outcome.NEEDS_PARTS, Visit.NEEDS_PARTS)],
    )
    def test_a_visit_that_came_to_nothing_brings_the_need_back_with_words(
        self, session, works, order, step, acting, outcome, visit
    ):
        report, need = needed(session)
        id = order(need, state=State.ISSUED)
        step(id, Wanted(State.DONE, outcome, note="Pole 12", parts="Ballast"), Party.FIELD)
        assert status(session, report) is Status.CONFIRMED
        assert told(session, report) == ready(session, visit)
        session.expire_all()
        assert session.get_one(Need, need).closed_at is None
        again = order(need)
        with acting(works.staff):
            brought = work_order_lists.one(session, again).parts_to_bring
        assert brought == ("Ballast" if outcome is Outcome.NEEDS_PARTS else "")

    def test_sending_back_reopens_the_reports_and_needs_a_reason(
        self, session, order, step, stored
    ):
        report, need = needed(session)
        id = order(need, state=State.ISSUED)
        step(id, FIXED)
        refused(Refusal.REASON_MISSING, lambda: step(id, Wanted(State.DRAFT)))
        step(id, Wanted(State.DRAFT, note="Still dark"))
        assert stored(id)[:2] == (State.DRAFT, Outcome.NONE)
        assert status(session, report) is Status.CONFIRMED
        assert told(session, report) == ready(session, Visit.SENT_BACK)

    def test_a_crew_corrects_a_slip(self, session, order, step):
        report, need = needed(session)
        id = order(need, state=State.IN_FIELD)
        step(id, FIXED, Party.FIELD)
        step(id, Wanted(State.IN_FIELD, seen=State.DONE), Party.FIELD)
        assert told(session, report) == ready(session, Visit.CORRECTED)
        step(id, NOT_FOUND, Party.FIELD)
        assert status(session, report) is Status.CONFIRMED

    def test_a_visit_that_did_not_begin_after_all_is_scheduled_again(self, session, order, step):
        report, need = needed(session)
        id = order(need)
        step(id, Wanted(State.ISSUED))
        planned = told(session, report)
        step(id, Wanted(State.IN_FIELD))
        step(id, Wanted(State.ISSUED))
        assert status(session, report) is Status.SCHEDULED
        assert told(session, report) == planned

    def test_several_reports_of_one_light_move_together_and_those_aside_do_not(
        self, session, order, step
    ):
        pole(session)
        one, need = needed(session)
        other, same = needed(session)
        aside, _need = needed(session)
        session.execute(update(Report).where(Report.id == aside).values(status=Status.DECLINED))
        assert same == need
        id = order(need, state=State.ISSUED)
        step(id, FIXED)
        assert {status(session, report) for report in (one, other)} == {Status.DONE}
        assert status(session, aside) is Status.DECLINED

    @pytest.fixture
    def row(self, session, works):
        """A report of two lights, and the needs of both."""
        pole(session)
        pole(session, NEXT_DOOR)
        line = "SRID=4326;LINESTRING({} {}, {} {})".format(*IN_EASTSIDE, *NEXT_DOOR)
        report, _need = needed(session)
        session.execute(
            update(Report).where(Report.id == report).values(exact_geom=line, public_geom=line)
        )
        needs = session.scalars(
            text("SELECT need_id FROM need_report WHERE report_id = :id ORDER BY 1"), {"id": report}
        ).all()
        assert len(needs) == 2
        return report, needs

    def test_a_report_of_several_lights_is_done_when_all_are(self, session, row, order, step):
        report, needs = row
        first, second = order(needs[0], state=State.ISSUED), order(needs[1])
        step(first, Wanted(State.IN_FIELD))
        step(second, Wanted(State.ISSUED))
        assert status(session, report) is Status.IN_PROGRESS
        step(first, FIXED)
        assert status(session, report) is Status.IN_PROGRESS
        step(second, FIXED)
        assert status(session, report) is Status.DONE

    def test_what_goes_back_leaves_a_report_of_several_lights_where_the_others_stand(
        self, session, row, order, step
    ):
        report, needs = row
        first, second = order(needs[0], state=State.ISSUED), order(needs[1])
        step(second, Wanted(State.ISSUED))
        step(first, FIXED)
        assert status(session, report) is Status.IN_PROGRESS
        step(first, Wanted(State.DRAFT, note="Another light"))
        assert status(session, report) is Status.SCHEDULED
        step(second, Wanted(State.DRAFT))
        assert status(session, report) is Status.CONFIRMED

    def test_an_order_is_issued_to_a_crew_and_only_for_what_is_open(self, session, order, step):
        _report, need = needed(session)
        id = order(need, crew=False)
        refused(Refusal.CREW_MISSING, lambda: step(id, Wanted(State.ISSUED)))
        report, need = needed(session, at=IN_WESTSIDE)
        id = order(need)
        session.execute(update(Report).where(Report.id == report).values(status=Status.DECLINED))
        refused(Why.NEED_IS_CLOSED, lambda: step(id, Wanted(State.ISSUED)))


class TestAtTheSameTime:
    def test_of_two_planners_the_second_is_told_and_changes_nothing(
        self, session, order, step, stored
    ):
        _report, need = needed(session)
        id = order(need)
        seen = stored(id).version
        step(id, Wanted(State.ISSUED), version=seen)
        before = stored(id)
        late = Wanted(State.CANCELLED, note="No budget")
        refused(Why.CHANGED_MEANWHILE, lambda: step(id, late, version=seen))
        assert stored(id) == before

    def test_a_step_that_is_sent_again_counts_once(self, session, order, step):
        _report, need = needed(session)
        id = order(need, state=State.ISSUED)
        mark = Wanted(State.DONE, Outcome.FIXED, note="New lamp", key=uuid4())
        first = step(id, mark, Party.FIELD)
        again = step(id, mark, Party.FIELD)
        assert (again.replayed, again.event_id) == (True, first.event_id)
        other = Wanted(State.DONE, Outcome.NOT_FOUND, key=mark.key)
        refused(Why.KEY_REUSED, lambda: step(id, other, Party.FIELD))
        lines = select(func.count()).where(WorkOrderEvent.key == mark.key)
        assert session.scalar(lines) == 1

    @pytest.mark.parametrize("to", [State.CANCELLED, State.DRAFT])
    def test_what_a_crew_did_before_it_heard_of_a_change_counts(
        self, session, order, step, stored, to
    ):
        report, need = needed(session)
        id = order(need, state=State.ISSUED)
        step(id, Wanted(to, note="Rain"))
        mark = Wanted(State.DONE, Outcome.FIXED, marked_at=datetime.now(UTC) - timedelta(hours=1))
        made = step(id, mark, Party.FIELD)
        assert not made.came_late
        assert stored(id)[:2] == (State.DONE, Outcome.FIXED)
        assert status(session, report) is Status.DONE

    def test_a_second_word_of_a_crew_is_kept_and_named_until_the_desk_decides(
        self, session, works, order, step, stored, acting
    ):
        report, need = needed(session)
        id = order(need, state=State.ISSUED)
        step(id, NOT_FOUND, Party.FIELD)
        before = stored(id)
        made = step(id, Wanted(State.DONE, Outcome.FIXED, note="Other side"), Party.FIELD)
        assert made.came_late
        assert stored(id) == before
        assert status(session, report) is Status.CONFIRMED
        late = OrderFilter(today=DAY, late=True)
        with acting(works.staff):
            assert work_order_lists.one(session, id).came_late
            assert [one.id for one in work_order_lists.orders(session, late, limit=9)[0]] == [id]
            assert work_order_lists.events(session, id)[-1].note == "Other side"
        step(id, Wanted(State.INSPECTED))
        with acting(works.staff):
            assert not work_order_lists.one(session, id).came_late

    def test_a_crew_whose_need_has_another_order_meanwhile_is_heard_too(
        self, session, order, step, stored
    ):
        _report, need = needed(session)
        id = order(need, state=State.ISSUED)
        step(id, Wanted(State.CANCELLED, note="Rain"))
        other = order(need)
        assert step(id, FIXED, Party.FIELD).came_late
        assert stored(other).state is State.DRAFT
        step(other, Wanted(State.CANCELLED))

    def test_of_two_orders_of_a_need_the_desk_takes_up_one(self, session, order, step):
        _report, need = needed(session)
        id = order(need, state=State.ISSUED)
        step(id, NOT_FOUND, Party.FIELD)
        other = order(need)
        back = Wanted(State.DRAFT, note="Look again")
        assert refused(Why.NEED_IS_HELD, lambda: step(id, back)).order_id == other

    def test_a_crew_that_says_late_that_it_began_undoes_nothing(self, session, order, step, stored):
        _report, need = needed(session)
        id = order(need, state=State.ISSUED)
        step(id, FIXED, Party.FIELD)
        begun = step(id, Wanted(State.IN_FIELD, seen=State.ISSUED), Party.FIELD)
        assert (begun.event_id, begun.came_late) == (None, False)
        assert stored(id).state is State.DONE

    def test_a_late_correction_does_not_undo_an_inspection(self, session, order, step, stored):
        _report, need = needed(session)
        id = order(need, state=State.ISSUED)
        step(id, FIXED, Party.FIELD)
        step(id, Wanted(State.INSPECTED))
        assert step(id, Wanted(State.IN_FIELD, seen=State.DONE), Party.FIELD).came_late
        assert stored(id).state is State.INSPECTED

    def test_two_planners_who_draft_the_same_need_make_one_order(self, engine):
        with Session(engine) as session:
            found_city(session)
            works = found_works(session)
            _report, need = needed(session)
            session.commit()
        found = []

        def plan():
            with Session(engine) as session:
                found.append(work_orders.draft(session, works.staff, None, [Stop(need)]))
                session.commit()

        threads = [Thread(target=plan) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        made = [id for drafted in found for id in drafted.made.values()]
        held = [id for drafted in found for id in drafted.held.values()]
        assert len(made) == 1
        assert made == held

    def test_a_planner_and_two_phones_at_once_lose_nothing(self, engine):
        """Whoever comes first: the crew's word counts, its repetition does not, the planner is told."""
        with Session(engine) as session:
            found_city(session)
            works = found_works(session)
            report, need = needed(session)
            stop = Stop(need, works.lighting, DAY, 1)
            id = work_orders.draft(session, works.staff, None, [stop]).made[need]
            session.execute(update(WorkOrder).where(WorkOrder.id == id).values(state="issued"))
            session.commit()
        staff = Worker(works.staff, (Grant(Role.STAFF, kinds=frozenset({Kind.LIGHTING})),))
        mark = Wanted(State.DONE, Outcome.FIXED, key=uuid4())
        told = []

        def take(wanted, **how):
            with Session(engine) as session:
                session.execute(text(f"SET LOCAL ROLE {database.WEB_ROLE}"))
                session.execute(
                    text(
                        "SELECT set_config('porchlight.person', :id, true), "
                        "set_config('porchlight.strong', 'true', true)"
                    ),
                    {"id": str(works.staff)},
                )
                try:
                    told.append(work_orders.step(session, staff, id, wanted, **how))
                    session.commit()
                except OrderRefused as error:
                    told.append(error.why)

        cancels = Wanted(State.CANCELLED, note="No budget")
        threads = [
            Thread(target=take, args=(mark,), kwargs={"by": Party.FIELD}),
            Thread(target=take, args=(cancels,), kwargs={"version": 2}),
            Thread(target=take, args=(mark,), kwargs={"by": Party.FIELD}),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        steps = [one for one in told if one is not Why.CHANGED_MEANWHILE]
        marks = [one for one in steps if one.after is State.DONE]
        assert sorted(one.replayed for one in marks) == [False, True]
        with Session(engine) as session:
            assert session.get_one(WorkOrder, id).state is State.DONE
            assert session.get_one(Report, report).status is Status.DONE
            lines = select(func.count()).where(WorkOrderEvent.key == mark.key)
            assert session.scalar(lines) == 1


class TestAssigning:
    def test_the_day_moves_as_long_as_no_crew_has_begun(
        self, session, works, staff, order, step, acting, stored
    ):
        _report, need = needed(session)
        id = order(need, state=State.ISSUED)
        tomorrow = DAY + timedelta(days=1)
        stop = Stop(need, works.lighting, tomorrow, 3, None, 45)

        def assign(version, stop=stop):
            with acting(works.staff):
                work_orders.assign(session, staff, id, stop, version=version, crew="Light crew 1")

        refused(Why.CHANGED_MEANWHILE, lambda: assign(99))
        refused(Refusal.CREW_MISSING, lambda: assign(stored(id).version, Stop(need)))
        assign(stored(id).version)
        with acting(works.staff):
            moved = work_order_lists.one(session, id)
        assert (moved.day, moved.position, moved.service_minutes) == (
            tomorrow,
            1,
            45,
        )  # of one stop
        step(id, Wanted(State.IN_FIELD), Party.FIELD)
        refused(Why.CREW_IS_OUT, lambda: assign(stored(id).version))

    def test_a_stop_that_is_put_between_others_moves_these_on(
        self, session, works, staff, acting, stored
    ):
        needs = [
            needed(session, at=(IN_EASTSIDE[0] + 0.002 * n, IN_EASTSIDE[1]))[1] for n in range(4)
        ]
        stops = [Stop(need, works.lighting, DAY, n) for n, need in enumerate(needs, start=1)]
        with acting(works.staff):
            made = work_orders.draft(session, works.staff, None, stops).made
            ids = [made[need] for need in needs]

            def put(index, position, day=DAY):
                stop = Stop(needs[index], works.lighting, day, position)
                version = stored(ids[index]).version
                work_orders.assign(session, staff, ids[index], stop, version=version, crew="1")
                rows = session.execute(
                    select(WorkOrder.id)
                    .where(WorkOrder.day == DAY)
                    .order_by(WorkOrder.position, WorkOrder.id)
                )
                positions = session.scalars(
                    select(WorkOrder.position)
                    .where(WorkOrder.day == DAY)
                    .order_by(WorkOrder.position)
                ).all()
                return [ids.index(row.id) for row in rows], positions

            assert put(3, 2) == ([0, 3, 1, 2], [1, 2, 3, 4])
            assert put(0, 3) == ([3, 1, 0, 2], [1, 2, 3, 4])
            assert put(1, 99) == ([3, 0, 2, 1], [1, 2, 3, 4])
            assert put(3, 1, DAY + timedelta(days=1)) == ([0, 2, 1], [1, 2, 3])
            seen = [stored(id).version for id in ids]
            assert put(1, 3)[1] == [1, 2, 3]
            unmoved = [stored(id).version for id in ids]
        assert [now - before for before, now in zip(seen, unmoved, strict=True)] == [0, 1, 0, 0]


class TestLists:
    def test_orders_come_day_by_day_and_stop_by_stop_a_page_at_a_time(self, session, works, acting):
        pole_places = [(IN_EASTSIDE[0] + 0.002 * n, IN_EASTSIDE[1]) for n in range(4)]
        needs = [needed(session, at=place)[1] for place in pole_places]
        stops = [
            Stop(needs[0], works.lighting, DAY, 2),
            Stop(needs[1], works.lighting, DAY, 1),
            Stop(needs[2]),
            Stop(needs[3], works.lighting, DAY - timedelta(days=1), 1),
        ]
        with acting(works.staff):
            made = work_orders.draft(session, works.staff, None, stops).made
            chosen = OrderFilter(today=DAY)
            one, after = work_order_lists.orders(session, chosen, limit=3)
            rest, end = work_order_lists.orders(session, chosen, limit=3, after=after)
            counted = work_order_lists.counts(session, chosen)
            overdue = work_order_lists.orders(session, OrderFilter(today=DAY, late=True), limit=9)[
                0
            ]
        expected = [made[needs[n]] for n in (3, 1, 0, 2)]
        assert [order.id for order in (*one, *rest)] == expected
        assert end is None
        assert counted[State.DRAFT] == 4
        assert [order.id for order in overdue] == [made[needs[3]]]

    def test_the_neighbours_word_stands_beside_the_crews(self, session, works, order, step, acting):
        report, need = needed(session)
        id = order(need, state=State.ISSUED)
        step(id, FIXED, Party.FIELD)

        def read():
            with acting(works.staff):
                found = work_order_lists.one(session, id)
            return found.verified, found.not_fixed, found.waiting

        assert read() == (0, 0, 1)
        session.execute(update(Report).where(Report.id == report).values(status=Status.VERIFIED))
        assert read() == (1, 0, 0)
        session.execute(update(Report).where(Report.id == report).values(status=Status.CONFIRMED))
        session.execute(
            insert(ReportEvent).values(
                report_id=report, kind="status", from_status="verified", to_status="confirmed"
            )
        )
        assert read() == (0, 1, 0)
        with acting(works.staff):
            late = work_order_lists.orders(session, OrderFilter(today=DAY, late=True), limit=9)[0]
        assert [one.id for one in late] == [id]

    def test_an_order_whose_item_is_closed_by_others_is_to_be_looked_at(
        self, session, works, order, acting
    ):
        report, need = needed(session)
        id = order(need, state=State.ISSUED)
        session.execute(update(Report).where(Report.id == report).values(status=Status.DECLINED))
        with acting(works.staff):
            late = work_order_lists.orders(session, OrderFilter(today=DAY, late=True), limit=9)[0]
        assert [(one.id, one.is_needless) for one in late] == [(id, True)]

    def test_a_route_has_the_stops_of_its_day_with_distances_from_the_depot_on(
        self, session, works, order, acting
    ):
        _report, need = needed(session)
        _report, other = needed(session, at=NEXT_DOOR)
        first = order(need, state=State.ISSUED)
        order(other)  # a draft is no stop
        with acting(works.staff):
            route = work_order_lists.crew_route(session, works.lighting, DAY)
            days = work_order_lists.crew_days(session, DAY, DAY)
        assert [stop.id for stop in route.stops] == [first]
        assert route.stops[0].distance_m == pytest.approx(1_195, abs=20)
        assert [(one.crew_id, one.stops, one.done) for one in days] == [(works.lighting, 1, 0)]

    def test_photos_of_crews_are_not_swept_away_and_go_with_their_order(
        self, session, works, order, step, acting
    ):
        _report, need = needed(session)
        id = order(need)
        event = session.scalar(
            insert(WorkOrderEvent)
            .values(work_order_id=id, person_id=works.staff)
            .returning(WorkOrderEvent.id)
        )
        session.execute(insert(WorkOrderPhoto).values(event_id=event, key="k", width=4, height=3))
        assert photos.unknown(session, ["k", "other"]) == ["other"]
        session.execute(text("DELETE FROM need WHERE id = :id"), {"id": need})
        assert photos.discarded(session) == ["k"]
        assert session.get(Crew, works.lighting) is not None


class TestTakingTurns:
    """While two orders are issued, a neighbour reports both of their lights as dark at once."""

    ROW = ((IN_EASTSIDE[0], IN_EASTSIDE[1] + 0.0009), IN_EASTSIDE)

    @pytest.fixture
    def row(self, engine):
        """Two lights, each reported; a planner and the needs."""
        with Session(engine) as session:
            found_city(session)
            works = found_works(session)
            for place in self.ROW:
                pole(session, place)
            needs = [needed(session, at=place)[1] for place in self.ROW]
            session.commit()
        staff = Worker(works.staff, (Grant(Role.STAFF, kinds=frozenset({Kind.LIGHTING})),))
        return staff, [Stop(need, works.lighting, DAY) for need in needs]

    @pytest.fixture
    def meanwhile(self, engine, row):
        """Have a neighbour send the report between two steps, and see that nobody is turned away."""

        @contextmanager
        def sending(first):
            stretch = LineString([(lon, lat) for lon, lat in self.ROW])
            with Session(engine) as second, ThreadPoolExecutor(1) as other:
                for session in (first, second):
                    session.execute(text("SET LOCAL lock_timeout = '5s'"))
                waiting = other.submit(send, second, new(at=stretch), key="stretch")
                sleep(0.3)
                try:
                    yield
                    first.commit()
                finally:
                    first.rollback()  # or the other would wait for ever
                waiting.result()
                second.commit()
                assert first.scalars(select(WorkOrder.state)).all() == [State.ISSUED] * 2
                assert first.scalar(select(func.count()).select_from(NeedReport)) == 4

        return sending

    def test_drafts_are_issued(self, engine, row, meanwhile):
        staff, stops = row
        with Session(engine) as session:
            made = work_orders.draft(session, staff.person_id, None, stops).made
            with meanwhile(session):
                for id in reversed(made.values()):
                    work_orders.step(session, staff, id, Wanted(State.ISSUED), version=1)

    def test_orders_that_are_held_are_issued_in_any_order(self, engine, row, meanwhile):
        staff, stops = row
        with Session(engine) as session:
            made = work_orders.draft(session, staff.person_id, None, stops).made
            session.commit()
            last, first = made.values()
            work_orders.hold(session, made.values())
            work_orders.step(session, staff, first, Wanted(State.ISSUED), version=1)
            with meanwhile(session):
                work_orders.step(session, staff, last, Wanted(State.ISSUED), version=1)

    def test_a_need_that_is_drafted_stays_open_until_it_is_issued(self, engine, row):
        staff, stops = row
        with Session(engine) as first, Session(engine) as second:
            made = work_orders.draft(first, staff.person_id, None, stops).made
            with ThreadPoolExecutor(1) as other:
                for session in (first, second):
                    session.execute(text("SET LOCAL lock_timeout = '5s'"))
                report = second.scalar(select(func.min(NeedReport.report_id)))
                waiting = other.submit(moved, second, report, Status.DECLINED)
                sleep(0.3)
                try:
                    for id in made.values():
                        work_orders.step(first, staff, id, Wanted(State.ISSUED), version=1)
                    first.commit()
                finally:
                    first.rollback()
                waiting.result()


def test_the_store_and_the_program_mean_the_same_orders_that_hold_a_need(session):
    for state in State:
        for outcome in Outcome:
            held = session.scalar(
                text(
                    f"SELECT {HOLDS_NEED} FROM (VALUES (CAST(:state AS work_order_state), "
                    "CAST(:outcome AS work_order_outcome))) AS one (state, outcome)"
                ),
                {"state": state, "outcome": outcome},
            )
            assert held == holds_need(state, outcome), (state, outcome)
