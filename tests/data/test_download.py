import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from data import download
from data.download import DownloadError, downloaded, is_url


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        status, headers, body = self.server.answers[self.path.partition("?")[0]]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def web():
    """A server on this machine: its answers by path, and what it was asked."""
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.answers, server.asked = {}, []
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def get(url, **options):
    with downloaded(url, **options) as (path, name):
        return path.read_bytes(), path.name, name


def test_a_file_is_got_by_its_name_and_called_without_its_query(web):
    web.answers["/kc/stops.txt"] = (200, {}, b"stop_id\n")

    body, file_name, name = get(f"{web.url}/kc/stops.txt?token=secret", private_addresses=True)

    assert (body, file_name) == (b"stop_id\n", "stops.txt")
    assert name == "http://127.0.0.1/kc/stops.txt"
    assert web.asked == ["/kc/stops.txt?token=secret"]


def test_a_redirect_is_followed_and_a_circle_is_not(web):
    web.answers["/a"] = (302, {"Location": "/b"}, b"")
    web.answers["/b"] = (200, {}, b"x")
    web.answers["/circle"] = (302, {"Location": "/circle"}, b"")

    assert get(f"{web.url}/a", private_addresses=True)[0] == b"x"
    with pytest.raises(DownloadError, match="more than 5 redirects"):
        get(f"{web.url}/circle", private_addresses=True)


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1/x", "http://localhost/x", "http://10.0.0.1/x", "http://192.168.1.1/x",
        "http://169.254.169.254/latest/meta-data", "http://[::1]/x", "http://0.0.0.0/x",
        "http://[::ffff:127.0.0.1]/x", "http://[fd00::1]/x", "http://2130706433/x",
        "http://[64:ff9b::7f00:1]/x", "http://100.64.0.1/x",
    ],
)  # fmt: skip
def test_an_address_of_this_machine_or_its_network_is_refused(place, monkeypatch):
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("connected"))

    with pytest.raises(DownloadError, match=r"not on the public internet|no such server"):
        get(place)


def test_a_redirect_to_this_machine_is_refused_without_a_connection(web, monkeypatch):
    web.answers["/"] = (302, {"Location": "http://127.0.0.2:1/inside"}, b"")
    real = download._is_public
    monkeypatch.setattr(
        download, "_is_public", lambda address: address == "127.0.0.1" or real(address)
    )

    with pytest.raises(DownloadError, match=r"127\.0\.0\.2, which is not on the public internet"):
        get(f"{web.url}/")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://example.org/x", "gopher://example.org/x", "http:///x",
        "https://user:password@example.org/x", "http://example.org:0/x", "http://example.org/a b",
        "http://example.org:99999/", "http://example.org/\r\nHost: inside",
    ],
)  # fmt: skip
def test_what_is_no_plain_web_address_is_refused(url):
    with pytest.raises(DownloadError):
        get(url)


def test_a_file_that_is_too_large_is_given_up(web):
    web.answers["/big"] = (200, {}, b"x" * 3_000_000)

    with pytest.raises(DownloadError, match="larger than 1 MiB"):
        get(f"{web.url}/big", private_addresses=True, limit_bytes=1 << 20)


def test_a_file_that_is_not_there_is_said_so(web):
    web.answers["/gone"] = (404, {}, b"")

    with pytest.raises(DownloadError, match="the server answers 404 Not Found"):
        get(f"{web.url}/gone", private_addresses=True)


@pytest.mark.parametrize(
    ("text", "answer"),
    [("https://example.org/a.csv", True), ("file:///a.csv", True), ("a.csv", False), ("C:\\a", False)],
)  # fmt: skip
def test_what_has_a_scheme_is_a_url(text, answer):
    assert is_url(text) is answer
