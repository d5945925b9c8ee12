"""Sheets for meetings of block watches."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, text, update
from sqlalchemy.orm import Session

from data.models import Meeting, Report
from data.queries import associations, meeting_sheets
from geo.statuses import Status
from server.languages import language
from server.pages.meeting_sheets import sheet_page
from server.sheet_map import around, sheet_map
from server.sheets import pdf
from tests.places import IN_THE_WATCH, found_city
from tests.reports import at_random, moved, new, send

CITY = ZoneInfo("America/Chicago")
NOW = datetime.now(UTC)


@pytest.fixture
def watch(session) -> int:
    return found_city(session).block_watch


@pytest.fixture
def written(session, settings, watch):
    def write(code="en"):
        found = associations.watch(session, watch)
        page = sheet_page(session, settings, found, language(code), NOW)
        return re.sub(r"\s+", " ", page)

    return write


def done(session, id, *, days_ago):
    moved(session, id, Status.CONFIRMED, Status.SCHEDULED, Status.IN_PROGRESS, Status.DONE)
    at = NOW - timedelta(days=days_ago)
    times = {"occurred_at": at, "reported_at": at, "closed_at": at}
    session.execute(update(Report).where(Report.id == id).values(times))


def test_anybody_gets_it_from_the_page_of_the_watch(client, engine):
    with Session(engine) as session:
        id = found_city(session).block_watch
        send(session, new(at=IN_THE_WATCH))
        session.commit()
    address = f"/watches/{id}/sheet.pdf"
    assert f'href="{address}"' in client.get(f"/watches/{id}").text
    answer = client.get(address)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    assert client.get("/watches/999/sheet.pdf").status_code == 404


def test_it_lists_what_is_open_promised_late_and_kept(session, watch, written):
    old, promised, _young, kept, long_ago, held = (
        send(session, new(at=IN_THE_WATCH, address=name))
        for name in ("Old St", "Promised St", "Young St", "Kept St", "Past St", "Held St")
    )
    before = NOW - timedelta(days=90)
    session.execute(
        update(Report).where(Report.id == old).values(occurred_at=before, reported_at=before)
    )
    moved(session, promised, Status.CONFIRMED, Status.SCHEDULED)
    moved(session, held, Status.HELD)
    done(session, kept, days_ago=3)
    done(session, long_ago, days_ago=60)
    page = written()
    assert "3 reports are open. <strong>1 is late.</strong>" in page
    head, promises = page.split("Promised: planned, or work has begun</h2>")
    promises, rest = promises.split("Kept since ")
    kept_part, opened = rest.split("All open reports, the oldest first</h2>")
    assert "Promised St" in promises
    assert "Old St" not in promises
    assert "Kept St" in kept_part
    assert "Past St" not in page
    assert "Held St" not in page
    assert [opened.index(name) for name in ("Old St", "Promised St", "Young St")] == sorted(
        opened.index(name) for name in ("Old St", "Promised St", "Young St")
    )
    assert opened.count("<strong>late</strong>") == 1
    assert re.findall(r'font-weight="bold" text-anchor="middle" fill="#111">(\d+)<', head) == [
        "1", "2", "3",
    ]  # fmt: skip


def test_it_looks_back_to_the_last_meeting(session, watch, written):
    assert "Kept since the last meeting" not in written()
    start = (NOW - timedelta(days=16)).astimezone(CITY)
    session.execute(
        insert(Meeting).values(
            block_watch_id=watch, place="Hope <b>Center</b>", starts_at=start, duration_minutes=60,
            rrule=f"FREQ=WEEKLY;BYDAY={('MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU')[start.weekday()]}",
        )
    )  # fmt: skip
    done(session, send(session, new(at=IN_THE_WATCH, address="Past St")), days_ago=9)
    done(session, send(session, new(at=IN_THE_WATCH, address="Kept St")), days_ago=1)
    page = written()
    assert "Kept since the last meeting, on " in page
    assert "Kept St" in page
    assert "Past St" not in page
    assert page.count("Hope &lt;b&gt;Center&lt;/b&gt;") == 3


def test_what_people_wrote_is_text(session, watch, written):
    session.execute(
        text("UPDATE block_watch SET name = '</title><script>1</script>', meeting = '<i>'")
    )
    page = written()
    assert "<script" not in page
    assert "&lt;/title&gt;&lt;script&gt;" in page
    assert pdf(page).startswith(b"%PDF-")


def test_it_is_written_in_spanish(session, watch, written):
    assert '<html lang="es">' in written("es")


def test_homes_stand_where_everybody_sees_them(session, watch):
    home = (IN_THE_WATCH[0] + 0.0002, IN_THE_WATCH[1] + 0.0001)
    shown = at_random(home)
    id = send(session, new("noise_spot", home, address="3412 Canary Ave"))
    session.execute(update(Report).where(Report.id == id).values(block_watch_id=watch))
    (found,) = meeting_sheets.open_reports(session, watch)
    expected = session.execute(
        text(
            "SELECT ST_X(p), ST_Y(p) FROM (SELECT ST_Transform("
            "ST_SetSRID(ST_MakePoint(:x, :y), 4326), 26915)) AS at (p)"
        ),
        {"x": shown[0], "y": shown[1]},
    ).one()
    assert (found.position.x, found.position.y) == pytest.approx(tuple(expected), abs=0.01)
    assert "Canary" not in found.place


class TestMap:
    @pytest.fixture
    def drawn(self, session, watch):
        def draw():
            found = associations.watch(session, watch)
            box = around(found.west, found.south, found.east, found.north)
            ground = meeting_sheets.ground(session, watch, box)
            return sheet_map(ground, meeting_sheets.open_reports(session, watch))

        return draw

    def test_streets_are_drawn_and_named_and_the_boundary_is_whole(self, drawn):
        found = drawn()
        assert {name.text for name in found.names} == {"Norton Ave", "E 34th St"}
        assert found.boundary.count("L") == 4
        assert found.streets[3].startswith("M")

    def test_kinds_differ_in_shape(self, session, drawn):
        for category in ("light_out", "dumping", "blind_corner"):
            send(session, new(category, IN_THE_WATCH))
        assert {mark.shape for mark in drawn().marks} == {"circle", "square", "triangle"}

    def test_marks_on_one_spot_step_aside_and_can_all_be_read(self, session, drawn):
        for _ in range(100):
            send(session, new(at=IN_THE_WATCH))
        found = drawn()
        assert [mark.number for mark in found.marks] == [*range(1, 101)]
        places = {(mark.place_x, mark.place_y) for mark in found.marks}
        stands = {(mark.x, mark.y) for mark in found.marks}
        assert len(places) == 1
        assert len(stands) == 100
        assert not found.marks[0].moved
        assert all(mark.moved for mark in found.marks[1:])
        assert all(0 < mark.x < found.width and 0 < mark.y < found.height for mark in found.marks)

    def test_a_watch_without_streets_around_has_a_map(self, session, watch, drawn):
        session.execute(text("DELETE FROM street"))
        session.execute(
            text("UPDATE block_watch SET boundary = ST_Multi(ST_MakeEnvelope("
                 "-94.599, 39.001, -94.541, 39.0012, 4326))")
        )  # fmt: skip
        found = drawn()
        assert found.names == []
        assert found.height < found.width
