"""A real OpenID Connect provider on loopback, in a process of its own.

It is that of oidc-provider-mock, with its own pages for signing in, which here also holds clients to
PKCE (RFC 7636). Claims of its people can be set, those of the token itself too.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

from tests.mailbox import free_port

CLIENT = ("porchlight", "the secret of this site")


class Provider:
    """A provider that runs."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.issuer = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start it, with keys of its own; again on the same port after `stop`."""
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, str(self.port)],
            env={**os.environ, "AUTHLIB_INSECURE_TRANSPORT": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{self.issuer}/jwks", timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise TimeoutError("the provider did not start")

    def stop(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        """Have it take connections and answer none."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def know(self, subject: str, **claims) -> None:
        """Have somebody at the provider."""
        request = urllib.request.Request(
            f"{self.issuer}/users/{subject}",
            json.dumps(claims).encode(),
            {"Content-Type": "application/json"},
            method="PUT",
        )
        urllib.request.urlopen(request).close()

    def signed_in(self, address: str, subject: str | None) -> str:
        """Fill in the provider's own page as somebody, or deny it; gives where it sends one then."""
        with urllib.request.urlopen(address) as answer:
            assert re.search(rb'<form method="post".*name="sub"', answer.read(), re.DOTALL)
        typed = b"action=deny" if subject is None else f"sub={subject}".encode()

        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *args):
                return None

        try:
            urllib.request.build_opener(Stay).open(address, typed)
        except urllib.error.HTTPError as redirect:
            redirect.close()
            return redirect.headers["Location"]
        raise AssertionError("the provider sent nobody back")


@contextmanager
def open_provider() -> Iterator[Provider]:
    """Serve a provider."""
    provider = Provider(free_port())
    provider.start()
    yield provider
    provider.stop()


def _serve(port: int) -> None:
    import oidc_provider_mock  # noqa: PLC0415 (in the provider's own process alone)
    from flask import jsonify, request  # noqa: PLC0415 (as above)

    app = oidc_provider_mock.app(require_nonce=True)
    challenges: dict[str, str] = {}

    @app.after_request
    def keep_challenge(response):
        code = parse_qs(urlsplit(response.headers.get("Location", "")).query).get("code")
        if code:
            assert request.args["code_challenge_method"] == "S256"
            challenges[code[0]] = request.args["code_challenge"]
        return response

    @app.before_request
    def check_verifier():
        if request.path == "/oauth2/token":
            digest = sha256(request.form["code_verifier"].encode()).digest()
            challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
            if challenges.pop(request.form["code"], None) != challenge:
                return jsonify(error="invalid_grant"), 400
        return None

    app.run(port=port, threaded=True, debug=False)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
