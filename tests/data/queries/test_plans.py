"""The store's own lock on action plans: who reads, adds and changes what, whatever a page asks."""

from contextlib import contextmanager
from datetime import date, timedelta

import pytest
import shapely
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from data import database
from data.models import Area, AreaLayer, Department, Plan, PlanNote, PlanStep, RoleGrant
from data.queries import people, plans
from data.queries.plans import Changed, Misplaced, NewPlan, NewTask, PlanFilter
from geo.plans import STEPS, Audience, Ground, Stage, leads, sees, works
from geo.roles import Grant, Role
from tests.people import person
from tests.places import IN_THE_WATCH, IN_WESTSIDE, box, found_city
from tests.reports import new, send

TODAY = date(2026, 6, 9)
PLACE = shapely.MultiPolygon([shapely.box(-94.562, 39.011, -94.559, 39.013)])
"""Within the block watch."""


class Town:
    """A city with somebody of each role, and a plan that the captain has opened in the watch."""

    def __init__(self, session):
        self.session = session
        self.city = found_city(session)
        self.east, far = (
            session.scalar(
                insert(Area)
                .values(layer=AreaLayer.PATROL_DIVISION, code=code, name=code, geom=geom)
                .returning(Area.id)
            )
            for code, geom in (
                ("East", box(-94.57, 39, -94.54, 39.04)),
                ("Far", box(-94.60, 39, -94.57, 39.04)),
            )
        )
        of = {row.code: row.id for row in session.scalars(select(Department))}
        self.safety = of["safety"]
        watch, district = self.city.block_watch, self.city.council_district
        self.grants = {
            "captain": Grant(Role.CAPTAIN, block_watch_id=watch),
            "member": Grant(Role.MEMBER, block_watch_id=watch),
            "liaison": Grant(Role.LIAISON, area_id=self.east),
            "liaison of another": Grant(Role.LIAISON, area_id=far),
            "staff of a partner": Grant(Role.STAFF, department_id=of["safety"]),
            "staff of the district": Grant(
                Role.STAFF, department_id=of["safety"], area_id=district
            ),
            "staff of another": Grant(Role.STAFF, department_id=of["lighting"]),
            "moderator": Grant(Role.MODERATOR),
            "administrator": Grant(Role.ADMINISTRATOR),
        }
        self.people = {"nobody": None, "resident": person(session)}
        for name, grant in self.grants.items():
            self.people[name] = person(
                session,
                grant.role,
                email=f"{len(self.people)}@example.org",
                block_watch_id=grant.block_watch_id,
                area_id=grant.area_id,
                department_id=grant.department_id,
            )
        with self.seen_by("captain"):
            self.plan = self.open()
            plans.add_partner(session, self.plan, department_id=self.safety)
        self.ground = Ground(watch, self.east, district, frozenset({self.safety}))

    def open(self, place=PLACE, watch_id=..., by="captain", **values):
        watch_id = self.city.block_watch if watch_id is ... else watch_id
        return plans.open_plan(
            self.session, self.people[by], NewPlan("Dark corner", watch_id, place, None, **values)
        )

    @contextmanager
    def seen_by(self, name, strong=True):
        """Do something in somebody's name, as pages do."""
        execute = self.session.execute
        execute(text(f"SET LOCAL ROLE {database.WEB_ROLE}"))
        execute(
            text(
                "SELECT set_config('porchlight.person', :person, true), "
                "set_config('porchlight.strong', :strong, true)"
            ),
            {"person": str(self.people[name] or ""), "strong": str(strong).lower()},
        )
        nested = self.session.begin_nested()
        try:
            yield
        except DBAPIError:
            nested.rollback()
            raise
        finally:
            execute(text("RESET ROLE"))
            execute(text("SELECT set_config('porchlight.person', '', true)"))

    def who(self, act):
        """Who gets something from an act, or may do it at all; it is undone each time."""
        able = set()
        for name in self.people:
            nested = self.session.begin_nested()
            try:
                with self.seen_by(name):
                    if act():
                        able.add(name)
            except (ProgrammingError, Misplaced):
                pass
            finally:
                nested.rollback()
        return able

    def rows(self, query):
        return lambda: self.session.execute(text(query)).all()

    def right(self, right):
        """Who has a right by what the program says."""
        return {name for name, grant in self.grants.items() if right([grant], self.ground)}


@pytest.fixture
def town(session):
    return Town(session)


def test_the_store_and_the_program_agree_on_who_may_what(town):
    session, id = town.session, town.plan
    plans_of = town.rows
    with town.seen_by("captain"):
        task = plans.add_task(session, id, NewTask("Count lamps", None, None, TODAY))
        plans.add_note(session, id, Audience.PARTNERS, "among us")
        plans.add_note(session, id, Audience.WATCH, "among neighbours")
    report = send(session, new("dumping", IN_THE_WATCH))
    assert town.right(leads) == {"captain", "liaison", "administrator"}
    leading, working, seeing = town.right(leads), town.right(works), town.right(sees)
    renamed = "UPDATE plan SET title = 'x' RETURNING id"
    assert town.who(plans_of(renamed)) == leading
    assert town.who(lambda: plans.add_partner(session, id, name="The hardware store")) == leading
    assert town.who(lambda: plans.add_task(session, id, NewTask("Do", None, None, None))) == leading
    assert town.who(lambda: plans.tick(session, id, task, done=True)) == working
    assert town.who(lambda: plans.link(session, id, report)) == working
    assert town.who(plans_of(f"SELECT * FROM plan_people({id})")) == working
    assert town.who(plans_of("SELECT * FROM plan_private")) == seeing
    assert town.who(plans_of("SELECT * FROM plan_task")) == seeing
    assert town.who(plans_of("SELECT * FROM plan_partner")) == seeing
    partners = "SELECT id FROM plan_note WHERE audience = 'partners'"
    assert town.who(plans_of(partners)) == working
    assert town.who(plans_of("SELECT id FROM plan_note WHERE audience = 'watch'")) == seeing


def test_weak_sign_ins_and_ended_roles_open_nothing_of_the_city(town):
    session = town.session
    for name in ("liaison", "staff of a partner", "administrator"):
        with town.seen_by(name, strong=False):
            assert session.execute(text("SELECT * FROM plan_private")).all() == []
    session.execute(text("UPDATE role_grant SET ended_at = now() WHERE role = 'captain'"))
    with town.seen_by("captain"):
        assert session.execute(text("SELECT * FROM plan_private")).all() == []


@pytest.mark.parametrize(
    "query",
    [
        "SELECT place FROM plan",
        "SELECT id FROM plan WHERE ST_Intersects(place, ST_MakePoint(0, 0))",
        "SELECT opened_by_id FROM plan",
        "SELECT person_id FROM plan_note",
        "SELECT person_id FROM plan_step",
        "UPDATE plan SET place = place",
        "UPDATE plan SET public_place = NULL",
        "UPDATE plan_note SET words = 'others'",
        "UPDATE plan_figures SET figures = '{}'",
        "INSERT INTO plan_step (plan_id, stage) VALUES (1, 'closed')",
        "DELETE FROM plan",
        "DELETE FROM plan_note",
    ],
)
def test_the_web_role_is_refused_what_is_private_or_stays(town, query):
    with pytest.raises(ProgrammingError, match="permission denied"), town.seen_by("administrator"):
        town.session.execute(text(query))


def test_plans_are_opened_where_somebody_leads_them(town):
    session = town.session
    west = shapely.MultiPolygon([shapely.box(-94.586, 39.019, -94.584, 39.021)])
    for by, place, watch_id in (("captain", PLACE, None), ("liaison", west, None)):
        with pytest.raises(ProgrammingError, match="row-level security"), town.seen_by(by):
            town.open(place, watch_id, by)
    with pytest.raises(ProgrammingError, match="row-level security"), town.seen_by("captain"):
        town.open(by="liaison")
    with pytest.raises(Misplaced), town.seen_by("captain"):
        town.open(west)
    with pytest.raises(Misplaced), town.seen_by("administrator"):
        town.open(shapely.MultiPolygon([shapely.box(-94.5, 39.01, -94.49, 39.02)]), None)
    with town.seen_by("liaison"):
        id = town.open(watch_id=None, by="liaison")
    found = plans.summary(session, id, TODAY)
    assert (found.area, found.division) == ("Eastside", "East")


def test_the_store_takes_the_steps_of_the_way_and_no_others(town):
    session = town.session
    for before in Stage:
        for after in set(Stage) - {before}:
            nested = session.begin_nested()
            starts = TODAY + timedelta(days=36_500)
            session.execute(text("ALTER TABLE plan DISABLE TRIGGER plan_stage"))
            early = {Stage.SCANNING, Stage.ANALYSIS}
            values = {
                "id": town.plan,
                "stage": before,
                "starts": None if before in early else starts,
            }
            change = "UPDATE plan SET stage = CAST(:stage AS plan_stage), response_starts = :starts WHERE id = :id"
            session.execute(text(change), values)
            session.execute(text("ALTER TABLE plan ENABLE TRIGGER plan_stage"))
            values |= {"stage": after, "starts": None if after in early else starts}
            taken = True
            try:
                session.execute(text(change), values)
            except IntegrityError:
                taken = False
            assert taken == (after in STEPS[before]), (before, after)
            nested.rollback()


def test_a_response_that_began_is_not_taken_back(town):
    session = town.session
    with town.seen_by("captain"):
        plans.move(session, town.plan, 1, Stage.ANALYSIS, None)
        plans.move(session, town.plan, 2, Stage.RESPONSE, date(2026, 1, 1))
    with pytest.raises(IntegrityError), town.seen_by("captain"):
        plans.move(session, town.plan, 3, Stage.ANALYSIS, None)
    stages = [one.stage for one in plans.steps(session, town.plan)]
    assert stages == [Stage.SCANNING, Stage.ANALYSIS, Stage.RESPONSE]
    assert set(session.scalars(select(PlanStep.person_id))) == {town.people["captain"]}


def test_of_two_who_change_at_once_the_second_is_told(town):
    with town.seen_by("captain"):
        plans.rename(town.session, town.plan, 1, "First")
    with pytest.raises(Changed), town.seen_by("liaison"):
        plans.rename(town.session, town.plan, 1, "Second")
    assert plans.summary(town.session, town.plan, TODAY).title == "First"


def test_figures_that_count_exact_places_are_for_the_police(town):
    session = town.session
    with town.seen_by("liaison"):
        exact = town.open(by="liaison", figures={"count": 7}, exact=True)
    with town.seen_by("captain"):
        shown = town.open(figures={"count": 5})
    assert town.who(lambda: plans.figures(session, exact)) == {"liaison", "administrator"}
    assert town.who(lambda: plans.figures(session, shown)) == town.right(sees) - {
        "staff of a partner", "staff of the district",
    }  # fmt: skip
    with pytest.raises(ProgrammingError, match="row-level security"), town.seen_by("captain"):
        town.open(figures={"count": 7}, exact=True)


def test_reports_are_linked_by_where_everybody_sees_them(town):
    session = town.session
    shown_far = shapely.Point(*IN_WESTSIDE)
    home = send(session, new("noise_spot", IN_THE_WATCH, public=shown_far))
    here = send(session, new("dumping", IN_THE_WATCH))
    with town.seen_by("captain"):
        assert not plans.link(session, town.plan, home)
        assert not plans.link(session, town.plan, 2**62)
        assert plans.link(session, town.plan, here)
        assert plans.link(session, town.plan, here)
        assert [one.id for one in plans.linked(session, town.plan)] == [here]
        assert [one.id for one in plans.of_report(session, here)] == [town.plan]
        assert plans.unlink(session, town.plan, here)
        assert plans.link_open(session, town.plan) == 1
    with town.seen_by("resident"):
        assert plans.linked(session, town.plan) == []
        assert plans.of_report(session, here) == []


def test_a_note_that_waits_is_for_its_author_and_a_moderator(town):
    session = town.session
    with town.seen_by("captain"):
        plans.add_note(session, town.plan, Audience.EVERYONE, "of somebody", held=True)
    note = session.scalars(select(PlanNote.id)).one()
    read = town.rows("SELECT words FROM plan_note WHERE words <> ''")
    assert town.who(read) == {"captain", "moderator", "administrator"}
    decide = f"SELECT 1 WHERE decide_plan_note({note}, 'shortened', 'shown', 'why')"
    assert town.who(town.rows(decide)) == {"moderator", "administrator"}
    with town.seen_by("moderator"):
        session.execute(text(decide))
        assert session.scalar(text(decide)) is None
    assert town.who(read) == set(town.people)
    with town.seen_by("nobody"):
        assert session.scalar(text("SELECT words FROM plan_note")) == "shown"


def test_names_of_captains_are_for_their_own_watch(town):
    session = town.session
    session.execute(text("UPDATE person SET name = 'Ada ' || id"))
    with town.seen_by("liaison"):
        found = {one.role: one.name for one in plans.people(session, town.plan)}
        assert found[Role.CAPTAIN] == ""
        assert found[Role.LIAISON].startswith("Ada")
        assert plans.address_of(session, town.plan, town.people["captain"]).email
        assert plans.address_of(session, town.plan, town.people["resident"]) is None
    with town.seen_by("captain"):
        found = {one.role: one.name for one in plans.people(session, town.plan)}
        assert found[Role.CAPTAIN].startswith("Ada")
    with town.seen_by("member"):
        assert plans.people(session, town.plan) == []
        assert plans.address_of(session, town.plan, town.people["captain"]) is None


def test_everybody_counts_tasks_and_reads_none(town):
    session = town.session
    with town.seen_by("captain"):
        done = plans.add_task(session, town.plan, NewTask("Count lamps", None, None, TODAY))
        plans.add_task(session, town.plan, NewTask("Trim trees", None, None, TODAY))
        plans.tick(session, town.plan, done, done=True)
    later = TODAY + timedelta(days=1)
    with town.seen_by("nobody"):
        (found,), more = plans.summaries(session, PlanFilter(today=later), limit=5)
        assert (found.tasks, found.done, found.overdue, more) == (2, 1, 0, None)
        assert plans.tasks(session, town.plan, TODAY) == []
        late = PlanFilter(today=later, overdue=True)
        assert plans.summaries(session, late, limit=5) == ([], None)
    with town.seen_by("member"):
        (found,), _more = plans.summaries(session, late, limit=5)
        assert found.overdue == 1


def test_lists_are_narrowed_and_paged(town):
    session = town.session
    with town.seen_by("captain"):
        ids = [town.plan, *(town.open() for _ in range(4))]
        plans.move(session, ids[1], 1, Stage.CLOSED, None)

    def listed(**asked):
        found, _more = plans.summaries(session, PlanFilter(today=TODAY, **asked), limit=9)
        return [one.id for one in found]

    assert listed() == ids[::-1]
    assert listed(stage=Stage.CLOSED) == [ids[1]]
    assert ids[1] not in listed(stage="open")
    assert listed(area_id=town.city.eastside) == ids[::-1]
    assert listed(area_id=town.city.westside) == []
    assert listed(block_watch_id=town.city.block_watch + 1) == []
    first, before = plans.summaries(session, PlanFilter(today=TODAY), limit=3)
    rest, end = plans.summaries(session, PlanFilter(today=TODAY), limit=3, before=before)
    assert [one.id for one in (*first, *rest)] == ids[::-1]
    assert end is None


def test_erasing_somebody_leaves_the_plan_and_what_was_found(town):
    session, captain = town.session, town.people["captain"]
    with town.seen_by("captain"):
        plans.add_note(session, town.plan, Audience.WATCH, "found", stage=Stage.SCANNING)
        plans.add_note(session, town.plan, Audience.PARTNERS, "private")
        plans.add_note(session, town.plan, Audience.EVERYONE, "public")
        plans.add_note(session, town.plan, Audience.EVERYONE, "waits", held=True)
        plans.add_task(session, town.plan, NewTask("Mine", None, captain, TODAY))
    exported = people.export(session, captain)
    assert len(exported["notes of action plans"]) == 4
    assert [one["task"] for one in exported["tasks of action plans"]] == ["Mine"]
    people.erase(session, captain, shown=False)
    assert [*session.scalars(select(PlanNote.words).order_by(PlanNote.id))] == ["found", "public"]
    session.expire_all()
    assert session.scalars(select(Plan)).one().opened_by_id is None
    assert session.scalars(select(RoleGrant).where(RoleGrant.person_id == captain)).all() == []
