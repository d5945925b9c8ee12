"""The list says what the map shows, under the same filters."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from data.models import Report
from data.queries import listing
from server.languages import language
from server.pages.list import MOST_LISTED
from tests.places import IN_EASTSIDE, IN_WESTSIDE, found_city

PART = {"HX-Request": "true"}
NOW = datetime.now(UTC)


@pytest.fixture
def reports(engine):
    """Files reports, the first the newest."""

    def file(*reports: dict) -> list[int]:
        rows = []
        for index, values in enumerate(reports):
            place = values.pop("place", IN_EASTSIDE)
            shape = f"SRID=4326;POINT({place[0]} {place[1]})"
            moment = NOW - timedelta(hours=index + 1)
            rows.append({
                "kind": "cleanup", "category_code": "dumping", "status": "received",
                "exact_geom": shape, "public_geom": shape, "address": "",
                "occurred_at": moment, "reported_at": moment, **values,
            })  # fmt: skip
        with Session(engine) as session:
            ids = [
                session.scalar(insert(Report).values(**row).returning(Report.id)) for row in rows
            ]
            session.commit()
        return ids

    with Session(engine) as session:
        file.city = found_city(session)
        session.commit()
    return file


def listed(client, question: str = "", **headers) -> list[int]:
    answer = client.get(f"/list?{question}", headers=PART | headers)
    assert answer.status_code == 200, answer.text
    return [int(id) for id in re.findall(r'data-feature="reports/(\d+)"', answer.text)]


def box(place, reach: float = 0.004) -> str:
    x, y = place
    return f"{x - reach},{y - reach},{x + reach},{y + reach}"


def test_reports_in_view_are_listed_newest_first(client, reports):
    ids = reports({}, {}, {"place": IN_WESTSIDE})
    assert listed(client) == ids
    assert listed(client, f"bbox={box(IN_EASTSIDE)}") == ids[:2]
    assert listed(client, f"bbox={box(IN_WESTSIDE)}") == ids[2:]


def test_an_entry_says_what_where_how_old_and_where_it_stands(client, reports):
    (id,) = reports({"status": "in_progress", "address": "3400 Norton Ave"})
    text = client.get("/list", headers=PART).text
    assert f'<a href="/reports/{id}">Illegal dumping</a>' in text
    for words in ("Cleanup", "3400 Norton Ave · Eastside", "1 hour ago", "In progress"):
        assert words in text
    assert f'data-lat="{IN_EASTSIDE[1]:.6f}" data-lon="{IN_EASTSIDE[0]:.6f}"' in text


def test_the_house_of_a_report_at_a_home_is_not_told(client, reports):
    shown = f"SRID=4326;POINT({IN_EASTSIDE[0]} {IN_EASTSIDE[1] + 0.0001})"
    reports({
        "category_code": "overgrowth", "home_address": "3412 Norton Ave", "address": "", "public_geom": shown,
    })  # fmt: skip
    text = client.get("/list", headers=PART).text
    assert "Norton Ave" not in text
    assert "· Eastside ·" in text


def test_held_reports_and_those_without_a_public_position_are_not_listed(client, reports):
    reports({"status": "held"}, {"public_geom": None})
    assert listed(client) == []
    assert listed(client, "status=done") == []


def test_the_filters_are_those_of_the_map(client, reports):
    light, dump = reports(
        {"kind": "lighting", "category_code": "light_out", "status": "done"},
        {"place": IN_WESTSIDE},
    )
    for question, expected in (
        ("kind=lighting", [light]),
        ("category=dumping", [dump]),
        ("status=open", [dump]),
        ("status=done&status=received", [light, dump]),
        (f"area={reports.city.westside}", [dump]),
        (f"from={NOW:%Y-%m-%d}&to=2199-01-01&kind=&area=", None),
        ("to=2001-01-01", []),
    ):
        found = listed(client, question)
        assert expected is None or found == expected, question


def test_what_is_in_view_is_counted_by_kind(client, reports):
    reports({}, {}, {"kind": "lighting", "category_code": "light_out"})
    text = re.sub(r"<[^>]+>|\s+", " ", client.get("/list", headers=PART).text)
    text = re.sub(r"\s+", " ", text)
    assert "3 reports in view (the whole city): ✹ Lighting 1 , ■ Cleanup 2" in text


def test_a_long_list_says_how_many_more_there_are(client, reports):
    reports(*({} for _ in range(MOST_LISTED + 3)))
    assert len(listed(client)) == MOST_LISTED
    assert "3 more; zoom in" in client.get("/list", headers=PART).text


def test_without_javascript_the_older_reports_are_a_page_further_on(client, reports):
    ids = reports(*({} for _ in range(MOST_LISTED + 3)), {"status": "done"})[:-1]
    first = client.get("/list?status=open").text
    assert "oom in" not in first
    older = re.search(r'rel="next" href="([^"]+)">Older reports', first)[1]
    second = client.get(older.replace("&amp;", "&")).text
    pages = [
        [int(id) for id in re.findall(r'data-feature="reports/(\d+)"', text)]
        for text in (first, second)
    ]
    assert pages == [ids[:MOST_LISTED], ids[MOST_LISTED:]]
    assert f"{len(ids)} reports" in second  # the count is of all
    assert 'rel="next"' not in second
    assert '<a href="/?status=open">' in second  # the map knows no pages
    assert client.get("/list?cursor=x").status_code == 422


def test_too_many_to_count_is_said_and_not_taken_for_a_number(client, reports, monkeypatch):
    monkeypatch.setattr(listing, "MOST_COUNTED", 4)
    reports(*({} for _ in range(6)))
    text = client.get("/list", headers=PART).text
    assert "More than 4 reports are in view" in text
    assert "Only the newest 6 are listed" in text
    assert len(listed(client)) == 6


def test_nothing_here_and_nothing_that_fits_are_told_apart(client, reports):
    here = client.get(f"/list?bbox={box(IN_WESTSIDE)}", headers=PART).text
    anywhere = client.get("/list?kind=lighting", headers=PART).text
    assert "No reports here" in here
    assert "No reports fit" in anywhere


def test_a_failure_never_looks_like_an_empty_list(client, server, engine):
    engine.dispose()
    server.drop(engine.url.database)
    for headers in (PART, {"Accept": "text/html"}):
        answer = client.get("/list", headers=headers)
        assert answer.status_code == 503
        assert "No reports" not in answer.text
        assert "cannot reach its database" in answer.text


def test_without_javascript_the_list_is_a_page(client, reports):
    reports({})
    whole, part = client.get("/list?kind=cleanup"), client.get("/list", headers=PART)
    assert "<!doctype html>" in whole.text
    assert '<a href="/?kind=cleanup">' in whole.text
    assert "<html" not in part.text
    assert whole.headers["vary"] == part.headers["vary"] == "HX-Request"


@pytest.mark.parametrize(
    "question", ["bbox=1,2,3", "bbox=a,b,c,d", "bbox=nan,1,2,3", "bbox=9,9,1,1", "kind=x", "area=z"]
)
def test_a_question_that_means_nothing_is_explained(client, question):
    answer = client.get(f"/list?{question}&lang=es", headers={"Accept": "text/html"})
    assert answer.status_code == 422
    assert language("es").gettext("Some of this cannot be used") in answer.text
    assert f"query/{question.partition('=')[0]}" not in answer.text  # words for people, in Spanish
    program = client.get(f"/list?{question}")
    assert program.json()["errors"][0]["pointer"].startswith(f"query/{question.partition('=')[0]}")


def test_what_people_wrote_is_escaped(client, reports):
    reports({"address": "<script>alert(1)</script> & Main"})
    text = client.get("/list", headers=PART).text
    assert "<script>alert" not in text
