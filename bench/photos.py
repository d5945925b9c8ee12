"""Memory and time of decoding photos, at the largest of each kind that is taken.

    nice .venv/bin/python bench/photos.py

Each file is decoded by the program that the server starts for it. Peak memory is what the kernel counts
for that process, everything included: the interpreter, the decoder and the file.
"""

import io
import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent))

from server import photos

PROGRAM = Path(photos.__file__)


def street(width: int, height: int) -> Image.Image:
    """A picture with as much in it as a photo has."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 255, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height))


def written(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def measured(content: bytes) -> dict[str, float]:
    """Decode a file in a process whose only child is the program."""
    code = (
        "import json, resource, subprocess, sys, time; began = time.monotonic();"
        "done = subprocess.run([sys.executable, '-I', sys.argv[1], '[]'], stdin=sys.stdin, "
        "capture_output=True, env={}); used = resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(json.dumps({'took': done.returncode == 0, 'peak': used.ru_maxrss / 1024, "
        "'cpu': used.ru_utime + used.ru_stime, 'wall': time.monotonic() - began}))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(PROGRAM)], input=content, capture_output=True, check=True
    )
    return json.loads(ended.stdout)


def files():
    pillow_heif.register_heif_opener()
    yield "tiny JPEG", written(street(64, 48), "JPEG")
    whole = street(7_300, 5_475)
    yield "JPEG, 40 MP", written(whole, "JPEG", quality=50)
    yield "JPEG in CMYK, 40 MP", written(whole.convert("CMYK"), "JPEG", quality=25)
    passes = {"quality": 60, "progressive": True}
    yield "progressive JPEG 4:2:0, 20 MP", written(street(5_150, 3_870), "JPEG", **passes)
    whole = street(4_000, 2_950)
    yield "progressive JPEG 4:4:4, 12 MP", written(whole, "JPEG", **passes, subsampling=0)
    whole = street(3_600, 2_600).convert("CMYK")
    yield "progressive JPEG in CMYK, 9 MP", written(whole, "JPEG", quality=40, progressive=True)
    yield "HEIC, 17 MP", written(street(4_800, 3_600), "HEIF", quality=50)
    flat = street(3_850, 2_900).quantize(64)
    yield "PNG with a palette, 11 MP", written(flat, "PNG")
    yield "PNG that can be seen through, 11 MP", written(flat.convert("RGBA"), "PNG")
    yield "PNG of 65,000 by 170", written(Image.new("RGBA", (65_000, 170)), "PNG")
    yield "PNG of 170 by 65,000", written(Image.new("RGBA", (170, 65_000)), "PNG")
    web = street(2_440, 1_830)
    yield "WebP, 4.5 MP", written(web, "WEBP", quality=60)
    yield "WebP, lossless, 4.5 MP", written(web.quantize(64).convert("RGBA"), "WEBP", lossless=True)
    yield "HEIC, 24 MP", written(street(5_712, 4_284), "HEIF", quality=20)
    yield "PNG bomb, 81 MP", written(Image.new("1", (9_000, 9_000)), "PNG")
    yield "WebP bomb, 268 MP", written(Image.new("RGB", (16_383, 16_383)), "WEBP")
    yield "JPEG bomb, 4,290 MP", jpeg_header(65_500, 65_500)


def jpeg_header(width: int, height: int) -> bytes:
    """A JPEG that says of itself to be much larger than it is."""
    content = bytearray(written(street(64, 48), "JPEG"))
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def main() -> None:
    print("| file | MB | taken | peak MB | CPU s | wall s |\n|---|---|---|---|---|---|")
    for name, content in files():
        if len(content) > photos.BYTES_LIMIT:
            print(f"{name}: {len(content):,} bytes are too many for this bench", file=sys.stderr)
        found = measured(content)
        print(
            f"| {name} | {len(content) / 1e6:.1f} | {'yes' if found['took'] else 'no'} "
            f"| {found['peak']:.0f} | {found['cpu']:.2f} | {found['wall']:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
