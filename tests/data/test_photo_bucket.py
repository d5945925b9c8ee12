"""A bucket in a real S3-compatible store: whole, private, and soon given up where it is away."""

import os
import time
from dataclasses import replace

import pytest

from data.photo_bucket import PhotoBucket
from data.photo_store import Size, new_key
from tests.photo_bucket import open_store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with open_store(tmp_path_factory.mktemp("s3")) as store:
        yield store


@pytest.fixture
def photos(store) -> PhotoBucket:
    return PhotoBucket(store.bucket)


def test_what_was_put_is_given_whole_until_it_is_deleted(photos, store):
    key, content = new_key(), os.urandom(700_000)
    assert photos.get(key, Size.LARGE) is None
    photos.put(key, Size.LARGE, content)
    photos.put(key, Size.SMALL, b"small")
    assert photos.get(key, Size.LARGE) == content
    assert store.files() == [f"{key}.large.webp", f"{key}.small.webp"]
    photos.delete(key)
    photos.delete(key)
    assert photos.get(key, Size.SMALL) is None
    assert store.files() == []


def test_keys_tell_of_old_files_and_of_no_others(photos, store):
    key = new_key()
    photos.put(key, Size.LARGE, b"one")
    (store.folder / "photos" / "notes.txt").write_text("of somebody else")
    assert list(photos.keys(-5)) == [key]
    assert list(photos.keys(60)) == []
    photos.delete(key)


def test_nobody_reads_it_without_the_key(photos):
    key = new_key()
    photos.put(key, Size.SMALL, b"private")
    assert not photos.is_public(key, Size.SMALL)
    photos.delete(key)


@pytest.mark.parametrize(
    "wrong", [{"secret_key": "another"}, {"name": "nowhere"}, {"endpoint": "http://127.0.0.1:9"}]
)
def test_what_can_not_be_put_is_told_in_one_line(store, wrong):
    with pytest.raises(OSError, match=r"\w") as caught:
        PhotoBucket(replace(store.bucket, **wrong)).put(new_key(), Size.LARGE, b"x")
    assert "\n" not in str(caught.value)
    assert store.bucket.secret_key not in str(caught.value)


def test_a_store_that_does_not_answer_is_given_up_and_left_alone_for_a_while(tmp_path):
    with open_store(tmp_path) as store:
        photos, key = PhotoBucket(store.bucket), new_key()
        photos.put(key, Size.SMALL, b"x")
        store.pause()
        before = time.monotonic()
        with pytest.raises(OSError, match="error sending request"):
            photos.get(key, Size.SMALL)
        assert time.monotonic() - before < 7
        before = time.monotonic()
        with pytest.raises(OSError, match="did not answer just now"):
            photos.get(key, Size.SMALL)
        assert time.monotonic() - before < 0.1


@pytest.mark.parametrize("key", ["../../etc/passwd", "", "a" * 31, "a" * 31 + "/"])
def test_what_is_no_key_reaches_no_file(photos, key):
    with pytest.raises(ValueError, match="not the key"):
        photos.get(key, Size.LARGE)
