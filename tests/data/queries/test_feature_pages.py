import json
from zoneinfo import ZoneInfo

import pytest
from shapely import Point
from sqlalchemy.orm import Session

from data.models import Report
from data.queries.feature_pages import page_of_features
from data.queries.filters import Bounds, Cursor, ReportFilter
from geo.kinds import Kind
from geo.statuses import Status
from tests.places import EAST, IN_WESTSIDE, City, found_city
from tests.reports import moved, new, send

EVERYTHING = ReportFilter(zone=ZoneInfo("America/Chicago"))


@pytest.fixture
def city(session: Session) -> City:
    return found_city(session)


def features(page):
    return json.loads(b"[" + page.features + b"]")


class TestPageOfFeatures:
    def test_gives_geojson_with_public_facts_and_no_others(self, session, city):
        shown = Point(-94.556, 39.021)
        id = send(
            session,
            new("noise_spot", public=shown, description="secret", address="3421 Norton Ave"),
        )
        page = page_of_features(session.connection(), EVERYTHING, limit=10)
        (feature,) = features(page)
        assert (page.count, page.next) == (1, None)
        assert (feature["type"], feature["id"]) == ("Feature", id)
        assert feature["geometry"] == {"type": "Point", "coordinates": [-94.556, 39.021]}
        assert feature["properties"]["category"] == "noise_spot"
        assert feature["properties"]["neighbourhood"] == city.eastside
        assert b"secret" not in page.features
        assert b"Norton" not in page.features

    def test_without_reports_is_empty(self, session):
        page = page_of_features(session.connection(), EVERYTHING, limit=10)
        assert (page.features, page.count, page.next) == (b"", 0, None)

    def test_pages_meet_every_report_once_newest_first(self, session, city):
        ids = [send(session) for _ in range(7)]  # all at the same moment: the id decides
        met, after, counts = [], None, []
        while True:
            page = page_of_features(session.connection(), EVERYTHING, limit=3, after=after)
            met += [feature["id"] for feature in features(page)]
            counts.append(page.count)
            after = page.next
            if after is None:
                break
        assert met == ids[::-1]
        assert counts == [3, 3, 1]

    def test_a_full_last_page_is_the_last(self, session, city):
        for _ in range(3):
            send(session)
        assert page_of_features(session.connection(), EVERYTHING, limit=3).next is None

    def test_what_comes_in_meanwhile_does_not_shift_the_next_page(self, session, city):
        first, second = send(session), send(session)
        page = page_of_features(session.connection(), EVERYTHING, limit=1)
        assert page.next == Cursor(session.get_one(Report, second).reported_at, second)
        send(session)
        following = page_of_features(session.connection(), EVERYTHING, limit=1, after=page.next)
        assert [feature["id"] for feature in features(following)] == [first]

    def test_leaves_out_the_held_and_those_without_public_position(self, session, city):
        send(session, new("noise_spot", public=None))
        moved(session, send(session), Status.HELD)
        assert page_of_features(session.connection(), EVERYTHING, limit=10).count == 0

    def test_narrows_by_box_and_filter(self, session, city):
        east = send(session, new("graffiti"))
        send(session, new(at=IN_WESTSIDE))
        box = Bounds(-94.56, 39.0, EAST, 39.04)
        found = page_of_features(session.connection(), EVERYTHING, box, limit=10)
        assert [feature["id"] for feature in features(found)] == [east]
        cleanup = ReportFilter(zone=EVERYTHING.zone, kinds=(Kind.CLEANUP,))
        found = page_of_features(session.connection(), cleanup, limit=10)
        assert [feature["id"] for feature in features(found)] == [east]
