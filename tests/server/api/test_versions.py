from sqlalchemy import insert

from data.models import TransitStop
from data.queries import tiles


def test_every_layer_of_tiles_has_a_version(client):
    answer = client.get("/api/versions")
    assert answer.status_code == 200
    assert set(answer.json()) == set(tiles.LAYERS)
    assert answer.headers["cache-control"] == "no-store"


def test_a_version_grows_at_once_when_its_layer_changes(client, engine):
    before = client.get("/api/versions").json()
    with engine.begin() as connection:
        connection.execute(
            insert(TransitStop).values(name="Main", geom="SRID=4326;POINT(-94.58 39.05)")
        )
    after = client.get("/api/versions").json()
    assert after.pop("transit_stops") > before.pop("transit_stops")
    assert after == before
