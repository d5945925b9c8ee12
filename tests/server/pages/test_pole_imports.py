"""The city's pole file: what it changes is shown, then done exactly so, or not at all."""

import json
import zipfile
from datetime import timedelta
from io import BytesIO

import pytest
from psycopg.errors import DeadlockDetected
from sqlalchemy import Engine, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from data import database
from data.models import AuditEntry, Department, PoleImport, StreetLight
from data.queries import pole_imports
from geo.roles import Role
from server.pole_imports import apply_by_job, read_by_job
from tests.people import person, signed_in
from tests.places import IN_EASTSIDE, found_city

PAGE = {"accept": "text/html"}
LON, LAT = IN_EASTSIDE
OUTSIDE = (-90.0, 30.0)


def file(**poles) -> bytes:
    features = [
        {
            "type": "Feature",
            "properties": {"POLEID": number},
            "geometry": place and {"type": "Point", "coordinates": place},
        }
        for number, place in poles.items()
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


BEFORE = {
    "same": [LON, LAT],
    "moved": [LON + 0.001, LAT],
    "gone": [LON, LAT + 0.001],
    "asked": [LON, LAT + 0.002],
}
NEWER = file(
    same=[LON, LAT],
    moved=[LON + 0.0012, LAT],
    new=[LON + 0.003, LAT],
    nowhere=None,
    far=list(OUTSIDE),
)


@pytest.fixture
def stored(engine: Engine):
    with Session(engine) as session:
        found_city(session)
        for number, (lon, lat) in BEFORE.items():
            session.execute(
                insert(StreetLight).values(
                    pole_id=number, geom=func.ST_SetSRID(func.ST_MakePoint(lon, lat), 4326)
                )
            )
        session.execute(
            update(StreetLight).where(StreetLight.pole_id == "asked").values(status="reported")
        )
        session.commit()


@pytest.fixture
def staff(client, engine, stored):
    with Session(engine) as session:
        lighting = session.scalar(select(Department.id).where(Department.code == "lighting"))
        id = person(session, Role.STAFF, department_id=lighting)
        session.commit()
    return signed_in(client, engine, id)


def send(client, content=NEWER, name="poles.geojson", **fields):
    return client.post(
        "/desk/lights/import",
        files={"file": (name, content)},
        data=fields,
        headers=PAGE,
        follow_redirects=False,
    )


def looked_at(client, engine, content=NEWER, **fields):
    """Sends a file, lets the job read it, and gives its address and its number."""
    sent = send(client, content, **fields)
    assert sent.status_code == 303, sent.text
    where = sent.headers["location"]
    id = int(where.rpartition("/")[2])
    read_by_job(engine, id)
    return where, id


def digest(engine, id):
    with Session(engine) as session:
        return session.get_one(PoleImport, id).digest.hex()


def poles(engine):
    with Session(engine) as session:
        return dict(
            session.execute(
                select(StreetLight.pole_id, func.ST_X(StreetLight.geom)).order_by("pole_id")
            ).all()
        )


def test_what_a_file_changes_is_shown_before_anything_is_changed(staff, engine):
    before = poles(engine)
    where, id = looked_at(staff, engine)

    assert poles(engine) == before
    with Session(engine) as session:
        found = session.get_one(PoleImport, id)
        assert found.state == "ready"
        assert found.counts == {
            "added": 1, "moved": 1, "gone": 2, "unusable": 2, "unchanged": 1, "kept": 1,
        }  # fmt: skip
        assert session.scalar(text("SELECT count(*) FROM import_run")) == 0
    moved = staff.get(f"{where}?kind=moved", headers=PAGE).text
    assert "17.3 m" in moved
    assert "leaflet" in moved
    assert '<span class="place-number">1</span>' in moved
    assert "/report.css" in moved  # the look of the numbers
    unusable = staff.get(f"{where}?kind=unusable", headers=PAGE).text
    assert "leaflet" not in unusable
    assert "it has no place" in unusable
    assert "outside the served area" in unusable
    table = staff.get(f"{where}.csv").text
    assert "gone,asked,,True" in table
    assert "unusable,far" in table


def test_exactly_what_was_shown_is_applied_and_asked_lights_stay(staff, engine):
    where, id = looked_at(staff, engine)
    sent = staff.post(
        where,
        data={"act": "apply", "seen": digest(engine, id), "remove_gone": "true"},
        follow_redirects=False,
    )
    assert sent.status_code == 303
    asking = PAGE | {"HX-Request": "true"}
    polled = staff.get(where, headers=asking)
    assert "Being applied" in polled.text
    assert "HX-Refresh" not in polled.headers
    apply_by_job(engine, id)
    apply_by_job(engine, id)
    assert staff.get(where, headers=asking).headers["HX-Refresh"] == "true"

    assert set(poles(engine)) == {"same", "moved", "asked", "new"}
    assert poles(engine)["moved"] == pytest.approx(LON + 0.0012)
    with Session(engine) as session:
        found = session.get_one(PoleImport, id)
        assert (found.state, found.content) == ("applied", None)
        assert session.scalar(text("SELECT count(*) FROM import_run")) == 1
        acts = session.scalars(select(AuditEntry.action)).all()
        assert {"poles.send", "poles.apply"} <= set(acts)


def test_poles_that_are_gone_stay_where_nobody_ticks_to_remove_them(staff, engine):
    where, id = looked_at(staff, engine)
    staff.post(where, data={"act": "apply", "seen": digest(engine, id)})
    apply_by_job(engine, id)
    assert set(poles(engine)) == {*BEFORE, "new"}


def test_what_changed_after_it_was_looked_at_is_shown_again_and_not_applied(staff, engine):
    where, id = looked_at(staff, engine)
    seen = digest(engine, id)
    staff.post(where, data={"act": "apply", "seen": seen})
    with Session(engine) as session:
        session.execute(text("DELETE FROM street_light WHERE pole_id = 'same'"))
        session.commit()
    apply_by_job(engine, id)

    again = staff.get(where, headers=PAGE).text
    assert "so nothing was applied" in again
    assert "same" not in poles(engine)
    late = staff.post(where, data={"act": "apply", "seen": seen}, headers=PAGE)
    assert late.status_code == 409
    assert "Look again, then decide." in late.text
    staff.post(where, data={"act": "apply", "seen": digest(engine, id)})
    apply_by_job(engine, id)
    assert "same" in poles(engine)


def test_a_dropped_file_changes_nothing_and_is_not_kept(staff, engine):
    before = poles(engine)
    where, id = looked_at(staff, engine)
    staff.post(where, data={"act": "drop", "seen": digest(engine, id)})
    with Session(engine) as session:
        assert session.get_one(PoleImport, id).content is None
    late = staff.post(where, data={"act": "apply", "seen": digest(engine, id)}, headers=PAGE)
    assert late.status_code == 409
    assert "decided already" in late.text
    assert poles(engine) == before


def test_a_file_that_nobody_decides_about_is_dropped_after_a_month(staff, engine):
    _where, id = looked_at(staff, engine)
    with Session(engine) as session:
        session.execute(update(PoleImport).values(at=func.now() - timedelta(days=31)))
        pole_imports.forget(session)
        session.commit()
        found = session.get_one(PoleImport, id)
        assert (found.state, found.content) == ("dropped", None)
        assert session.scalar(text("SELECT count(*) FROM pole_change")) == 0


def test_the_same_file_again_changes_nothing(staff, engine):
    content = file(**BEFORE)
    _where, id = looked_at(staff, engine, content)
    with Session(engine) as session:
        counts = session.get_one(PoleImport, id).counts
    assert counts.pop("unchanged") == 4
    assert set(counts.values()) == {0}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("poles.geojson", b"POLEID,lat,lon\n1,2,3\n"),
        ("poles.geojson", b'{"type": "FeatureCollection", "features": ['),
        ("poles.gpkg", b"SQLite format 3\0 and nothing else"),
        ("poles.zip", b"PK\x03\x04 and nothing else"),
    ],
)
def test_a_file_that_cannot_be_read_says_so(staff, engine, name, content):
    where, _id = looked_at(staff, engine, content, name=name)
    shown = staff.get(where, headers=PAGE).text
    assert "Cannot be read" in shown
    assert f"{name}" in shown
    assert "/tmp" not in shown


def refusing(engine, code):
    """Have the store refuse every light with an error of this code."""
    with engine.begin() as connection:
        connection.execute(
            text(f"""
                CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RAISE 'no' USING ERRCODE = '{code}'; END $$
            """)
        )
        connection.execute(
            text("""
                CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON street_light
                EXECUTE FUNCTION refuse()
            """)
        )


def test_a_file_at_which_the_program_fails_is_not_tried_without_an_end(staff, engine, caplog):
    sent = send(staff)
    where = sent.headers["location"]
    refusing(engine, "57014")  # the same as where it takes too long
    read_by_job(engine, int(where.rpartition("/")[2]))
    shown = staff.get(where, headers=PAGE).text
    assert "tell whoever runs it" in shown
    assert "hx-trigger" not in shown
    assert "could not be brought in" in caplog.text


def test_a_file_that_meets_a_change_by_somebody_else_is_tried_again(staff, engine):
    where = send(staff).headers["location"]
    refusing(engine, "40P01")
    with pytest.raises(DeadlockDetected):
        read_by_job(engine, int(where.rpartition("/")[2]))
    assert "Being read" in staff.get(where, headers=PAGE).text


def test_an_archive_with_anything_but_a_shapefile_is_not_opened(staff, engine):
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("poles.vrt", "<OGRVRTDataSource></OGRVRTDataSource>")
    where, _id = looked_at(staff, engine, packed.getvalue(), name="poles.zip")
    assert "something else than one Shapefile" in staff.get(where, headers=PAGE).text


def test_no_file_is_asked_for_again(staff):
    answer = staff.post("/desk/lights/import", data={"crs": "EPSG:2817"}, headers=PAGE)
    assert answer.status_code == 422
    assert "Choose the file" in answer.text
    assert "EPSG:2817" in answer.text


def test_the_job_is_deferred_by_the_store(staff, engine):
    sent = send(staff)
    id = int(sent.headers["location"].rpartition("/")[2])
    with Session(engine) as session:
        jobs = session.execute(text("SELECT task_name, args FROM procrastinate_jobs")).all()
    assert ("read_poles", {"id": id}) in [tuple(job) for job in jobs]


def test_it_is_for_those_who_work_on_the_lights_of_the_whole_city(client, engine, stored):
    with Session(engine) as session:
        departments = dict(session.execute(select(Department.code, Department.id)).all())
        district = session.scalar(text("SELECT id FROM area WHERE layer = 'neighbourhood' LIMIT 1"))
        others = [
            person(session),
            person(session, Role.STAFF, department_id=departments["cleanup"]),
            person(session, Role.STAFF, department_id=departments["lighting"], area_id=district),
        ]
        session.commit()
    assert client.get("/desk/lights/import", headers=PAGE).status_code == 401
    for one in others:
        signed_in(client, engine, one)
        assert client.get("/desk/lights/import", headers=PAGE).status_code == 403
        assert send(client).status_code == 403


def test_the_web_role_neither_reads_a_file_nor_says_that_it_was_applied(staff, engine):
    _where, id = looked_at(staff, engine)
    for asked in (
        "SELECT content FROM pole_import",
        f"UPDATE pole_import SET counts = '{{}}' WHERE id = {id}",
        f"UPDATE pole_import SET state = 'applied' WHERE id = {id}",
        "DELETE FROM pole_import",
    ):
        with engine.connect() as connection:
            connection.execute(text(f"SET LOCAL ROLE {database.WEB_ROLE}"))
            if "applied" in asked:
                assert connection.execute(text(asked)).rowcount == 0
                continue
            with pytest.raises(DBAPIError, match="permission denied"):
                connection.execute(text(asked))
