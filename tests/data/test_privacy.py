"""The store's own lock: what its web role can read, whatever a query asks."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from data import database
from data.models import (
    Area,
    AreaLayer,
    AuditEntry,
    Department,
    EventKind,
    Person,
    Report,
    ReportContact,
    ReportEvent,
    RoleGrant,
)
from geo.crs import CITY, STORED
from geo.homes import CELL_M
from geo.kinds import Kind
from geo.roles import Act, Grant, Role, Site, may
from tests.places import IN_EASTSIDE, IN_THE_WATCH, MIDDLE, box, found_city
from tests.reports import moved, new, send

CANARY = "canary in private text"


@pytest.fixture
def web(session):
    """The same transaction, as pages and APIs see it."""

    def ask(query, person_id=None, strong=True, **values):
        nested = session.begin_nested()
        try:
            session.execute(text(f"SET LOCAL ROLE {database.WEB_ROLE}"))
            database.name_visitor(session, person_id, strong=strong)
            return session.execute(text(query), values).all()
        finally:
            nested.rollback()

    return ask


@pytest.fixture
def city(session):
    return found_city(session)


@pytest.fixture
def person(session, city):
    def make(role=None, **scope):
        id = session.scalar(insert(Person).returning(Person.id))
        if role is not None:
            session.execute(insert(RoleGrant).values(person_id=id, role=role, **scope))
        return id

    return make


@pytest.fixture
def home(session, city):
    return send(session, new("noise_spot", description=CANARY, address="3412 Norton Ave"))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT exact_geom FROM report",
        "SELECT home_address FROM report",
        "SELECT description FROM report",
        "SELECT reporter_id FROM report",
        "SELECT exact_neighbourhood_id FROM report",
        "SELECT id FROM report WHERE exact_patrol_division_id = 1",
        "SELECT * FROM report",
        "SELECT report FROM report",
        "SELECT exact_geom FROM police_incident",
        "SELECT * FROM person",
        "SELECT * FROM sign_in",
        "SELECT * FROM sign_in_link",
        "SELECT * FROM role_grant",
        "SELECT * FROM audit_entry",
        "DELETE FROM report",
        "DELETE FROM report_event",
        "UPDATE support SET supporter = ''",
        "DELETE FROM street_light",
    ],
)
def test_the_web_role_is_refused_what_is_private(web, home, query):
    with pytest.raises(ProgrammingError, match="permission denied"):
        web(query)


def test_a_private_column_can_not_be_asked_about_either(web, home):
    with pytest.raises(ProgrammingError, match="permission denied"):
        web("SELECT id FROM report WHERE description LIKE 'canary%'")


@pytest.mark.parametrize(
    "call",
    [
        "need_attach(ARRAY[:report])",
        "need_keep(ARRAY[:report], ARRAY[:report])",
        "need_settle(ARRAY[:report])",
        "needs_find_lights()",
        "needs_catch_up()",
        "lights_follow(ARRAY[:report])",
    ],
)
def test_the_web_role_writes_no_need_past_its_reports(web, home, call):
    with pytest.raises(ProgrammingError, match="permission denied"):
        web(f"SELECT {call.replace(':report', f'{home}::bigint')}")


def test_nobody_in_particular_reads_no_private_row(session, web, home):
    session.execute(
        insert(ReportEvent).values(report_id=home, kind=EventKind.NOTE, note=CANARY, public=False)
    )
    session.execute(insert(ReportContact).values(report_id=home, name=CANARY))
    assert web("SELECT * FROM report_private") == []
    assert web("SELECT * FROM report_contact") == []
    assert [row.note for row in web("SELECT note FROM report_event")] == [""]


def test_hidden_words_of_a_timeline_are_for_moderators_whatever_a_query_asks(
    session, web, home, person
):
    words = {"note": CANARY, "note_spanish": f"{CANARY} en español"}
    event = session.scalar(
        insert(ReportEvent)
        .values(report_id=home, kind=EventKind.STATUS, to_status="confirmed", **words)
        .returning(ReportEvent.id)
    )
    # Nobody empties a line of the timeline of which no copy is kept.
    refused = pytest.raises(DBAPIError, match="only ever added to")
    with refused, session.begin_nested():
        session.execute(text("UPDATE report_event SET note = '' WHERE id = :id"), {"id": event})
    moderator, resident = person(Role.MODERATOR), person()
    for person_id, hides in ((resident, False), (moderator, True)):
        session.execute(
            text(
                "SELECT set_config('porchlight.person', :id, true), "
                "set_config('porchlight.strong', 'true', true)"
            ),
            {"id": str(person_id)},
        )
        hidden = session.scalar(text("SELECT report_event_hide(:id)"), {"id": event})
        assert hidden == (home if hides else None)
    everything = "SELECT report_event::text FROM (SELECT id, note, note_spanish, to_status FROM report_event) AS report_event"
    for asker in (None, resident, moderator, person(Role.ADMINISTRATOR)):
        told = str(web(everything, asker))
        assert CANARY not in told
        assert "confirmed" in told
        seen = [tuple(row) for row in web("SELECT note, note_spanish FROM hidden_words", asker)]
        assert seen == ([] if asker in {None, resident} else [tuple(words.values())])


def test_a_reporter_reads_the_own_words(session, web, home, person):
    own = person()
    session.execute(update(Report).values(reporter_id=own))
    (row,) = web("SELECT description, home_address FROM report_private", own)
    assert row == (CANARY, "3412 Norton Ave")
    assert web("SELECT * FROM report_private", person()) == []


def scopes(session, city):
    """Each role of the city, within its scope and without."""
    division, elsewhere = (
        session.scalar(
            insert(Area)
            .values(layer=AreaLayer.PATROL_DIVISION, code=code, name=code, geom=geom)
            .returning(Area.id)
        )
        for code, geom in (
            ("East", box(-94.6, 39, -94.5, 39.1)),
            ("Far", box(-94.2, 39, -94.1, 39.1)),
        )
    )
    departments = {row.code: row for row in session.scalars(select(Department))}
    lighting, safety = departments["lighting"], departments["safety"]
    return [
        Grant(Role.ADMINISTRATOR),
        Grant(Role.MODERATOR),
        Grant(Role.LIAISON, area_id=division),
        Grant(Role.LIAISON, area_id=elsewhere),
        Grant(Role.STAFF, department_id=safety.id, kinds=frozenset(safety.kinds)),
        Grant(Role.STAFF, department_id=lighting.id, kinds=frozenset(lighting.kinds)),
        Grant(Role.STAFF, department_id=safety.id, area_id=elsewhere, kinds=frozenset(safety.kinds)),
        Grant(Role.CAPTAIN, block_watch_id=city.block_watch),
    ]  # fmt: skip


def test_the_store_and_the_program_agree_on_who_may_what(session, web, city, person):
    held = scopes(session, city)
    id = send(
        session, new("noise_spot", IN_EASTSIDE, description=CANARY, address="3412 Norton Ave")
    )
    found = session.get_one(Report, id)
    site = Site(
        Kind.PROBLEM_SPOT,
        found.block_watch_id,
        found.exact_patrol_division_id,
        found.exact_council_district_id,
    )
    assert found.kind is Kind.PROBLEM_SPOT
    for grant in held:
        scope = {
            "block_watch_id": grant.block_watch_id,
            "area_id": grant.area_id,
            "department_id": grant.department_id,
        }
        who = person(grant.role, **scope)
        rows = web("SELECT description, home_address, exact_geom FROM report_private", who)
        assert bool(rows) == may([grant], Act.READ_TEXT, site), grant
        exact = bool(rows) and rows[0].exact_geom is not None
        assert exact == may([grant], Act.READ_EXACT, site), grant
        assert exact == (bool(rows) and rows[0].home_address != ""), grant
        sited = web("SELECT * FROM report_site", who)
        assert bool(sited) == may([grant], Act.READ_EXACT, site), grant
        changed = web("UPDATE report SET status = 'confirmed' RETURNING id", who)
        works = may([grant], Act.WORK, site) or may([grant], Act.MODERATE, site)
        assert bool(changed) == works, grant
        assert web("SELECT * FROM report_private", who, strong=False) == [], grant
        assert web("SELECT * FROM report_site", who, strong=False) == [], grant


def test_a_role_that_was_ended_opens_nothing(session, web, home, person):
    who = person(Role.ADMINISTRATOR)
    person(Role.ADMINISTRATOR)  # since one must stay
    assert web("SELECT * FROM report_private", who)
    session.execute(
        text("UPDATE role_grant SET ended_at = now() WHERE person_id = :who"), {"who": who}
    )
    assert web("SELECT * FROM report_private", who) == []


def test_the_address_of_a_home_is_never_stored_as_public(session, city):
    id = send(session, new("noise_spot", address="3412 Norton Ave"))
    stored = session.get_one(Report, id)
    assert (stored.address, stored.home_address) == ("", "3412 Norton Ave")
    with pytest.raises(IntegrityError, match="never public"):
        session.execute(update(Report).values(address="3412 Norton Ave"))


def test_spatial_questions_of_the_web_role_use_the_index(session, web, city):
    for _ in range(3):
        send(session)
    session.execute(text("SET LOCAL enable_seqscan = off"))
    plan = web(
        "EXPLAIN SELECT id FROM report WHERE public_geom && ST_MakeEnvelope(-94.6, 39, -94.5, 39.1, 4326)"
    )
    assert "report_public_geom_idx" in str(plan)


REGIONS = {
    "between two neighbourhoods": (MIDDLE, 39.02),
    "at a corner of a block watch": (-94.565, 39.01),
    "within a block watch": IN_THE_WATCH,
}
"""Where a cell of `CELL_M` is hidden in as a whole, and something ends that has a name."""

PART = st.floats(0.001, 0.999)


def in_region_of(place, east, north):
    """A place in the same cell, by its parts of the cell's sides."""
    project = Transformer.from_crs(STORED, CITY, always_xy=True)
    corner = np.floor(np.array(project.transform(*place)) / CELL_M) * CELL_M
    return project.transform(*(corner + CELL_M * np.array([east, north])), direction="INVERSE")


def seen(session, web, home, key):
    """All that the web role reads, in whatever way, of a report at a home."""
    nested = session.begin_nested()
    try:
        send(session, new("noise_spot", home, address="3412 Norton Ave"), key=key)
        readable = session.scalars(
            text(
                "SELECT column_name FROM information_schema.column_privileges WHERE "
                "table_name = 'report' AND grantee = :web AND privilege_type = 'SELECT' "
                "AND column_name <> 'id' ORDER BY 1"
            ),
            {"web": database.WEB_ROLE},
        ).all()
        assert {"public_geom", "neighbourhood_id", "block_watch_id"} <= set(readable)
        return (
            web(f"SELECT {', '.join(readable)} FROM report"),
            web("SELECT level, x, y, category_code, sum(n) FROM report_tally GROUP BY 1, 2, 3, 4"),
            web("SELECT * FROM report_site"),
        )
    finally:
        nested.rollback()


@pytest.mark.parametrize("place", REGIONS.values(), ids=REGIONS.keys())
def test_two_homes_of_one_region_can_not_be_told_apart(session, web, city, place):
    """Whatever filters, counts, sorts or cuts: it has nothing to tell them apart by."""

    @settings(
        max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(one=st.tuples(PART, PART), other=st.tuples(PART, PART), key=st.text("abc", min_size=8))
    def hold(one, other, key):
        homes = (in_region_of(place, *one), in_region_of(place, *other))
        first, second = (seen(session, web, home, key) for home in homes)
        assert first == second

    hold()


def test_a_border_that_moves_through_a_region_tells_nothing_either(session, web, city):
    def kept(east):
        nested = session.begin_nested()
        try:
            send(session, new("noise_spot", in_region_of((MIDDLE, 39.02), east, 0.5)), key="key")
            session.execute(
                update(Area)
                .where(Area.id == city.westside)
                .values(geom=box(-94.6, 39, in_region_of((MIDDLE, 39.02), 0.5, 0.5)[0], 39.04))
            )
            stored = session.scalars(select(Report)).one()
            asked = web("SELECT neighbourhood_id, block_watch_id FROM report")
            return asked, stored.exact_neighbourhood_id
        finally:
            nested.rollback()

    west, east = kept(0.1), kept(0.9)
    assert west[0] == east[0]
    assert west[1] != east[1]


def test_no_rule_of_the_store_judges_rights_by_the_public_position(session):
    judging = session.execute(
        text(
            "SELECT proname, prosrc FROM pg_proc WHERE prosrc ~ 'FROM report' "
            "AND prosrc ~ 'visitor_may\\([^)]*[^_](patrol_division|council_district)_id'"
        )
    ).all()
    assert judging == []


class TestAudit:
    @pytest.fixture
    def entries(self, session):
        for number in range(3):
            session.execute(
                text("INSERT INTO audit_entry (action, subject) VALUES ('read', :subject)"),
                {"subject": f"report {number}"},
            )
        return session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()

    def test_each_entry_holds_the_hash_of_the_one_before(self, entries):
        assert entries[0].previous == b""
        assert [entry.previous for entry in entries[1:]] == [entry.hash for entry in entries[:-1]]
        assert len({entry.hash for entry in entries}) == 3

    @pytest.mark.parametrize(
        "query",
        ["UPDATE audit_entry SET action = 'x'", "DELETE FROM audit_entry", "TRUNCATE audit_entry"],
    )
    def test_nothing_is_changed_or_taken_out(self, session, entries, query):
        with pytest.raises(DBAPIError, match="only ever added to"):
            session.execute(text(query))


def test_a_status_changed_by_whoever_may_is_counted_for_everybody(session, city, person):
    id = send(session)
    moved(session, id, "confirmed")
    who = person(Role.ADMINISTRATOR)
    session.execute(text(f"SET LOCAL ROLE {database.WEB_ROLE}"))
    session.execute(text(f"SELECT set_config('porchlight.person', '{who}', true)"))
    session.execute(text("SELECT set_config('porchlight.strong', 'true', true)"))
    session.execute(text("UPDATE report SET status = 'done'"))
    session.execute(text("RESET ROLE"))
    counted = session.execute(
        text(
            "SELECT status, sum(n) FROM report_tally WHERE level = 14 GROUP BY 1 HAVING sum(n) <> 0"
        )
    ).all()
    assert counted == [("done", 1)]
