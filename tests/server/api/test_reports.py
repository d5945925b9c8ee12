import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import shapely
from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.orm import Session

from data.models import Report, ReportContact, ServiceLocation
from geo.categories import CATEGORIES
from geo.positions import regions_near
from geo.statuses import Status
from server.languages import COOKIE as LANGUAGE_COOKIE
from tests.places import IN_EASTSIDE, IN_THE_WATCH, IN_WESTSIDE, OUTSIDE, City, found_city

LON, LAT = IN_EASTSIDE


@pytest.fixture
def city(engine: Engine) -> City:
    with Session(engine) as session:
        made = found_city(session)
        session.add_all(
            ServiceLocation(
                name=name, type="library", geom=f"SRID=4326;POINT({lon} {lat})", external_id=name
            )
            for name, (lon, lat) in {
                "Plaza Library": IN_EASTSIDE,
                "North Branch Library": IN_WESTSIDE,
                "South Branch Library": IN_THE_WATCH,
            }.items()
        )
        session.commit()
    return made


@pytest.fixture
def send(client, city):
    def send(headers=None, **body):
        if not {"geometry", "lat", "lon", "address"} & body.keys():
            body |= {"lat": LAT, "lon": LON}
        return client.post("/api/reports", json={"category": "light_out"} | body, headers=headers)

    return send


def stored(engine: Engine) -> list[Report]:
    with Session(engine) as session:
        return list(session.scalars(select(Report).order_by(Report.id)))


def fault(answer, status=422):
    """The only thing that is wrong."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    (error,) = answer.json()["errors"]
    assert error["detail"] in answer.json()["detail"]
    return error


class TestSending:
    def test_a_report_is_stored_and_can_be_read(self, send, client, engine):
        answer = send(description="Dark <b>since</b> Tuesday", severity="dangerous")
        assert answer.status_code == 201
        (report,) = stored(engine)
        assert answer.json()["id"] == report.id
        assert answer.headers["location"] == answer.json()["url"] == f"/api/reports/{report.id}"
        assert answer.json()["page"] == f"/reports/{report.id}"
        assert report.description == "Dark <b>since</b> Tuesday"
        assert client.get(answer.json()["url"]).json()["properties"]["status"] == "received"

    @pytest.mark.parametrize(
        "geometry",
        [
            {"type": "Point", "coordinates": [LON, LAT]},
            {"type": "Point", "coordinates": [LON, LAT, 280.5]},
            {"type": "LineString", "coordinates": [[LON, LAT], [LON, LAT + 0.001]]},
            {
                "type": "Polygon",
                "coordinates": [[[LON, LAT], [LON + 0.001, LAT], [LON, LAT + 0.001], [LON, LAT]]],
            },
        ],
    )
    def test_a_place_may_be_a_point_a_line_or_a_lot(self, send, client, geometry):
        url = send(geometry=geometry).json()["url"]
        shown = client.get(url).json()["geometry"]
        assert shown["type"] == geometry["type"]

    @pytest.mark.parametrize(
        "geometry",
        [
            {"type": "LineString", "coordinates": [[LON, LAT], [LON, LAT + 0.001]]},
            {
                "type": "Polygon",
                "coordinates": [[[LON, LAT], [LON + 0.001, LAT], [LON, LAT + 0.001], [LON, LAT]]],
            },
        ],
    )
    def test_of_a_shape_at_a_home_only_a_point_near_it_is_public(self, send, client, geometry):
        url = send(category="property_neglect", geometry=geometry).json()["url"]
        listed = client.get("/api/reports").json()["features"][0]["geometry"]
        shown = client.get(url).json()["geometry"]
        assert listed["type"] == shown["type"] == "Point"
        inside = shapely.point_on_surface(shapely.geometry.shape(geometry))
        assert regions_near(inside, 0).buffer(0.000001).contains(shapely.geometry.shape(shown))

    def test_a_place_may_be_a_landmark(self, send, engine):
        assert send(address="plaza library").status_code == 201
        assert stored(engine)[0].address == "Plaza Library"

    def test_a_place_that_nobody_knows_is_said_so(self, send):
        error = fault(send(address="Xyzzyville 99999"))
        assert error["code"] == "no_such_place"
        assert "Xyzzyville" in error["detail"]

    def test_several_places_of_a_name_are_offered(self, send):
        error = fault(send(address="branch library"))
        assert error["code"] == "several_places"
        assert {choice["label"] for choice in error["choices"]} >= {
            "North Branch Library",
            "South Branch Library",
        }

    def test_a_place_at_a_home_is_public_only_near_it(self, send, client):
        url = send(category="noise_spot").json()["url"]
        feature = client.get(url).json()
        assert feature["properties"]["position"] == "generalized"
        shown = feature["geometry"]["coordinates"]
        assert shown != [LON, LAT]
        assert shown == pytest.approx([LON, LAT], abs=0.003)

    def test_two_reports_of_one_home_are_shown_in_one_cell(self, send, client):
        urls = [send(category="noise_spot").json()["url"] for _ in range(2)]
        shown = [shapely.geometry.shape(client.get(url).json()["geometry"]) for url in urls]
        assert shown[0] != shown[1]
        # The interface gives six decimals: a point at the edge may be 0.1 m past it.
        cell = regions_near(shapely.Point(LON, LAT), 0).buffer(0.000001)
        assert cell.contains(shapely.MultiPoint(shown))

    def test_two_homes_of_one_cell_cannot_be_told_apart(self, send, client, engine):
        first = send(category="noise_spot", headers={"Idempotency-Key": "k"}).json()["url"]
        shown = client.get(first).json()["geometry"]
        with Session(engine) as session:
            session.execute(text("TRUNCATE report CASCADE"))
            session.commit()
        beside = {"lat": LAT + 0.0001, "lon": LON, "headers": {"Idempotency-Key": "k"}}
        other = send(category="noise_spot", **beside).json()["url"]
        assert client.get(other).json()["geometry"] == shown

    def test_of_a_home_no_address_is_told(self, send, client):
        url = send(category="noise_spot", address="plaza library").json()["url"]
        properties = client.get(url).json()["properties"]
        assert properties["place"] is None
        assert properties["neighbourhood"] is not None

    def test_contact_is_kept_apart_and_shown_nowhere(self, send, client, engine):
        sent = send(contact={"name": "Ann", "email": "ann@example.org", "phone": "816-555-0100"})
        with Session(engine) as session:
            kept = session.scalars(select(ReportContact)).one()
            assert (kept.name, kept.email) == ("Ann", "ann@example.org")
        for url in (sent.json()["url"], "/api/reports"):
            assert "ann@example.org" not in client.get(url).text


class TestMistakes:
    def test_outside_the_served_area(self, send, engine):
        error = fault(send(lon=OUTSIDE[0], lat=OUTSIDE[1]))
        assert error["code"] == "outside_served_area"
        assert "Kansas City" in error["detail"]
        assert stored(engine) == []

    def test_a_swapped_coordinate_is_offered_back(self, send):
        error = fault(send(lat=LON, lon=LAT))
        assert error["code"] == "swapped"
        assert error["meant"] == {"lat": LAT, "lon": LON}

    def test_a_swapped_geometry_is_offered_back(self, send):
        error = fault(send(geometry={"type": "Point", "coordinates": [LAT, LON]}))
        assert error["meant"] == {"lat": LAT, "lon": LON}

    @pytest.mark.parametrize(
        ("lat", "lon", "code"),
        [
            (391, LON, "out_of_range"),
            (0, 0, "zero"),
            (48.85, 2.35, "far_away"),
            (LAT, None, "not_a_number"),
        ],
    )
    def test_nonsense_coordinates(self, send, lat, lon, code):
        assert fault(send(lat=lat, lon=lon))["code"] == code

    def test_not_even_numbers(self, client, city):
        for wrong in (b"NaN", b"Infinity", b"1e999"):
            body = b'{"category": "light_out", "lat": %b, "lon": -94.57}' % wrong
            answer = client.post(
                "/api/reports", content=body, headers={"content-type": "application/json"}
            )
            assert fault(answer)["code"] == "not_a_number"

    @pytest.mark.parametrize(
        ("member", "sent"),
        [
            ("street_light_id", {"street_light_id": True}),
            ("street_light_id", {"street_light_id": "1"}),
            ("on_behalf_of", {"lat": LAT, "lon": LON, "on_behalf_of": True}),
            ("lat", {"lat": True, "lon": LON}),
            ("lon", {"lat": LAT, "lon": str(LON)}),
            (
                "geometry/Point/coordinates/0",
                {"geometry": {"type": "Point", "coordinates": [True, LAT]}},
            ),
        ],
    )
    def test_what_only_looks_like_a_number_is_none(self, client, city, member, sent):
        error = fault(client.post("/api/reports", json={"category": "light_out"} | sent))
        assert error == {"pointer": f"body/{member}", "detail": "write a number, without quotes"}

    def test_a_lot_whose_outline_crosses_itself(self, send):
        ring = [[LON, LAT], [LON + 0.001, LAT + 0.001], [LON + 0.001, LAT], [LON, LAT + 0.001]]
        error = fault(send(geometry={"type": "Polygon", "coordinates": [[*ring, ring[0]]]}))
        assert error["code"] == "crosses_itself"

    def test_a_time_in_the_future(self, send):
        assert fault(send(occurred_at="2099-01-01T00:00:00Z"))["code"] == "future"

    def test_a_time_long_ago_is_asked_about_and_taken_when_confirmed(self, send):
        ago = "2015-01-01T00:00:00-06:00"
        assert fault(send(occurred_at=ago))["code"] == "long_ago"
        assert send(occurred_at=ago, long_ago=True).status_code == 201

    def test_a_time_before_anybody_lived(self, send):
        answer = send(occurred_at="0001-01-01T00:00:00+14:00", long_ago=True)
        assert fault(answer)["code"] == "too_long_ago"

    def test_a_time_without_offset(self, send):
        assert send(occurred_at="2026-01-01T00:00:00").status_code == 422

    def test_a_text_of_ten_thousand_characters(self, send, engine):
        error = fault(send(description="a" * 10_000))
        assert error["code"] == "too_long"
        assert "8000 characters too many" in error["detail"]
        assert stored(engine) == []

    def test_a_text_of_two_thousand_characters_fits(self, send, engine):
        assert send(description="ä" * 2_000).status_code == 201

    def test_characters_that_cannot_be_stored_are_left_out(self, send, engine):
        assert send(description="a\x00b\x1b\u202ec").status_code == 201
        assert stored(engine)[0].description == "abc"

    @pytest.mark.parametrize("field", ["description", "address", "category", "unknown\ud800"])
    def test_half_a_character_is_no_fault_of_ours(self, client, city, field):
        body = {"category": "light_out", "lat": LAT, "lon": LON} | {field: "\ud800"}
        answer = client.post(
            "/api/reports",
            content=json.dumps(body),
            headers={"content-type": "application/json"},
        )
        assert answer.status_code == (201 if field == "description" else 422)

    def test_an_unknown_category(self, send):
        error = fault(send(category="light-out"))
        assert error["code"] == "unknown_category"
        assert "light_out" in error["detail"]
        assert "/api/categories" in fault(send(category="murder"))["detail"]

    def test_no_place_and_two_places(self, client, send):
        answer = client.post("/api/reports", json={"category": "light_out"})
        assert fault(answer)["code"] == "one_place"
        assert fault(send(lat=LAT, lon=LON, address="Plaza Library"))["code"] == "one_place"

    @pytest.mark.parametrize(
        ("contact", "code"),
        [
            ({"email": "nobody"}, "not_an_email_address"),
            ({"email": "a b@example.org"}, "not_an_email_address"),
            ({"phone": "call me"}, "not_a_phone_number"),
        ],
    )
    def test_contact_by_which_nobody_is_reached(self, send, contact, code):
        assert fault(send(contact=contact))["code"] == code

    def test_everything_wrong_is_said_at_once(self, send):
        answer = send(category="x", lat=0, lon=0, description="a" * 2_001)
        codes = [error["code"] for error in answer.json()["errors"]]
        assert codes == ["unknown_category", "zero", "too_long"]

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
    def test_a_body_that_is_no_json(self, client, city, kind):
        answer = client.post("/api/reports", content=b"{}", headers={"content-type": kind})
        assert answer.status_code == 415
        assert answer.headers["content-type"] == "application/problem+json"

    def test_broken_json(self, client, city):
        answer = client.post(
            "/api/reports", content=b"{", headers={"content-type": "application/json"}
        )
        assert answer.status_code == 422

    @pytest.mark.parametrize(
        "kept",
        [{"sec-fetch-site": "cross-site"}, {"origin": "https://x.y"}, {"origin": "http://["}],
    )
    def test_what_another_site_sends(self, send, engine, kept):
        assert send(headers=kept).status_code == 403
        assert stored(engine) == []

    @pytest.mark.parametrize(
        "own", [{"sec-fetch-site": "same-origin"}, {"origin": "http://testserver"}]
    )
    def test_what_our_own_site_sends_is_taken(self, send, own):
        assert send(headers=own).status_code == 201


KEY = {"idempotency-key": "3f0c"}


class TestIdempotency:
    def test_the_same_again_gets_the_same_answer(self, send, engine):
        first, second = send(headers=KEY), send(headers=KEY)
        assert first.status_code == second.status_code == 201
        assert first.content == second.content
        assert "idempotency-replayed" not in first.headers
        assert second.headers["idempotency-replayed"] == "true"
        assert len(stored(engine)) == 1

    def test_another_report_under_a_used_key_is_refused(self, send, engine):
        first = send(headers=KEY).json()
        answer = send(headers=KEY, category="litter")
        assert answer.status_code == 422
        assert first["url"] in answer.json()["detail"]
        assert len(stored(engine)) == 1

    def test_a_key_under_which_nothing_was_stored_can_be_used_again(self, send, engine):
        assert send(headers=KEY, lon=OUTSIDE[0], lat=OUTSIDE[1]).status_code == 422
        assert send(headers=KEY).status_code == 201

    def test_fifty_at_once_make_one_report(self, send, engine):
        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(lambda _: send(headers=KEY), range(50)))
        assert {answer.status_code for answer in answers} <= {201, 503}
        assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
        assert len(stored(engine)) == 1

    def test_without_a_key_each_is_a_report(self, send, engine):
        send()
        send()
        assert len(stored(engine)) == 2

    def test_a_key_with_spaces_is_no_key(self, send):
        assert send(headers={"idempotency-key": "a b"}).status_code == 422


class TestReading:
    def test_a_page_is_geojson_and_leads_to_the_next(self, send, client):
        ids = [send().json()["id"] for _ in range(3)]
        first = client.get("/api/reports", params={"limit": 2, "kind": "lighting"})
        assert first.headers["content-type"] == "application/geo+json"
        body = first.json()
        assert body["type"] == "FeatureCollection"
        assert [feature["id"] for feature in body["features"]] == ids[:0:-1]
        assert body["numberReturned"] == 2
        (following,) = (link["href"] for link in body["links"] if link["rel"] == "next")
        assert first.headers["link"].startswith(f"<{following}>; rel=")
        second = client.get(following)
        assert [feature["id"] for feature in second.json()["features"]] == ids[:1]
        assert "link" not in second.headers

    def test_filters_narrow(self, send, client, city):
        send()
        graffiti = send(category="graffiti", lon=IN_WESTSIDE[0], lat=IN_WESTSIDE[1]).json()["id"]
        for params in (
            {"kind": "cleanup"},
            {"category": "graffiti"},
            {"area": city.westside},
            {"bbox": "-94.59,39.01,-94.58,39.03"},
        ):
            found = client.get("/api/reports", params=params).json()["features"]
            assert [feature["id"] for feature in found] == [graffiti]
        assert client.get("/api/reports", params={"status": "verified"}).json()["features"] == []

    @pytest.mark.parametrize(
        ("name", "wrong"),
        [
            ("bbox", "1,2,3"),
            ("bbox", "1,2,0,4"),
            ("bbox", "nan,nan,nan,nan"),
            ("cursor", "yesterday"),
            ("cursor", "999999999999999999-1"),
            ("limit", "1001"),
            ("limit", "0"),
            ("kind", "murder"),
            ("category", "murder"),
            ("status", "held"),
            ("from", "soon"),
            ("area", "0"),
        ],
    )
    def test_a_wrong_parameter_is_named(self, client, name, wrong):
        answer = client.get("/api/reports", params={name: wrong})
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert name in answer.text or name in {"bbox", "cursor"}

    def test_one_report_tells_its_areas_and_what_happened(self, send, client):
        sent = send(lon=IN_THE_WATCH[0], lat=IN_THE_WATCH[1])
        feature = client.get(sent.json()["url"]).json()
        properties = feature["properties"]
        assert feature["id"] == sent.json()["id"]
        assert properties["neighbourhood"] == "Eastside"
        assert properties["block_watch"] == "Norton Watch"
        assert [entry["status"] for entry in properties["timeline"]] == ["received"]

    def test_no_report_with_this_number(self, client):
        for id in (1, 2**63 - 1):
            assert client.get(f"/api/reports/{id}").status_code == 404

    def test_a_held_one_waits_for_a_moderator(self, send, client, engine):
        url = send(description="canary").json()["url"]
        with Session(engine) as session:
            session.execute(update(Report).values(status=Status.HELD))
            session.commit()
        answer = client.get(url)
        assert answer.status_code == 403
        assert "moderator" in answer.json()["detail"]
        assert "canary" not in answer.text
        assert "light_out" not in answer.text
        assert client.get("/api/reports").json()["features"] == []

    def test_what_people_write_of_places_is_public(self, send, client):
        sent = send(description="Dark at night").json()
        assert sent["text"] == {"state": "public", "findings": [], "preview": "Dark at night"}
        assert client.get(sent["url"]).json()["properties"]["text"] == "Dark at night"

    def test_what_points_at_a_person_waits_and_its_sender_is_told_why(self, send, client):
        sent = send(description="Dark. Call me: 816-555-0142").json()
        assert sent["text"]["state"] == "waiting"
        assert [finding["concern"] for finding in sent["text"]["findings"]] == ["phone"]
        assert sent["text"]["findings"][0]["text"] == "816-555-0142"
        assert "0142" not in sent["text"]["preview"]
        for page in (sent["url"], sent["page"], "/api/reports", "/list"):
            assert "0142" not in client.get(page).text
        assert client.get(sent["url"]).json()["properties"]["text"] == ""

    def test_the_categories_are_the_table(self, client):
        answer = client.get("/api/categories").json()
        assert [category["code"] for category in answer] == [c.code for c in CATEGORIES]
        assert {c["position"] for c in answer} == {"exact", "generalized"}

    def test_the_database_away_is_not_an_empty_list(self, client, engine):
        with Session(engine) as session:
            session.execute(text("ALTER TABLE report RENAME TO gone"))
            session.commit()
        assert client.get("/api/reports").status_code == 500


class TestSupport:
    def test_a_browser_counts_once(self, send, client, engine):
        url = send().json()["url"]
        first = client.post(f"{url}/support")
        assert first.json() == {"supports": 1, "counted": True}
        assert re.search(r"neighbour=\S+; HttpOnly; .*SameSite=lax", first.headers["set-cookie"])
        assert client.post(f"{url}/support").json() == {"supports": 1, "counted": False}
        client.cookies.clear()
        assert client.post(f"{url}/support").json() == {"supports": 2, "counted": True}
        assert client.get(url).json()["properties"]["supports"] == 2

    def test_one_neighbour_is_not_told_again_in_two_reports(self, send, client, engine):
        for _ in range(2):
            client.post(f"{send().json()['url']}/support")
        with Session(engine) as session:
            assert session.scalar(text("SELECT count(DISTINCT supporter) FROM support")) == 2

    def test_of_no_report(self, client):
        assert client.post("/api/reports/1/support").status_code == 404

    def test_of_a_closed_report(self, send, client, engine):
        url = send().json()["url"]
        with Session(engine) as session:
            session.execute(update(Report).values(status=Status.DECLINED))
            session.commit()
        answer = client.post(f"{url}/support")
        assert answer.status_code == 409
        assert "report it again" in answer.json()["detail"]

    def test_from_another_site(self, send, client, engine):
        url = send().json()["url"]
        refused = client.post(f"{url}/support", headers={"sec-fetch-site": "cross-site"})
        assert refused.status_code == 403
        with Session(engine) as session:
            assert session.scalar(select(func.count()).select_from(text("support"))) == 0


def test_problems_are_told_in_spanish_where_a_message_has_its_translation(send, client):
    client.cookies.set(LANGUAGE_COOKIE, "es")
    assert send(lat=0, lon=0).status_code == 422
