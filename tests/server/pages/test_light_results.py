"""What came of fixed lights: found once by a job, kept, and told to those who fix them."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from data.models import Department, Need, Report, StreetLight
from data.queries import light_results
from geo.kinds import Kind
from geo.roles import Role
from geo.statuses import Status
from server.light_results import Season, find_by_job, find_due, season_of, seasons
from tests.people import person, signed_in
from tests.places import IN_EASTSIDE, IN_WESTSIDE, found_city
from tests.reports import new, send

PAGE = {"accept": "text/html"}
ZONE = ZoneInfo("America/Chicago")
NOW = datetime.now(UTC)


@pytest.fixture
def city(engine: Engine):
    """A light that was dark for two months and fixed a year ago, a place dark all along, and nights."""
    with Session(engine) as session:
        found_city(session)
        for pole, (lon, lat) in (("fixed", IN_EASTSIDE), ("dark", IN_WESTSIDE)):
            session.execute(
                insert(StreetLight).values(pole_id=pole, geom=f"SRID=4326;POINT({lon} {lat})")
            )
        for place, category in ((IN_EASTSIDE, "street_trouble"), (IN_WESTSIDE, "speeding")):
            report = session.get_one(Report, send(session, new(category, place)))
            report.occurred_at = report.reported_at = NOW - timedelta(days=380)
        send(session, new("litter", IN_WESTSIDE))  # of today: the reports are complete until now
        light = session.scalar(select(StreetLight.id).where(StreetLight.pole_id == "fixed"))
        for place, light_id, until in ((IN_EASTSIDE, light, 365), (IN_WESTSIDE, None, None)):
            session.execute(
                insert(Need).values(
                    kind=Kind.LIGHTING,
                    category_code="light_out",
                    street_light_id=light_id,
                    geom=f"SRID=4326;POINT({place[0]} {place[1]})",
                    hazard=False,
                    status=Status.DONE if until else Status.CONFIRMED,
                    opened_at=NOW - timedelta(days=425 if until else 700),
                    closed_at=NOW - timedelta(days=until) if until else None,
                )
            )
        session.commit()


def test_seasons_are_the_quarters_of_a_year():
    assert season_of(date(2025, 12, 31)) == Season(date(2025, 10, 1), date(2025, 12, 31))
    assert season_of(date(2024, 2, 29)) == Season(date(2024, 1, 1), date(2024, 3, 31))
    assert season_of(date(2024, 2, 29)).due == date(2024, 7, 15)


def test_a_season_is_found_once_its_time_has_come_and_kept_for_good(engine, city):
    with Session(engine) as session:
        season = season_of((NOW - timedelta(days=365)).astimezone(ZONE).date())
        early = datetime.combine(season.due, datetime.min.time(), UTC) - timedelta(days=2)
        assert find_due(session, ZONE, early) == 0
        assert season in [*seasons(session, ZONE, NOW.date())]
    find_by_job(engine, ZONE)
    find_by_job(engine, ZONE)
    with Session(engine) as session:
        kept = {one.fixed_from: one for one in light_results.results(session)}
        found = kept[season.first].found
        assert found["fixed"] == 1
        told = found["sources"]["reports"]
        assert told["pairs"] == 1
        assert told["outcome"] == "too_few"
        for change in ("UPDATE light_result SET method = 9", "DELETE FROM light_result"):
            with (
                pytest.raises(DBAPIError, match="neither changed nor deleted"),
                session.begin_nested(),
            ):
                session.execute(text(change))


def test_it_is_told_to_those_who_fix_and_to_nobody_else(client, engine, city):
    find_by_job(engine, ZONE)
    with Session(engine) as session:
        department = {
            row.code: row.id for row in session.execute(select(Department.code, Department.id))
        }
        staff, cleanup = (
            person(session, Role.STAFF, department_id=department[code])
            for code in ("lighting", "cleanup")
        )
        session.commit()
    assert client.get("/desk/results", headers=PAGE).status_code == 401
    signed_in(client, engine, staff)
    shown = client.get("/desk/results", headers=PAGE).text
    assert "Too few reports at night to tell" in shown
    assert "1 light was compared." in shown
    assert "Told from" in shown
    latest, folded = shown.split("Earlier seasons")
    assert "Too few reports at night to tell" not in folded.partition("</details>")[2]
    assert latest.count("1 light was fixed.") + latest.count("0 lights were fixed.") == 1
    signed_in(client, engine, cleanup)
    assert "Too few reports" not in client.get("/desk/results", headers=PAGE).text


def test_where_none_were_expected_no_fall_is_asked_for(client, engine, city):
    find_by_job(engine, ZONE)
    with Session(engine) as session:
        session.execute(text("ALTER TABLE light_result DISABLE TRIGGER USER"))
        session.execute(
            text(
                "UPDATE light_result SET found = jsonb_set(found, '{sources,reports,expected}', '0.01') "
                "WHERE found #> '{sources,reports,expected}' IS NOT NULL"
            )
        )
        session.execute(text("ALTER TABLE light_result ENABLE TRIGGER USER"))
        administrator = person(session, Role.ADMINISTRATOR)
        session.commit()
    signed_in(client, engine, administrator)
    shown = client.get("/desk/results", headers=PAGE).text
    assert "None were expected after the repairs" in shown
    assert "Expected were" not in shown
