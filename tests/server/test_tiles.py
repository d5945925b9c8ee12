"""Tiles over HTTP: what is kept, for how long, and what happens when something is wrong."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, func, insert, text
from sqlalchemy.orm import Session

from data.models import Report, StreetLight
from data.queries import tiles
from data.queries.filters import ReportFilter
from geo.tiles import Tile
from server.app import create_app
from server.front import CLOSED_POLICY, SAFETY
from server.settings import Settings
from server.tiles import Entry, Kept, Key, _question
from tests.mvt import decode
from tests.places import IN_EASTSIDE, found_city

TILE = "15/7777/12520"
FAR = "13/1944/3130"
EMPTY = "15/1/1"
LONG = "public, max-age=86400"
SHORT = "public, no-cache"


def file_report(session: Session, **values) -> None:
    shape = f"SRID=4326;POINT({IN_EASTSIDE[0]} {IN_EASTSIDE[1]})"
    values = {
        "kind": "cleanup", "category_code": "dumping", "exact_geom": shape, "public_geom": shape,
        "occurred_at": func.now(),
    } | values  # fmt: skip
    session.execute(insert(Report).values(**values))
    session.commit()


@pytest.fixture
def reports(engine: Engine):
    """Files public reports, one statement each."""
    with Session(engine) as session:
        found_city(session)
        session.commit()
        yield lambda **values: file_report(session, **values)


def version(client: TestClient, layer: str = "reports") -> int:
    return client.get("/api/versions").json()[layer]


def n_of(body: bytes) -> int:
    return sum(cell.attributes["n"] for cell in decode(body).get("cells", []))


def test_its_head_alone_can_be_asked_for(client, reports):
    reports()
    whole, head = (
        client.get(f"/tiles/reports/{TILE}.mvt"),
        client.head(f"/tiles/reports/{TILE}.mvt"),
    )
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers == whole.headers
    assert client.head("/tiles/nothing/1/1/1.mvt").status_code == 404


def test_a_tile_is_a_vector_tile_and_safe_to_hand_out(client, reports):
    reports()
    answer = client.get(f"/tiles/reports/{TILE}.mvt")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert [feature.type for feature in decode(answer.content)["reports"]] == ["point"]
    for name, value in (SAFETY | {"Content-Security-Policy": CLOSED_POLICY}).items():
        assert answer.headers[name] == value


def test_an_empty_tile_says_so(client):
    for layer in tiles.LAYERS:
        answer = client.get(f"/tiles/{layer}/{EMPTY}.mvt")
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_tile_may_be_kept_where_its_address_names_its_version(client, reports):
    reports()
    address = f"/tiles/reports/{TILE}.mvt"
    now = version(client)
    assert client.get(address, params={"v": now}).headers["cache-control"] == LONG
    for other in ({}, {"v": now - 1}, {"v": now + 1}, {"v": 2**63 - 1}):
        answer = client.get(address, params=other)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, SHORT)


def test_a_new_report_raises_the_version_and_appears_in_the_tile(client, reports):
    reports()
    address = f"/tiles/reports/{FAR}.mvt"
    before = version(client)
    assert n_of(client.get(address, params={"v": before}).content) == 1
    reports()
    after = version(client)
    assert after > before
    assert n_of(client.get(address, params={"v": after}).content) == 2
    assert n_of(client.get(address).content) == 2


def test_an_asker_who_knows_more_than_the_server_is_answered_with_what_is_new(client, reports):
    """The version is remembered for a second; an open map must not get an old tile within it."""
    for n in range(1, 6):
        reports()
        answer = client.get(f"/tiles/reports/{FAR}.mvt", params={"v": version(client)})
        assert n_of(answer.content) == n
        assert answer.headers["cache-control"] == LONG


def test_a_tile_never_goes_by_a_version_newer_than_what_it_shows(client, reports):
    first, address = version(client), f"/tiles/reports/{FAR}.mvt"

    def read() -> None:
        seen = 0
        while seen < 10:
            for asked in (version(client), version(client) + 1):
                answer = client.get(address, params={"v": asked})
                if answer.headers["cache-control"] == LONG:
                    assert n_of(answer.content) == asked - first
                    seen += 1

    with ThreadPoolExecutor() as pool:
        readers = [pool.submit(read) for _ in range(4)]
        while not all(reader.done() for reader in readers):
            reports()
    for reader in readers:
        reader.result()


def test_what_is_known_already_is_not_sent_again(client, reports):
    reports()
    for tile, status in ((TILE, 200), (EMPTY, 204)):
        address = f"/tiles/reports/{tile}.mvt"
        answer = client.get(address)
        assert answer.status_code == status
        again = client.get(address, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == answer.headers["etag"]
    stale = client.get(f"/tiles/reports/{TILE}.mvt", headers={"If-None-Match": 'W/"other"'})
    assert stale.status_code == 200


def test_a_tile_that_others_have_changed_around_keeps_its_tag(client, reports):
    reports()
    address = f"/tiles/reports/{TILE}.mvt"
    before = client.get(address, params={"v": version(client)})
    reports(exact_geom="SRID=4326;POINT(-94.599 39.001)", public_geom=None)
    after = client.get(address, params={"v": version(client)})
    assert before.headers["etag"] == after.headers["etag"]


def test_a_tile_goes_compressed_to_those_who_understand(client, reports, engine):
    with engine.begin() as connection:
        for pole in range(200):
            place = f"SRID=4326;POINT({IN_EASTSIDE[0] + pole / 1e6} {IN_EASTSIDE[1]})"
            connection.execute(insert(StreetLight).values(pole_id=str(pole), geom=place))
    address = f"/tiles/street_lights/{TILE}.mvt"
    squeezed = client.get(address, headers={"Accept-Encoding": "br, gzip;q=0.8"})
    assert squeezed.headers["content-encoding"] == "gzip"
    for refused in ("identity", "gzip;q=0", "gzip; q=0"):
        plain = client.get(address, headers={"Accept-Encoding": refused})
        assert "content-encoding" not in plain.headers
        assert plain.content == squeezed.content
        assert int(plain.headers["content-length"]) == len(plain.content)
    assert int(squeezed.headers["content-length"]) < len(plain.content)
    assert squeezed.headers["vary"] == plain.headers["vary"] == "accept-encoding"


def test_filters_narrow_the_reports_and_only_them(client, reports):
    reports()
    reports(kind="lighting", category_code="light_out")
    address = f"/tiles/reports/{FAR}.mvt"
    assert n_of(client.get(address).content) == 2
    for question, n in (
        ("kind=lighting", 1),
        ("kind=lighting&kind=cleanup", 2),
        ("kind=&category=&status=&from=&to=&area=&block_watch=", 2),
        ("category=dumping", 1),
        ("status=open", 2),
        ("status=done", 0),
        ("from=2000-01-01", 2),
        ("to=2000-01-01", 0),
    ):
        assert n_of(client.get(f"{address}?{question}").content) == n, question
    neighbourhoods = client.get(f"/tiles/neighbourhoods/{TILE}.mvt?kind=lighting")
    assert decode(neighbourhoods.content)["neighbourhoods"]


def test_the_order_in_which_filters_are_written_does_not_matter(settings):
    one = _question(b"kind=cleanup&kind=lighting&v=3", settings.zone, "reports")
    other = _question(b"v=3&kind=lighting&status=&kind=cleanup&other=1", settings.zone, "reports")
    assert one == other


NO_TILES = [
    "nothing/1/1/1.mvt", "reports/23/0/0.mvt", "reports/1/2/0.mvt", "reports/1/0/2.mvt",
    "reports/-1/0/0.mvt", "reports/+1/0/0.mvt", "reports/1/0/0", "reports/1/0/0.png",
    "reports/1/0.mvt", "reports/1/0/0/0.mvt", "reports/1.5/0/0.mvt", "reports/%D9%A1/0/0.mvt",
    "reports/1_0/0/0.mvt", "reports/999999999999999999999/0/0.mvt", "reports/a/b/c.mvt",
    "reports;drop table report/1/0/0.mvt", "reports'--/1/0/0.mvt", "%2e%2e/1/0/0.mvt",
    "layer_change/1/0/0.mvt", "", "reports/1/0/0;select 1.mvt",
    "reports/1/%00/0.mvt",
]  # fmt: skip


def test_what_is_no_tile_is_not_found(client):
    for path in NO_TILES:
        answer = client.get(f"/tiles/{path}")
        assert answer.status_code in {404, 422}, path
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


NO_FILTERS = [
    "kind=nothing", "kind=lighting';drop table report;--", "category=1 OR 1=1", "status=held",
    "from=yesterday", "to=2020-13-01", "from=2020-02-02&to=2020-02-01", "area=0", "area=-1",
    "area=9223372036854775808", "area=1;select", "block_watch=x", "v=-1", "v=x", "v=1.5",
    "from=0001-01-01", "to=9999-12-31", "kind=%00", "area=%ff",
]  # fmt: skip


def test_a_filter_that_means_nothing_is_explained(client):
    for question in NO_FILTERS:
        answer = client.get(f"/tiles/reports/{FAR}.mvt?{question}")
        assert answer.status_code == 422, question
        assert answer.headers["content-type"] == "application/problem+json"
        (fault, *_) = answer.json()["errors"]
        assert fault["pointer"].startswith("query")
        assert fault["detail"]


def test_only_reading_is_possible(client):
    assert client.post(f"/tiles/reports/{FAR}.mvt").status_code == 405


def test_without_a_database_the_answer_is_to_try_again(tmp_path):
    away = Settings(database_url="postgresql://nobody@127.0.0.1:1/none", var=tmp_path)
    with TestClient(create_app(away), raise_server_exceptions=False) as client:
        answer = client.get(f"/tiles/reports/{FAR}.mvt")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "3"
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_tile_that_is_kept_is_answered_even_without_a_database(
    client, reports, engine, server, database_url
):
    reports()
    address = f"/tiles/reports/{TILE}.mvt?v={version(client)}"
    before = client.get(address)
    engine.dispose()
    server.drop(engine.url.database)
    assert client.get(address).content == before.content
    assert client.get(f"/tiles/reports/{FAR}.mvt").status_code == 503


def test_slow_tiles_are_given_up_and_leave_connections_to_pages(settings, engine, reports):
    reports()
    hasty = settings.model_copy(update={"statement_timeout_ms": 1_000, "pool_size": 4})
    with (
        TestClient(create_app(hasty), raise_server_exceptions=False) as client,
        engine.connect() as other,
    ):
        now = version(client)
        other.execute(text("LOCK TABLE report_tally IN ACCESS EXCLUSIVE MODE"))
        with ThreadPoolExecutor() as pool:
            slow = [pool.submit(client.get, f"/tiles/reports/9/12{n}/195.mvt") for n in range(4)]
            assert version(client) == now
            assert not any(tile.done() for tile in slow)
            assert {tile.result().status_code for tile in slow} == {503}
        other.rollback()
        assert client.get(f"/tiles/reports/{FAR}.mvt").status_code == 200


def test_many_who_ask_for_the_same_tile_at_once_have_it_drawn_once(settings, engine, reports):
    reports()
    with TestClient(create_app(settings)) as client, engine.connect() as other:
        other.execute(text("LOCK TABLE report_tally IN ACCESS EXCLUSIVE MODE"))
        before = version(client)
        with ThreadPoolExecutor(20) as pool:
            asked = [
                pool.submit(client.get, f"/tiles/reports/{FAR}.mvt?v={before}") for _ in range(20)
            ]
            while not (waiting := _waiting_for_locks(engine)):
                pass
            assert waiting == 1
            other.rollback()
            assert {tile.result().status_code for tile in asked} == {200}


def _waiting_for_locks(engine: Engine) -> int:
    with engine.connect() as connection:
        found = connection.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
        )
    assert isinstance(found, int)
    return found


def test_no_more_is_kept_than_allowed_and_the_least_used_goes_first(settings):
    kept = Kept(most_bytes=4_000)
    keys = [Key("reports", Tile(10, x, 0), ReportFilter(settings.zone)) for x in range(4)]
    for key in keys[:3]:
        kept.put(key, Entry(tiles.DrawnTile(1, b"x" * 100)))
    assert kept.get(keys[0])
    kept.put(keys[3], Entry(tiles.DrawnTile(1, b"x" * 100)))
    assert [kept.get(key) is not None for key in keys] == [True, False, True, True]
    kept.put(keys[0], Entry(tiles.DrawnTile(2, b"")))
    assert kept.bytes == sum(kept.get(key).weight for key in keys if kept.get(key))
