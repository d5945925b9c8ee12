import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import shapely
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from data import database
from data.models import Area, BlockWatch, EventKind, Follow, Mail, Pace, Report, ReportEvent, Told
from data.queries import follows, gazetteer, people
from data.queries.follows import Subject
from geo.kinds import Kind
from geo.statuses import Status
from server.following import mornings, read_token, tell_all, token
from tests.data.queries.test_places import put_addresses
from tests.people import person, signed_in
from tests.places import IN_EASTSIDE, IN_THE_WATCH, IN_WESTSIDE, box, found_city
from tests.reports import moved, new, send

CANARY = "canary in private text"
SECRET = b"s" * 32
ANN = "ann@example.org"


@pytest.fixture
def store(engine):
    with Session(engine) as session:
        yield session


@pytest.fixture
def city(store):
    made = found_city(store)
    store.commit()
    return made


@pytest.fixture
def ann(store, city):
    id = person(store, email=ANN)
    store.commit()
    return id


@pytest.fixture
def follow(store):
    """Follow something since an hour ago."""

    def add(person_id, pace=Pace.AT_ONCE, language="en", **subject):
        store.execute(
            text("SELECT set_config('porchlight.person', :p, true)"), {"p": str(person_id)}
        )
        assert follows.add(store, person_id, Subject(**subject), pace, language)
        store.execute(
            update(Follow).values(
                created_at=func.now() - text("interval '1 hour'"),
                told_to=func.now() - text("interval '1 hour'"),
            )
        )
        store.commit()
        return store.scalars(select(func.max(Follow.id))).one()

    return add


@pytest.fixture
def report(store, city):
    def make(category="light_out", at=IN_EASTSIDE, **values):
        id = send(store, new(category, at=at, **values))
        store.commit()
        return id

    return make


@pytest.fixture
def happens(store):
    """Something happens to a report, and is committed."""

    def add(report_id, status=None, note="", public=True):
        if status is not None:
            moved(store, report_id, status)
        store.execute(
            insert(ReportEvent).values(
                report_id=report_id,
                kind=EventKind.NOTE if status is None else EventKind.STATUS,
                to_status=status,
                note=note,
                public=public,
            )
        )
        store.commit()

    return add


@pytest.fixture
def mails(engine, settings, store):
    """Tell who is due; gives what was written since the last time."""

    def tell():
        store.rollback()
        tell_all(engine, settings)
        found = store.scalars(select(Mail).order_by(Mail.id)).all()
        store.expunge_all()
        store.execute(delete(Mail))
        store.commit()
        return found

    return tell


class TestTelling:
    def test_a_follower_reads_of_each_public_step_once(self, ann, report, follow, happens, mails):
        id = report(address="3412 Norton Ave")
        mails()
        follow(ann, report_id=id)
        mails()
        happens(id, Status.CONFIRMED)
        (mail,) = mails()
        assert mail.recipient == ANN
        assert mail.subject == "Street light is out, 3412 Norton Ave: Confirmed"
        assert f"http://127.0.0.1:8000/reports/{id}" in mail.text
        assert f'href="http://127.0.0.1:8000/reports/{id}"' in mail.html
        assert mail.unsubscribe in mail.text
        assert mail.unsubscribe in mail.html
        assert mails() == []

    def test_public_notes_are_told_and_escaped(self, ann, report, follow, happens, mails):
        id = report()
        follow(ann, report_id=id)
        mails()
        happens(id, note="The crew <b>comes</b> & looks.")
        (mail,) = mails()
        assert "The crew <b>comes</b> & looks." in mail.text
        assert "The crew &lt;b&gt;comes&lt;/b&gt; &amp; looks." in mail.html

    def test_nothing_is_told_that_the_page_does_not_show(
        self, ann, store, city, report, follow, happens, mails
    ):
        follow(ann)
        id = report("noise_spot", description=CANARY, address="3412 Norton Ave")
        happens(id, note=CANARY, public=False)
        (mail,) = mails()
        told = f"{mail.subject} {mail.text} {mail.html}"
        assert CANARY not in told
        assert "Norton" not in told
        assert "Somewhere in Eastside" in told

    def test_held_reports_are_never_told(self, ann, report, follow, happens, mails):
        follow(ann)
        id = report()
        follow(ann, report_id=id)
        happens(id, Status.HELD)
        assert mails() == []
        happens(id, Status.RECEIVED)
        (mail,) = mails()
        assert "Received" in mail.text

    @pytest.mark.parametrize(
        ("subject", "told"),
        [
            (lambda city: {"block_watch_id": city.block_watch}, {"watch"}),
            (lambda city: {"area_id": city.westside}, {"west"}),
            (lambda city: {"area_id": city.council_district}, {"watch", "west", "east"}),
            (lambda city: {}, {"watch", "west", "east"}),
            (lambda city: {"kinds": (Kind.CLEANUP,)}, {"west"}),
            (lambda city: {"area_id": city.eastside, "categories": ("light_out",)}, {"watch"}),
            (lambda city: {"drawn": shape(IN_WESTSIDE)}, {"west"}),
        ],
    )
    def test_followers_of_a_place_are_told_of_what_is_in_it(
        self, ann, city, report, follow, mails, subject, told
    ):
        follow(ann, **subject(city))
        names = {
            report("light_out", IN_THE_WATCH): "watch",
            report("litter", IN_WESTSIDE): "west",
            report("light_flickers", IN_EASTSIDE): "east",
        }
        (mail,) = mails()
        assert {names[int(id)] for id in set(re.findall(r"/reports/(\d+)", mail.text))} == told

    def test_who_follows_by_two_ways_is_told_once(self, ann, city, report, follow, happens, mails):
        id = report("light_out", IN_THE_WATCH)
        follow(ann, report_id=id)
        follow(ann, block_watch_id=city.block_watch)
        mails()
        happens(id, Status.CONFIRMED)
        assert len(mails()) == 1

    def test_what_happened_before_somebody_followed_is_not_told(
        self, ann, store, report, follow, mails
    ):
        id = report()
        follow(ann, report_id=id)
        store.execute(update(Follow).values(created_at=func.now() + text("interval '1 second'")))
        store.commit()
        assert mails() == []

    def test_a_commit_that_comes_late_is_still_told(
        self, ann, engine, store, report, follow, mails
    ):
        id = report()
        follow(ann, report_id=id)
        mails()
        with Session(engine) as late:
            late.execute(
                insert(ReportEvent).values(report_id=id, kind=EventKind.NOTE, note="From before")
            )
            late.flush()
            store.execute(update(Follow).values(told_to=func.now() - text("interval '2 hours'")))
            store.commit()
            assert mails() == []
            late.commit()
        (mail,) = mails()
        assert "From before" in mail.text

    def test_followers_of_a_duplicate_hear_of_the_report_that_stands_for_it(
        self, ann, store, report, follow, happens, mails
    ):
        main, copy = report(), report()
        follow(ann, report_id=copy)
        mails()
        store.execute(
            update(Report)
            .where(Report.id == copy)
            .values(status=Status.DUPLICATE, duplicate_of_id=main)
        )
        store.commit()
        happens(main, Status.CONFIRMED)
        (mail,) = mails()
        assert f"/reports/{main}" in mail.text

    def test_a_boundary_that_changes_keeps_its_followers(
        self, ann, store, city, report, follow, mails
    ):
        follow(ann, block_watch_id=city.block_watch)
        follow(ann, area_id=city.westside, pace=Pace.AT_ONCE)
        store.execute(update(BlockWatch).values(boundary=box(-94.59, 39.015, -94.58, 39.025)))
        store.execute(
            update(Area).where(Area.id == city.westside).values(geom=box(-94.6, 39, -94.58, 39.04))
        )
        store.commit()
        report("litter", IN_WESTSIDE)
        (mail,) = mails()
        assert "Norton Watch" in mail.text or "Westside" in mail.text

    def test_a_message_is_in_the_followers_language(self, ann, report, follow, happens, mails):
        id = report()
        follow(ann, report_id=id, language="es")
        mails()
        happens(id, Status.CONFIRMED)
        (mail,) = mails()
        assert "Confirmado" in mail.subject
        assert '<html lang="es">' in mail.html

    def test_one_address_that_cannot_be_written_to_keeps_no_other_from_the_news(
        self, ann, store, report, follow, mails
    ):
        other = person(store, email="not an address")
        follow(other)
        follow(ann)
        report()
        (mail,) = mails()
        assert mail.recipient == ANN

    def test_whoever_was_disabled_is_told_nothing(self, ann, store, report, follow, mails):
        follow(ann)
        store.execute(text("UPDATE person SET disabled_at = now()"))
        store.commit()
        report()
        assert mails() == []


class TestDigests:
    def test_a_digest_waits_for_the_morning_and_tells_all_at_once(
        self, ann, store, report, follow, mails
    ):
        follow(ann, Pace.DAILY)
        morning = mornings(datetime.now(UTC), ZoneInfo("America/Chicago"))[0]
        store.execute(update(Follow).values(told_to=morning))
        store.commit()
        for _ in range(3):
            report()
        assert mails() == []
        store.execute(update(Follow).values(told_to=morning - timedelta(minutes=1)))
        store.commit()
        (mail,) = mails()
        assert mail.subject == "The whole city: 3 pieces of news"
        assert mails() == []

    def test_what_fits_several_follows_is_told_once_through_the_finest(
        self, client, ann, store, city, report, follow, happens, mails
    ):
        """In one message, by what it is followed through; one link for each, one for all."""
        follow(ann)
        follow(ann, area_id=city.eastside)
        follow(ann, block_watch_id=city.block_watch)
        watched = report("litter", IN_THE_WATCH, address="1 Watch St")
        happens(watched, Status.CONFIRMED)
        report("light_out", IN_EASTSIDE, address="2 East St")
        report("dumping", IN_WESTSIDE, address="3 West St")
        (mail,) = mails()
        assert mail.subject == "What you follow: 4 pieces of news"
        order = ["Norton Watch", "1 Watch St", "Confirmed", "Eastside", "2 East St"]
        order += ["The whole city", "3 West St"]
        places = [mail.text.index(word) for word in order]
        assert places == sorted(places)
        for address in ("1 Watch St", "2 East St", "3 West St"):
            assert mail.text.count(address) == mail.html.count(address) == 1
        assert mails() == []
        links = [*dict.fromkeys(re.findall(r"http\S+(/unsubscribe/\S+)", mail.text))]
        assert len(links) == 4
        assert links[-1] == mail.unsubscribe.removeprefix("http://127.0.0.1:8000")
        client.post(links[0])
        assert store.scalars(select(Follow.block_watch_id)).all() == [None, None]
        store.rollback()
        assert "Eastside" in (page := client.get(mail.unsubscribe).text)
        assert "The whole city" in page
        client.post(mail.unsubscribe, data={"List-Unsubscribe": "One-Click"})
        assert store.scalars(select(Follow)).all() == []

    def test_digests_of_several_follows_come_in_one_message(
        self, ann, store, city, report, follow, mails
    ):
        morning = mornings(datetime.now(UTC), ZoneInfo("America/Chicago"))[0]
        follow(ann, Pace.DAILY, area_id=city.eastside)
        follow(ann, Pace.DAILY, area_id=city.westside)
        waits = follow(ann, Pace.WEEKLY, kinds=(Kind.CLEANUP,))
        monday = mornings(datetime.now(UTC), ZoneInfo("America/Chicago"))[1]
        store.execute(update(Follow).values(told_to=morning - timedelta(minutes=1)))
        store.execute(update(Follow).where(Follow.id == waits).values(told_to=monday))
        store.commit()
        report("light_out", IN_EASTSIDE, address="2 East St")
        report("light_out", IN_WESTSIDE, address="3 West St")
        (mail,) = mails()
        assert "Eastside" in mail.text
        assert "Westside" in mail.text
        assert "The whole city" not in mail.text

    @pytest.mark.parametrize(
        ("now", "morning", "monday"),
        [
            ("2026-11-18T06:59-06:00", "2026-11-17T07:00-06:00", "2026-11-16T07:00-06:00"),
            ("2026-11-18T07:00-06:00", "2026-11-18T07:00-06:00", "2026-11-16T07:00-06:00"),
            ("2026-11-16T06:00-06:00", "2026-11-15T07:00-06:00", "2026-11-09T07:00-06:00"),
            ("2026-11-16T07:00-06:00", "2026-11-16T07:00-06:00", "2026-11-16T07:00-06:00"),
            # Summer time ends on November 1st: seven in the morning stays seven in the morning.
            ("2026-11-01T13:30+00:00", "2026-11-01T07:00-06:00", "2026-10-26T07:00-05:00"),
        ],
    )
    def test_mornings_are_the_citys(self, now, morning, monday):
        found = mornings(datetime.fromisoformat(now), ZoneInfo("America/Chicago"))
        assert found == (datetime.fromisoformat(morning), datetime.fromisoformat(monday))


class TestPages:
    def test_whoever_is_not_signed_in_is_led_to_sign_in_and_back(self, client, city, report):
        id = report()
        page = client.get(f"/reports/{id}").text
        assert f'href="/following/new?report={id}"' in page
        answer = client.get(f"/following/new?report={id}", follow_redirects=False)
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/sign-in?next=%2Ffollowing%2Fnew%3Freport%3D{id}"
        answer = client.post("/following", data={"report": id}, follow_redirects=False)
        assert answer.headers["location"] == f"/sign-in?next=%2Ffollowing%2Fnew%3Freport%3D{id}"

    def test_a_report_is_followed_from_its_page(self, client, engine, store, ann, report):
        id = report(address="3412 Norton Ave")
        signed_in(client, engine, ann)
        assert f'name="report" value="{id}"' in client.get(f"/reports/{id}").text
        page = client.post("/following", data={"report": id, "pace": "daily"})
        assert "Street light is out, 3412 Norton Ave" in page.text
        assert "You follow it from now on." in page.text
        found = store.scalars(select(Follow)).one()
        assert (found.person_id, found.report_id, found.pace) == (ann, id, Pace.DAILY)
        page = client.get(f"/reports/{id}").text
        assert "Once a day, in the morning" in page
        assert 'action="/following"' not in page

    def test_the_list_lets_follow_what_it_shows(self, client, engine, store, city, ann):
        query = f"kind=lighting&block_watch={city.block_watch}"
        page = client.get(f"/list?{query}&from=2026-01-01").text
        asked = f"/following/new?kind=lighting&amp;block_watch={city.block_watch}"
        assert f'href="{asked}"' in page
        signed_in(client, engine, ann)
        page = client.get(asked.replace("&amp;", "&")).text
        assert "Follow: Norton Watch (Lighting)" in page
        fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
        assert fields == {"kind": "lighting", "block_watch": str(city.block_watch)}
        client.post("/following", data=fields | {"pace": "weekly"})
        found = store.scalars(select(Follow)).one()
        assert (found.block_watch_id, found.kinds) == (city.block_watch, [Kind.LIGHTING])

    def test_a_part_of_the_map_is_followed_by_its_box(self, client, engine, store, ann):
        signed_in(client, engine, ann)
        box = {"bbox": "-94.59,39.01,-94.58,39.03"}
        assert "An area of the map" in client.get("/following/new", params=box).text
        client.post("/following", data=box)
        area = store.scalar(select(func.ST_AsText(func.ST_Envelope(Follow.drawn))))
        assert area.startswith("POLYGON((-94.59 39.01")

    def test_following_twice_changes_the_pace(self, client, engine, store, ann, report):
        id = report()
        signed_in(client, engine, ann)
        for pace in ("daily", "weekly"):
            client.post("/following", data={"report": id, "pace": pace})
        assert store.scalars(select(Follow.pace)).all() == [Pace.WEEKLY]

    def test_what_is_followed_can_be_changed_and_stopped(self, client, engine, store, ann, report):
        signed_in(client, engine, ann)
        client.post("/following", data={"report": report()})
        id = store.scalars(select(Follow.id)).one()
        client.post(f"/following/{id}", data={"pace": "weekly"})
        store.rollback()
        assert store.scalars(select(Follow.pace)).one() == Pace.WEEKLY
        assert "You follow nothing yet." in client.post(f"/following/{id}/stop").text

    def test_nobody_sees_or_changes_what_others_follow(
        self, client, engine, store, ann, report, follow
    ):
        id = follow(ann, report_id=report())
        other = person(store, email="eve@example.org")
        store.commit()
        signed_in(client, engine, other)
        assert "You follow nothing yet." in client.get("/following").text
        client.post(f"/following/{id}", data={"pace": "weekly"})
        client.post(f"/following/{id}/stop")
        store.rollback()
        assert store.scalars(select(Follow.pace)).one() == Pace.AT_ONCE

    @pytest.mark.parametrize(
        "asked",
        ["report=999", "block_watch=999", "area=999", "report=0", "bbox=9", "kind=people"],
    )
    def test_what_there_is_not_can_not_be_followed(self, client, engine, store, ann, asked):
        signed_in(client, engine, ann)
        answer = client.post(
            "/following",
            content=asked,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert answer.status_code in {404, 422}
        assert store.scalars(select(Follow)).all() == []

    def test_a_held_report_can_not_be_followed(self, client, engine, store, ann, report):
        id = report()
        moved(store, id, Status.HELD)
        store.commit()
        signed_in(client, engine, ann)
        assert client.post("/following", data={"report": id}).status_code == 404

    def test_an_account_without_an_address_is_shown_the_feed(
        self, client, engine, store, city, report
    ):
        id, followed = person(store), report()
        store.commit()
        signed_in(client, engine, id)
        assert "/feeds/reports.atom" in client.get("/following/new").text
        page = client.get(f"/reports/{followed}").text
        assert 'action="/following"' not in page
        assert f"/reports/{followed}.atom" in page
        assert client.post("/following", data={}).status_code == 409

    def test_nobody_follows_without_end(self, client, engine, store, ann, monkeypatch, report):
        monkeypatch.setattr(follows, "MOST_FOLLOWED", 1)
        signed_in(client, engine, ann)
        assert client.post("/following", data={"report": report()}).status_code == 200
        assert client.post("/following", data={"report": report()}).status_code == 409

    def test_another_site_can_follow_nothing_in_somebodys_name(self, client, engine, ann):
        signed_in(client, engine, ann)
        answer = client.post("/following", data={}, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403


class TestDrawnAreas:
    @pytest.fixture
    def signed(self, client, engine, ann):
        return signed_in(client, engine, ann)

    @staticmethod
    def ring(*corners):
        return shapely.to_geojson(shapely.Polygon(corners))

    def test_an_area_that_was_drawn_is_followed_shown_changed_and_told_of(
        self, signed, store, report, mails
    ):
        drawn = self.ring((-94.56, 39.015), (-94.55, 39.015), (-94.55, 39.025), (-94.56, 39.025))
        sent = {"shape": "polygon", "drawn": drawn, "name": " Around\n school ", "kind": "lighting"}
        page = signed.post("/following/area", data=sent | {"pace": "at_once"}).text
        assert "Around school (Lighting)" in page
        assert "<polygon points=" in page
        found = store.scalars(select(Follow)).one()
        assert f'href="/following/{found.id}/area"' in page
        change = f"/following/{found.id}/area"
        form = signed.get(change).text
        assert "-94.56,39.015" in form
        assert 'value="Around school"' in form
        store.execute(update(Follow).values(created_at=func.now() - text("interval '1 hour'")))
        store.commit()
        report("light_out", IN_EASTSIDE)
        report("litter", IN_EASTSIDE)
        report("light_out", IN_WESTSIDE)
        (mail,) = mails()
        assert mail.subject.startswith("Street light is out")
        assert "Around school" in mail.text
        west = self.ring((-94.59, 39.015), (-94.58, 39.015), (-94.58, 39.025))
        page = signed.post(change, data=sent | {"drawn": west, "name": ""})
        assert "An area of the map (Lighting)" in page.text
        assert store.scalar(select(func.ST_XMax(Follow.drawn))) == -94.58

    def test_without_javascript_an_address_and_a_radius_will_do(self, signed, store, city):
        put_addresses(store, "Norton Ave", {3412: (-94.561, 39.013)})
        gazetteer.rebuild(store)
        store.commit()
        sent = {"shape": "point", "address": "3412 Norton Ave", "radius": "400"}
        page = signed.post("/following/area", data=sent).text
        assert "Around 3412 Norton Ave" in page
        metres = func.ST_Area(func.Geography(Follow.drawn))
        assert store.scalar(select(metres)) == pytest.approx(3.06 * 400**2, rel=0.02)
        form = signed.post("/following/area", data={"address": "Nowhere Street"})
        assert form.status_code == 422
        assert "We found no place called “Nowhere Street”." in form.text

    @pytest.mark.parametrize(
        ("drawn", "said"),
        [
            ("", "Draw the area on the map"),
            ("{", "Draw the area on the map"),
            ('{"type": "Point", "coordinates": [-94.56, 39.02]}', "Draw the area on the map"),
            (ring((-94.56, 39.01), (-94.55, 39.02), (-94.55, 39.01), (-94.56, 39.02)), "crosses"),
            (ring((-94.56, 39.01), (-94.5599, 39.01), (-94.5599, 39.0101)), "one short block"),
            (ring((-94.6, 39.0), (-94.5, 39.0), (-94.5, 39.04)), "larger than 5 kilometers"),
            (ring((-94.53, 39.01), (-94.52, 39.01), (-94.52, 39.02)), "This lies outside"),
            (
                ring(*((-94.56 + n / 1e5, 39.01 + n * n / 1e6) for n in range(101))),
                "99 at most",
            ),
        ],
    )
    def test_what_cannot_be_an_area_is_said_with_what_to_do(self, signed, store, drawn, said):
        page = signed.post(
            "/following/area", data={"shape": "polygon", "drawn": drawn, "name": "Kept"}
        )
        assert page.status_code == 422
        assert said in page.text
        assert 'value="Kept"' in page.text
        assert store.scalars(select(Follow)).all() == []

    def test_the_very_same_area_is_not_followed_twice(self, signed, store, ann, follow):
        first = follow(ann, drawn=shape(IN_EASTSIDE))
        follow(ann, drawn=shape(IN_WESTSIDE))
        west = {"shape": "polygon", "drawn": shapely.to_geojson(shape(IN_WESTSIDE))}
        assert signed.post(f"/following/{first}/area", data=west).status_code == 409

    def test_nobody_sees_or_changes_the_area_of_another(self, client, engine, store, ann, follow):
        id = follow(ann, drawn=shape(IN_EASTSIDE), name="Ann's street")
        eve = person(store, email="eve@example.org")
        store.commit()
        assert client.get(f"/following/{id}/area", follow_redirects=False).status_code == 303
        signed_in(client, engine, eve)
        west = {"shape": "polygon", "drawn": shapely.to_geojson(shape(IN_WESTSIDE))}
        assert client.get(f"/following/{id}/area").status_code == 404
        assert client.post(f"/following/{id}/area", data=west).status_code == 404
        assert client.get("/following/999999999999999999999/area").status_code == 404
        assert store.scalars(select(Follow.name)).all() == ["Ann's street"]


class TestUnsubscribing:
    @pytest.fixture
    def link(self, ann, report, follow):
        id = follow(ann, report_id=report())
        return f"/unsubscribe/{token(SECRET, id, ann)}"

    def test_looking_at_the_link_stops_nothing(self, client, store, link):
        assert "Stop these messages" in client.get(link).text
        assert store.scalars(select(Follow)).all()

    def test_one_click_of_a_mail_program_stops_it(self, client, store, link):
        answer = client.post(link, data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
        assert store.scalars(select(Follow)).all() == []
        assert "These messages have stopped" in client.get(link).text

    def test_the_link_in_a_message_is_the_one_that_stops_it(
        self, client, store, ann, report, follow, mails
    ):
        follow(ann)
        report()
        (mail,) = mails()
        client.post(mail.unsubscribe.removeprefix("http://127.0.0.1:8000"))
        assert store.scalars(select(Follow)).all() == []

    @pytest.mark.parametrize("made_up", ["1-1-abc", "x", "1-1-" + "0" * 32, "9" * 30 + "-1-a"])
    def test_a_link_that_is_made_up_stops_nothing(self, client, store, link, made_up):
        assert client.post(f"/unsubscribe/{made_up}").status_code == 404
        assert store.scalars(select(Follow)).all()

    def test_a_token_holds_for_one_thing_of_one_person(self):
        made = token(SECRET, 12, 34)
        assert read_token(SECRET, made) == (12, 34)
        assert read_token(SECRET, made.replace("12-", "13-", 1)) is None
        assert read_token(b"t" * 32, made) is None
        everything = token(SECRET, None, 34)
        assert read_token(SECRET, everything) == (None, 34)
        assert read_token(SECRET, everything.replace("all-34", "all-35")) is None
        assert read_token(SECRET, made.replace("12-34", "all-34")) is None


def test_what_is_followed_is_exported_and_erased_with_the_account(store, city, ann, follow):
    follow(ann, area_id=city.westside, kinds=(Kind.CLEANUP,))
    (exported,) = people.export(store, ann)["follows"]
    assert (exported["area"], exported["kinds"]) == ("Westside", ["cleanup"])
    people.erase(store, ann, shown=True)
    assert store.scalars(select(Follow.id)).all() == []


def test_the_store_shows_everybody_their_own_alone(database_url, store, ann, report, follow):
    follow(ann, report_id=report())
    other = person(store)
    store.commit()
    web = database.engine(database_url, role=database.WEB_ROLE)
    with Session(web) as session:
        assert session.scalar(select(func.count()).select_from(Follow)) == 0
        session.execute(text(f"SELECT set_config('porchlight.person', '{other}', true)"))
        assert session.scalar(select(func.count()).select_from(Follow)) == 0
        with pytest.raises(ProgrammingError, match="row-level security"):
            follows.add(session, ann, Subject(), Pace.DAILY, "en")
        session.rollback()
        with pytest.raises(ProgrammingError, match="permission denied"):
            session.scalars(select(Told.event_id)).all()
        session.rollback()
    web.dispose()


def shape(place):
    x, y = place
    return shapely.box(x - 0.001, y - 0.001, x + 0.001, y + 0.001)
