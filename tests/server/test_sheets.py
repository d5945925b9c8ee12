"""PDFs from pages: whole, for reading aloud too, and without asking anybody for anything."""

import re
import socket
import threading
import zlib
from contextlib import suppress

import pytest

from server import sheets
from server.sheets import SheetBusyError, SheetError

PAGE = "<html lang='{lang}'><head><title>A sheet</title></head><body><h1>Hello</h1>{body}</body></html>"


@pytest.fixture
def listener():
    """An address on loopback, and how often somebody came to it."""
    came = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        ending = threading.Event()

        def listen():
            while not ending.is_set():
                try:
                    connection, _address = server.accept()
                except TimeoutError:
                    continue
                came.append(connection)
                connection.close()

        thread = threading.Thread(target=listen)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", came
        ending.set()
        thread.join()


def unpacked(pdf: bytes) -> bytes:
    """The file with its packed parts beside it as plain text."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    parts = [pdf]
    for stream in streams:
        try:
            parts.append(zlib.decompressobj().decompress(stream))
        except zlib.error:
            continue
    return b"\n".join(parts)


def test_a_page_becomes_a_pdf_that_can_be_read_aloud():
    plain = unpacked(sheets.pdf(PAGE.format(lang="es", body="<p>Text</p>")))
    assert plain.startswith(b"%PDF-")
    assert re.search(rb"/Lang\s*\(es\)", plain)
    assert b"/MarkInfo" in plain
    assert b"/StructTreeRoot" in plain
    assert b"<pdfuaid:part>1" in plain or b'pdfuaid:part="1"' in plain
    assert b"A sheet" in plain


def test_a_drawing_has_words_for_whoever_does_not_see_it():
    drawing = (
        "<svg xmlns='http://www.w3.org/2000/svg' width='10' height='10'>"
        "<title>Map of all</title><path d='M0 0h9'/></svg>"
    )
    plain = unpacked(sheets.pdf(PAGE.format(lang="en", body=drawing)))
    assert b"/Figure" in plain
    assert re.search(rb"/Alt\s*\(Map of all\)", plain)


def test_no_crowd_waits_for_sheets():
    def ask():
        with suppress(SheetBusyError):
            sheets.pdf(PAGE.format(lang="en", body=""))
            made.append(True)

    made = []
    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= len(made) <= 5


@pytest.mark.parametrize(
    "body",
    [
        '<img src="{address}/x.png" alt="x">',
        "<style>@import url({address}/x.css);</style>",
        '<svg xmlns="http://www.w3.org/2000/svg"><image href="{address}/x.png" width="5" height="5"/></svg>',
        '<link rel="attachment" href="{address}/x">',
        '<img src="file:///etc/passwd" alt="x">',
    ],
)
def test_no_address_in_a_page_is_ever_opened(listener, body):
    address, came = listener
    with suppress(SheetError):  # a sheet that names an address is none
        made = sheets.pdf(PAGE.format(lang="en", body=body.format(address=address)))
        assert b"root:x" not in unpacked(made)
    assert came == []
