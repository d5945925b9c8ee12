"""The sample city: what it holds, that it holds together, and what is planted in it."""

import ast
import hashlib
import inspect
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import fields
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import shapely
from pyproj import Transformer
from scipy.stats import poisson
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from data.models import AreaLayer, LightStatus, LocationType
from data.sample.city import sample_city
from data.sample.reports import CITY_TIME
from geo.categories import BY_CODE
from geo.crs import CITY, STORED
from geo.kinds import Kind
from geo.statuses import OPEN, TRANSITIONS, Status
from tests.data.sample.conftest import UNTIL

TO_METRES = Transformer.from_crs(STORED, CITY, always_xy=True)


def metres(shapes):
    def project(points):
        return np.column_stack(TO_METRES.transform(points[:, 0], points[:, 1]))

    return shapely.transform(np.array(list(shapes), dtype=object), project)


def areas(sample, layer):
    return [area for area in sample.areas if area.layer is layer]


def everything(sample):
    """Every row with a geometry, as text that shows each digit."""
    for part in fields(sample):
        rows = getattr(sample, part.name)
        if isinstance(rows, tuple) and rows and not isinstance(rows[0], tuple):
            for row in rows:
                values = [getattr(row, column.name) for column in fields(row)]
                yield (
                    part.name,
                    [
                        value.wkb_hex if isinstance(value, BaseGeometry) else repr(value)
                        for value in values
                    ],
                )


def test_it_holds_as_much_as_was_asked_for(sample):
    assert len(sample.street_lights) == 2_000
    assert len(sample.reports) == 3_000
    assert len(sample.service_locations) == 64
    assert len(sample.block_watches) == 10
    assert len(areas(sample, AreaLayer.NEIGHBOURHOOD)) >= 12
    assert len(areas(sample, AreaLayer.BLOCK)) > 1_000
    assert len(sample.police_incidents) == 400
    assert {place.type for place in sample.service_locations} >= {
        LocationType.POLICE_STATION,
        LocationType.LIBRARY,
        LocationType.COMMUNITY_CENTRE,
        LocationType.SCHOOL,
        LocationType.YOUTH_FAMILY,
        LocationType.SHOP,
        LocationType.PLACE_OF_WORSHIP,
    }
    assert {report.category for report in sample.reports} == set(BY_CODE)
    assert {report.kind for report in sample.reports} == set(Kind)


DIGEST = """
import hashlib, sys
from datetime import datetime
from data.sample.city import sample_city
from tests.data.sample.test_city import everything
city = sample_city(7, datetime.fromisoformat(sys.argv[1]))
print(hashlib.sha256(repr(list(everything(city))).encode()).hexdigest())
"""


def test_the_same_seed_and_end_give_the_same_city_to_the_last_digit(sample):
    """In another process, too: the order of sets differs there, and nothing may hang on it."""
    made = subprocess.run(
        [sys.executable, "-c", DIGEST, UNTIL.isoformat()],
        env=os.environ | {"PYTHONHASHSEED": "123"},
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    here = hashlib.sha256(repr(list(everything(sample))).encode()).hexdigest()
    assert made.stdout.strip() == here


def test_another_seed_gives_other_reports_on_the_same_streets(sample):
    other = sample_city(8, UNTIL)
    assert [street.line.wkt for street in other.streets] == [
        street.line.wkt for street in sample.streets
    ]
    assert [report.description for report in other.reports] != [
        report.description for report in sample.reports
    ]


def test_an_end_without_a_time_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        sample_city(1, datetime(2026, 6, 1))  # noqa: DTZ001 (the mistake in question)


def test_everything_lies_in_the_city(sample):
    city = areas(sample, AreaLayer.CITY)[0].geom
    shapely.prepare(city)
    for rows in (
        sample.addresses,
        sample.street_lights,
        sample.vacant_lots,
        sample.transit_stops,
        sample.police_incidents,
        sample.reports,
        sample.service_locations,
    ):
        assert shapely.covers(city, [row.geom for row in rows]).all()
    nearly = city.buffer(1e-4)
    assert all(nearly.covers(street.line) for street in sample.streets)
    assert all(nearly.covers(watch.boundary) for watch in sample.block_watches)


@pytest.mark.parametrize(
    "layer",
    [
        AreaLayer.NEIGHBOURHOOD,
        AreaLayer.COUNCIL_DISTRICT,
        AreaLayer.PATROL_DIVISION,
        AreaLayer.BLOCK,
    ],
)
def test_areas_of_a_layer_cover_the_city_and_do_not_overlap(sample, layer):
    city = metres([areas(sample, AreaLayer.CITY)[0].geom])[0]
    shapes = metres(area.geom for area in areas(sample, layer))
    assert all(shape.is_valid for shape in shapes)
    assert unary_union(shapes).intersection(city).area > 0.999 * city.area
    assert sum(shape.area for shape in shapes) < 1.001 * city.area


def test_codes_and_names_are_unique(sample):
    assert len({(area.layer, area.code) for area in sample.areas}) == len(sample.areas)
    assert len({light.pole_id for light in sample.street_lights}) == len(sample.street_lights)
    assert len({address.label for address in sample.addresses}) == len(sample.addresses)
    assert len({place.name for place in sample.service_locations}) == 64
    assert len({stop.code for stop in sample.transit_stops}) == len(sample.transit_stops)


def test_streets_of_kansas_city_lie_where_they_are(sample):
    """Main, Troost and Prospect at 39th, to a few metres, and their order from the west."""
    where = {}
    for name in ("Main St", "Troost Ave", "The Paseo", "Prospect Ave", "Indiana Ave"):
        line = next(street.line for street in sample.streets if street.name == name)
        cross = unary_union(
            [street.line for street in sample.streets if street.name == "E 39th St"]
        )
        corner = shapely.get_coordinates(shapely.shortest_line(line, cross))[0]
        where[name] = tuple(corner)
    assert where["Troost Ave"] == pytest.approx((-94.5721, 39.0561), abs=2e-4)
    assert where["Main St"] == pytest.approx((-94.5861, 39.0566), abs=2e-4)
    assert where["Prospect Ave"] == pytest.approx((-94.5536, 39.0554), abs=2e-4)
    assert list(where.values()) == sorted(where.values())


def test_house_numbers_follow_the_hundred_blocks(sample):
    """3900 to 3999 Troost stand between 39th and 40th; odd numbers on the east side."""
    troost = [address for address in sample.addresses if address.street == "Troost Ave"]
    block = [address for address in troost if address.number // 100 == 39]
    assert block
    for address in block:
        assert 39.0543 < address.geom.y < 39.0562
    line = next(street.line for street in sample.streets if street.name == "Troost Ave")
    for address in troost:
        foot = line.interpolate(line.project(address.geom))
        assert (address.geom.x > foot.x) == (address.number % 2 == 1)


def test_no_house_stands_in_the_water(sample):
    water = unary_union([piece.geom for piece in sample.ground if piece.type == "water"])
    assert not shapely.intersects(water, [address.geom for address in sample.addresses]).any()


def test_no_two_poles_stand_in_the_same_place(sample):
    poles = metres(light.geom for light in sample.street_lights)
    near = shapely.STRtree(poles).query(poles, predicate="dwithin", distance=10)
    assert (near[0] == near[1]).all()


def test_a_few_lights_are_out_some_of_them_in_runs(sample):
    counts = Counter(light.status for light in sample.street_lights)
    assert set(counts) == set(LightStatus)
    assert 0.02 < 1 - counts[LightStatus.WORKING] / 2_000 < 0.10
    assert len(sample.dark_runs) >= 5
    for run in sample.dark_runs:
        lights = [sample.street_lights[index] for index in run]
        assert len(lights) >= 4
        assert all(light.status is LightStatus.OUT for light in lights)
        poles = metres(light.geom for light in lights)
        assert all(one.distance(other) < 150 for one, other in pairwise(poles))


def test_reports_cover_two_years_up_to_the_end(sample):
    for report in sample.reports:
        assert report.occurred_at <= report.reported_at <= sample.until
        assert report.occurred_at > sample.since - timedelta(days=2)
        assert all(one.at <= sample.until for one in (*report.events, *report.supports))
    months = Counter(
        (report.reported_at.year, report.reported_at.month) for report in sample.reports
    )
    assert len(months) >= 24
    numbers = [report.number for report in sample.reports]
    assert numbers == list(range(1, 3_001))
    assert sorted(sample.reports, key=lambda report: report.reported_at) == list(sample.reports)


def test_every_timeline_is_one_that_may_happen(sample):
    for report in sample.reports:
        first, *later = report.events
        assert first.before is None
        assert first.after in {Status.RECEIVED, Status.HELD}
        assert first.at == report.reported_at
        for one, other in pairwise((first, *later)):
            assert one.at <= other.at
            assert other.before is one.after
            assert other.after in TRANSITIONS[one.after]
        assert report.status is report.events[-1].after
        assert (report.closed_at is None) == (report.status in OPEN | {Status.HELD})
        assert report.closed_at is None or report.reported_at <= report.closed_at <= sample.until


def test_reports_stand_at_every_part_of_the_way(sample):
    counts = Counter(report.status for report in sample.reports)
    assert set(counts) >= set(Status) - {Status.HELD}
    assert 0.08 < sum(counts[status] for status in OPEN) / 3_000 < 0.35
    assert any(
        event.before in {Status.DONE, Status.VERIFIED} and event.after is Status.CONFIRMED
        for report in sample.reports
        for event in report.events
    ), "none was reopened"


def test_the_city_works_by_day_on_weekdays(sample):
    for report in sample.reports:
        for event in report.events:
            if event.after in {Status.SCHEDULED, Status.IN_PROGRESS, Status.DONE}:
                local = event.at.astimezone(CITY_TIME)
                assert local.weekday() < 5
                assert 8 <= local.hour < 16


def test_some_neighbourhoods_wait_longer_than_others(sample):
    """Days to done, dumping alone, in the slow east against the quick south-west."""
    shapes = {area.code: area.geom for area in areas(sample, AreaLayer.NEIGHBOURHOOD)}

    def days(codes):
        here = unary_union([shapes[code] for code in codes])
        return [
            (event.at - report.reported_at).total_seconds() / 86_400
            for report in sample.reports
            if here.contains(report.geom.centroid)
            for event in report.events[-2:]
            if event.after is Status.DONE and report.category in {"dumping", "light_out"}
        ]

    slow = days(["vineyard", "palestine", "ingleside", "key-coalition", "north-town-fork-creek"])
    quick = days(
        ["old-westport", "valentine", "north-hyde-park", "south-hyde-park", "central-hyde-park"]
    )
    assert np.median(slow) > 1.2 * np.median(quick)


def test_duplicates_lie_within_the_radius_of_their_category(sample):
    by_number = {report.number: report for report in sample.reports}
    duplicates = [report for report in sample.reports if report.duplicate_of is not None]
    assert len(duplicates) > 100
    for report in duplicates:
        first = by_number[report.duplicate_of]
        assert first.category == report.category
        assert first.duplicate_of is None
        assert first.reported_at < report.reported_at
        here, there = metres([report.geom, first.geom])
        assert here.distance(there) <= BY_CODE[report.category].duplicate_radius_m
        assert report.status in {Status.DUPLICATE, Status.RECEIVED}


def test_neighbours_join_reports_only_while_they_are_open(sample):
    assert sum(len(report.supports) for report in sample.reports) > 1_000
    for report in sample.reports:
        closed = [event.at for event in report.events if event.after not in OPEN | {Status.HELD}]
        assert all(
            report.reported_at <= one.at and (not closed or one.at < min(closed))
            for one in report.supports
        )


def test_reports_are_points_dark_stretches_and_lots(sample):
    shapes = Counter((report.category, report.geom.geom_type) for report in sample.reports)
    assert shapes["block_dark", "LineString"] > 20
    assert shapes["vacant_lot", "Polygon"] > 20
    assert all(report.geom.is_valid for report in sample.reports)


def in_hours(moment, first, last):
    return (moment.astimezone(CITY_TIME).hour - first) % 24 < (last - first) % 24


def test_trouble_comes_by_night_and_is_reported_by_day(sample):
    trouble = [r for r in sample.reports if r.category in {"street_trouble", "noise_spot"}]
    cleanup = [r for r in sample.reports if r.category in {"overgrowth", "vacant_lot"}]

    def share(reports, which):
        return np.mean([in_hours(getattr(report, which), 20, 5) for report in reports])

    assert share(trouble, "occurred_at") > 0.6
    assert share(cleanup, "occurred_at") < 0.1
    assert share(trouble, "reported_at") < share(trouble, "occurred_at") - 0.2


def test_weeds_grow_in_summer_and_lights_fail_in_winter(sample):
    def months(category):
        counts = Counter(r.occurred_at.month for r in sample.reports if r.category == category)
        return [counts[month] for month in range(1, 13)]

    weeds, lights = months("overgrowth"), months("light_out")
    assert sum(weeds[4:9]) > 10 * (weeds[11] + weeds[0] + weeds[1] + 1)
    assert lights[11] + lights[0] > 1.5 * (lights[5] + lights[6])


def test_planted_hot_spots_hold_more_than_chance(sample):
    assert len(sample.hot_spots) >= 5
    points = metres(report.geom.centroid for report in sample.reports)
    centres = metres(spot.center for spot in sample.hot_spots)
    for spot, centre in zip(sample.hot_spots, centres, strict=True):
        begin = sample.until - timedelta(days=spot.from_day + 1)
        end = sample.until - timedelta(days=spot.to_day - 1)
        found = [
            report
            for report, point in zip(sample.reports, points, strict=True)
            if report.category in spot.categories
            and report.duplicate_of is None
            and begin <= report.occurred_at <= end
            and point.distance(centre) <= spot.radius_m + 10
        ]
        assert sum(report.hot_spot == spot.code for report in found) == spot.planted
        assert poisson.sf(len(found) - 1, spot.expected) < 1e-4, spot.code


def test_what_was_expected_in_a_circle_is_what_chance_brings(sample):
    """Without the planted ones, the circles together hold about the background."""
    points = metres(report.geom.centroid for report in sample.reports)
    found = expected = 0.0
    for spot, centre in zip(
        sample.hot_spots, metres(s.center for s in sample.hot_spots), strict=True
    ):
        begin = sample.until - timedelta(days=spot.from_day)
        end = sample.until - timedelta(days=spot.to_day)
        expected += spot.expected
        found += sum(
            report.category in spot.categories
            and report.hot_spot is None
            and report.duplicate_of is None
            and begin <= report.occurred_at <= end
            and point.distance(centre) <= spot.radius_m
            for report, point in zip(sample.reports, points, strict=True)
        )
    assert poisson.cdf(found, expected) > 1e-3
    assert poisson.sf(found - 1, expected) > 1e-3


def test_a_spot_by_night_is_planted_by_night(sample):
    for spot in sample.hot_spots:
        if spot.hours:
            planted = [report for report in sample.reports if report.hot_spot == spot.code]
            assert planted
            assert all(in_hours(report.occurred_at, *spot.hours) for report in planted)


PEOPLE = re.compile(
    r"\b(he|she|him|her|man|men|woman|women|guy|guys|boy|girl|kids?|teens?|suspicious|homeless|"
    r"neighbou?r'?s name|dealer|addict|prostitut\w*|gang|hombres?|mujer(es)?|muchachos?|sospechos\w*|"
    r"black|white|hispanic|latino|negro|blanco)\b",
    re.IGNORECASE,
)


def test_no_text_is_about_people(sample):
    for report in sample.reports:
        assert not PEOPLE.search(report.description), report.description
        assert not re.search(r"\d{3}.?\d{4}|@", report.description)


def test_texts_are_whole_and_a_part_of_them_spanish(sample):
    languages = Counter(report.language for report in sample.reports)
    assert 0.15 < languages["es"] / 3_000 < 0.3
    assert all("{" not in report.description for report in sample.reports)
    assert len({report.description for report in sample.reports}) > 500


def test_contacts_are_fictional(sample):
    numbers = [place.phone for place in sample.service_locations]
    for watch in sample.block_watches:
        numbers += re.findall(r"816-\d{3}-\d{4}", watch.contact)
        assert watch.contact.endswith("@example.org")
        assert watch.meeting
    assert all(re.fullmatch(r"816-555-01\d\d", number) for number in numbers)
    assert len(set(numbers)) == len(numbers)


def test_the_tables_name_only_streets_that_meet():
    """A slip in a table says which street it is about, not where the program stopped."""
    from data.sample.streets import Grid  # noqa: PLC0415 (the grid itself is what is asked)

    with pytest.raises(ValueError, match="no street 'Trooost'"):
        Grid().corner("Trooost & 39th")
    with pytest.raises(ValueError, match="do not meet"):
        Grid().corner("39th & 40th")


def test_nothing_in_it_asks_what_time_it_is():
    """The end is given by the caller, so that a city can be made again."""
    folder = Path(inspect.getfile(sample_city)).parent
    for module in folder.glob("*.py"):
        called = {
            node.func.attr
            for node in ast.walk(ast.parse(module.read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        assert not called & {"now", "today", "utcnow", "time"}, module.name
