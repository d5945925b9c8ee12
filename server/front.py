"""What stands before every request: language, limits of size, and headers of safety."""

from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.languages import COOKIE, chosen, language
from server.visitors import NOBODY

SAFETY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(self), camera=(self), microphone=(), payment=()",
}
CLOSED_POLICY = "default-src 'none'; frame-ancestors 'none'"


class Front:
    """ASGI middleware: language, size of the body, headers of safety, and HEAD as GET without body.

    Parameters
    ----------
    app : ASGIApp
    max_body_bytes : int
        A larger body is answered 413, whether or not its length was declared.
    larger : mapping of str to int
        Paths that take larger bodies, with how many bytes.
    fallback : str
        Language for those whose browser asks for none that we have.
    """

    def __init__(
        self, app: ASGIApp, max_body_bytes: int, larger: Mapping[str, int], fallback: str
    ) -> None:
        self.app = app
        self.max_body_bytes = max_body_bytes
        self.larger = larger
        self.fallback = fallback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        state = scope.setdefault("state", {})
        state["visitor"] = NOBODY
        state["language"] = language(
            chosen(
                QueryParams(scope["query_string"]).get("lang"),
                cookie_parser(headers.get("cookie", "")).get(COOKIE),
                headers.get("accept-language", ""),
                self.fallback,
            )
        )
        head_only = scope["method"] == "HEAD"
        most = max(self.max_body_bytes, self.larger.get(scope["path"], 0))
        declared = headers.get("content-length", "")
        received = int(declared) if declared.isdigit() else 0

        async def capped() -> Message:
            nonlocal received
            message = await receive()
            if not declared:
                received += len(message.get("body", b""))
            if received > most:
                raise HTTPException(413)
            return message

        async def safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in SAFETY.items():
                    answer.setdefault(name, value)
                answer.setdefault("Content-Security-Policy", CLOSED_POLICY)
            elif head_only and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        if head_only:  # whoever watches the site, or checks links, asks so
            scope = {**scope, "method": "GET"}
        await self.app(scope, capped, safely)
