"""What phones keep of a part of the site, so that it goes on without a connection (ADR 0013, 0025)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from layers.atlas import safe_json
from server.pages.page import STATIC, asset


@dataclass(frozen=True, slots=True)
class OfflinePart:
    """A part of the site that goes on without a connection.

    Attributes
    ----------
    name : str
        Its pages lie under `/name/`.
    pages : str
        Regular expression, in JavaScript too, of the paths of pages that a phone may keep.
    files : tuple of str
        Static files of which its pages are made: all that a phone keeps beside them.
    modules : mapping of str to str
        Static files of modules by the names under which scripts import them.
    """

    name: str
    pages: str
    files: tuple[str, ...]
    modules: Mapping[str, str]

    def import_map(self, others: Mapping[str, str] | None = None) -> str:
        """Give the import map of a page, as JSON that can stand in it."""
        own = {f"porchlight/{name}": asset(path) for name, path in self.modules.items()}
        return safe_json({"imports": {**(others or {}), **own}})

    def worker(self) -> Response:
        """Give the service worker, which changes whenever something that it keeps does.

        It lies beside the pages it serves, so that no browser lets it touch any other.
        """
        kept: Sequence[str] = [asset(path) for path in self.files]
        version = sha256("".join(kept).encode()).hexdigest()[:12]
        told = {"PART": self.name, "PAGES": self.pages, "VERSION": version, "SHELL": kept}
        constants = "".join(
            f"const {name} = {json.dumps(value)};\n" for name, value in told.items()
        )
        return Response(
            constants + (STATIC / "offline_worker.js").read_text(),
            media_type="text/javascript; charset=utf-8",
            headers={
                "Cache-Control": "no-cache",
                "Content-Security-Policy": "default-src 'none'; connect-src 'self'",
            },
        )

    def manifest(self, request: Request, *, name: str, short_name: str) -> JSONResponse:
        """Describe the part to phones that put it on their home screen.

        Parameters
        ----------
        request : Request
        name, short_name : str
            In the language of the request.
        """
        home = f"/{self.name}/"
        manifest = {
            "id": home,
            "name": name,
            "short_name": short_name,
            "lang": request.state.language.code,
            "start_url": home,
            "scope": home,
            "display": "standalone",
            "background_color": "#0c1a1f",
            "theme_color": "#0e3a44",
            "icons": [{"src": asset("porchlight.svg"), "sizes": "any", "type": "image/svg+xml"}],
        }
        return JSONResponse(
            manifest,
            headers={"Cache-Control": "no-cache", "Vary": "Accept-Language, Cookie"},
            media_type="application/manifest+json",
        )
