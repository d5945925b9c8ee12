"""Working on reports, as the web role: the program's rules and the store's at once."""

from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, ProgrammingError

from data import database
from data.models import (
    Area,
    AreaLayer,
    Department,
    EventKind,
    Report,
    ReportContact,
    ReportEvent,
    RoleGrant,
    SavedFilter,
    Support,
)
from data.queries import fixes, reports, work
from data.queries.fixes import Answer, Asked
from data.queries.work import Assign, Change, Refused, Why, Worker, WorkFilter
from geo.kinds import Kind
from geo.roles import Grant, Role
from geo.statuses import Refusal, Status
from tests.people import person
from tests.places import (
    EAST,
    IN_EASTSIDE,
    IN_THE_WATCH,
    IN_WESTSIDE,
    MIDDLE,
    NORTH,
    SOUTH,
    WEST,
    box,
    found_city,
)
from tests.reports import moved, new, send

ZONE = ZoneInfo("America/Chicago")
TODAY = date(2026, 6, 30)
CANARY = "canary in an internal note"


@pytest.fixture
def city(session):
    return found_city(session)


@pytest.fixture
def divisions(session, city):
    """West and east, as patrol divisions."""
    shapes = {
        "West": box(WEST, SOUTH, MIDDLE, NORTH),
        "East": box(MIDDLE, SOUTH, EAST, NORTH),
    }
    return {
        name: session.scalar(
            insert(Area)
            .values(layer=AreaLayer.PATROL_DIVISION, code=name, name=name, geom=shape)
            .returning(Area.id)
        )
        for name, shape in shapes.items()
    }


@pytest.fixture
def hired(session, divisions):
    departments = {row.code: row for row in session.scalars(select(Department))}

    def make(role, department=None, division=None):
        found = departments.get(department)
        grant = Grant(
            role,
            area_id=divisions.get(division),
            department_id=found and found.id,
            kinds=frozenset(found.kinds if found else ()),
        )
        id = person(session, role, area_id=grant.area_id, department_id=grant.department_id)
        return Worker(id, (grant,))

    return make


@pytest.fixture
def lighting(hired):
    return hired(Role.STAFF, "lighting")


@pytest.fixture
def eastern(hired):
    return hired(Role.LIAISON, division="East")


@pytest.fixture
def acting(session):
    """The same transaction as pages have it, in somebody's name."""

    @contextmanager
    def act(who: Worker | None = None):
        with session.begin_nested():
            session.execute(text(f"SET LOCAL ROLE {database.WEB_ROLE}"))
            session.execute(
                text(
                    "SELECT set_config('porchlight.person', :id, true), "
                    "set_config('porchlight.strong', 'true', true)"
                ),
                {"id": str(who.person_id) if who else ""},
            )
            refusal = None
            try:
                yield
            except Refused as error:  # which leaves the transaction whole, and must leave no trace
                refusal = error
        session.execute(text("RESET ROLE"))
        session.expire_all()
        if refusal is not None:
            raise refusal

    return act


def version(session, id):
    return session.scalar(
        select(func.max(ReportEvent.id)).where(
            ReportEvent.report_id == id, ReportEvent.kind != EventKind.SUPPORT
        )
    )


@pytest.fixture
def change(session, acting):
    def make(who, id, *, seen=None, **wanted):
        seen = version(session, id) if seen is None else seen
        with acting(who):
            return work.change(session, who, id, Change(**wanted), version=seen)

    return make


def events(session, id):
    return session.scalars(
        select(ReportEvent).where(ReportEvent.report_id == id).order_by(ReportEvent.id)
    ).all()


def refused(why):
    return pytest.raises(Refused, match=f"^{why.value}$")


def test_a_change_leaves_one_event_with_its_words_and_by_whom(session, city, lighting, change):
    id = send(session)
    made = change(lighting, id, to=Status.SCHEDULED, note="Next week.")
    assert (made.before, made.after) == (Status.RECEIVED, Status.SCHEDULED)
    event = events(session, id)[-1]
    assert (event.from_status, event.to_status) == (Status.RECEIVED, Status.SCHEDULED)
    assert (event.note, event.public) == ("Next week.", True)
    assert event.person_id == lighting.person_id
    assert event.department_id == lighting.grants[0].department_id
    assert session.get_one(Report, id).status is Status.SCHEDULED


def test_the_second_of_two_who_change_the_same_is_told(session, city, lighting, change):
    id = send(session)
    seen = version(session, id)
    change(lighting, id, seen=seen, to=Status.CONFIRMED)
    with refused(Why.CHANGED_MEANWHILE):
        change(lighting, id, seen=seen, to=Status.SCHEDULED)
    assert session.get_one(Report, id).status is Status.CONFIRMED


def test_a_neighbour_who_joins_meanwhile_is_no_reason_to_refuse(session, city, lighting, change):
    id = send(session)
    seen = version(session, id)
    reports.support(session, id, b"neighbour")
    assert change(lighting, id, seen=seen, to=Status.CONFIRMED)


@pytest.mark.parametrize(
    ("to", "why"),
    [
        (Status.DECLINED, Refusal.REASON_MISSING),
        (Status.NOT_OURS, Refusal.REASON_MISSING),
        (Status.DUPLICATE, Refusal.OTHER_MISSING),
        (Status.HELD, Refusal.NOT_YOURS),
        (Status.VERIFIED, Refusal.NO_SUCH_STEP),
    ],
)
def test_what_must_be_said_is_asked_for_and_nothing_is_written(
    session, city, lighting, change, to, why
):
    id = send(session)
    before = len(events(session, id))
    with refused(why):
        change(lighting, id, to=to, internal="typed")
    assert len(events(session, id)) == before


def test_closing_and_reopening_set_the_day_of_closing(session, city, lighting, change):
    id = send(session)
    change(lighting, id, to=Status.DECLINED, note="The lamp works.")
    assert session.get_one(Report, id).closed_at is not None
    change(lighting, id, to=Status.CONFIRMED, note="It does not.")
    assert session.get_one(Report, id).closed_at is None


def test_nobody_changes_what_is_not_theirs(session, city, divisions, hired, change):
    id = send(session, new("street_trouble", IN_EASTSIDE))
    others = (
        hired(Role.LIAISON, division="West"),
        hired(Role.STAFF, "lighting"),
        hired(Role.MODERATOR),
        Worker(person(session), ()),
    )
    for who in others:
        with refused(Why.OUT_OF_SCOPE):
            change(who, id, to=Status.CONFIRMED)
    assert change(hired(Role.LIAISON, division="East"), id, to=Status.CONFIRMED)


def test_the_store_refuses_what_the_program_would_let_pass(
    session, city, divisions, hired, change, acting
):
    id = send(session, new("street_trouble", IN_EASTSIDE))
    western = hired(Role.LIAISON, division="West")
    believed = Worker(western.person_id, (Grant(Role.ADMINISTRATOR),))
    with pytest.raises(DBAPIError, match="row-level security"):
        change(believed, id, note="Hello, everybody.")
    assert session.get_one(Report, id).status is Status.RECEIVED


def test_nobody_writes_in_the_name_of_another(session, city, lighting, hired, acting):
    id = send(session)
    other = hired(Role.STAFF, "lighting")
    with pytest.raises(ProgrammingError, match="row-level security"), acting(lighting):
        session.execute(
            insert(ReportEvent)
            .inline()
            .values(report_id=id, kind=EventKind.NOTE, person_id=other.person_id, public=False)
        )


def test_work_is_given_to_whoever_may_do_it_and_to_nobody_else(
    session, city, lighting, eastern, hired, change, acting
):
    id = send(session)
    change(lighting, id, assign=Assign(person_id=lighting.person_id))
    event = events(session, id)[-1]
    assert event.assigns
    assert not event.public
    assert event.assigned_person_id == lighting.person_id
    with acting(lighting):
        assert work.one(session, lighting, id).assigned_to
    cleanup = session.scalar(select(Department.id).where(Department.code == "cleanup"))
    for wrong in (Assign(person_id=eastern.person_id), Assign(department_id=cleanup)):
        with refused(Why.NOT_THEIR_WORK):
            change(lighting, id, assign=wrong)
    change(lighting, id, assign=Assign())
    with acting(lighting):
        assert work.one(session, lighting, id).assigned_to == ""


def test_internal_notes_and_names_are_for_those_who_work_on_it(
    session, city, lighting, hired, change, acting
):
    id = send(session)
    session.execute(insert(ReportContact).values(report_id=id, name="A neighbour"))
    change(lighting, id, internal=CANARY)
    with acting(lighting):
        shown = work.one(session, lighting, id)
        assert CANARY in [event.note for event in shown.timeline]
        assert shown.name == "A neighbour"
        assert any(event.by for event in shown.timeline)
    with acting():
        assert CANARY not in [entry.note for entry in reports.timeline(session, id)]
        assert session.execute(text("SELECT * FROM report_event_private")).all() == []
        assert session.execute(text("SELECT * FROM assignment")).all() == []
        assert session.execute(text("SELECT * FROM colleague")).all() == []
    for column in ("person_id", "department_id", "assigned_person_id", "*"):
        with pytest.raises(ProgrammingError, match="permission denied"), acting(lighting):
            session.execute(text(f"SELECT {column} FROM report_event"))


def test_a_liaison_reads_lighting_in_the_division_but_neither_contact_nor_internal_notes(
    session, city, lighting, eastern, hired, change, acting
):
    id = send(session, new(at=IN_EASTSIDE, description="The lamp by the church."))
    session.execute(insert(ReportContact).values(report_id=id, name="A neighbour"))
    change(lighting, id, internal=CANARY)
    with acting(eastern):
        shown = work.one(session, eastern, id)
    assert shown.description == "The lamp by the church."
    assert shown.name == ""
    assert CANARY not in [event.note for event in shown.timeline]
    western = hired(Role.LIAISON, division="West")
    with acting(western):
        assert work.one(session, western, id) is None


def listed(session, who, **chosen):
    chosen = WorkFilter(today=TODAY, zone=ZONE, **chosen)
    days = work.targets(session)
    found, _ = work.items(session, who, chosen, days, limit=100)
    counted = work.counts(session, who, chosen, days)
    assert counted.total == len(found)
    return [item.id for item in found]


def test_a_work_list_holds_what_is_within_the_scope(session, city, divisions, hired, acting):
    lamp = send(session, new("light_out", IN_EASTSIDE))
    west = send(session, new("street_trouble", IN_WESTSIDE))
    east = send(session, new("noise_spot", IN_EASTSIDE, address="3412 Norton Ave"))
    held = send(session, new("street_trouble", IN_EASTSIDE))
    moved(session, held, Status.HELD)
    for who, theirs in (
        (hired(Role.LIAISON, division="West"), [west]),
        (hired(Role.LIAISON, division="East"), [east]),
        (hired(Role.STAFF, "lighting"), [lamp]),
        (hired(Role.STAFF, "safety"), [west, east]),
        (hired(Role.ADMINISTRATOR), [lamp, west, east]),
        (hired(Role.MODERATOR), []),
        (Worker(person(session), ()), []),
    ):
        with acting(who):
            assert sorted(listed(session, who)) == sorted(theirs)


def test_a_list_is_as_short_as_the_store_says_even_when_the_program_errs(
    session, city, divisions, hired, acting
):
    send(session, new("street_trouble", IN_EASTSIDE))
    western = hired(Role.LIAISON, division="West")
    believed = Worker(western.person_id, (Grant(Role.ADMINISTRATOR),))
    chosen = WorkFilter(today=TODAY, zone=ZONE)
    with acting(western):
        assert work.items(session, believed, chosen, {}, limit=10) == ([], None)


def test_filters_narrow_and_pages_follow_each_other(session, city, lighting, change, acting):
    ids = [send(session, new("light_out")) for _ in range(5)]
    other = send(session, new("block_dark"))
    change(lighting, ids[0], assign=Assign(person_id=lighting.person_id))
    change(lighting, ids[1], to=Status.DONE)
    with acting(lighting):
        assert sorted(listed(session, lighting, categories=("block_dark",))) == [other]
        assert listed(session, lighting, assigned="me") == [ids[0]]
        assert ids[0] not in listed(session, lighting, assigned="nobody")
        assert listed(session, lighting, statuses=(Status.DONE,)) == [ids[1]]
        assert listed(session, lighting, kinds=(Kind.CLEANUP,)) == []
        assert len(listed(session, lighting, area_id=city.council_district)) == 5
        assert listed(session, lighting, area_id=city.westside) == []
        chosen = WorkFilter(today=TODAY, zone=ZONE)
        seen, after = [], None
        while True:
            found, after = work.items(session, lighting, chosen, {}, limit=2, after=after)
            seen += [item.id for item in found]
            if after is None:
                break
    assert sorted(seen) == sorted([*ids[:1], *ids[2:], other])
    assert len(seen) == 5


def test_what_is_overdue_is_what_its_target_day_says(session, city, lighting, acting):
    reported = datetime(2026, 6, 1, 12, tzinfo=UTC)
    for day in range(30):
        id = send(session, new("light_out" if day % 2 else "block_dark"))
        at = reported + timedelta(days=day)
        session.execute(
            update(Report).where(Report.id == id).values(occurred_at=at, reported_at=at)
        )
    chosen = WorkFilter(today=TODAY, zone=ZONE)
    days = work.targets(session)
    with acting(lighting):
        found, _ = work.items(session, lighting, chosen, days, limit=100)
        late = listed(session, lighting, overdue=True)
    assert [item.id for item in found if item.overdue] == late
    assert 0 < len(late) < 30
    assert all(item.due < TODAY for item in found if item.overdue)


def test_merging_counts_neighbours_together_and_unmerging_gives_them_back(
    session, city, lighting, change, acting
):
    first, second, third = (send(session, new("light_out")) for _ in range(3))
    for n, id in enumerate((first, first, second, third)):
        reports.support(session, id, b"neighbour %d" % n)
    change(lighting, third, to=Status.DUPLICATE, other_id=second)
    change(lighting, second, to=Status.DUPLICATE, other_id=first)
    assert session.get_one(Report, third).duplicate_of_id == first
    assert reports.one_public(session, first).supports == 4
    with acting(lighting):
        shown = work.one(session, lighting, first)
    assert (shown.supports, shown.duplicates) == (4, (second, third))
    change(lighting, second, to=Status.CONFIRMED, note="Another lamp.")
    assert reports.one_public(session, first).supports == 3
    assert reports.one_public(session, second).supports == 1
    assert session.scalar(select(func.count()).select_from(Support)) == 4


def test_a_report_stands_for_no_other_when_it_is_one_itself(session, city, lighting, change):
    first, second, third = (send(session, new("light_out")) for _ in range(3))
    change(lighting, second, to=Status.DUPLICATE, other_id=first)
    with refused(Why.OTHER_IS_DUPLICATE):
        change(lighting, third, to=Status.DUPLICATE, other_id=second)
    for wrong in (third, 999_999):
        with refused(Why.OTHER_NOT_FOUND):
            change(lighting, third, to=Status.DUPLICATE, other_id=wrong)
    with refused(Why.OTHER_IS_DUPLICATE):
        change(lighting, first, to=Status.DUPLICATE, other_id=second)


def test_nobody_merges_into_what_is_not_theirs(session, city, lighting, hired, change):
    lamp, spot = send(session), send(session, new("street_trouble"))
    with refused(Why.OTHER_NOT_FOUND):
        change(lighting, lamp, to=Status.DUPLICATE, other_id=spot)
    # An administrator merges across; the department can not tear that apart.
    change(hired(Role.ADMINISTRATOR), spot, to=Status.DUPLICATE, other_id=lamp)
    other = send(session)
    with refused(Why.DUPLICATES_OUT_OF_SCOPE):
        change(lighting, lamp, to=Status.DUPLICATE, other_id=other)
    assert session.get_one(Report, spot).duplicate_of_id == lamp


@pytest.fixture
def done(session, city, lighting, change):
    """A report that two neighbours joined, and that the city calls done."""
    id = send(session, new("light_out", IN_THE_WATCH))
    for mark in (b"one", b"two"):
        reports.support(session, id, mark)
    change(lighting, id, to=Status.DONE)
    return id


def test_two_neighbours_who_joined_say_together_that_it_is_fixed(session, done, acting):
    with acting():
        assert fixes.asks(session, done, [b"one"]) is Asked.ASKED
        assert fixes.answer(session, done, [b"one"], fixed=True) is Answer.HEARD
        assert fixes.answer(session, done, [b"one"], fixed=True) is Answer.ANSWERED
    assert session.get_one(Report, done).status is Status.DONE
    with acting():
        assert fixes.answer(session, done, [b"two"], fixed=True) is Answer.VERIFIED
        assert fixes.asks(session, done, [b"one"]) is Asked.ANSWERED
        assert fixes.answer(session, done, [b"one"], fixed=False, reason="Dark.") is Answer.ANSWERED
    assert session.get_one(Report, done).status is Status.VERIFIED
    assert events(session, done)[-1].to_status is Status.VERIFIED


def test_no_opens_it_again_with_the_reason_and_asks_anew_when_it_is_done_again(
    session, done, lighting, change, acting
):
    with acting():
        assert fixes.answer(session, done, [b"two"], fixed=False) is Answer.REASON_MISSING
        why = {"reason": "It is dark again.", "reason_is_public": True}
        assert fixes.answer(session, done, [b"two"], fixed=False, **why) is Answer.REOPENED
        assert fixes.asks(session, done, [b"two"]) is None
        assert reports.timeline(session, done)[-1].note == "It is dark again."
    assert session.get_one(Report, done).status is Status.CONFIRMED
    assert session.get_one(Report, done).closed_at is None
    change(lighting, done, to=Status.DONE)
    with acting():
        assert fixes.answer(session, done, [b"two"], fixed=True) is Answer.HEARD


def test_a_reason_that_is_not_public_is_for_the_citys_people(session, done, lighting, acting):
    with acting():
        fixes.answer(session, done, [b"one"], fixed=False, reason=CANARY)
        assert CANARY not in [entry.note for entry in reports.timeline(session, done)]
    with acting(lighting):
        assert CANARY in [event.note for event in work.one(session, lighting, done).timeline]


def test_strangers_are_not_asked(session, done, acting):
    for who in (None, Worker(person(session), ())):
        with acting(who):
            assert fixes.asks(session, done, [b"somebody"]) is None
            assert fixes.answer(session, done, [b"somebody"], fixed=True) is Answer.NOT_YOURS
    assert session.get_one(Report, done).status is Status.DONE


def test_reporters_and_the_block_watch_are_asked_where_they_are_signed_in(
    session, done, city, acting
):
    reporter = person(session)
    session.execute(update(Report).values(reporter_id=reporter))
    member = person(session, Role.MEMBER, block_watch_id=city.block_watch)
    for id in (reporter, member):
        with acting(Worker(id, ())):
            assert fixes.asks(session, done, []) is Asked.ASKED


def test_neighbours_of_a_duplicate_are_asked_about_the_report_that_stands_for_it(
    session, city, lighting, change, acting
):
    first, second = (send(session, new("light_out")) for _ in range(2))
    reports.support(session, second, b"three")
    change(lighting, second, to=Status.DUPLICATE, other_id=first)
    change(lighting, first, to=Status.DONE)
    with acting():
        assert fixes.merged(session, first) == [first, second]
        assert fixes.answer(session, first, [b"three"], fixed=True) is Answer.HEARD


def test_the_reporters_word_or_the_block_watchs_is_enough(session, city, lighting, change, acting):
    captain = person(session, Role.CAPTAIN, block_watch_id=city.block_watch)
    for who, marks in ((None, [b"sent"]), (Worker(captain, ()), [])):
        id = send(session, new("light_out", IN_THE_WATCH))
        reports.remember_browser(session, id, b"sent")
        change(lighting, id, to=Status.DONE)
        with acting(who):
            assert fixes.asks(session, id, marks) is Asked.ASKED
            assert fixes.answer(session, id, marks, fixed=True) is Answer.VERIFIED


def test_the_citys_people_do_not_speak_for_the_neighbours(session, done, hired, lighting, acting):
    session.execute(update(Report).values(reporter_id=lighting.person_id))
    administrator = hired(Role.ADMINISTRATOR)
    for who in (lighting, administrator):
        with acting(who):
            session.execute(text("SELECT set_config('porchlight.strong', 'false', true)"))
            assert fixes.asks(session, done, [b"one"]) is None
            assert fixes.answer(session, done, [b"one"], fixed=True) is Answer.YOUR_WORK
            assert fixes.answer(session, done, [], fixed=False, reason="x") is Answer.YOUR_WORK
    session.execute(
        update(RoleGrant)
        .where(RoleGrant.person_id == lighting.person_id)
        .values(ended_at=func.now())
    )
    with acting(lighting):  # who said that it is done, and works elsewhere now
        assert fixes.answer(session, done, [b"one"], fixed=True) is Answer.YOUR_WORK
    assert session.get_one(Report, done).status is Status.DONE


def test_who_left_an_address_is_asked_in_the_language_of_the_form(session, done, lighting, acting):
    contact = {"report_id": done, "email": "ana@example.org", "language": "es"}
    session.execute(insert(ReportContact).values(contact))
    with acting(lighting):
        assert fixes.to_ask(session, done) == [fixes.ToAsk("ana@example.org", "es")]


def test_a_link_answers_for_one_time_that_it_was_done(session, done, lighting, change, acting):
    session.execute(insert(ReportContact).values(report_id=done, email="Ann@Example.org"))
    with acting():
        assert fixes.to_ask(session, done) == []
    with acting(lighting):
        assert [one.email for one in fixes.to_ask(session, done)] == ["ann@example.org"]
        fixes.ask(session, done, "token")
    marks = [fixes.mark_of("token")]
    with acting():
        why = {"reason": "Still dark.", "reason_is_public": False}
        assert fixes.answer(session, done, marks, fixed=False, **why) is Answer.REOPENED
    change(lighting, done, to=Status.DONE)
    with acting():
        assert fixes.answer(session, done, marks, fixed=True) is Answer.NOT_YOURS


def test_saved_filters_are_everybodys_own(session, city, lighting, eastern, acting):
    with acting(lighting):
        work.save_filter(session, lighting.person_id, "Late", "overdue=1")
        work.save_filter(session, lighting.person_id, "Late", "overdue=1&kind=lighting")
        (saved,) = work.saved_filters(session)
        assert saved.query == "overdue=1&kind=lighting"
        mine = saved.id
    with acting(eastern):
        assert work.saved_filters(session) == []
        work.forget_filter(session, mine)
    assert session.scalar(select(func.count()).select_from(SavedFilter)) == 1
    with acting(lighting):
        work.forget_filter(session, mine)
        assert work.saved_filters(session) == []


def test_words_to_answer_with_exist_for_each_step_that_needs_them(session):
    offered = {template.status for template in work.templates(session)}
    assert {Status.DECLINED, Status.NOT_OURS, Status.DONE, Status.DUPLICATE} <= offered
    assert all(template.english and template.spanish for template in work.templates(session))


def test_a_person_who_is_erased_leaves_the_timeline(session, city, lighting, change):
    id = send(session)
    change(lighting, id, assign=Assign(person_id=lighting.person_id))
    session.execute(text("DELETE FROM person WHERE id = :id"), {"id": lighting.person_id})
    session.expire_all()
    assert [event.person_id for event in events(session, id)] == [None, None]
    with pytest.raises(DBAPIError, match="only ever added to"):
        session.execute(update(ReportEvent).values(note="Never said."))
