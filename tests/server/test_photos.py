"""What comes in as a photo goes out as a picture and nothing else, or not at all."""

import io
import os
import subprocess
import sys
import threading
import time

import pillow_heif
import pytest
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from server import photos
from server.photos import (
    BYTES_LIMIT,
    LARGE,
    MEDIA_TYPE,
    SMALL,
    Box,
    PhotoError,
    PhotoFault,
    clean,
)

CANARY = b"canary 39.0997 -94.5786"


def picture(width=400, height=300, mode="RGB", colour="red") -> Image.Image:
    return Image.new(mode, (width, height), colour)


def written(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def heic(image: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    pillow_heif.from_pillow(image).save(file, **options)
    return file.getvalue()


def located(orientation=1) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.ImageDescription] = CANARY.decode()
    exif[ExifTags.Base.Make] = CANARY.decode()
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (39.0, 5.0, 59.0)
    return exif


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content), formats=["WEBP"])


def fault(content: bytes) -> PhotoFault:
    with pytest.raises(PhotoError) as refused:
        clean(content)
    return refused.value.fault


def test_a_photo_comes_in_two_sizes_of_the_web():
    photo = clean(written(picture(2400, 1800)))
    assert (photo.width, photo.height) == (LARGE, 1200)
    assert opened(photo.large).size == (LARGE, 1200)
    assert opened(photo.small).size == (SMALL, 240)
    assert opened(photo.large).get_format_mimetype() == MEDIA_TYPE


def test_a_small_photo_is_not_made_larger():
    assert clean(written(picture(90, 60))).width == 90


@pytest.mark.parametrize(
    "content",
    [
        written(picture(), exif=located(), comment=CANARY, xmp=CANARY),
        written(picture(), "WEBP", exif=located(), xmp=CANARY),
        written(picture(), "PNG", exif=located()),
        heic(picture(), exif=located().tobytes(), xmp=CANARY),
    ],
    ids=["jpeg", "webp", "png", "heic"],
)
def test_nothing_but_the_picture_is_kept(content):
    assert CANARY in content
    photo = clean(content)
    for size in (photo.large, photo.small):
        assert b"canary" not in size
        assert b"EXIF" not in size.upper()
        assert b"XMP" not in size
        assert b"ICCP" not in size
        assert set(opened(size).info) <= {"loop", "background", "timestamp", "duration"}


def test_text_beside_a_png_is_gone():
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", CANARY.decode())
    notes.add_itxt("Location", CANARY.decode())
    assert b"canary" not in clean(written(picture(), "PNG", pnginfo=notes)).large


def test_colours_of_a_profile_of_its_own_become_those_of_the_web():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = clean(written(picture(), icc_profile=profile))
    assert opened(photo.large).info.get("icc_profile") is None
    red, green, blue = opened(photo.large).convert("RGB").getpixel((5, 5))
    assert (red > 240, green < 15, blue < 15) == (True, True, True)


def test_a_photo_taken_upright_stands_upright():
    photo = clean(written(picture(400, 300), exif=located(orientation=6)))
    assert (photo.width, photo.height) == (300, 400)


def test_what_is_seen_through_becomes_white():
    photo = clean(written(picture(mode="RGBA", colour=(0, 0, 0, 0)), "PNG"))
    assert opened(photo.large).convert("RGB").getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b"GIF89a" + b"\0" * 500,
        written(picture(), "GIF"),
        written(picture(), "BMP"),
        written(picture(), "TIFF"),
        b"%PDF-1.7\n" + written(picture()),
        b"<html><script>alert(1)</script>" + written(picture(), "PNG"),
        written(picture())[:500],
        os.urandom(100_000),
    ],
    ids=[
        "empty",
        "text",
        "svg",
        "gif",
        "picture-gif",
        "bmp",
        "tiff",
        "pdf",
        "html",
        "cut",
        "chance",
    ],
)
def test_what_is_no_photo_is_refused(content):
    assert fault(content) is PhotoFault.NOT_A_PHOTO


def test_what_hangs_behind_a_photo_is_cut_off():
    photo = clean(written(picture()) + b"PK\x03\x04<script>" + CANARY)
    assert b"canary" not in photo.large
    assert b"<script>" not in photo.large


@pytest.mark.parametrize(
    "content",
    [
        written(picture(9_000, 9_000, "1", 0), "PNG"),
        written(picture(9_000, 9_000, "L", 0)),
        written(picture(6_000, 6_000, "L", 0), progressive=True),
        written(picture(4_000, 4_000, "L", 0), "WEBP"),
        written(picture(3_600, 3_600, "CMYK", 0), progressive=True),
        heic(picture(4_400, 4_400)),
    ],
    ids=["png", "jpeg", "progressive", "webp", "progressive-cmyk", "heic"],
)
def test_a_small_file_of_very_many_pixels_is_refused_before_it_is_unpacked(content):
    assert len(content) < BYTES_LIMIT
    assert fault(content) is PhotoFault.TOO_MANY_PIXELS


@pytest.mark.parametrize(
    "content",
    [
        written(picture(7_300, 5_475, "CMYK", 0)),
        written(picture(3_200, 2_900, "CMYK", 0), progressive=True),
        written(picture(65_000, 170, "RGBA", 0), "PNG"),
        written(picture(2_440, 1_830), "WEBP", lossless=True),
        heic(picture(4_800, 3_600)),
    ],
    ids=["jpeg", "progressive", "thin", "webp", "heic"],
)
def test_the_largest_that_is_taken_needs_little_memory(content):
    program = (
        "import resource, subprocess, sys; subprocess.run([sys.executable, '-I', sys.argv[1], '[]'], "
        "stdin=sys.stdin, stdout=subprocess.DEVNULL, check=True, env={}); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
    )
    told = subprocess.run(
        [sys.executable, "-c", program, photos.__file__],
        input=content,
        stdout=subprocess.PIPE,
        check=True,
    )
    assert int(told.stdout) < 150  # MB, of the whole process


def test_a_header_that_tells_of_billions_of_pixels_is_refused():
    lying = bytearray(written(picture(64, 48)))
    at = lying.index(b"\xff\xc0") + 5
    lying[at : at + 4] = (65_500).to_bytes(2, "big") * 2
    assert fault(bytes(lying)) is PhotoFault.TOO_MANY_PIXELS


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_very_thin_picture_keeps_its_shape(kind):
    photo = clean(written(picture(9_600, 48), kind))
    assert (photo.width, photo.height) == (LARGE, 8)


def test_a_file_of_30_mb_is_refused():
    assert fault(written(picture()) + b"\0" * 30 * 1024 * 1024) is PhotoFault.TOO_LARGE


def test_what_is_blurred_cannot_be_told_any_more():
    plate = picture(800, 800, colour="white")
    for x in range(200, 400, 4):
        plate.paste("black", (x, 200, x + 2, 400))
    photo = clean(written(plate, "PNG"), [Box(0.25, 0.25, 0.25, 0.25)])
    blurred = opened(photo.large).convert("L").crop((210, 210, 390, 390))
    darkest, lightest = blurred.getextrema()
    assert lightest - darkest < 40
    assert opened(photo.large).convert("L").getpixel((100, 100)) > 240


def test_marks_beyond_the_photo_do_no_harm():
    assert (
        clean(written(picture()), [Box(0.9, 0.9, 1.0, 1.0), Box(1.0, 1.0, 0.0, 0.0)]).width == 400
    )


def test_a_photo_is_decoded_outside_the_server(tmp_path):
    """The server's own process never opens a picture, so that none can harm it."""
    program = "import sys, server.photos; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_photos_wait_for_their_turn_and_in_no_endless_queue(monkeypatch):
    """However many come at once, one is decoded at a time, and a phone is not told to come back."""
    monkeypatch.setattr(photos, "_places", threading.BoundedSemaphore(8))
    at_once, most, taken, refused = 0, 0, 0, 0
    lock, gate = threading.Lock(), threading.Barrier(20)

    def send() -> None:
        nonlocal at_once, most, taken, refused
        gate.wait()
        try:
            with photos.turn():
                with lock:
                    at_once += 1
                    most = max(most, at_once)
                time.sleep(0.02)
                with lock:
                    at_once -= 1
                    taken += 1
        except PhotoError:
            with lock:
                refused += 1

    senders = [threading.Thread(target=send) for _ in range(20)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert most == 1
    assert taken >= 8
    assert taken + refused == 20
    with photos.turn():
        pass


def test_nobody_waits_for_longer_than_they_would():
    with photos.turn(), pytest.raises(PhotoError), photos.turn(0.05):
        pass


def test_a_decoder_loads_only_what_it_takes():
    """Each further format of Pillow would be one more way in, and takes time."""
    code = (
        "import sys; sys.argv[1:] = ['[]']; exec(compile(open(sys.path_file).read(), 'p', 'exec'))"
    ).replace("sys.path_file", repr(photos.__file__))
    ended = subprocess.run(
        [sys.executable, "-I", "-c", f"{code}\nprint(*sys.modules, file=sys.stderr)"],
        input=written(picture()),
        capture_output=True,
        check=True,
    )
    loaded = ended.stderr.decode().split()
    assert "PIL.WebPImagePlugin" in loaded
    assert "PIL.PdfImagePlugin" not in loaded
