"""Hot spots as browsers ask for them, on places that a test has planted."""

import csv
import io
import re
from datetime import UTC, date, datetime, timedelta
from itertools import count as numbers
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import shapely
from fastapi.testclient import TestClient
from scipy.stats import binom
from sqlalchemy import Engine, func, insert, select, text, update
from sqlalchemy.orm import Session

from data import database
from data.models import (
    AnalysisState,
    Area,
    AreaLayer,
    AuditEntry,
    HotSpotRun,
    LandUse,
    Parcel,
    PoliceIncident,
    Report,
)
from data.queries import hot_spots
from data.queries.hot_spots import Question, Source
from geo.categories import CATEGORIES
from geo.crs import to_city
from geo.grids import Grid, Shape
from geo.hot_spots import Ground, Verdict, analyse
from geo.hot_spots import Settings as Look
from geo.roles import Role
from server import hot_spots as analyses
from server.hot_spots import METHOD, Asked, Measure, answer, find_by_job, unpacked
from server.languages import language
from server.month_charts import chart
from server.pages.hot_spots import HotSpotQuery, _categories
from tests.answers import said_by
from tests.people import person, signed_in
from tests.places import EAST, MIDDLE, NORTH, SOUTH, WEST, box, found_city

PAGE = {"accept": "text/html"}
ZONE = ZoneInfo("America/Chicago")
PLANTED = (-94.5850, 39.0200)
"""In Westside."""

_SEED = 1


def scattered(n: int) -> np.ndarray:
    rng = np.random.default_rng(_SEED)
    return np.column_stack([rng.uniform(WEST, EAST, n), rng.uniform(SOUTH, NORTH, n)])


def clustered(n: int, at: tuple[float, float] = PLANTED) -> np.ndarray:
    """Places within some 150 m, no two within the radius of litter."""
    side = int(np.ceil(np.sqrt(n)))
    steps = (np.arange(side) - side / 2) * 0.0006
    east, north = np.meshgrid(steps, steps)
    return np.column_stack([at[0] + east.ravel(), at[1] + north.ravel()])[:n]


def plant(session: Session, places: np.ndarray, category: str = "litter", **values) -> list[int]:
    """Store reports; spread over the last year, where no moment is given."""
    kind = session.scalar(text("SELECT kind FROM category WHERE code = :c"), {"c": category})
    now = datetime.now(UTC)
    spread = (now - timedelta(days=20 + 300 * nth / len(places)) for nth in numbers())
    return [
        session.scalar(
            insert(Report)
            .values(
                kind=kind,
                category_code=category,
                exact_geom=f"SRID=4326;POINT({lon} {lat})",
                **{
                    "public_geom": f"SRID=4326;POINT({lon} {lat})",
                    "occurred_at": at,
                    "reported_at": at,
                }
                | values,
            )
            .returning(Report.id)
        )
        for (lon, lat), at in zip(places.tolist(), spread, strict=False)
    ]


@pytest.fixture
def city(engine: Engine):
    with Session(engine) as session:
        made = found_city(session)
        divisions = {
            name: session.scalar(
                insert(Area)
                .values(layer=AreaLayer.PATROL_DIVISION, code=name, name=name, geom=shape)
                .returning(Area.id)
            )
            for name, shape in (
                ("West", box(WEST, SOUTH, MIDDLE, NORTH)),
                ("East", box(MIDDLE, SOUTH, EAST, NORTH)),
            )
        }
        session.commit()
    return made, divisions


@pytest.fixture
def planted(engine: Engine, city):
    """A hundred reports anywhere, and thirty in one place of the west."""
    with Session(engine) as session:
        plant(session, np.vstack([scattered(100), clustered(30)]))
        session.commit()
    return city


@pytest.fixture
def as_role(client: TestClient, engine: Engine):
    """The browser of somebody who holds a role, or of nobody."""

    def sign_in(role: Role | None = None, **scope) -> TestClient:
        client.cookies.clear()
        if role is None:
            return client
        with Session(engine) as session:
            id = person(session, role, **scope)
            session.commit()
        return signed_in(client, engine, id)

    return sign_in


def asked(**values) -> Asked:
    until = datetime.now(ZONE).date() - timedelta(days=1)
    return Asked(
        **{"source": Source.REPORTS, "since": until - timedelta(days=364), "until": until} | values
    )


def rows_of(page: str) -> list[str]:
    return re.findall(r'<tr data-cell="([^"]+)"', page)


def looks(page: str) -> set[str]:
    """How a page says that it has no hot spots."""
    return {*re.findall(r"hot-state-(\w+)", page)}


class TestStatistics:
    def test_a_planted_cluster_gives_the_same_cells_as_the_method_alone(self, engine, planted):
        with Session(engine) as session:
            found = answer(session, asked(), ZONE)
            ground = Ground(hot_spots.area(session, (), None), hot_spots.area(session, (), None))
            lon, lat = np.array(
                session.execute(
                    text("SELECT ST_X(exact_geom), ST_Y(exact_geom) FROM report ORDER BY id")
                ).all()
            ).T
        seen = unpacked(found.cells, found.found)
        alone = analyse(*to_city().transform(lon, lat), ground, Look())
        assert (seen.cells.q == alone.cells.q).all()
        assert (seen.cells.r == alone.cells.r).all()
        assert (seen.counts == alone.counts).all()
        assert (seen.lag == alone.lag).all()
        assert np.array_equal(seen.p, alone.p, equal_nan=True)
        assert np.array_equal(seen.q, alone.q, equal_nan=True)
        assert (seen.verdict == alone.verdict).all()
        assert (seen.verdict != Verdict.ORDINARY).any()

    def test_the_hot_cells_lie_where_the_cluster_was_planted(self, engine, planted):
        with Session(engine) as session:
            found = answer(session, asked(), ZONE)
        seen = unpacked(found.cells, found.found)
        hot = seen.spot >= 0
        lon, lat = seen.lonlat
        assert hot.any()
        assert np.hypot((lon[hot] - PLANTED[0]) * 0.78, lat[hot] - PLANTED[1]).max() < 0.006

    def test_reports_of_the_same_thing_within_a_week_are_one_incident(self, engine, city):
        with Session(engine) as session:
            at = datetime.now(UTC) - timedelta(days=100)
            for days in (0, 3, 6, 60):
                moment = at + timedelta(days=days)
                plant(session, clustered(1), occurred_at=moment, reported_at=moment)
            session.commit()
            found = answer(session, asked(), ZONE).found
        assert (found["incidents"], found["reports"]) == (2, 4)

    def test_an_incident_that_began_before_the_period_is_not_in_it(self, engine, city):
        since = asked().since
        with Session(engine) as session:
            for day in (since - timedelta(days=2), since + timedelta(days=2)):
                at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
                plant(session, clustered(1), occurred_at=at, reported_at=at)
            session.commit()
            assert answer(session, asked(), ZONE).found["incidents"] == 0

    def test_dark_is_by_the_sun_and_days_of_the_week_by_the_clocks_of_the_city(self, engine, city):
        """At 8 in the evening it is light in June and dark in December."""
        year = datetime.now(ZONE).year - 1
        june = datetime(year, 6, 15, 20, tzinfo=ZONE)
        december = datetime(year, 12, 15, 20, tzinfo=ZONE)
        with Session(engine) as session:
            for at in (june, december):
                plant(session, clustered(1), occurred_at=at, reported_at=at)
            session.commit()

            def counted(**values):
                whole = asked(since=date(year, 1, 1), until=date(year, 12, 31), **values)
                return answer(session, whole, ZONE).found["incidents"]

            assert counted() == 2
            assert counted(light=analyses.Light.DARK) == 1
            assert counted(light=analyses.Light.DAY) == 1
            assert counted(weekdays=(june.weekday(),)) == 1 + (june.weekday() == december.weekday())
            assert counted(weekdays=((june.weekday() + 3) % 7,)) <= 1

    def test_months_add_up_to_what_was_counted(self, engine, planted):
        with Session(engine) as session:
            found = answer(session, asked(), ZONE)
        seen = unpacked(found.cells, found.found)
        assert (seen.months.sum(axis=0) == seen.counts).all()
        assert sum(found.found["months"]) == found.found["incidents"] == 130

    def test_a_place_that_grew_differs_from_the_period_before(self, engine, planted):
        until = asked().since - timedelta(days=1)
        with Session(engine) as session:
            found = answer(
                session,
                asked(then_since=until - timedelta(days=364), then_until=until),
                ZONE,
            )
        seen = unpacked(found.cells, found.found)
        assert seen.then_counts.sum() == 0
        assert (seen.then_q[seen.spot >= 0] <= 0.05).any()

    @pytest.mark.parametrize("values", [{"weekdays": (0,)}, {"light": analyses.Light.DARK}])
    def test_periods_weigh_by_the_days_and_hours_that_count(self, engine, city, values):
        """Eight days with two Mondays, or long nights, against six with none, or short ones."""
        since, until = date(2024, 12, 2), date(2024, 12, 9)
        then = date(2024, 6, 4), date(2024, 6, 9)
        question = asked(since=since, until=until, then_since=then[0], then_until=then[1], **values)
        now, before = (
            analyses.exposed_days(question, period, PLANTED, ZONE)
            for period in ((since, until), then)
        )
        if values.get("weekdays"):
            assert (now, before) == (2, 0)
        else:
            assert now == pytest.approx(8 * 13.4 / 24, rel=0.02)  # from 17:25 to 6:50
            assert before == pytest.approx(6 * 8.05 / 24, rel=0.02)  # from 21:15 to 5:20
        with Session(engine) as session:
            at = datetime(2024, 12, 2, 20, tzinfo=ZONE)
            plant(session, clustered(30), occurred_at=at, reported_at=at)
            session.commit()
            found = answer(session, question, ZONE)
        seen = unpacked(found.cells, found.found)
        share = now / (now + before)
        p = np.minimum(1, 2 * binom.sf(seen.lag.max() - 1, seen.lag.max(), share))
        assert np.nanmin(seen.then_q) >= p

    def test_a_block_watch_is_compared_with_its_surroundings(self, engine, city):
        made, _divisions = city
        with Session(engine) as session:
            plant(session, np.vstack([scattered(100), clustered(30, (-94.561, 39.012))]))
            session.commit()
            found = answer(session, asked(watch_id=made.block_watch, width_m=150), ZONE)
        seen = unpacked(found.cells, found.found)
        lon, _lat = seen.lonlat
        assert found.found["spots"] == 1
        assert (np.abs(lon + 94.561) < 0.007).all()
        assert found.found["cells"] == len(lon) < 60

    def test_police_incidents_are_counted_by_themselves(self, engine, planted):
        with Session(engine) as session:
            at = datetime.now(UTC) - timedelta(days=40)
            session.execute(
                insert(PoliceIncident),
                [
                    {
                        "offense": "x",
                        "offense_group": "x",
                        "sensitive": sensitive,
                        "occurred_at": at,
                        "exact_geom": "SRID=4326;POINT(-94.58 39.02)",
                        "public_geom": None if sensitive else "SRID=4326;POINT(-94.58 39.02)",
                    }
                    for sensitive in (False, False, True)
                ],
            )
            session.commit()
            session.execute(text(f"SET LOCAL ROLE {database.WEB_ROLE}"))
            found = answer(session, asked(source=Source.POLICE), ZONE).found
        assert (found["incidents"], found["reports"]) == (1, 2)


class TestMeasures:
    """Hot for its size, for its length of streets, or for its number of homes."""

    def test_against_streets_p_is_the_binomial_of_their_length(self, engine, planted):
        with Session(engine) as session:
            found = answer(session, asked(measure=Measure.STREET), ZONE)
            lines = hot_spots.streets(session, (WEST, SOUTH, EAST, NORTH))
        seen = unpacked(found.cells, found.found)
        lengths = shapely.length(shapely.intersection(seen.cells.polygons()[:, None], lines))
        assert len(lines) == 2
        assert (np.isnan(seen.p) == (seen.verdict == Verdict.NOT_MEASURED)).all()
        assert np.isnan(seen.p[lengths.sum(axis=1) == 0]).all()
        assert found.found["not_measured"] == np.isnan(seen.p).sum() > 0
        assert found.found["left_out"] > 0

        total = found.found["incidents"] - found.found["left_out"]
        measured = np.isfinite(seen.p)
        share = seen.expected[measured] / total
        assert share.max() < 0.2
        upper = binom.sf(seen.lag[measured] - 1, total, share)
        assert seen.p[measured] == pytest.approx(upper, rel=1e-9)

    def test_edges_of_blocks_stand_in_for_streets_that_nobody_imported(self, engine, city):
        with Session(engine) as session:
            assert hot_spots.measures(session).streets == "street"
            session.execute(text("DELETE FROM street"))
            assert hot_spots.measures(session).streets == ""
            for code, (west, east) in enumerate(((WEST, MIDDLE), (MIDDLE, EAST))):
                session.execute(
                    insert(Area).values(
                        layer=AreaLayer.BLOCK,
                        code=str(code),
                        name="",
                        geom=box(west, SOUTH, east, NORTH),
                    )
                )
            assert hot_spots.measures(session).streets == "block"
            (edges,) = hot_spots.streets(session, (WEST, SOUTH, EAST, NORTH))
        apart = to_city().transform([WEST, EAST, WEST, WEST], [SOUTH, SOUTH, SOUTH, NORTH])
        wide, high = np.diff(apart[0][:2])[0], np.diff(apart[1][2:])[0]
        assert edges.length == pytest.approx(2 * wide + 3 * high, rel=0.01)  # a shared edge once

    def test_where_most_homes_are_more_is_expected(self, engine, planted):
        made, _divisions = planted
        with Session(engine) as session:
            for id, households in ((made.westside, 900), (made.eastside, 100)):
                session.execute(update(Area).where(Area.id == id).values(households=households))
            assert hot_spots.measures(session).homes is AreaLayer.NEIGHBOURHOOD
            found = answer(session, asked(measure=Measure.HOME), ZONE)
        seen = unpacked(found.cells, found.found)
        lon, _lat = seen.lonlat
        west, east = seen.expected[lon < MIDDLE - 0.01], seen.expected[lon > MIDDLE + 0.01]
        assert np.median(west) / np.median(east) == pytest.approx(9, rel=0.05)

    def test_lots_with_homes_stand_in_for_numbers_of_households(self, engine, planted):
        lots = clustered(40, (MIDDLE + 0.01, 39.02))
        with Session(engine) as session:
            for nth, (lon, lat) in enumerate(lots.tolist()):
                use = LandUse.HOME if nth < 30 else LandUse.COMMERCIAL
                where = f"SRID=4326;POINT({lon} {lat})"
                session.execute(insert(Parcel).values(land_use=use, geom=where))
            assert hot_spots.measures(session).homes == "parcel"
            found = answer(session, asked(measure=Measure.HOME), ZONE)
        seen = unpacked(found.cells, found.found)
        grid = seen.cells.grid
        with_homes = {
            (int(q), int(r))
            for q, r in zip(*grid.cells_of(*to_city().transform(*lots[:30].T)), strict=True)
        }
        measured = np.isfinite(seen.p)
        assert {*zip(seen.cells.q[measured], seen.cells.r[measured], strict=True)} == with_homes

    def test_without_numbers_of_homes_nothing_is_measured_and_the_form_says_so(
        self, as_role, engine, planted
    ):
        browser = as_role(Role.ADMINISTRATOR)
        page = browser.get("/hotspots?measure=home&width=300", headers=PAGE).text
        assert "Not measured: nothing to measure against." in page
        assert "None found." not in page
        assert re.search(r'<option value="home" selected disabled>[^<]+\(not imported\)', page)
        assert 'href="/hotspots?width=300"' in page
        with Session(engine) as session:
            assert session.scalar(select(func.count()).select_from(HotSpotRun)) == 0

    def test_squares_stand_beside_hexagons(self, as_role, planted):
        browser = as_role(Role.ADMINISTRATOR)
        cells = browser.get("/hotspots/cells?shape=square").json()
        assert {len(cell["ring"]) for cell in cells} == {5}
        assert browser.get("/hotspots/cells.geojson?shape=square").json()["analysis"]["shape"] == (
            "square"
        )
        (code, *_others) = rows_of(browser.get("/hotspots?shape=square", headers=PAGE).text)
        panel = browser.get(f"/hotspots/cell/{code}?shape=square", headers=PAGE).text
        assert "square of 200 meters" in panel

    @pytest.mark.parametrize(
        ("query", "chosen"),
        [
            ({}, set()),
            ({"kind": ["lighting"]}, {c.code for c in CATEGORIES if c.kind == "lighting"}),
            ({"category": ["litter", "light_out"]}, {"litter", "light_out"}),
            ({"kind": ["lighting"], "category": ["light_out"]}, {"light_out"}),
            (
                {"kind": ["lighting"], "category": ["litter"]},
                {c.code for c in CATEGORIES if c.kind == "lighting"} | {"litter"},
            ),
        ],
    )
    def test_several_kinds_and_categories_are_counted_together(self, query, chosen):
        assert set(_categories(HotSpotQuery(**query))) == chosen


def test_the_density_holds_all_that_was_counted(engine, planted):
    with Session(engine) as session:
        found = answer(session, asked(), ZONE)
    sight = unpacked(found.cells, found.found)
    assert np.nansum(sight.smooth.per_km2) * (sight.smooth.spacing_m / 1000) ** 2 == pytest.approx(
        sight.found["incidents"], rel=0.05
    )
    assert found.found["densest"]


class TestRights:
    def test_the_place_of_a_home_is_exact_for_its_liaison_only(self, engine, city):
        _made, divisions = city
        home, shown = (-94.5812345, 39.0212345), (-94.5501, 39.0301)
        with Session(engine) as session:
            plant(
                session,
                np.array([home]),
                "noise_spot",
                public_geom=f"SRID=4326;POINT({shown[0]} {shown[1]})",
            )
            mine = person(session, Role.LIAISON, area_id=divisions["West"])
            other = person(session, Role.LIAISON, area_id=divisions["East"])
            member = person(session, Role.MEMBER, block_watch_id=city[0].block_watch)
            session.commit()

            def place(who, strong=True):
                session.rollback()
                session.execute(text(f"SET LOCAL ROLE {database.WEB_ROLE}"))
                session.execute(
                    text(
                        "SELECT set_config('porchlight.person', :who, true), "
                        "set_config('porchlight.strong', :strong, true)"
                    ),
                    {"who": str(who or ""), "strong": str(strong).lower()},
                )
                now = datetime.now(UTC)
                read = hot_spots.places(
                    session,
                    Source.REPORTS,
                    (now - timedelta(days=400), now),
                    ["noise_spot"],
                    None,
                )
                return (float(read.lon[0]), float(read.lat[0])), hot_spots.rights(session)

            assert place(mine) == (home, f"liaison:{divisions['West']}")
            assert place(other) == (shown, f"liaison:{divisions['East']}")
            assert place(mine, strong=False) == (shown, "")
            assert place(member) == (shown, "")
            assert place(None) == (shown, "")

    def test_an_analysis_is_read_only_by_who_holds_the_rights_it_was_made_with(self, engine, city):
        _made, divisions = city
        with Session(engine) as session:
            mine = person(session, Role.LIAISON, area_id=divisions["West"])
            other = person(session, Role.LIAISON, area_id=divisions["East"])
            rights = f"liaison:{divisions['West']}"
            hot_spots.keep(
                session,
                Question(asked().written(), rights, METHOD, 1),
                hot_spots.Answer(datetime.now(UTC), {}, b""),
            )
            session.commit()

            def read(who):
                session.rollback()
                session.execute(text(f"SET LOCAL ROLE {database.WEB_ROLE}"))
                session.execute(
                    text(
                        "SELECT set_config('porchlight.person', :who, true), "
                        "set_config('porchlight.strong', 'true', true)"
                    ),
                    {"who": str(who or "")},
                )
                return session.scalar(text("SELECT count(*) FROM hot_spot_run"))

            assert (read(mine), read(other), read(None)) == (1, 0, 0)
            session.rollback()

    def test_a_liaison_may_not_ask_about_another_division(self, as_role, city):
        _made, divisions = city
        browser = as_role(Role.LIAISON, area_id=divisions["West"])
        assert browser.get("/hotspots", headers=PAGE).status_code == 200
        answered = browser.get(f"/hotspots?area={divisions['East']}", headers=PAGE)
        assert answered.status_code == 403
        assert "own divisions" in answered.text

    def test_a_member_sees_the_own_block_watch_in_full_and_nobody_else_does(
        self, as_role, city, planted
    ):
        watch = city[0].block_watch
        browser = as_role(Role.MEMBER, block_watch_id=watch)
        assert f"/hotspots?block_watch={watch}" in browser.get("/hotspots", headers=PAGE).text
        assert "In the dark" in browser.get(f"/hotspots?block_watch={watch}", headers=PAGE).text
        assert as_role().get(f"/hotspots?block_watch={watch}", headers=PAGE).status_code == 403

    def test_what_a_liaison_without_a_choice_asks_is_not_kept_for_everybody(
        self, as_role, engine, planted
    ):
        """A division without a name is none to choose, but its liaison reads exact places."""
        _made, divisions = planted
        with Session(engine) as session:
            session.execute(update(Area).where(Area.id == divisions["West"]).values(name=""))
            session.commit()
        browser = as_role(Role.LIAISON, area_id=divisions["West"])
        assert browser.get("/hotspots", headers=PAGE).status_code == 200
        with Session(engine) as session:
            assert session.scalars(select(HotSpotRun.rights)).all() == [
                f"liaison:{divisions['West']}"
            ]

    def test_what_police_read_of_it_is_written_down(self, as_role, engine, planted):
        _made, divisions = planted
        browser = as_role(Role.LIAISON, area_id=divisions["West"])
        (cell, *_others) = rows_of(browser.get("/hotspots", headers=PAGE).text)
        browser.get(f"/hotspots/cell/{cell}", headers=PAGE)
        browser.get("/hotspots/cells.csv")
        with Session(engine) as session:
            actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
        assert [one for one in actions if one.startswith("hot_spots")] == [
            "hot_spots.read",
            "hot_spots.cell.read",
            "hot_spots.file.read",
        ]


class TestEverybody:
    def test_no_cell_with_few_incidents_comes_out_by_any_way(self, client, planted):
        """Of a hundred scattered reports, most cells hold fewer than five."""
        table = client.get("/hotspots/cells.csv").text
        counts = [
            int(row["incidents_at_least"])
            for row in csv.DictReader(
                line for line in io.StringIO(table) if not line.startswith("#")
            )
        ]
        assert counts
        assert min(counts) >= 5
        assert all(number % 5 == 0 for number in counts)
        features = client.get("/hotspots/cells.geojson").json()["features"]
        assert {feature["properties"]["incidents_at_least"] for feature in features} == {*counts}
        assert not {"p", "q", "in_the_dark", "reports"} & {*features[0]["properties"]}

    def test_everybody_asks_one_fixed_question_whatever_the_address_says(self, client, planted):
        plain = client.get("/hotspots/cells.geojson").json()
        sly = client.get(
            "/hotspots/cells.geojson?width=150&from=2026-01-01&to=2026-01-02&light=dark&weekday=1"
            "&category=litter&then_from=2025-01-01&then_to=2025-02-01"
        ).json()
        assert sly == plain
        assert plain["analysis"]["width_m"] == 400

    def test_the_cell_of_few_looks_like_one_outside(self, client, planted):
        for cell in ("0.0", "-5321.12469"):
            answered = client.get(f"/hotspots/cell/{cell}", headers=PAGE)
            assert answered.status_code == 404
            assert "fewer than 5" in answered.text

    def test_a_kind_can_not_be_worked_out_from_the_others(self, engine, city):
        """Of 7, 6 and 2 the sum and the first two would tell the 2: so the 6 are not shown either."""
        with Session(engine) as session:
            grid = Grid(Shape.HEXAGON, 600.0)
            cell = grid.cells_of(*np.array(to_city().transform(*PLANTED))[:, None])
            middle = to_city().transform(*np.ravel(grid.centres(*cell)), direction="INVERSE")
            places = clustered(15, middle)
            plant(session, places[:7], "litter")
            plant(session, places[7:13], "light_out")
            plant(session, places[13:], "street_trouble")
            session.commit()
            until = datetime.now(ZONE).date() - timedelta(days=1)

            def shown(kind=None):
                codes = tuple(sorted(one.code for one in CATEGORIES if one.kind == kind))
                question = asked(published=True, width_m=600, categories=codes, until=until)
                found = answer(session, question, ZONE)
                return unpacked(found.cells, found.found).counts.tolist()

            assert shown() == [15]
            assert shown("cleanup") == [5]
            assert shown("lighting") == []
            assert shown("problem_spot") == []


class TestStates:
    """None found, not measured, suppressed and failed look different, and say what to do."""

    def test_without_a_city_nothing_is_measured(self, client):
        assert "no city has been imported" in client.get("/hotspots", headers=PAGE).text

    def test_too_little_is_not_measured(self, as_role, city):
        text_ = as_role(Role.ADMINISTRATOR).get("/hotspots", headers=PAGE).text
        assert "Not measured: too little to tell." in text_
        assert "None found." not in text_
        assert looks(text_) == {"unmeasured"}

    def test_enough_without_a_concentration_is_none_found(self, as_role, engine, city):
        with Session(engine) as session:
            plant(session, scattered(150))
            session.commit()
        text_ = as_role(Role.ADMINISTRATOR).get("/hotspots", headers=PAGE).text
        assert "None found." in text_
        assert "Not measured" not in text_
        assert looks(text_) == {"none"}

    def test_few_in_each_place_are_suppressed(self, client, engine, city):
        with Session(engine) as session:
            plant(session, scattered(60))
            session.commit()
        text_ = client.get("/hotspots", headers=PAGE).text
        assert "Not shown: too few in each place." in text_
        assert looks(text_) == {"suppressed"}

    def test_a_failure_says_so_and_is_tried_again(self, as_role, engine, city, monkeypatch):
        monkeypatch.setattr("server.pages.hot_spots.LIGHT", -1)
        browser = as_role(Role.ADMINISTRATOR)
        assert "being made" in browser.get("/hotspots", headers=PAGE).text
        with Session(engine) as session:
            session.execute(update(HotSpotRun).values(state="failed", reason="ValueError"))
            session.commit()
            id = session.scalar(select(HotSpotRun.id))
        page = browser.get("/hotspots", headers=PAGE).text
        assert "The analysis failed." in page
        assert looks(page) == {"failed"}
        assert "None found." not in page
        browser.post(f"/hotspots/again/{id}", data={"asked": ""})
        assert "being made" in browser.get("/hotspots", headers=PAGE).text


class TestHeavy:
    def test_a_heavy_analysis_is_a_job_whose_answer_is_the_same(
        self, as_role, engine, settings, planted, monkeypatch
    ):
        browser = as_role(Role.ADMINISTRATOR)
        at_once = browser.get("/hotspots/cells.geojson").json()["features"]
        with Session(engine) as session:
            session.execute(text("DELETE FROM hot_spot_run"))
            session.commit()
        monkeypatch.setattr("server.pages.hot_spots.LIGHT", 10)
        for _ in range(2):  # asked twice, made once
            assert "being made" in browser.get("/hotspots", headers=PAGE).text
        with Session(engine) as session:
            (id,) = session.scalars(select(HotSpotRun.id)).all()
            asked = "SELECT args FROM procrastinate_jobs WHERE task_name = 'find_hot_spots'"
            jobs = session.execute(text(asked)).all()
        assert [{"id": id}] == [args for (args,) in jobs]
        find_by_job(engine, settings, id)
        find_by_job(engine, settings, id)  # a job may run twice
        ended = browser.get(f"/hotspots/progress/{id}")
        assert ended.headers["HX-Refresh"] == "true"
        assert browser.get("/hotspots/cells.geojson").json()["features"] == at_once

    def test_a_job_whose_owner_lost_the_rights_reads_nothing(self, engine, settings, planted):
        _made, divisions = planted
        with Session(engine) as session:
            who = person(session, Role.LIAISON, area_id=divisions["West"])
            rights = f"liaison:{divisions['West']}"
            hot_spots.ask(session, Question(asked().written(), rights, METHOD, 1), who)
            session.execute(text("UPDATE role_grant SET ended_at = now()"))
            session.commit()
            id = session.scalar(select(HotSpotRun.id))
        find_by_job(engine, settings, id)
        with Session(engine) as session:
            run = session.get_one(HotSpotRun, id)
            assert (run.state, run.cells) == (AnalysisState.FAILED, None)

    def test_an_answer_is_kept_until_the_rows_change(self, client, engine, planted):
        first = client.get("/hotspots/cells.geojson").json()["analysis"]
        assert client.get("/hotspots/cells.geojson").json()["analysis"] == first
        with Session(engine) as session:
            plant(session, clustered(1))
            session.execute(text("UPDATE hot_spot_run SET created_at = now() - interval '1 hour'"))
            session.commit()
        after = client.get("/hotspots/cells.geojson").json()["analysis"]
        assert after["rows_version"] > first["rows_version"]
        with Session(engine) as session:
            assert session.scalar(select(func.count()).select_from(HotSpotRun)) == 2


class TestPage:
    def test_the_list_names_the_spot_and_its_panel_says_how_sure_it_is(self, as_role, planted):
        browser = as_role(Role.ADMINISTRATOR)
        page = browser.get("/hotspots", headers=PAGE).text
        assert re.search(r"<strong>1 hot spot</strong>\s+out of 130 incidents", page)
        panel = browser.get(f"/hotspots/cell/{rows_of(page)[0]}", headers=PAGE).text
        assert re.search(r"a count this high in (about|less than) 1 of [\d,]+ shuffles", panel)
        assert "false alarms" in panel
        assert "With cells laid elsewhere" in panel
        assert "where chance would put" in panel
        assert "<rect" in panel
        assert "No block watch looks after this place." in panel

    def test_the_page_says_what_else_incidents_tell(self, as_role, planted):
        page = as_role(Role.ADMINISTRATOR).get("/hotspots", headers=PAGE).text
        assert "hold half of the incidents" in page
        assert "Plain past counts are the best guess" in page
        assert "follow nearby" in page
        assert page.count("· used here") == 1

    def test_nobody_in_particular_is_told_what_else_incidents_tell(self, client, planted):
        assert "Where next?" not in client.get("/hotspots", headers=PAGE).text
        made = client.get("/hotspots/cells.geojson").json()["analysis"]
        assert not {"near_repeats", "concentration", "where_next"} & {*made}

    def test_the_files_hold_how_they_were_made(self, as_role, planted):
        browser = as_role(Role.ADMINISTRATOR)
        made = browser.get("/hotspots/cells.geojson?width=300").json()["analysis"]
        assert (made["width_m"], made["method_version"]) == (300, METHOD)
        assert (made["shape"], made["measure"]) == ("hexagon", "")
        shuffled = any(row["permutations"] for row in made["near_repeats"]["rows"])
        assert shuffled
        assert made["seed"] == made["near_repeats"]["seed"] == 0
        assert made["seed_note"].startswith("For the cells nothing is drawn")
        assert made["concentration"]["incidents"] == 130
        assert made["where_next"]["method"] == "prior_counts"
        assert "# width_m: 300" in browser.get("/hotspots/cells.csv?width=300").text
        package = browser.get("/hotspots/cells.gpkg?width=300").content
        assert package.startswith(b"SQLite format 3")
        assert b"method_version" in package
        assert b"held_shifted" in package

    def test_a_liaison_prints_two_pages_and_nobody_in_particular_prints_any(self, as_role, planted):
        _made, divisions = planted
        browser = as_role(Role.LIAISON, area_id=divisions["West"])
        paper = browser.get("/hotspots/brief.pdf")
        assert paper.headers["content-type"] == "application/pdf"
        words = said_by(paper, "")
        assert "West" in words
        assert "Each place by month" in words
        assert "Where next" in words
        assert "2 / 2" in words
        assert as_role().get("/hotspots/brief.pdf", headers=PAGE).status_code == 403

    def test_the_map_is_given_what_stands_out_and_no_more(self, as_role, planted):
        cells = as_role(Role.ADMINISTRATOR).get("/hotspots/cells").json()
        assert {cell["look"] for cell in cells} <= {"firm", "hot", "dense"}
        assert all(len(cell["ring"]) == 7 for cell in cells)

    def test_the_density_is_for_those_who_may_see_single_reports(self, as_role, planted):
        liaison = as_role(Role.LIAISON, area_id=planted[1]["West"])
        said = said_by(liaison.get("/hotspots"), "")
        assert "Show the smoothed density" in said
        assert "every map has a densest place" in said
        picture = liaison.get("/hotspots/density.png")
        assert picture.headers["content-type"] == "image/png"
        assert picture.headers["cache-control"] == "no-store"
        anybody = as_role()
        assert "smoothed" not in anybody.get("/hotspots", headers=PAGE).text
        assert anybody.get("/hotspots/density.png", headers=PAGE).status_code == 403

    def test_there_is_no_density_of_what_was_never_counted(self, as_role):
        answer = as_role(Role.ADMINISTRATOR).get("/hotspots/density.png", headers=PAGE)
        assert answer.status_code == 404
        assert "Nothing has been counted yet" in answer.text

    @pytest.mark.parametrize(
        "query",
        [
            "width=7",
            "weekday=9",
            "light=dusk",
            "shape=round",
            "measure=luck",
            "category=nothing",
            "area=999999",
        ],
    )
    def test_what_can_not_be_asked_is_said(self, as_role, city, query):
        answered = as_role(Role.ADMINISTRATOR).get(f"/hotspots?{query}", headers=PAGE)
        assert answered.status_code in {403, 422}

    @pytest.mark.parametrize(
        ("query", "field", "said"),
        [
            ("from=2026-05-01&to=2026-04-01", "to", "does not come before the first"),
            ("from=1950-01-01&to=2026-01-01", "from", "at most 20 years"),
            ("from=2190-01-01&to=2190-02-01", "from", "later days are not over yet"),
            ("from=2026-01-01&to=2026-03-01&then_from=2025-01-01", "then_to", "leave both empty"),
            ("from=2026-01-01&to=2026-03-01&then_to=2025-01-01", "then_from", "leave both empty"),
            (
                "from=2026-01-01&to=2026-03-01&then_from=2025-06-01&then_to=2026-01-01",
                "then_to",
                "Choose a day before January 1, 2026",
            ),
            (
                "from=2026-01-01&to=2026-03-01&then_from=2025-06-01&then_to=2025-05-01",
                "then_to",
                "does not come before the first",
            ),
        ],
    )
    def test_days_that_can_not_be_asked_are_said_at_their_field(
        self, as_role, city, query, field, said
    ):
        typed = f"{query}&source=police&width=300&weekday=2&light=dark"
        answered = as_role(Role.ADMINISTRATOR).get(f"/hotspots?{typed}", headers=PAGE)
        assert answered.status_code == 422
        (wrong,) = re.findall(r'id="hot-(\w+)"[^>]*aria-invalid="true"', answered.text)
        assert wrong == field
        fault = re.search(rf'id="hot-{field}-fault">([^<]+)<', answered.text)
        assert fault is not None
        assert said in fault[1]
        for name, value in (pair.split("=") for pair in query.split("&")):
            assert f'name="{name}" value="{value}"' in answered.text
        assert '<option value="300" selected>' in answered.text
        assert '<option value="dark" selected>' in answered.text
        assert 'value="2" checked' in answered.text
        assert 'value="police" checked' in answered.text
        assert "data-cell=" not in answered.text

    def test_days_that_have_not_come_are_left_out(self, as_role, planted):
        """Else every place would have more than chance before: the days to come have nothing."""
        yesterday = asked().until
        query = f"from={yesterday - timedelta(days=200)}&to=2190-01-01"
        browser = as_role(Role.ADMINISTRATOR)
        made = browser.get(f"/hotspots/cells.geojson?{query}").json()["analysis"]
        assert made["until"] == yesterday.isoformat()
        page = browser.get(f"/hotspots?{query}", headers=PAGE).text
        assert "Days that are not over yet are left out." in page

    def test_an_empty_form_is_the_plain_page(self, as_role, city):
        empty = "kind=&category=&area=&from=&to=&light=&width=200&then_from=&then_to="
        assert as_role(Role.ADMINISTRATOR).get(f"/hotspots?{empty}").status_code == 200


def test_the_tallest_bar_of_a_chart_fills_it():
    drawn = chart("2026-01", [0, 2, 4], language("en"))
    assert [bar.height for bar in drawn.bars] == [0, 50, 100]
    assert drawn.bars[0].label == "Jan 2026"
    assert chart("2026-01", [], language("en")).most == 0
