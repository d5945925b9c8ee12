"""Photos as people send them, made into pictures that tell nothing but what they show.

A file from outside is decoded in a process of its own, with limits of time and memory, so that a
picture made to harm can only end that process. This file is that process's program, too: it
imports nothing of ours.
"""

import contextlib
import io
import json
import resource
import struct
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

BYTES_LIMIT = 10 * 1024 * 1024
"""Bytes a file may have."""

PHOTOS_LIMIT = 5
"""Photos a report may have."""

PIXELS_LIMITS = {
    "JPEG": 40_000_000,
    "progressive JPEG": 25_000_000,
    "HEIF": 25_000_000,
    "PNG": 12_000_000,
    "WEBP": 8_000_000,
}
"""Pixels a file may have, by its format: as many as phones make, and can be read in little memory.
A JPEG is read at a fraction of its size, the others whole."""

LARGE, SMALL = 1600, 320
"""Longest sides of the two sizes that are kept, in pixels."""

MEDIA_TYPE = "image/webp"

_FORMATS = ("JPEG", "PNG", "WEBP", "HEIF")
_QUALITY = 80
_CPU_S = 4
_WALL_S = 6.0
_MEMORY_BYTES = 400 * 1024 * 1024  # of addresses; less than half of it is ever in use
_PATCHES = 4
"""What is blurred keeps this many colours a side: nothing can be brought back from them."""

_turns = threading.BoundedSemaphore(1)


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


def clean(content: bytes, blurred: Iterable[Box] = ()) -> Photo:
    """Make a clean photo of a file: upright, without metadata, in two sizes.

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
    boxes = json.dumps([[box.left, box.top, box.width, box.height] for box in blurred]).encode()
    if not _turns.acquire(timeout=_WALL_S):
        raise PhotoError(PhotoFault.BUSY)
    try:
        ended = subprocess.run(  # noqa: S603 (our own program)
            [sys.executable, "-I", str(Path(__file__))],
            input=struct.pack(">I", len(boxes)) + boxes + content,
            capture_output=True,
            timeout=_WALL_S,
            check=False,
            env={},
        )
    except subprocess.TimeoutExpired as error:
        raise PhotoError(PhotoFault.NOT_A_PHOTO) from error
    finally:
        _turns.release()
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
    sent = sys.stdin.buffer.read()
    length = struct.unpack(">I", sent[:4])[0]
    boxes = [Box(*box) for box in json.loads(sent[4 : 4 + length])]
    try:
        photo = _decoded(sent[4 + length :], boxes)
    except PhotoError as error:
        sys.stdout.write(error.fault.value)
        raise SystemExit(1) from error
    sys.stdout.buffer.write(struct.pack(">III", photo.width, photo.height, len(photo.large)))
    sys.stdout.buffer.write(photo.large + photo.small)


def _decoded(content: bytes, boxes: Sequence[Box]) -> Photo:
    # Imported here: the server itself never opens a picture.
    import pillow_heif  # noqa: PLC0415
    from PIL import Image, ImageOps  # noqa: PLC0415

    pillow_heif.register_heif_opener(thumbnails=False)
    pillow_heif.options.DECODE_THREADS = 1
    Image.MAX_IMAGE_PIXELS = None  # our own limit holds, which is lower
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
            kind = "JPEG" if opened.format == "MPO" else str(opened.format)
            if kind == "JPEG" and opened.info.get("progressive"):
                kind = "progressive JPEG"
            if opened.width * opened.height > PIXELS_LIMITS[kind]:
                raise PhotoError(PhotoFault.TOO_MANY_PIXELS)  # noqa: TRY301 (not to be told apart)
            # A JPEG is read at a half, a quarter or an eighth where that is enough.
            opened.draft("RGB", (LARGE, LARGE))
            opened.thumbnail((LARGE, LARGE), reducing_gap=2.0)
            upright = ImageOps.exif_transpose(opened)
            seen = _of_the_web(upright).convert("RGBA")
            fresh = Image.new("RGB", seen.size, "white")
            fresh.paste(seen, mask=seen.getchannel("A"))
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
        size.save(file, "WEBP", quality=_QUALITY)
        written.append(file.getvalue())
    return Photo(*fresh.size, *written)


def _of_the_web(image: "Image") -> "Image":
    """Give the colours as screens show them where the file describes its own."""
    from PIL import ImageCms  # noqa: PLC0415

    profile = image.info.get("icc_profile")
    if profile and image.mode in {"RGB", "CMYK", "L"}:
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
