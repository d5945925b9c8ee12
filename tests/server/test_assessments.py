"""From rows in the store to the verdict."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import shapely
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from data import database
from data.models import AssessmentVerdict
from data.queries import assessments
from data.queries.assessments import NotFixed
from data.queries.hot_spots import Source
from geo.crs import to_stored
from geo.roles import Role
from server.assessments import NoRoom, ask_for_due, judge, outlook, propose
from tests.assessments import (
    PLACE,
    design,
    drafted,
    fill,
    incident,
    open_plan,
    report,
    somewhere,
)
from tests.people import person
from tests.places import found_city

ZONE = ZoneInfo("America/Chicago")
TODAY = datetime.now(ZONE).date()
STARTS = TODAY + timedelta(days=3)
WHEELER = {
    "treated": (207, 110),
    "control": (308, 318),
    "ring": (178, 157),
    "control_ring": (150, 140),
}
SHORT = {
    "treated": (50, 30),
    "control": (60, 55),
    "ring": (40, 36),
    "control_ring": (40, 40),
}


@pytest.fixture
def city(session):
    return found_city(session)


@pytest.fixture
def plan(session, city):
    return open_plan(session, block_watch_id=city.block_watch)


def fixed(session, plan, made, **chosen):
    id = drafted(session, plan, made, **chosen)
    assessments.fix(session, id, late=made.response_starts <= TODAY)
    return id, assessments.grounds(session, id, as_owner=True)


def when_due(made):
    return datetime.combine(made.due, datetime.min.time(), ZONE) + timedelta(hours=6)


def judge_all(session):
    for id in session.scalars(select(AssessmentVerdict.id).order_by(AssessmentVerdict.id)).all():
        judge(session, id)
    session.expire_all()
    return session.scalars(select(AssessmentVerdict).order_by(AssessmentVerdict.id)).all()


def judged(session, made, now=None):
    """All verdicts, once those are found whose time has come and of which rows reach that far."""
    report(session, somewhere(when_due(made)))
    ask_for_due(session, ZONE, now or when_due(made))
    return judge_all(session)


class TestGold:
    def test_reports_avoided_with_a_buffer_and_its_control(self, session, plan):
        made = design(STARTS)
        fill(session, made, fixed(session, plan, made)[1], **WHEELER)
        (verdict,) = judged(session, made)
        numbers = verdict.found["numbers"]
        assert {name: tuple(numbers[name]) for name in WHEELER} == WHEELER
        assert numbers["overdispersion"] == 1
        assert numbers["wdd"] == pytest.approx([-118, -195.6, -40.4], abs=0.05)
        assert numbers["wdd_error"] == pytest.approx(39.598, abs=5e-4)
        assert numbers["z"] == pytest.approx(-2.98, abs=5e-3)
        assert verdict.found["outcome"] == verdict.published["outcome"] == "fewer"
        told = verdict.published["numbers"]
        assert told["treated"] == [205, 110]
        assert told["wdd"] == [-120, -195, -40]
        assert not {"z", "irr", "wdd_error", "wdq", "tne"} & set(told)
        assert verdict.found["months"]["treated"]
        assert verdict.published["months"] is None  # some were small

    def test_ratio_displacement_and_net_effect(self, session, plan):
        made = design(STARTS)
        fill(session, made, fixed(session, plan, made)[1], **SHORT)
        (verdict,) = judged(session, made)
        numbers = verdict.found["numbers"]
        assert numbers["irr"] == pytest.approx([0.6545455, 0.36574, 1.17141], abs=6e-6)
        assert numbers["wdq"] == pytest.approx(0.0421053, abs=1e-6)
        assert numbers["tne"] == pytest.approx(16.5)
        assert numbers["wdd"][0] == -15 - 4
        assert verdict.found["outcome"] == "no_clear_change"

    def test_without_a_ring_the_difference_is_of_the_two_places(self, session, plan):
        made = design(STARTS, ring_m=0)
        counts = {name: SHORT[name] for name in ("treated", "control")}
        fill(session, made, fixed(session, plan, made)[1], **counts)
        (verdict,) = judged(session, made)
        assert verdict.found["numbers"]["wdd"][0] == -15
        assert verdict.found["numbers"]["wdd_error"] == pytest.approx(13.96424, abs=5e-6)
        assert verdict.found["around"] is None
        assert verdict.found["numbers"]["wdq"] is None

    def test_several_controls_count_for_one(self, session, plan):
        made = design(STARTS)
        one_each = {name: SHORT[name] for name in ("treated", "ring")}
        for_three = {"control": (180, 165), "control_ring": (120, 120)}
        grounds = fixed(session, plan, made, chosen=(0, 1, 2))[1]
        fill(session, made, grounds, **one_each, **for_three)
        (verdict,) = judged(session, made)
        assert verdict.found["numbers"]["wdd"][0] == pytest.approx(-19)
        assert verdict.found["numbers"]["irr"][0] == pytest.approx(0.6545455, abs=1e-6)

    def test_a_longer_time_before_is_weighed(self, session, plan):
        made = design(STARTS, before_from=STARTS - timedelta(days=360))
        doubled = {name: (2 * before, after) for name, (before, after) in SHORT.items()}
        fill(session, made, fixed(session, plan, made)[1], **doubled)
        (verdict,) = judged(session, made)
        assert verdict.found["numbers"]["wdd"][0] == pytest.approx(-19)


class TestCounting:
    @pytest.fixture
    def counted(self, session, plan):
        """What is counted in the treated place after one more thing happened there."""
        made = design(STARTS)
        _id, grounds = fixed(session, plan, made)
        self.middle = to_stored().transform(*grounds.treated.centroid.coords[0])
        self.before = datetime.combine(made.before_from, datetime.min.time(), ZONE)

        def count():
            (verdict,) = judged(session, made)
            return tuple(verdict.found["numbers"]["treated"])

        return count

    def at(self, *moments):
        return [(*self.middle, moment) for moment in moments]

    def test_reports_of_one_thing_count_once(self, session, counted):
        day = timedelta(days=1)
        report(session, self.at(*(self.before + n * day for n in (20, 22, 25, 60))))
        assert counted() == (2, 0)

    def test_the_day_begins_and_ends_on_the_citys_clock(self, session, counted):
        second = timedelta(seconds=1)
        report(session, self.at(self.before - second))
        report(session, self.at(self.before + 30 * timedelta(days=1)))
        end = datetime.combine(STARTS, datetime.min.time(), ZONE)
        report(session, self.at(end - second))
        report(session, self.at(end + 20 * timedelta(days=1)))
        assert counted() == (2, 1)

    def test_what_was_reported_too_late_counts_in_neither_time(self, session, counted):
        after = datetime.combine(STARTS, datetime.min.time(), ZONE) + timedelta(days=40)
        for late in (timedelta(days=9), timedelta(days=11)):
            report(session, self.at(self.before + 40 * timedelta(days=1)), late=late)
            report(session, self.at(after), late=late)
        assert counted() == (1, 1)

    def test_other_categories_and_held_reports_do_not_count(self, session, counted):
        report(session, self.at(self.before + timedelta(days=9)), category="dumping")
        report(session, self.at(self.before + timedelta(days=9)))
        session.execute(text("UPDATE report SET status = 'held' WHERE category_code = 'light_out'"))
        assert counted() == (0, 0)

    def test_true_positions_count_not_those_that_are_shown(self, session, counted):
        report(session, self.at(self.before + timedelta(days=9)))
        session.execute(text("UPDATE report SET public_geom = ST_Translate(exact_geom, 0.02, 0)"))
        assert counted() == (1, 0)


class TestPolice:
    def test_incidents_have_a_verdict_of_their_own(self, session, plan):
        made = design(STARTS, offense_groups=("Theft",))
        grounds = fixed(session, plan, made)[1]
        fill(session, made, grounds, **SHORT)
        fill(session, made, grounds, police=True, **WHEELER)
        incident(session, somewhere(when_due(made)))
        reports, police = sorted(judged(session, made), key=lambda one: one.source, reverse=True)
        assert (reports.source, police.source) == ("reports", "police")
        assert reports.found["numbers"]["treated"] == [50, 30]
        assert police.found["numbers"]["treated"] == [207, 110]
        assert (reports.found["outcome"], police.found["outcome"]) == ("no_clear_change", "fewer")

    def test_other_groups_and_what_is_sensitive_never_count(self, session, plan):
        made = design(STARTS, categories=(), offense_groups=("Theft",))
        grounds = fixed(session, plan, made)[1]
        middle = to_stored().transform(*grounds.treated.centroid.coords[0])
        at = datetime.combine(made.after_from, datetime.min.time(), ZONE) + timedelta(days=3)
        incident(session, [(*middle, at)], group="Arson")
        incident(session, [(*middle, at)], sensitive=True)
        incident(session, somewhere(when_due(made)))
        (verdict,) = judged(session, made)
        assert verdict.found["numbers"]["treated"] == [0, 0]


class TestWhen:
    def test_a_verdict_waits_for_late_reports(self, session, plan):
        made = design(STARTS)
        fixed(session, plan, made)
        assert judged(session, made, when_due(made) - timedelta(days=1)) == []
        assert len(judged(session, made)) == 1

    def test_it_waits_for_rows_that_reach_that_far(self, session, plan):
        """Else an import that ends early would look like a success."""
        made = design(STARTS)
        fixed(session, plan, made)
        report(session, somewhere(when_due(made) - timedelta(days=60)))
        assert ask_for_due(session, ZONE, when_due(made)) == 0
        report(session, somewhere(when_due(made) - timedelta(days=2)))
        assert ask_for_due(session, ZONE, when_due(made)) == 1

    def test_it_is_found_once(self, session, plan):
        made = design(STARTS)
        fixed(session, plan, made)
        (first,) = judged(session, made)
        found, at = first.found, first.computed_at
        assert ask_for_due(session, ZONE, when_due(made) + timedelta(days=9)) == 0
        judge(session, first.id)
        session.expire_all()
        assert (first.found, first.computed_at) == (found, at)

    def test_a_draft_is_never_judged(self, session, plan):
        made = design(STARTS)
        drafted(session, plan, made)
        assert judged(session, made) == []

    def test_rows_that_came_later_make_a_second_verdict_beside_the_first(self, session, plan):
        made = design(STARTS)
        id, grounds = fixed(session, plan, made)
        fill(session, made, grounds, **SHORT)
        judged(session, made)
        fill(session, made, grounds, treated=(0, 25))
        assert assessments.ask_again(session, id, Source.REPORTS, "A file was missing.")
        assert not assessments.ask_again(session, id, Source.REPORTS, "Asked twice.")
        first, second = judge_all(session)
        assert first.found["numbers"]["treated"] == [50, 30]
        assert second.found["numbers"]["treated"][1] > 30
        assert second.reason == "A file was missing."
        rows = [one.found["rows_version"] for one in (first, second)]
        assert rows[0] < rows[1]


class TestPublished:
    @pytest.mark.parametrize("area", ["treated", "ring", "control_ring"])
    def test_one_small_count_keeps_all_of_them(self, session, plan, area):
        made = design(STARTS)
        counts = {**SHORT, area: (SHORT[area][0], 4)}
        fill(session, made, fixed(session, plan, made)[1], **counts)
        (verdict,) = judged(session, made)
        assert verdict.found["numbers"][area][1] == 4
        assert verdict.published["numbers"] is None
        assert verdict.published["outcome"] == verdict.found["outcome"]

    def test_an_assessment_written_after_the_start_tells_everybody_words_alone(self, session, plan):
        made = design(TODAY)
        fill(session, made, fixed(session, plan, made)[1], **SHORT | {"treated": (90, 10)})
        (verdict,) = judged(session, made)
        assert verdict.found["numbers"]["treated"] == [90, 10]
        assert verdict.published == {
            **verdict.published,
            "outcome": "fewer",
            "numbers": None,
            "months": None,
        }

    def test_of_several_only_the_first_is_told_everybody_in_counts(self, session, plan):
        """Two of nearly the same places or times would tell single reports by their difference."""
        made = design(STARTS)
        _id, grounds = fixed(session, plan, made)
        fixed(session, plan, replace(made, reason="The ring was wrong."))
        fill(session, made, grounds, **WHEELER)
        first, second = judged(session, made)
        assert first.published["numbers"]
        assert second.found["numbers"] == first.found["numbers"]
        assert second.published["numbers"] is second.published["months"] is None


class TestBefore:
    def test_places_are_as_large_and_out_of_reach(self, session, plan):
        made = design(STARTS)
        id = drafted(session, plan, made, chosen=(0, 1))
        grounds = assessments.grounds(session, id, as_owner=True)
        assert grounds.control.area == pytest.approx(2 * grounds.treated.area, rel=1e-3)
        assert not grounds.control_ring.union(grounds.control).intersects(
            grounds.treated.buffer(140)
        )
        assert grounds.ring.area == pytest.approx(
            grounds.treated.buffer(150).area - grounds.treated.area, rel=0.01
        )

    def test_no_control_lies_where_another_plan_is(self, session, plan, city):
        made = design(STARTS)
        place = shapely.MultiPolygon([shapely.box(*PLACE)])
        free = propose(session, plan, place, made, STARTS)
        x, y = free["places"][0]["shift"]
        lead(session, city)
        open_plan(
            session,
            place=f"SRID=4326;{shapely.MultiPolygon([shapely.box(-94.6, 39.0, -94.566, 39.04)])}",
            stage="response",
            response_starts=STARTS,
        )
        less = propose(session, plan, place, made, STARTS)
        assert less["copies"] < free["copies"]
        assert all(place["shift"][0] > -200 for place in less["places"])
        assert (x, y) != (0, 0)

    def test_a_city_without_room_says_so(self, session, plan):
        place = shapely.MultiPolygon([shapely.box(-94.598, 39.002, -94.542, 39.038)])
        with pytest.raises(NoRoom):
            propose(session, plan, place, design(STARTS), STARTS)

    def test_what_could_be_seen_is_told_before(self, session, plan):
        made = design(STARTS)
        id, grounds = fixed(session, plan, made)
        few = assessments.private(session, id, as_owner=True).proposal
        assert not outlook(made, few, [0], Source.REPORTS).can_tell
        fill(session, made, grounds, treated=(200, 0), control=(200, 0))
        place = shapely.MultiPolygon([shapely.box(*PLACE)])
        many = propose(session, plan, place, made, STARTS)
        seen = outlook(made, many, many["suggested"], Source.REPORTS)
        assert (seen.before, seen.expected) == (200, 200)
        assert seen.can_tell
        assert 0 < seen.percent < 60

    def test_what_has_not_happened_yet_is_put_up_to_the_whole_time(self, session, plan):
        made = design(STARTS + timedelta(days=87))
        _id, grounds = fixed(session, plan, made)
        fill(session, made, grounds, treated=(180, 0))
        place = shapely.MultiPolygon([shapely.box(*PLACE)])
        half = propose(session, plan, place, made, TODAY)
        seen = outlook(made, half, [0], Source.REPORTS)
        assert seen.before == pytest.approx(180, abs=6)


def lead(session, city, role=Role.CAPTAIN):
    """Have the session be that of a captain's, as far as the store asks who it is."""
    id = person(session, role, block_watch_id=city.block_watch)
    session.execute(text(f"SELECT set_config('porchlight.person', '{id}', true)"))
    return id


def respond(session, starts):
    """Bring the plan to its response."""
    session.execute(text("UPDATE plan SET stage = 'analysis'"))
    session.execute(
        text("UPDATE plan SET stage = 'response', response_starts = :day"), {"day": starts}
    )


REFUSED = "neither changed nor deleted"


class TestKept:
    @pytest.fixture
    def kept(self, session, plan):
        made = design(STARTS)
        id, grounds = fixed(session, plan, made)
        fill(session, made, grounds, **SHORT)
        judged(session, made)
        return id

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE assessment SET ring_m = 100",
            "UPDATE assessment SET fixed_at = NULL",
            "UPDATE assessment SET late = NOT late",
            "UPDATE assessment SET control = treated",
            "DELETE FROM assessment",
            "DELETE FROM plan",
            "TRUNCATE assessment CASCADE",
            "TRUNCATE plan CASCADE",
            "UPDATE assessment_verdict SET found = '{}'",
            "UPDATE assessment_verdict SET published = '{}'",
            "UPDATE assessment_verdict SET reason = 'x'",
            "UPDATE assessment_verdict SET computed_at = NULL, found = NULL, published = NULL, method = NULL",
            "DELETE FROM assessment_verdict",
            "TRUNCATE assessment_verdict",
        ],
    )
    def test_not_even_the_owner_of_the_store_changes_it(self, session, kept, statement):
        with pytest.raises(DBAPIError, match=REFUSED):
            session.execute(text(statement))

    def test_a_draft_is_changed_and_goes_with_its_plan(self, session, plan):
        made = design(STARTS)
        drafted(session, plan, made)
        drafted(session, plan, design(STARTS, ring_m=50))
        (draft,) = assessments.of_plan(session, plan)
        assert draft.design.ring_m == 50
        session.execute(text("DELETE FROM plan"))
        assert assessments.of_plan(session, plan) == []

    def test_once_the_response_has_begun_it_says_so_or_is_refused(self, session, plan):
        id = drafted(session, plan, design(TODAY), today=TODAY)
        refused = pytest.raises(NotFixed, match="assessment_precedes_the_response")
        with refused, session.begin_nested():
            assessments.fix(session, id, late=False)
        assessments.fix(session, id, late=True)
        assert assessments.by_id(session, id).late

    def test_nobody_says_it_is_late_who_is_in_time(self, session, plan):
        id = drafted(session, plan, design(STARTS))
        assessments.fix(session, id, late=True)
        assert not assessments.by_id(session, id).late

    def test_the_day_of_the_plan_holds(self, session, plan):
        id = drafted(session, plan, design(STARTS))
        respond(session, STARTS + timedelta(days=1))
        with pytest.raises(NotFixed, match="assessment_is_of_the_plan_as_it_is"):
            assessments.fix(session, id, late=False)

    def test_another_one_stands_beside_the_first_with_a_reason(self, session, plan):
        first, _grounds = fixed(session, plan, design(STARTS))
        id = drafted(session, plan, design(STARTS, ring_m=50))
        refused = pytest.raises(NotFixed, match="assessment_correction_has_a_reason")
        with refused, session.begin_nested():
            assessments.fix(session, id, late=False)
        second = drafted(session, plan, design(STARTS, ring_m=50, reason="The ring was too wide."))
        assessments.fix(session, second, late=False)
        assert [one.id for one in assessments.of_plan(session, plan)] == [first, second]


class TestWho:
    @pytest.fixture
    def web(self, session):
        """The same transaction, as pages see it."""

        def ask(query, person_id=None, **values):
            nested = session.begin_nested()
            try:
                session.execute(text(f"SET LOCAL ROLE {database.WEB_ROLE}"))
                session.execute(
                    text(
                        "SELECT set_config('porchlight.person', :person, true), "
                        "set_config('porchlight.strong', 'true', true)"
                    ),
                    {"person": str(person_id or "")},
                )
                found = session.execute(text(query), values)
                return found.all() if found.returns_rows else found.rowcount
            finally:
                nested.rollback()

        return ask

    @pytest.fixture
    def askers(self, session, city):
        watch = {"block_watch_id": city.block_watch}
        return {
            "nobody": None,
            "resident": person(session),
            "member": person(session, Role.MEMBER, **watch),
            "captain": person(session, Role.CAPTAIN, **watch),
            "moderator": person(session, Role.MODERATOR),
            "administrator": person(session, Role.ADMINISTRATOR),
        }

    def those(self, web, askers, query):
        return {name for name, id in askers.items() if web(query, id)}

    def test_a_draft_is_for_those_who_lead_the_plan(self, session, plan, web, askers):
        drafted(session, plan, design(STARTS))
        leaders = {"captain", "administrator"}
        assert self.those(web, askers, "SELECT id FROM assessment") == leaders
        assert self.those(web, askers, "SELECT * FROM assessment_private") == leaders
        assert self.those(web, askers, "UPDATE assessment SET ring_m = 0") == leaders

    def test_what_is_fixed_is_everybodys_but_for_its_places(self, session, plan, web, askers):
        fixed(session, plan, design(STARTS))
        assert self.those(web, askers, "SELECT id, categories FROM assessment") == set(askers)
        of_plan = {"member", "captain", "administrator"}
        assert self.those(web, askers, "SELECT * FROM assessment_private") == of_plan

    def test_true_counts_are_for_those_who_police_the_plan(self, session, plan, web, askers):
        made = design(STARTS)
        fill(session, made, fixed(session, plan, made)[1], **SHORT)
        judged(session, made)
        assert self.those(web, askers, "SELECT published FROM assessment_verdict") == set(askers)
        found = "SELECT found FROM assessment_found"
        assert self.those(web, askers, found) == {"administrator"}

    @pytest.mark.parametrize(
        "query",
        [
            "SELECT found FROM assessment_verdict",
            "SELECT treated FROM assessment",
            "SELECT proposal FROM assessment",
            "SELECT control FROM assessment",
            "SELECT * FROM assessment",
            "DELETE FROM assessment",
            "DELETE FROM assessment_verdict",
            "UPDATE assessment_verdict SET reason = 'x'",
            "INSERT INTO assessment_verdict (assessment_id, source, found) VALUES (1, 'x', '{}')",
        ],
    )
    def test_no_page_can_be_made_to(self, session, plan, web, askers, query):
        for id in askers.values():
            with pytest.raises(ProgrammingError, match="permission denied"):
                web(query, id)

    def test_a_first_verdict_comes_by_its_time_alone(self, session, plan, web, askers):
        made = design(STARTS)
        id, _grounds = fixed(session, plan, made)
        ask = "INSERT INTO assessment_verdict (assessment_id, source, reason) VALUES (:id, 'reports', :why)"
        with pytest.raises(ProgrammingError, match="row-level security"):
            web(ask, askers["captain"], id=id, why="Now.")
        judged(session, made)
        with pytest.raises(ProgrammingError, match="row-level security"):
            web(ask, askers["member"], id=id, why="Again.")
        assert web(ask, askers["captain"], id=id, why="Again.") == 1

    def test_where_other_plans_are_is_told_to_those_who_lead_one(self, session, plan, web, askers):
        respond(session, STARTS)
        other = open_plan(session)
        asked = f"SELECT 1 WHERE assessment_elsewhere({plan}, '2100-01-01') IS NOT NULL"
        assert self.those(web, askers, asked) == set()
        asked = f"SELECT 1 WHERE assessment_elsewhere({other}, '2100-01-01') IS NOT NULL"
        assert self.those(web, askers, asked) == {"administrator"}
