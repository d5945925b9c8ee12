import json
import re
from datetime import datetime, timedelta
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest
import shapely
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from data.models import Report, ReportContact, ReportEvent, ServiceLocation, Support
from geo.categories import CATEGORIES
from geo.statuses import PUBLIC, Status
from tests.places import IN_EASTSIDE, IN_THE_WATCH, IN_WESTSIDE, OUTSIDE, City, found_city

LON, LAT = IN_EASTSIDE
ZONE = ZoneInfo("America/Chicago")
HERE = {"lat": str(LAT), "lon": str(LON)}


class Controls(HTMLParser):
    """What a browser without JavaScript would send from the page, and what the page says."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.ids: set[str] = set()
        self.targets: set[str] = set()
        self.described: set[str] = set()
        self._area = ""
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        has = dict(attrs)
        self.ids.add(has.get("id", ""))
        self.described |= {*has.get("aria-describedby", "").split()}
        if has.get("href", "").startswith("#"):
            self.targets.add(has["href"][1:])
        if tag == "input" and "name" in has:
            if has.get("type") in {"radio", "checkbox"} and "checked" not in has:
                return
            self.fields[has["name"]] = has.get("value", "")
        if tag == "textarea":
            self._area = has["name"]
            self.fields[self._area] = ""

    def handle_endtag(self, tag):
        if tag == "textarea":
            self.fields[self._area] = self.fields[self._area].removeprefix("\n")
            self._area = ""

    def handle_data(self, text):
        if self._area:
            self.fields[self._area] += text
        self.text += text


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
    """Opens the form, fills it in, and sends it as a browser without JavaScript does."""

    def send(path="/report", page=None, **typed):
        page = page or client.get(path)
        filled = Controls(page.text).fields | {"category": "light_out"} | typed
        return client.post("/report", data=filled, follow_redirects=False)

    return send


def stored(engine: Engine) -> list[Report]:
    with Session(engine) as session:
        return list(session.scalars(select(Report).order_by(Report.id)))


def set_status(engine: Engine, *statuses: Status) -> None:
    with Session(engine) as session:
        for status in statuses:
            session.execute(update(Report).values(status=status))
        session.commit()


class TestSending:
    def test_by_a_landmark_makes_a_report_and_leads_to_its_page(self, send, client, engine):
        answer = send(address="plaza library", description="Dark <b>since</b> Tuesday")
        assert answer.status_code == 303
        (report,) = stored(engine)
        assert answer.headers["location"] == f"/reports/{report.id}?new=1"
        assert report.address == "Plaza Library"
        assert report.description == "Dark <b>since</b> Tuesday"
        page = client.get(answer.headers["location"])
        assert "Thank you" in page.text
        assert "Plaza Library" in page.text

    def test_by_a_place_on_the_map(self, send, engine, city):
        assert send(**HERE).status_code == 303
        assert stored(engine)[0].neighbourhood_id == city.eastside

    def test_by_coordinates_typed_as_an_address(self, send, engine):
        assert send(address=f"{LAT}, {LON}").status_code == 303
        assert stored(engine)[0].address == ""

    def test_what_is_typed_as_an_address_is_never_stored_as_one(self, send, engine):
        assert send(address="John Doe lives here", **HERE).status_code == 303
        assert stored(engine)[0].address == ""

    def test_contact_and_severity_are_kept(self, send, engine):
        send(severity="dangerous", email=" ann@example.org ", **HERE)
        assert stored(engine)[0].severity == "dangerous"
        with Session(engine) as session:
            assert session.scalars(select(ReportContact)).one().email == "ann@example.org"

    def test_a_double_tap_makes_one_report(self, send, client, engine):
        page = client.get("/report")
        first, second = (send(page=page, **HERE) for _ in range(2))
        assert first.headers["location"] == second.headers["location"]
        assert len(stored(engine)) == 1

    def test_going_back_and_changing_something_asks_and_sends_another(self, send, client, engine):
        page = client.get("/report")
        send(page=page, **HERE)
        again = send(page=page, category="graffiti", **HERE)
        assert again.status_code == 409
        (first,) = stored(engine)
        assert f'href="/reports/{first.id}"' in again.text
        assert send(page=again, category="graffiti").status_code == 303
        assert len(stored(engine)) == 2

    def test_a_category_can_be_chosen_by_the_address_of_the_form(self, client):
        fields = Controls(client.get("/report?category=graffiti").text).fields
        assert (fields["kind"], fields["category"]) == ("cleanup", "graffiti")

    def test_earlier_today_is_local_time(self, send, engine):
        local = datetime.now(ZONE).replace(hour=0, minute=1, second=0, microsecond=0)
        send(when="today", time="00:01", **HERE)
        assert stored(engine)[0].occurred_at == local

    def test_another_day_without_a_time_counts_as_its_noon(self, send, engine):
        day = datetime.now(ZONE).date() - timedelta(days=3)
        send(when="earlier", day=day.isoformat(), **HERE)
        local = stored(engine)[0].occurred_at.astimezone(ZONE)
        assert (local.date(), local.hour) == (day, 12)

    def test_this_day_without_a_time_is_never_in_the_future(self, send):
        day = datetime.now(ZONE).date().isoformat()
        assert send(when="earlier", day=day, **HERE).status_code == 303

    def test_from_another_site_is_refused(self, client, city, engine):
        answer = client.post(
            "/report",
            data={"category": "light_out", **HERE},
            headers={"sec-fetch-site": "cross-site", "accept": "text/html"},
        )
        assert answer.status_code == 403
        assert "<h1>" in answer.text
        assert stored(engine) == []


MISTAKES = {
    "nothing": ({"category": ""}, "Choose what it is about", "what"),
    "another kind": (
        {"kind": "cleanup", "category": "light_out", **HERE},
        "Choose what it is about",
        "what",
    ),
    "no place": ({}, "Say where it is", "address"),
    "unknown place": ({"address": "Xyzzyville 999"}, "no place called", "address"),
    "outside": ({"lat": str(OUTSIDE[1]), "lon": str(OUTSIDE[0])}, "is outside", "address"),
    "swapped": ({"address": f"{LON}, {LAT}"}, "swapped", "address"),
    "nonsense": ({"lat": "north", "lon": "west"}, "no coordinates", "address"),
    "nowhere": ({"lat": "0", "lon": "0"}, "Latitude 0", "address"),
    "future": (
        {"when": "earlier", "day": "2099-01-01", **HERE},
        "in the future",
        "when",
    ),
    "long ago": ({"when": "earlier", "day": "2015-01-01", **HERE}, "two years ago", "when"),
    "no day": ({"when": "earlier", **HERE}, "on which day", "when"),
    "no time": ({"when": "today", **HERE}, "what time", "when"),
    "bad time": ({"when": "today", "time": "nine", **HERE}, "no time", "when"),
    "too long": ({"description": "a" * 10_000, **HERE}, "8000 characters too many", "description"),
    "long address": ({"address": "a" * 201}, "too long for an address", "address"),
    "long name": ({"name": "a" * 201, **HERE}, "200 characters at most", "name"),
    "bad e-mail": ({"email": "nobody", **HERE}, "no e-mail address", "email"),
    "bad phone": ({"phone": "no", **HERE}, "no phone number", "phone"),
}


class TestMistakes:
    @pytest.mark.parametrize("mistake", MISTAKES)
    def test_each_has_its_own_answer_and_loses_nothing(self, send, engine, mistake):
        typed, said, anchor = MISTAKES[mistake]
        typed = {"description": "Dark <since> & 'Tuesday'", "name": "Ann", "phone": ""} | typed
        answer = send(**typed)
        assert answer.status_code == 422
        page = Controls(answer.text)
        assert said in page.text
        assert anchor in page.targets
        assert page.targets <= page.ids
        assert page.described <= page.ids
        assert 'aria-invalid="true"' in answer.text
        assert page.fields.items() >= typed.items() - {("category", "")}
        assert stored(engine) == []

    def test_a_swap_is_offered_and_taken(self, send, engine):
        wrong = send(address=f"{LON}, {LAT}")
        value = re.search(r'name="place" id="place-1" value="([^"]+)"', wrong.text)[1]
        assert value == f"{LAT},{LON}"
        assert send(page=wrong, place=value).status_code == 303
        assert stored(engine)[0].neighbourhood_id is not None

    def test_several_places_of_a_name_are_offered_and_one_is_taken(self, send, engine):
        wrong = send(address="branch library")
        found = dict(re.findall(r'value="([\d.,-]+)">\s*<label for="place-\d">([^<]+)', wrong.text))
        value = next(value for value, label in found.items() if label == "North Branch Library")
        assert send(page=wrong, place=value).status_code == 303
        assert stored(engine)[0].address == "North Branch Library"

    def test_a_choice_does_not_count_for_another_text(self, send, engine):
        wrong = send(address="branch library")
        value = re.search(r'name="place" id="place-1" value="([^"]+)"', wrong.text)[1]
        assert send(page=wrong, place=value, address="Plaza Library").status_code == 303
        assert stored(engine)[0].address == "Plaza Library"

    def test_a_time_long_ago_can_be_confirmed(self, send):
        wrong = send(when="earlier", day="2015-01-01", **HERE)
        assert 'name="long_ago"' in wrong.text
        assert send(page=wrong, long_ago="1").status_code == 303

    def test_what_is_typed_is_shown_as_text(self, send):
        answer = send(description="</textarea><script>alert(1)</script>", name='"><b>')
        assert "<script>alert(1)" not in answer.text
        assert '"><b>' not in answer.text

    def test_a_file_in_place_of_text_is_no_fault_of_ours(self, client, city):
        answer = client.post("/report", files={"description": b"x"})
        assert answer.status_code == 422


LINE = json.dumps({"type": "LineString", "coordinates": [[LON, LAT], [LON + 0.001, LAT]]})
A, B, C, D = [LON, LAT], [LON + 0.001, LAT], [LON + 0.001, LAT + 0.001], [LON, LAT + 0.001]
LOT = json.dumps({"type": "Polygon", "coordinates": [[A, B, C, D, A]]})


def exact(engine: Engine) -> shapely.Geometry:
    """Where the one report that was stored is."""
    with Session(engine) as session:
        return shapely.from_wkb(session.scalar(select(func.ST_AsBinary(Report.exact_geom))))


def ends(*names: tuple[float, float]) -> shapely.Geometry:
    return shapely.LineString(names)


SHAPE_MISTAKES = {
    "no ends": ({}, ["where it begins", "where it ends"]),
    "no end": ({"address": "plaza library"}, ["where it ends"]),
    "one place": ({"address": "plaza library", "to": "plaza library"}, ["two different"]),
    "unknown end": (
        {"address": "plaza library", "to": "Xyzzyville 999"},
        ["called “Xyzzyville 999”"],
    ),
    "swapped end": ({"address": "plaza library", "to": f"{LON}, {LAT}"}, ["swapped"]),
    "one corner": ({"drawn": LINE.replace(str(LON + 0.001), str(LON))}, ["two different"]),
    "no JSON": ({"drawn": "{"}, ["cannot be read"]),
    "deep": ({"drawn": "[" * 100_000}, ["cannot be read"]),
    "no shape": ({"drawn": '{"type": "Circle"}'}, ["cannot be read"]),
    "outside": ({"drawn": LINE.replace(str(LON + 0.001), str(OUTSIDE[0]))}, ["outside"]),
    "crossed": (
        {
            "shape": "polygon",
            "drawn": json.dumps({"type": "Polygon", "coordinates": [[A, C, B, D, A]]}),
        },
        ["crosses itself", "all the way around"],
    ),
    "two corners": (
        {
            "shape": "polygon",
            "drawn": json.dumps({"type": "Polygon", "coordinates": [[A, B, A]]}),
        },
        ["a lot three"],
    ),
}


class TestStretchesAndLots:
    @pytest.mark.parametrize(("shape", "drawn"), [("line", LINE), ("polygon", LOT)])
    def test_what_was_drawn_is_where_it_is(self, send, engine, shape, drawn):
        assert send(shape=shape, drawn=drawn, address="Plaza Library").status_code == 303
        assert exact(engine).equals(shapely.from_geojson(drawn))

    def test_a_stretch_may_be_typed_by_its_ends(self, send, engine, client):
        sent = send(shape="line", address="north branch library", to="plaza library")
        assert sent.status_code == 303
        assert exact(engine) == ends(IN_WESTSIDE, IN_EASTSIDE)
        assert stored(engine)[0].address == "North Branch Library - Plaza Library"
        assert "North Branch Library - Plaza Library" in client.get(sent.headers["location"]).text

    def test_an_end_may_be_coordinates_and_is_no_name_then(self, send, engine):
        send(shape="line", address=f"{LAT}, {LON}", to="north branch library")
        assert exact(engine) == ends(IN_EASTSIDE, IN_WESTSIDE)
        assert stored(engine)[0].address == ""

    def test_places_are_offered_for_both_ends_and_taken(self, send, engine):
        wrong = send(shape="line", address="branch library", to="branch library")
        assert Controls(wrong.text).described <= Controls(wrong.text).ids
        found = {
            label: value
            for value, label in re.findall(
                r'name="to_place" id="to_place-\d" value="([^"]+)"[^>]*>\s*<label[^>]*>([^<]+)',
                wrong.text,
            )
        }
        north = found["North Branch Library"]
        south = found["South Branch Library"]
        assert send(page=wrong, place=north, to_place=south).status_code == 303
        assert exact(engine) == ends(IN_WESTSIDE, IN_THE_WATCH)
        assert stored(engine)[0].address == "North Branch Library - South Branch Library"

    def test_a_choice_for_one_end_is_kept_while_the_other_is_mended(self, send, engine):
        wrong = send(shape="line", address="branch library", to="Xyzzyville 999")
        value = re.search(r'name="place" id="place-1" value="([^"]+)"', wrong.text)[1]
        again = send(page=wrong, place=value)
        assert again.status_code == 422
        assert send(page=again, to="plaza library").status_code == 303
        assert stored(engine)[0].address.endswith("Branch Library - Plaza Library")

    def test_the_address_of_a_lot_is_enough(self, send, engine):
        assert send(shape="polygon", address="plaza library").status_code == 303
        assert exact(engine) == shapely.Point(IN_EASTSIDE)

    def test_a_spot_is_not_where_something_was_drawn_before(self, send, engine):
        assert send(shape="point", drawn=LINE, to="nowhere", **HERE).status_code == 303
        assert exact(engine) == shapely.Point(IN_EASTSIDE)

    @pytest.mark.parametrize("mistake", SHAPE_MISTAKES)
    def test_each_mistake_has_its_own_answer_and_loses_nothing(self, send, engine, mistake):
        typed, said = SHAPE_MISTAKES[mistake]
        typed = {"shape": "line", "description": "Dark", "name": "Ann"} | typed
        answer = send(**typed)
        assert answer.status_code == 422
        page = Controls(answer.text)
        assert all(part in page.text for part in said)
        assert page.targets <= page.ids
        assert page.described <= page.ids
        assert page.fields.items() >= typed.items()
        assert '<details class="report-shape" open>' in answer.text
        assert stored(engine) == []

    @pytest.mark.parametrize(("shape", "drawn"), [("line", LINE), ("polygon", LOT)])
    def test_at_a_home_only_a_point_near_it_is_shown(self, send, client, engine, shape, drawn):
        # The key decides the point that is drawn, so that it is the same in every run.
        sent = send(
            category="property_neglect", shape=shape, drawn=drawn, token="the-key-of-a-home-1"
        )
        with Session(engine) as session:
            public = session.scalar(select(func.ST_AsText(Report.public_geom)))
        assert public.startswith("POINT")
        page = client.get(sent.headers["location"]).text
        assert "spot near it" in page
        assert f"{LAT:.4f}" not in page

    def test_the_map_of_a_long_stretch_shows_all_of_it(self, send, client):
        short = send(shape="line", drawn=LINE)
        west, east = [-94.59, 39.02], [-94.56, 39.02]
        drawn = json.dumps({"type": "LineString", "coordinates": [west, east]})
        long = send(shape="line", drawn=drawn, category="graffiti")
        assert '"zoom": 16' in client.get(short.headers["location"]).text
        page = client.get(long.headers["location"]).text
        assert '"zoom": 14' in page
        assert "center: [39.02, -94.575]" in page


class TestIsItOneOfThese:
    def test_a_known_problem_can_be_joined_instead(self, send, client, engine):
        send(**HERE)
        asked = send(description="still dark", **HERE)
        assert asked.status_code == 200
        assert "Is it one of these?" in asked.text
        (known,) = stored(engine)
        assert f'action="/reports/{known.id}/support"' in asked.text
        client.cookies.clear()  # as another neighbour
        joined = client.post(f"/reports/{known.id}/support", follow_redirects=False)
        assert joined.status_code == 303
        assert "counted among" in client.get(joined.headers["location"]).text

    def test_each_is_told_by_its_place_and_its_number_on_the_map(self, send, client):
        send(address="plaza library")
        send(lat=str(LAT), lon=str(LON + 0.0001), category="light_flickers", new="1")
        asked = send(**HERE)
        first, second = re.findall(r'<li class="report-entry">(.*?)</li>', asked.text, re.DOTALL)
        assert "Plaza Library" in first
        assert '<span class="place-number">2</span>' in second
        assert f'"lat": {LAT}, "lon": {LON}, "number": 1' in asked.text
        assert f'"lon": {LON + 0.0001:.4f}, "number": 2' in asked.text

    def test_of_one_at_a_home_only_the_neighbourhood_is_named(self, send, client):
        send(category="noise_spot", address="plaza library")
        asked = send(category="noise_spot", lat=str(LAT + 0.0001), lon=str(LON))
        assert "Somewhere in Eastside" in asked.text
        assert "Plaza Library" not in asked.text
        assert '"marks": []' in asked.text

    def test_what_was_typed_goes_to_the_staff_of_the_joined_report_once(self, send, client, engine):
        send(**HERE)
        asked = send(description="The <lamp> by the steps", email="ann@example.org", **HERE)
        assert "get to read what you wrote" in asked.text
        assert "are not kept if you join one" in asked.text
        form = Controls(asked.text.partition('class="report-same-actions"')[0]).fields
        assert form.keys() == {"token", "description"}
        (known,) = stored(engine)
        for _ in range(2):
            joined = client.post(f"/reports/{known.id}/support", data=form, follow_redirects=False)
        page = client.get(joined.headers["location"]).text
        assert "is with the staff" in page
        assert "by the steps" not in page + client.get(f"/api/reports/{known.id}").text
        with Session(engine) as session:
            events = session.scalars(select(ReportEvent).where(ReportEvent.kind == "note"))
            assert [(event.note, event.public) for event in events] == [
                ("The <lamp> by the steps", False)
            ]
            assert session.scalars(select(ReportContact)).all() == []

    def test_of_nothing_typed_nothing_is_said_and_nothing_kept(self, send, client, engine):
        send(**HERE)
        asked = send(**HERE)
        assert "what you wrote" not in asked.text
        assert "are not kept" not in asked.text
        client.post(f"/reports/{stored(engine)[0].id}/support", data={"description": " "})
        with Session(engine) as session:
            assert (
                session.scalars(select(ReportEvent).where(ReportEvent.kind == "note")).all() == []
            )

    def test_a_note_that_is_too_long_joins_nothing(self, send, client, engine):
        send(**HERE)
        answer = client.post(
            f"/reports/{stored(engine)[0].id}/support", data={"description": "a" * 10_000}
        )
        assert answer.status_code == 422
        assert "8000 characters too many" in answer.json()["detail"]
        with Session(engine) as session:
            assert session.scalars(select(Support)).all() == []

    def test_no_mine_is_new_sends_what_was_typed(self, send, engine):
        send(**HERE)
        asked = send(description="another <lamp>", **HERE)
        assert send(page=asked, new="1").status_code == 303
        assert [report.description for report in stored(engine)] == ["", "another <lamp>"]

    def test_back_to_the_form_brings_what_was_typed(self, send):
        send(**HERE)
        asked = send(description="another <lamp>", severity="minor", **HERE)
        form = send(page=asked, change="1")
        fields = Controls(form.text).fields
        assert fields["description"] == "another <lamp>"
        assert (fields["severity"], fields["lat"]) == ("minor", str(LAT))

    def test_other_categories_and_closed_reports_are_not_asked_about(self, send, engine):
        send(**HERE)
        assert send(category="graffiti", **HERE).status_code == 303
        set_status(engine, Status.DONE)
        assert send(**HERE).status_code == 303


class TestOnePage:
    @pytest.fixture
    def report(self, send, engine) -> str:
        send(lat=str(IN_THE_WATCH[1]), lon=str(IN_THE_WATCH[0]), description="canary")
        return f"/reports/{stored(engine)[0].id}"

    def test_says_what_where_and_since_when(self, report, client):
        page = Controls(client.get(report).text).text
        for said in ("Street light is out", "Received", "Eastside", "District 3", "Norton Watch"):
            assert said in page
        assert f"http://testserver{report}" in page

    def test_shows_what_people_wrote_of_the_place(self, report, client):
        assert "canary" in client.get(report).text

    @pytest.mark.parametrize("status", sorted(PUBLIC - {Status.RECEIVED}))
    def test_tells_the_meaning_of_each_status(self, report, client, engine, status):
        way = {Status.VERIFIED: [Status.DONE, Status.VERIFIED]}
        set_status(engine, *way.get(status, [status]))
        page = client.get(report)
        assert page.status_code == 200
        assert ("Affects me too" in page.text) == (
            status in {Status.CONFIRMED, Status.SCHEDULED, Status.IN_PROGRESS}
        )

    def test_done_is_the_citys_word_and_verified_the_neighbours(self, report, client, engine):
        set_status(engine, Status.DONE)
        assert "This is the city's word" in client.get(report).text
        set_status(engine, Status.VERIFIED)
        assert "This is the neighbours' word" in client.get(report).text

    def test_who_sent_it_without_an_account_is_asked_in_the_same_browser(
        self, report, client, engine
    ):
        set_status(engine, Status.DONE)
        kept = client.cookies["neighbour"]
        client.cookies.clear()
        assert "Is it fixed?" not in client.get(report).text
        client.cookies.set("neighbour", kept)
        assert "Is it fixed?" in client.get(report).text
        answer = client.post(f"{report}/fixed", data={"fixed": "yes"})
        assert "neighbours say that it is fixed" in answer.text

    def test_who_sent_it_is_thanked_and_not_counted(self, report, client):
        answer = client.post(f"{report}/support")
        assert "the number stays as it is" in answer.text
        assert "1 neighbour says" not in answer.text

    def test_neighbours_who_join_in_a_row_are_one_line(self, report, client):
        for _ in range(3):
            client.cookies.clear()
            client.post(f"{report}/support")
        page = Controls(client.get(report).text).text
        assert "3 neighbours joined" in page
        assert "3 neighbours say that it affects them, too." in page

    def test_a_home_is_shown_by_its_neighbourhood_and_a_spot_near_it(self, send, client, engine):
        # The key decides the point that is drawn, so that it is the same in every run.
        send(category="noise_spot", **HERE, token="the-key-of-a-home-2")
        with Session(engine) as session:
            session.execute(update(Report).values(home_address="3421 Norton Ave"))
            session.commit()
        page = client.get(f"/reports/{stored(engine)[0].id}").text
        assert "Somewhere in Eastside" in page
        assert "Norton Ave" not in page
        assert "spot near it" in page
        assert f"{LAT:.4f}" not in page

    def test_others_nearby_are_listed(self, report, send, client, engine):
        send(lat=str(IN_THE_WATCH[1]), lon=str(IN_THE_WATCH[0] + 0.001), category="graffiti")
        other = stored(engine)[1].id
        page = client.get(report).text
        assert f'href="/reports/{other}"' in page
        assert "280 feet away" in page

    def test_a_held_one_reveals_nothing(self, report, client, engine):
        set_status(engine, Status.HELD)
        page = client.get(report)
        assert page.status_code == 403
        assert "A moderator has taken this report out of sight." in page.text
        for hidden in ("canary", "Street light", "Eastside", "Norton"):
            assert hidden not in page.text

    def test_a_duplicate_leads_to_the_report_that_stands_for_it(self, send, client, engine):
        send(**HERE)
        send(category="graffiti", **HERE)
        first, second = stored(engine)
        with Session(engine) as session:
            session.execute(
                update(Report)
                .where(Report.id == second.id)
                .values(status=Status.DUPLICATE, duplicate_of_id=first.id)
            )
            session.commit()
        assert f'href="/reports/{first.id}"' in client.get(f"/reports/{second.id}").text

    @pytest.mark.parametrize("id", ["1", "999999999999999999999", "abc", "-1"])
    def test_an_unknown_one_is_a_page_that_says_so(self, client, id):
        page = client.get(f"/reports/{id}", headers={"accept": "text/html"})
        assert page.status_code == 404
        assert "<h1>Not found</h1>" in page.text

    def test_notes_are_shown_as_text(self, report, client, engine):
        with Session(engine) as session:
            session.add(
                ReportEvent(report_id=int(report.split("/")[-1]), kind="note", note="<i>Soon</i>")
            )
            session.commit()
        assert "&lt;i&gt;Soon&lt;/i&gt;" in client.get(report).text

    def test_a_closed_one_cannot_be_joined(self, report, client, engine):
        set_status(engine, Status.DECLINED)
        answer = client.post(f"{report}/support", headers={"accept": "text/html"})
        assert answer.status_code == 409
        assert "report it again" in answer.text
        assert client.post("/reports/99999/support").status_code == 404


def test_the_form_offers_every_category_once_and_starts_with_the_emergency(client, city):
    page = client.get("/report").text
    assert page.index("Call 911") < page.index("<h1>")
    for category in CATEGORIES:
        assert page.count(f'value="{category.code}"') == 1


def test_every_label_names_a_control(client, city):
    page = client.get("/report").text
    assert {*re.findall(r'<label[^>]* for="([^"]+)"', page)} <= Controls(page).ids
