"""Photos on their way from a form to the page of a report."""

import re

import pytest
from pydantic import SecretStr
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from data.models import DiscardedPhoto, Photo, PhotoState, Report
from data.photo_bucket import PhotoBucket
from data.photo_store import PhotoFolder, Size
from data.queries import photos
from geo.roles import Role
from geo.statuses import Status
from server.photos import LARGE
from server.upkeep import delete_discarded, delete_orphans, forget
from tests.people import person, signed_in
from tests.photo_bucket import open_store
from tests.places import IN_EASTSIDE, IN_WESTSIDE, found_city
from tests.server.test_photos import heic, opened, picture, written


@pytest.fixture
def settings(settings, request):
    """With as many reports an hour from one address as the test says."""
    most = getattr(request, "param", 1_000)
    return settings.model_copy(update={"reports_per_hour": most})


@pytest.fixture
def city(engine):
    with Session(engine) as session:
        found_city(session)
        session.commit()


@pytest.fixture
def store(settings) -> PhotoFolder:
    return PhotoFolder(settings.var / "photos")


@pytest.fixture
def send(client, city):
    """Opens the form, fills it in with photos, and sends it as a browser does."""

    def send(*files: bytes, page=None, at=IN_EASTSIDE, **typed):
        page = page or client.get("/report").text
        kept = {
            name: re.search(f'name="{name}" value="([^"]*)"', page)[1]
            for name in ("token", "album")
        }
        filled = kept | {"category": "light_out", "lon": str(at[0]), "lat": str(at[1])} | typed
        sent = [("photos", (f"{n}.jpg", file)) for n, file in enumerate(files)]
        sent = sent or [("photos", ("", b""))]  # what a browser sends where none is chosen
        return client.post("/report", data=filled, files=sent, follow_redirects=False)

    return send


def rows(engine) -> list[Photo]:
    with Session(engine) as session:
        return list(session.scalars(select(Photo).order_by(Photo.id)))


def moderator(client, engine):
    with Session(engine) as session:
        id = person(session, Role.MODERATOR)
        session.commit()
    return signed_in(client, engine, id)


BOX = "0.25,0.25,0.25,0.25"
JPEG, OTHER = written(picture(2000, 1000)), written(picture(300, 200, colour="blue"))


def test_a_photo_that_was_sent_waits_for_a_moderator(send, client, engine, store):
    answer = send(JPEG)
    assert answer.status_code == 303
    (photo,) = rows(engine)
    assert (photo.state, photo.width, photo.height) == (PhotoState.WAITING, LARGE, 800)
    assert (photo.form_hash, photo.sent_hash) == (None, None)
    assert opened(store.get(photo.key, Size.LARGE)).size == (LARGE, 800)
    assert client.get(f"/photos/{photo.id}/large.webp").status_code == 404
    assert "/photos/" not in client.get(answer.headers["location"]).text


def test_a_photo_that_was_approved_is_shown_with_words_for_it(send, client, engine):
    page = send(JPEG, heic(picture())).headers["location"]
    first, second = rows(engine)
    moderator(client, engine)
    for photo in (first, second):
        client.post(f"/moderation/photos/{photo.id}", data={"decision": "public"})
    client.cookies.clear()
    shown = client.get(page).text
    assert 'alt="Photo 1 of this report"' in shown
    assert 'alt="Photo 2 of this report"' in shown
    answer = client.get(f"/photos/{first.id}/small.webp")
    assert answer.headers["content-type"] == "image/webp"
    assert opened(answer.content).size == (320, 160)


def test_photos_of_a_held_report_are_not_shown(send, client, engine):
    send(JPEG)
    (photo,) = rows(engine)
    moderator(client, engine)
    client.post(f"/moderation/photos/{photo.id}", data={"decision": "public"})
    client.cookies.clear()
    assert client.get(f"/photos/{photo.id}/large.webp").status_code == 200
    with Session(engine) as session:
        session.execute(update(Report).values(status=Status.HELD))
        session.commit()
    assert client.get(f"/photos/{photo.id}/large.webp").status_code == 404


def test_a_fault_of_the_form_loses_no_photo(send, client, engine):
    faulty = send(JPEG, lat="", lon="")
    assert faulty.status_code == 422
    album = re.search('name="album" value="([^"]+)"', faulty.text)[1]
    source = re.search(r'src="(/report/photos/\d+\.webp\?album=[^"]+)"', faulty.text)[1]
    assert client.get(source).status_code == 200
    assert client.get(source.replace(album, "a" * 22)).status_code == 404
    mended = send(page=faulty.text)
    assert mended.status_code == 303
    assert rows(engine)[0].report_id == int(re.search(r"\d+", mended.headers["location"])[0])


def test_a_place_outside_the_city_loses_no_photo(send, engine):
    faulty = send(JPEG, at=(-94.4, 39.3))
    assert faulty.status_code == 422
    assert "/report/photos/" in faulty.text
    assert send(page=faulty.text).status_code == 303
    assert len(rows(engine)) == 1


def test_the_question_whether_it_is_known_loses_no_photo(send, engine):
    send(at=IN_WESTSIDE)
    asked = send(JPEG, at=IN_WESTSIDE)
    assert "Is it one of these?" in asked.text
    assert "Your photos are not kept if you join one." in asked.text
    assert send(page=asked.text, at=IN_WESTSIDE, new="1").status_code == 303
    assert rows(engine)[0].report_id is not None


def test_a_photo_can_be_left_out_again(send, engine, store):
    faulty = send(JPEG, OTHER, lat="", lon="")
    first, second = rows(engine)
    assert send(page=faulty.text, drop_photo=str(first.id)).status_code == 303
    assert [photo.id for photo in rows(engine)] == [second.id]
    assert delete_discarded(engine, store) == 1
    assert store.get(first.key, Size.SMALL) is None
    assert store.get(second.key, Size.SMALL) is not None


def test_the_same_photo_counts_once(send, engine, store):
    faulty = send(JPEG, lat="", lon="")
    send(JPEG, page=faulty.text)
    (photo,) = rows(engine)
    assert set(store.keys(-1)) == {photo.key}


def test_a_sixth_photo_is_told_of_and_the_five_are_kept(send, engine):
    files = [written(picture(10, 10 + n)) for n in range(6)]
    answer = send(*files)
    assert answer.status_code == 422
    assert "5 photos" in answer.text
    assert len(rows(engine)) == 5


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no photo that we can read"),
        (b"\0" * 30 * 1024 * 1024, "larger than 10 MB"),
        (written(picture(9000, 9000, "1", 0), "PNG"), "too many pixels"),
    ],
    ids=["svg", "30 MB", "bomb"],
)
def test_a_file_that_is_not_taken_stores_nothing_and_is_told_of(send, engine, store, content, said):
    answer = send(content, description="what I typed")
    assert answer.status_code == 422
    assert said in answer.text
    assert "what I typed" in answer.text
    assert rows(engine) == []
    assert list(store.keys(-1)) == []


def test_more_than_a_form_can_hold_is_refused(send):
    assert send(b"\0" * 60 * 1024 * 1024).status_code == 413


def test_a_thousand_parts_are_refused(client, city):
    parts = [("photos", (f"{n}.jpg", b"x")) for n in range(1_001)]
    assert client.post("/report", data={"album": "a" * 22}, files=parts).status_code == 400


def test_photos_of_a_form_that_is_not_sent_are_forgotten(send, engine, store):
    send(JPEG, lat="", lon="")
    forget(engine, 90)
    assert len(rows(engine)) == 1
    with Session(engine) as session:
        session.execute(
            update(Photo).values(created_at=photos.text("now() - interval '61 minutes'"))
        )
        session.commit()
    forget(engine, 90)
    assert rows(engine) == []
    assert delete_discarded(engine, store) == 1
    assert list(store.keys(-1)) == []


def test_files_go_with_their_report(send, engine, store):
    send(JPEG)
    with Session(engine) as session:
        session.delete(session.scalars(select(Report)).one())
        session.commit()
    assert delete_discarded(engine, store) == 1
    assert list(store.keys(-1)) == []
    with Session(engine) as session:
        assert session.scalars(select(DiscardedPhoto)).all() == []


def test_a_file_without_a_photo_is_swept_once_it_is_old(send, engine, store):
    send(JPEG)
    store.put("o" * 32, Size.LARGE, b"orphan")
    assert delete_orphans(engine, store) == 0
    assert delete_orphans(engine, store, older_than_s=-1) == 1
    assert set(store.keys(-1)) == {rows(engine)[0].key}


def test_the_folder_takes_no_other_names(store):
    for key in ("../../etc/passwd", "", "a" * 31, "a/" * 16):
        with pytest.raises(ValueError, match="not the key"):
            store.get(key, Size.LARGE)


def test_a_form_of_a_thousand_parts_is_refused(send, client, engine):
    page = client.get("/report").text
    album = re.search('name="album" value="([^"]*)"', page)[1]
    many = [("photos", (f"{n}.jpg", b"x" * 50)) for n in range(1_001)]
    assert client.post("/report", data={"album": album}, files=many).status_code == 400
    assert rows(engine) == []


class TestBucket:
    """The same pages over a bucket in a real S3-compatible store."""

    @pytest.fixture
    def s3(self, tmp_path):
        with open_store(tmp_path / "s3") as store:
            yield store

    @pytest.fixture
    def settings(self, settings, s3):
        bucket = s3.bucket
        return settings.model_copy(
            update={
                "reports_per_hour": 1_000,
                "s3_bucket": bucket.name,
                "s3_endpoint": bucket.endpoint,
                "s3_access_key": bucket.access_key,
                "s3_secret_key": SecretStr(bucket.secret_key),
            }
        )

    def test_a_photo_goes_in_is_shown_by_our_rules_and_is_erased(self, send, client, engine, s3):
        send(JPEG)
        (photo,) = rows(engine)
        assert s3.files() == [f"{photo.key}.large.webp", f"{photo.key}.small.webp"]
        path = f"/photos/{photo.id}/large.webp"
        assert client.get(path).status_code == 404
        moderator(client, engine)
        client.post(f"/moderation/photos/{photo.id}", data={"decision": "public", "box": BOX})
        client.cookies.clear()
        assert opened(client.get(path).content).size == (LARGE, 800)
        bucket = PhotoBucket(s3.bucket)
        assert delete_discarded(engine, bucket) == 1  # the one that is not blurred
        bucket.put("o" * 32, Size.LARGE, b"orphan")
        assert delete_orphans(engine, bucket, older_than_s=-5) == 1
        with Session(engine) as session:
            session.delete(session.scalars(select(Report)).one())
            session.commit()
        assert delete_discarded(engine, bucket) == 1
        assert s3.files() == []

    def test_while_it_is_away_reports_are_taken_and_nothing_is_lost(self, send, client, engine, s3):
        send(OTHER)
        (photo,) = rows(engine)
        moderator(client, engine)
        client.post(f"/moderation/photos/{photo.id}", data={"decision": "public"})
        client.cookies.clear()
        s3.stop()
        shown = client.get(f"/photos/{photo.id}/large.webp")
        assert (shown.status_code, shown.headers["retry-after"]) == (503, "60")
        faulty = send(JPEG, description="what I typed")
        assert faulty.status_code == 422
        assert "Photos cannot be kept at this moment" in faulty.text
        assert "what I typed" in faulty.text
        assert send(page=faulty.text, new="1").status_code == 303
        assert len(rows(engine)) == 1

    def test_half_of_a_photo_leaves_no_row_and_is_swept(self, send, engine, s3, monkeypatch):
        key = "k" * 32
        in_the_way = s3.folder / "photos" / key[:2] / f"{key}.small.webp" / "something"
        in_the_way.mkdir(parents=True)
        monkeypatch.setattr("server.pages.photos.new_key", lambda: key)
        assert send(JPEG).status_code == 422
        assert rows(engine) == []
        in_the_way.rmdir()
        in_the_way.parent.rmdir()
        delete_orphans(engine, PhotoBucket(s3.bucket), older_than_s=-5)
        assert s3.files() == []


@pytest.mark.parametrize("settings", [1], indirect=True)
def test_no_address_can_fill_the_store(send, engine):
    assert send(*(written(picture(10, 10 + n)) for n in range(5))).status_code == 303
    answer = send(written(picture(20, 20)))
    assert answer.status_code == 422
    assert "minutes" in answer.text
    assert len(rows(engine)) == 5
