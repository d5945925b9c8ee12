import xml.etree.ElementTree as ET
from datetime import datetime
from urllib.parse import urljoin, urlsplit

import pytest
from sqlalchemy import func, insert, update
from sqlalchemy.orm import Session

from data.models import EventKind, Report, ReportContact, ReportEvent
from geo.statuses import Status
from server.pages import feeds
from tests.places import IN_THE_WATCH, IN_WESTSIDE, found_city
from tests.reports import moved, new, send

ATOM = "{http://www.w3.org/2005/Atom}"
GEORSS = "{http://www.georss.org/georss}"
CANARY = "canary in private text"


@pytest.fixture
def store(engine):
    with Session(engine) as session:
        yield session


@pytest.fixture
def city(store):
    made = found_city(store)
    store.commit()
    return made


def read(answer):
    """The feed, after it has been held to what RFC 4287 asks of every feed."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/atom+xml"
    feed = ET.fromstring(answer.content)
    assert feed.tag == f"{ATOM}feed"
    for part in (feed, *feed.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            assert len(part.findall(f"{ATOM}{name}")) == 1, name
            assert part.findtext(f"{ATOM}{name}").strip()
        assert urlsplit(part.findtext(f"{ATOM}id")).scheme
        for moment in (*part.findall(f"{ATOM}updated"), *part.findall(f"{ATOM}published")):
            assert datetime.fromisoformat(moment.text).tzinfo is not None
        for link in part.findall(f"{ATOM}link"):
            assert urlsplit(link.get("href")).scheme
        alternates = [
            link for link in part.findall(f"{ATOM}link") if link.get("rel") == "alternate"
        ]
        assert len(alternates) == 1
    ids = [entry.findtext(f"{ATOM}id") for entry in entries(feed)]
    assert len(ids) == len(set(ids))
    assert feed.find(f"{ATOM}author/{ATOM}name").text
    assert [link.get("rel") for link in feed.findall(f"{ATOM}link")].count("self") == 1
    known = {"author", "category", "content", "entry", "feed", "generator", "id", "link", "published",
             "summary", "title", "updated", "name"}  # fmt: skip
    for element in feed.iter():
        assert element.tag.startswith(GEORSS) or element.tag.removeprefix(ATOM) in known
    updated = [datetime.fromisoformat(e.findtext(f"{ATOM}updated")) for e in entries(feed)]
    assert datetime.fromisoformat(feed.findtext(f"{ATOM}updated")) == max(
        updated, default=datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    )
    return feed


def entries(feed):
    return feed.findall(f"{ATOM}entry")


def link(feed, rel):
    return next((e.get("href") for e in feed.findall(f"{ATOM}link") if e.get("rel") == rel), None)


def numbers(feed):
    return [int(entry.findtext(f"{ATOM}id").rpartition("/")[2]) for entry in entries(feed)]


def test_a_feed_of_a_city_without_reports_is_a_feed(client, city):
    assert entries(read(client.get("/feeds/reports.atom"))) == []


def test_a_feed_names_each_report_with_what_everybody_may_know(client, store, city):
    id = send(
        store, new("light_out", at=IN_THE_WATCH, description=CANARY, address="3412 Norton Ave")
    )
    store.execute(insert(ReportContact).values(report_id=id, name=CANARY))
    store.commit()
    answer = client.get("/feeds/reports.atom")
    (entry,) = entries(read(answer))
    assert entry.findtext(f"{ATOM}title") == "Street light is out, 3412 Norton Ave"
    assert "Received" in entry.findtext(f"{ATOM}summary")
    assert [c.get("term") for c in entry.findall(f"{ATOM}category")] == ["lighting", "light_out"]
    assert entry.findtext(f"{GEORSS}point") == "39.012000 -94.561000"
    assert CANARY not in answer.text


def test_a_report_at_a_home_is_told_without_address_or_exact_place(client, store, city):
    send(store, new("noise_spot", description=CANARY, address="3412 Norton Ave"))
    store.commit()
    answer = client.get("/feeds/reports.atom")
    (entry,) = entries(read(answer))
    assert "Norton" not in answer.text
    public = store.execute(
        Report.__table__.select().with_only_columns(
            func.ST_Y(Report.public_geom), func.ST_X(Report.public_geom)
        )
    ).one()
    assert entry.findtext(f"{GEORSS}point") == f"{public[0]:.6f} {public[1]:.6f}"


def test_held_reports_and_internal_notes_are_in_no_feed(client, store, city):
    shown, held = send(store), send(store)
    moved(store, held, Status.HELD)
    store.execute(
        insert(ReportEvent).values(report_id=shown, kind=EventKind.NOTE, note=CANARY, public=False)
    )
    store.commit()
    assert numbers(read(client.get("/feeds/reports.atom"))) == [shown]
    assert CANARY not in client.get(f"/reports/{shown}.atom").text
    assert client.get(f"/reports/{held}.atom").status_code == 403
    assert client.get("/reports/999.atom").status_code == 404
    assert client.get(f"/reports/{2**70}.atom").status_code == 404


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("kind=lighting", {"light"}),
        ("category=litter", {"litter"}),
        ("status=open", {"light", "litter"}),
        ("status=declined", {"closed"}),
        ("area={westside}", {"litter"}),
        ("block_watch={block_watch}", {"light"}),
        ("from=2000-01-01&to=2000-01-02", set()),
        ("kind=&category=", {"light", "litter", "closed"}),
        ("bbox=", {"light", "litter", "closed"}),
        ("bbox=10,10,11,11", set()),
        ("kind=lighting&bbox=-95,38,-94,40", {"light"}),
    ],
)
def test_a_feed_takes_the_filters_of_the_map(client, store, city, query, meant):
    ids = {
        send(store, new("light_out", at=IN_THE_WATCH)): "light",
        send(store, new("litter", at=IN_WESTSIDE)): "litter",
        (closed := send(store, new("graffiti"))): "closed",
    }
    moved(store, closed, Status.DECLINED)
    store.commit()
    query = query.format(westside=city.westside, block_watch=city.block_watch)
    feed = read(client.get(f"/feeds/reports.atom?{query}"))
    assert {ids[id] for id in numbers(feed)} == meant
    assert read(client.get(link(feed, "self"))) is not None


@pytest.mark.parametrize("bbox", ["1,2,3", "a,b,c,d", "3,1,2,2", "0,0,200,1"])
def test_a_box_that_cannot_be_read_is_told(client, city, bbox):
    answer = client.get(f"/feeds/reports.atom?bbox={bbox}")
    assert answer.status_code == 422
    assert "box" in answer.json()["detail"]


def test_the_next_link_leads_through_all_reports_once(client, store, city, monkeypatch):
    monkeypatch.setattr(feeds, "MOST_ENTRIES", 2)
    ids = [send(store) for _ in range(5)]
    store.commit()
    address, seen = "/feeds/reports.atom?kind=lighting", []
    while address:
        feed = read(client.get(address))
        assert link(feed, "self") == urljoin("http://testserver/", address)
        seen += numbers(feed)
        address = link(feed, "next")
    assert seen == sorted(ids, reverse=True)


def test_a_reader_that_has_the_newest_gets_nothing_again(client, store, city):
    id = send(store)
    store.commit()
    first = client.get("/feeds/reports.atom")
    assert first.headers["last-modified"].endswith("GMT")
    again = client.get("/feeds/reports.atom", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    moved(store, id, Status.HELD)
    store.commit()
    after = client.get("/feeds/reports.atom", headers={"If-None-Match": first.headers["etag"]})
    assert after.status_code == 200
    assert entries(read(after)) == []


def test_the_feed_of_a_report_tells_each_public_step_newest_first(client, store, city):
    id = send(store)
    store.commit()
    store.execute(update(Report).where(Report.id == id).values(status=Status.CONFIRMED))
    for kind, to_status, note in (
        (EventKind.STATUS, Status.CONFIRMED, ""),
        (EventKind.NOTE, None, "The crew <b>comes</b> & looks \x01on Friday."),
        (EventKind.SUPPORT, None, ""),
    ):
        store.execute(
            insert(ReportEvent).values(
                report_id=id, kind=kind, to_status=to_status, note=note, at=func.clock_timestamp()
            )
        )
    store.commit()
    feed = read(client.get(f"/reports/{id}.atom"))
    told = [(e.findtext(f"{ATOM}title"), e.findtext(f"{ATOM}content")) for e in entries(feed)]
    assert told == [
        ("A note", "The crew <b>comes</b> & looks on Friday."),
        ("Confirmed", "Confirmed"),
        ("Received", "Received"),
    ]
    assert link(feed, "alternate") == f"http://testserver/reports/{id}"


def test_a_feed_speaks_the_readers_language(client, store, city):
    send(store)
    store.commit()
    feed = read(client.get("/feeds/reports.atom?lang=es"))
    assert feed.get("{http://www.w3.org/XML/1998/namespace}lang") == "es"
    assert "lang=es" in link(feed, "self")
    assert "Recibido" in entries(feed)[0].findtext(f"{ATOM}summary")


def test_the_list_leads_to_the_feed_of_its_filters(client, store, city):
    page = client.get(f"/list?kind=lighting&area={city.eastside}&bbox=-95,39,-94,40").text
    address = f"/feeds/reports.atom?kind=lighting&amp;area={city.eastside}"
    assert f'<link rel="alternate" type="application/atom+xml" href="{address}"' in page
    assert f'<a href="{address}">Follow with a feed reader</a>' in page
