"""Photos as people send them, made into pictures that tell nothing but what they show.

A file from outside is decoded in a process of its own, with limits of time and memory, so that a
picture made to harm can only end that process. This file is that process's program, too: it
imports nothing of ours.

One file is decoded at a time in each server, so that memory has a bound however many come at once; the
others wait in a queue that has one, too.
"""

import contextlib
import io
import json
import resource
import struct
import subprocess
import sys
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

BYTES_LIMIT = 10 * 1024 * 1024
"""Bytes a file may have."""

PHOTOS_LIMIT = 5
"""Photos a report may have."""

MOST_PIXELS = 40_000_000
"""Pixels a picture may have in any format."""

ROOM_BYTES = 90_000_000
"""Bytes that unpacking may take; with the program itself and the file it stays below 150 MB."""

NEEDED = {"JPEG": 0.5, "PNG": 8.0, "WEBP": 20.0, "HEIF": 5.1}
"""Bytes that unpacking takes for each pixel of a file, measured by bench/photos.py. A JPEG is read at a
fraction of its size; one that builds up in passes is kept whole besides, 2 bytes for each sample."""

LARGE, SMALL = 1600, 320
"""Longest sides of the two sizes that are kept, in pixels."""

MEDIA_TYPE = "image/webp"

_FORMATS = ("JPEG", "PNG", "WEBP")
_QUALITY = 80
_METHOD = 2
"""Of WebP's encoder: half of the time of the usual one, for a twentieth more bytes."""
_CPU_S = 3
_WALL_S = 6.0
_MEMORY_BYTES = 320 * 1024 * 1024  # of addresses, of which less than half is ever in use
_STRIP_PIXELS = 1_000_000
_PLAIN = {"RGB", "CMYK", "L"}
_PATCHES = 4
"""What is blurred keeps this many colours a side: nothing can be brought back from them."""

PATIENCE_S = 23.0
"""How long a form waits for its turns: long enough for a crowd, short enough for a server that ends."""

_MOST_WAITING = 64
"""Half of the threads of a server: pages must not wait behind photos."""

_turns = threading.BoundedSemaphore(1)
_places = threading.BoundedSemaphore(_MOST_WAITING + 1)


class PhotoFault(StrEnum):
    """Why a file is not taken."""

    NOT_A_PHOTO = "not_a_photo"
    TOO_LARGE = "too_large"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_MANY = "too_many"
    BUSY = "busy"
    NOT_STORED = "not_stored"


class PhotoError(ValueError):
    """A file is not taken.

    Parameters
    ----------
    fault : PhotoFault
    """

    def __init__(self, fault: PhotoFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a photo, in shares of its width and height from the top left."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Photo:
    """A clean photo in two sizes, as WebP.

    Attributes
    ----------
    width, height : int
        Of the large one, in pixels.
    large, small : bytes
    """

    width: int
    height: int
    large: bytes
    small: bytes


@contextlib.contextmanager
def turn(patience_s: float = PATIENCE_S) -> Generator[None]:
    """Wait until no other photo is being decoded. Only then is a file worth to be read into memory.

    Parameters
    ----------
    patience_s : float
        Seconds to wait at the most.

    Raises
    ------
    PhotoError
        `BUSY`, at once where too many wait already.
    """
    if not _places.acquire(blocking=False):
        raise PhotoError(PhotoFault.BUSY)
    try:
        if not _turns.acquire(timeout=max(patience_s, 0.0)):
            raise PhotoError(PhotoFault.BUSY)
        try:
            yield
        finally:
            _turns.release()
    finally:
        _places.release()


def clean(content: bytes, blurred: Iterable[Box] = ()) -> Photo:
    """Make a clean photo of a file: upright, without metadata, in two sizes. Within a `turn`.

    Parameters
    ----------
    content : bytes
        JPEG, PNG, WebP or HEIC. What stands behind the picture, or in it without being seen, is
        left out.
    blurred : iterable of Box
        Parts that nobody shall recognize.

    Returns
    -------
    Photo

    Raises
    ------
    PhotoError
    """
    if len(content) > BYTES_LIMIT:
        raise PhotoError(PhotoFault.TOO_LARGE)
    boxes = json.dumps([[box.left, box.top, box.width, box.height] for box in blurred])
    try:
        ended = subprocess.run(  # noqa: S603 (our own program)
            [sys.executable, "-I", str(Path(__file__)), boxes],
            input=content,
            capture_output=True,
            timeout=_WALL_S,
            check=False,
            env={},
        )
    except subprocess.TimeoutExpired as error:
        # A harmful file is ended by its computing time; this is a machine with too much to do.
        raise PhotoError(PhotoFault.BUSY) from error
    if ended.returncode == 0 and len(ended.stdout) > 12:
        width, height, length = struct.unpack(">III", ended.stdout[:12])
        return Photo(width, height, ended.stdout[12 : 12 + length], ended.stdout[12 + length :])
    told = ended.stdout.decode(errors="replace")
    raise PhotoError(PhotoFault(told) if told in set(PhotoFault) else PhotoFault.NOT_A_PHOTO)


def _program() -> None:
    """Read one file from standard input, and write its clean photo or a fault."""
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    boxes = [Box(*box) for box in json.loads(sys.argv[1])]
    try:
        photo = _decoded(sys.stdin.buffer.read(), boxes)
    except PhotoError as error:
        sys.stdout.write(error.fault.value)
        raise SystemExit(1) from error
    sys.stdout.buffer.write(struct.pack(">III", photo.width, photo.height, len(photo.large)))
    sys.stdout.buffer.write(photo.large + photo.small)


def _decoded(content: bytes, boxes: Sequence[Box]) -> Photo:
    # Imported here: the server itself never opens a picture. Where the plugin of what is written is
    # there, Pillow does not load all others.
    from PIL import Image, WebPImagePlugin  # noqa: F401, PLC0415

    Image.MAX_IMAGE_PIXELS = None  # our own limits hold, which are lower
    try:
        seen = _of_the_web(_heif(content) if content[4:8] == b"ftyp" else _opened(content))
        fresh = Image.new("RGB", seen.size, "white")
        fresh.paste(seen.convert("RGB"))
    except PhotoError:
        raise
    # Decoders raise whatever a broken file makes them.
    except Exception as error:
        raise PhotoError(PhotoFault.NOT_A_PHOTO) from error
    for left, top, right, bottom in _pixels(boxes, *fresh.size):
        patch = fresh.crop((left, top, right, bottom))
        few = patch.resize((_PATCHES, _PATCHES), Image.Resampling.BOX)
        fresh.paste(few.resize(patch.size, Image.Resampling.NEAREST), (left, top))
    small = fresh.copy()
    small.thumbnail((SMALL, SMALL))
    written = []
    for size in (fresh, small):
        file = io.BytesIO()
        size.save(file, "WEBP", quality=_QUALITY, method=_METHOD)
        written.append(file.getvalue())
    return Photo(*fresh.size, *written)


def _opened(content: bytes) -> "Image":
    """Read a JPEG, PNG or WebP: upright, small, without what can be seen through."""
    from PIL import ExifTags, Image, ImageOps  # noqa: PLC0415

    with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
        kind = "JPEG" if opened.format == "MPO" else str(opened.format)
        needed = NEEDED[kind]
        if kind == "JPEG":
            needed += _kept_for_passes(opened)
            # A half, a quarter or an eighth of its size is read where that is enough.
            longest = max(opened.size)
            part = next((n for n in (8, 4, 2) if longest // n >= LARGE), 1)
            _require_room(opened.size, needed + 4 / part**2)
            opened.draft("RGB", (opened.width // part, opened.height // part))
        else:
            _require_room(opened.size, needed)
        orientation = opened.getexif().get(ExifTags.Base.Orientation, 1)
        profile = opened.info.get("icc_profile")
        small = _reduced(opened.size, lambda top, end: opened.crop((0, top, opened.width, end)))
    small.info = {"icc_profile": profile}
    small.getexif()[ExifTags.Base.Orientation] = orientation
    return ImageOps.exif_transpose(small)


def _kept_for_passes(opened: "Image") -> float:
    """Give the bytes for each pixel that a JPEG keeps until its last pass; 0 for one without passes."""
    if not opened.info.get("progressive"):
        return 0.0
    layers: list[tuple[int, int, int, int]] = getattr(opened, "layer", [])
    shares = [across * down for _id, across, down, _table in layers]
    return 2 * sum(shares) / max(shares, default=1)


def _heif(content: bytes) -> "Image":
    """Read a HEIC: small. What turns it upright is part of its own decoding."""
    import pillow_heif  # noqa: PLC0415 (only where a file asks for it)
    from PIL import Image  # noqa: PLC0415

    pillow_heif.options.DECODE_THREADS = 1
    opened = pillow_heif.open_heif(io.BytesIO(content))
    image = opened[opened.primary_index]
    _require_room(image.size, NEEDED["HEIF"])
    rows, stride, mode = memoryview(image.data), image.stride, image.mode

    def strip(top: int, end: int) -> Image.Image:
        size = (image.size[0], end - top)
        return Image.frombytes(mode, size, rows[top * stride : end * stride], "raw", mode, stride)

    small = _reduced(image.size, strip)
    small.info = {"icc_profile": image.info.get("icc_profile")}
    return small


def _require_room(size: tuple[int, int], needed: float) -> None:
    pixels = size[0] * size[1]
    if pixels > MOST_PIXELS or pixels * needed > ROOM_BYTES:
        raise PhotoError(PhotoFault.TOO_MANY_PIXELS)


def _reduced(size: tuple[int, int], strip: "Callable[[int, int], Image]") -> "Image":
    """Make a picture small strip by strip, so that it is never there a second time in full size."""
    from PIL import Image  # noqa: PLC0415

    width, height = size
    part = max(1, max(size) // LARGE)
    tall = part * max(1, _STRIP_PIXELS // (width * part))
    made: Image.Image | None = None
    for top in range(0, height, tall):
        rows = strip(top, min(top + tall, height))
        if rows.mode not in _PLAIN:
            through = rows.convert("RGBA")
            rows = Image.new("RGB", through.size, "white")
            rows.paste(through, mask=through.getchannel("A"))
        if part > 1:
            rows = rows.reduce(part)
        if made is None:
            made = Image.new(rows.mode, (-(-width // part), -(-height // part)))
        made.paste(rows, (0, top // part))
    assert made is not None
    made.thumbnail((LARGE, LARGE))
    return made


def _of_the_web(image: "Image") -> "Image":
    """Give the colours as screens show them where the file describes its own."""
    from PIL import ImageCms  # noqa: PLC0415

    profile = image.info.get("icc_profile")
    if profile:
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            shown = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
            return shown or image
    return image


def _pixels(boxes: Sequence[Box], width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    for box in boxes:
        left, right = (round(share * width) for share in (box.left, box.left + box.width))
        top, bottom = (round(share * height) for share in (box.top, box.top + box.height))
        left, top = max(left, 0), max(top, 0)
        right, bottom = min(right, width), min(bottom, height)
        if left < right and top < bottom:
            yield left, top, right, bottom


if __name__ == "__main__":
    _program()
