"""What stands before every request: language, limits of size, and headers of safety."""

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.languages import COOKIE, chosen, language

SAFETY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(self), camera=(self), microphone=(), payment=()",
}
CLOSED_POLICY = "default-src 'none'; frame-ancestors 'none'"


class TooLarge(Exception):  # noqa: N818 (it is the name of what happened)
    """The body is larger than the operator allows."""


class Front:
    """ASGI middleware: chooses the language, caps the body, and sets headers of safety.

    Parameters
    ----------
    app : ASGIApp
    max_body_bytes : int
        A larger body is answered 413, whether or not its length was declared.
    fallback : str
        Language for those whose browser asks for none that we have.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int, fallback: str) -> None:
        self.app = app
        self.max_body_bytes = max_body_bytes
        self.fallback = fallback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        scope.setdefault("state", {})["language"] = language(
            chosen(
                QueryParams(scope["query_string"]).get("lang"),
                cookie_parser(headers.get("cookie", "")).get(COOKIE),
                headers.get("accept-language", ""),
                self.fallback,
            )
        )
        received = 0
        answered = False

        async def capped() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_body_bytes:
                raise TooLarge
            return message

        async def safely(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                answer = MutableHeaders(scope=message)
                for name, value in SAFETY.items():
                    answer.setdefault(name, value)
                answer.setdefault("Content-Security-Policy", CLOSED_POLICY)
            await send(message)

        declared = headers.get("content-length", "")
        try:
            self._require_small(declared)
            await self.app(scope, capped, safely)
        except TooLarge:
            if answered:
                raise
            _ = scope["state"]["language"].gettext
            title = _("Too large")
            detail = _("What was sent is larger than this site takes. Send less at once.")
            body = (
                f'{{"type":"about:blank","title":"{title}","status":413,"detail":"{detail}"}}'
            ).encode()
            await safely(
                {
                    "type": "http.response.start",
                    "status": 413,
                    "headers": [
                        (b"content-type", b"application/problem+json"),
                        (b"content-length", str(len(body)).encode()),
                        (b"connection", b"close"),
                    ],
                }
            )
            await send({"type": "http.response.body", "body": body})

    def _require_small(self, declared: str) -> None:
        if declared.isdigit() and int(declared) > self.max_body_bytes:
            raise TooLarge
