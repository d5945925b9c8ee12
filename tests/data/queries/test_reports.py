import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
import shapely
from shapely import Point
from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.orm import Session

from data.models import EventKind, Report, ReportContact, ReportEvent, Submission, Support
from data.queries import reports
from data.queries.reports import (
    Contact,
    Held,
    KeyReused,
    NotOpen,
    OutsideServedArea,
)
from data.queries.served_area import served_area
from geo.categories import BY_CODE
from geo.kinds import Kind, Severity
from geo.statuses import Status
from tests.places import IN_EASTSIDE, IN_THE_WATCH, IN_WESTSIDE, OUTSIDE, City, found_city
from tests.reports import moved, new, send


@pytest.fixture
def city(session: Session) -> City:
    return found_city(session)


def east_of(place: tuple[float, float], metres: float) -> tuple[float, float]:
    return place[0] + metres / 86_400, place[1]  # a degree of longitude at 39 N is 86.4 km


class TestSubmit:
    def test_stores_the_report_its_first_event_and_its_contact(self, session, city):
        occurred = datetime(2026, 3, 1, 3, 15, tzinfo=UTC)
        sent = new(
            severity=Severity.DANGEROUS,
            description="Dark since <Tuesday>",
            address="3421 Norton Ave",
            occurred_at=occurred,
            contact=Contact(email="a@example.org"),
        )
        submitted = reports.submit(session, sent, key="k", body_hash=b"h")
        assert not submitted.replayed
        stored = session.get_one(Report, submitted.id)
        assert (stored.kind, stored.status) == (Kind.LIGHTING, Status.RECEIVED)
        assert (stored.severity, stored.occurred_at) == (Severity.DANGEROUS, occurred)
        assert (stored.description, stored.address) == ("Dark since <Tuesday>", "3421 Norton Ave")
        assert stored.neighbourhood_id == city.eastside
        event = session.scalars(select(ReportEvent)).one()
        assert (event.report_id, event.to_status) == (stored.id, Status.RECEIVED)
        assert session.get_one(ReportContact, stored.id).email == "a@example.org"

    def test_without_contact_stores_none(self, session, city):
        send(session)
        assert session.scalars(select(ReportContact)).all() == []

    def test_without_a_time_it_occurred_as_it_was_reported(self, session, city):
        stored = session.get_one(Report, send(session))
        assert stored.occurred_at == stored.reported_at

    def test_a_phone_whose_clock_is_ahead_is_set_right(self, session, city):
        ahead = datetime.now(UTC) + timedelta(minutes=4)
        stored = session.get_one(Report, send(session, new(occurred_at=ahead)))
        assert stored.occurred_at == stored.reported_at

    def test_a_line_and_a_lot_are_reports_too(self, session, city):
        line = shapely.LineString([IN_EASTSIDE, (-94.556, 39.021)])
        lot = shapely.box(-94.586, 39.02, -94.585, 39.021)
        assert session.get_one(Report, send(session, new(at=line))).neighbourhood_id == (
            city.eastside
        )
        assert session.get_one(Report, send(session, new(at=lot))).neighbourhood_id == city.westside

    def test_outside_the_served_area_nothing_is_stored(self, session, city):
        with pytest.raises(OutsideServedArea), session.begin_nested():
            send(session, new(at=OUTSIDE), key="k")
        assert session.scalars(select(Submission)).all() == []

    def test_a_report_without_public_position_can_be_sent(self, session, city):
        stored = session.get_one(Report, send(session, new("noise_spot", public=None)))
        assert stored.public_geom is None

    def test_the_same_key_and_body_give_the_same_report(self, session, city):
        first = reports.submit(session, new(), key="k", body_hash=b"h")
        second = reports.submit(session, new(), key="k", body_hash=b"h")
        assert second.replayed
        assert (second.id, second.reported_at) == (first.id, first.reported_at)
        assert session.scalar(select(func.count()).select_from(Report)) == 1

    def test_the_same_key_with_another_body_names_the_report_it_made(self, session, city):
        first = reports.submit(session, new(), key="k", body_hash=b"h")
        with pytest.raises(KeyReused) as caught:
            reports.submit(session, new("litter"), key="k", body_hash=b"other")
        assert caught.value.report_id == first.id

    def test_many_at_once_with_one_key_make_one_report(self, engine: Engine):
        with Session(engine) as session:
            found_city(session)
            session.commit()
        answers, start = [], threading.Barrier(8)

        def sender():
            with Session(engine) as session:
                session.connection()
                start.wait()
                answers.append(reports.submit(session, new(), key="k", body_hash=b"h"))
                session.commit()

        threads = [threading.Thread(target=sender) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({answer.id for answer in answers}) == 1
        assert sorted(answer.replayed for answer in answers) == [False] + [True] * 7
        with Session(engine) as session:
            assert session.scalar(select(func.count()).select_from(Report)) == 1


class TestOnePublic:
    def test_names_the_areas_and_counts_the_neighbours(self, session, city):
        id = send(session, new(at=IN_THE_WATCH))
        reports.support(session, id, b"a")
        found = reports.one_public(session, id)
        assert (found.neighbourhood, found.council_district) == ("Eastside", "District 3")
        assert (found.block_watch, found.supports) == ("Norton Watch", 1)
        assert json.loads(found.geometry) == {"type": "Point", "coordinates": [*IN_THE_WATCH]}

    def test_an_unknown_one_is_none(self, session):
        assert reports.one_public(session, 1) is None

    def test_a_held_one_says_nothing_of_itself(self, session, city):
        id = send(session)
        moved(session, id, Status.HELD)
        assert reports.one_public(session, id) == Held(id, taken=True)

    def test_without_public_position_none_is_given(self, session, city):
        found = reports.one_public(session, send(session, new("noise_spot", public=None)))
        assert (found.geometry, found.longitude, found.latitude) == (None, None, None)

    @pytest.mark.parametrize(
        ("category", "address", "shown"),
        [
            ("noise_spot", "3421 Norton Ave", None),
            ("noise_spot", "E 34th St & Norton Ave", None),
            ("noise_spot", "", None),
            ("light_out", "3421 Norton Ave", "3421 Norton Ave"),
            ("light_out", "", None),
        ],
    )
    def test_of_an_address_at_a_home_nothing_is_shown(
        self, session, city, category, address, shown
    ):
        found = reports.one_public(session, send(session, new(category, address=address)))
        assert found.place == shown
        (near,) = reports.nearby_same(session, Point(IN_EASTSIDE), BY_CODE[category])
        assert (near.place, near.neighbourhood) == (shown, "Eastside")


class TestTimeline:
    def test_tells_what_happened_in_order_and_only_what_is_public(self, session, city):
        id = send(session)
        reports.support(session, id, b"a")
        for note, public in (("crew sees it", False), ("On Monday", True)):
            session.add(
                ReportEvent(
                    report_id=id,
                    kind=EventKind.STATUS,
                    to_status=Status.SCHEDULED,
                    note=note,
                    public=public,
                )
            )
        session.add(ReportEvent(report_id=id, kind=EventKind.STATUS, to_status=Status.HELD))
        session.flush()
        told = [(entry.kind, entry.status, entry.note) for entry in reports.timeline(session, id)]
        assert told == [
            (EventKind.STATUS, Status.RECEIVED, ""),
            (EventKind.SUPPORT, None, ""),
            (EventKind.STATUS, Status.SCHEDULED, "On Monday"),
        ]


class TestNearbySame:
    def near(self, session, category="light_out", at=IN_EASTSIDE):
        found = reports.nearby_same(session, Point(at), BY_CODE[category])
        return [report.id for report in found]

    def test_asks_within_the_radius_of_the_category(self, session, city):
        inside = send(session, new(at=east_of(IN_EASTSIDE, 19)))
        send(session, new(at=east_of(IN_EASTSIDE, 21)))
        assert self.near(session) == [inside]

    def test_measures_in_metres(self, session, city):
        send(session, new(at=east_of(IN_EASTSIDE, 15)))
        (found,) = reports.nearby_same(session, Point(IN_EASTSIDE), BY_CODE["light_out"])
        assert found.distance_m == pytest.approx(15, abs=0.2)

    def test_asks_about_the_group_and_first_about_the_category(self, session, city):
        flickers = send(session, new("light_flickers"))
        out = send(session, new(at=east_of(IN_EASTSIDE, 10)))
        send(session, new("light_needed"))
        send(session, new("graffiti"))
        assert self.near(session) == [out, flickers]

    def test_asks_only_about_open_ones(self, session, city):
        id = send(session)
        moved(session, id, Status.DONE)
        assert self.near(session) == []

    def test_asks_about_the_nearest_five(self, session, city):
        ids = [send(session, new(at=east_of(IN_EASTSIDE, d))) for d in (12, 10, 8, 6, 4, 2)]
        assert self.near(session) == list(reversed(ids))[:5]

    def test_reports_at_homes_are_found_by_their_public_position_alone(self, session, city):
        id = send(session, new("noise_spot"))
        assert self.near(session, "noise_spot") == [id]
        # Whether somebody asks at the home itself or beside it makes no difference.
        session.execute(
            update(Report).values(exact_geom=func.ST_SetSRID(func.ST_MakePoint(*IN_WESTSIDE), 4326))
        )
        assert self.near(session, "noise_spot") == [id]
        assert self.near(session, "noise_spot", at=IN_WESTSIDE) == []

    def test_a_home_across_the_edge_of_a_cell_is_near_too(self, session, city):
        homes = [east_of(IN_EASTSIDE, d) for d in range(-70, 71, 10)]
        ids = {send(session, new("noise_spot", home)) for home in homes}
        session.execute(update(Report).values(category_code="break_ins"))
        met = set()
        while found := self.near(session, "noise_spot"):
            met |= {*found}
            session.execute(delete(Report).where(Report.id.in_(found)))
        assert met == ids

    def test_the_middle_of_a_stretch_of_street_stands_for_it(self, session, city):
        line = shapely.LineString([IN_EASTSIDE, east_of(IN_EASTSIDE, 100)])
        id = send(session, new(at=line))
        (near,) = reports.nearby_same(session, line, BY_CODE["light_out"])
        one = reports.one_public(session, id)
        middle = pytest.approx(east_of(IN_EASTSIDE, 50), abs=1e-6)
        assert (near.longitude, near.latitude) == middle
        assert (one.longitude, one.latitude) == middle

    def test_a_dark_stretch_of_street_is_near_along_all_of_it(self, session, city):
        line = shapely.LineString([IN_EASTSIDE, east_of(IN_EASTSIDE, 500)])
        id = send(session, new(at=east_of(IN_EASTSIDE, 480)))
        found = reports.nearby_same(session, line, BY_CODE["light_out"])
        assert [report.id for report in found] == [id]


class TestNearby:
    def test_lists_open_ones_of_any_kind_by_distance(self, session, city):
        here = send(session)
        far = send(session, new("graffiti", at=east_of(IN_EASTSIDE, 200)))
        close = send(session, new("noise_spot", public=Point(east_of(IN_EASTSIDE, 30))))
        send(session, new(at=east_of(IN_EASTSIDE, 260)))
        found = reports.nearby(session, reports.one_public(session, here))
        assert [report.id for report in found] == [close, far]

    def test_around_no_public_position_there_is_nothing_to_list(self, session, city):
        send(session)
        hidden = send(session, new("noise_spot", public=None))
        assert reports.nearby(session, reports.one_public(session, hidden)) == []


class TestSupport:
    def test_counts_a_neighbour_once(self, session, city):
        id = send(session)
        assert reports.support(session, id, b"a") == reports.Supported(1, counted=True)
        assert reports.support(session, id, b"a") == reports.Supported(1, counted=False)
        assert reports.support(session, id, b"b") == reports.Supported(2, counted=True)
        assert session.scalar(select(func.count()).select_from(Support)) == 2
        assert [entry.kind for entry in reports.timeline(session, id)].count(EventKind.SUPPORT) == 2

    def test_what_a_neighbour_wrote_is_kept_once_and_never_public(self, session, city):
        id = send(session)
        for key in ("a", "a", "b"):
            reports.note_for_staff(session, id, "The lamp by the steps", key=key)
        kept = session.scalars(select(ReportEvent).where(ReportEvent.kind == EventKind.NOTE)).all()
        assert [(event.note, event.public) for event in kept] == [
            ("The lamp by the steps", False)
        ] * 2
        assert all(not entry.note for entry in reports.timeline(session, id))

    def test_of_no_report_is_none(self, session):
        assert reports.support(session, 1, b"a") is None

    @pytest.mark.parametrize("status", [Status.HELD, Status.DONE, Status.DECLINED])
    def test_of_a_report_that_is_not_open_says_so(self, session, city, status):
        id = send(session)
        moved(session, id, status)
        with pytest.raises(NotOpen) as caught:
            reports.support(session, id, b"a")
        assert caught.value.status == status
        assert session.scalars(select(Support)).all() == []


def test_the_served_area_is_the_city(session, city):
    area = served_area(session)
    assert area.bounds == (-94.60, 39.00, -94.54, 39.04)
    assert shapely.intersects_xy(area, *IN_EASTSIDE)
    assert not shapely.intersects_xy(area, *OUTSIDE)


def test_without_a_city_there_is_no_served_area(session):
    assert served_area(session) is None


def test_erasing_a_report_erases_how_it_was_sent(session, city):
    id = send(session, new(contact=Contact(phone="816 555 0100")))
    session.execute(delete(Report).where(Report.id == id))
    assert session.scalars(select(ReportContact)).all() == []
    assert session.scalars(select(Submission)).all() == []
