"""What goes wrong, said in one way: problem details (RFC 9457) to programs, a page to people."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from server.languages import Language
from server.pages.page import page

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 3

_SECRET = {"password", "again", "code"}
"""Fields of forms that no page repeats."""


class Problem(Exception):  # noqa: N818 (the term of RFC 9457)
    """Something a caller can mend, or should know of.

    Parameters
    ----------
    status : int
        HTTP status.
    title : str
        What is wrong, in a few words, the same for every occurrence.
    detail : str
        What is wrong this time, and what to do.
    headers : mapping, optional
        Headers of the answer.
    **members
        Further members of the problem object.
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.headers = headers
        self.members = members


def problem_response(problem: Problem) -> Response:
    """Give the problem as RFC 9457 asks."""
    body = {
        "type": "about:blank",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        **problem.members,
    }
    # In ASCII, since what a caller sent and is told of may hold halves of characters.
    return Response(json.dumps(body), problem.status, problem.headers, MEDIA_TYPE)


def _wants_page(request: Request) -> bool:
    if request.url.path.startswith(("/api/", "/tiles/")):
        return False
    return "text/html" in request.headers.get("accept", "")


@dataclass(frozen=True, slots=True)
class Kept:
    """A form that was sent, for the page that refuses it: nothing of it is stored, or in an address.

    Attributes
    ----------
    action : str
        Where it was sent to.
    fields : tuple of (str, str)
        What was typed, but for secrets.
    has_files : bool
        Whether files came with it, which a page can not repeat.
    """

    action: str
    fields: tuple[tuple[str, str], ...]
    has_files: bool


async def _kept(request: Request) -> Kept:
    try:
        form = (await request.form()).multi_items()
    except HTTPException:  # it can not be read
        form = []
    query = request.url.query
    return Kept(
        request.url.path + (f"?{query}" if query else ""),
        tuple((n, v) for n, v in form if isinstance(v, str) and n not in _SECRET),
        any(not isinstance(value, str) and value.filename for _name, value in form),
    )


def _answer(request: Request, problem: Problem, kept: Kept | None = None) -> Response:
    if _wants_page(request):
        return page(
            request,
            "problem.html",
            {
                "title": problem.title,
                "detail": problem.detail,
                "status": problem.status,
                "kept": kept,
            },
            status=problem.status,
            headers=problem.headers,
        )
    return problem_response(problem)


def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    _ = request.state.language.gettext
    texts = {
        400: (
            _("Cannot be read"),
            _("What was sent could not be read. Send it in UTF-8, as the API describes it."),
        ),
        404: (_("Not found"), _("There is nothing at this address. It may have been moved.")),
        405: (_("Not possible here"), _("This address does not take that kind of request.")),
        413: (
            _("Too large"),
            _("What was sent is larger than this site takes. Send less at once."),
        ),
    }
    title, detail = texts.get(
        error.status_code, (HTTPStatus(error.status_code).phrase, str(error.detail))
    )
    return _answer(request, Problem(error.status_code, title, detail, error.headers))


def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    _ = request.state.language.gettext
    errors = [
        {
            "pointer": "/".join(str(part) for part in fault["loc"]),
            "detail": fault["msg"].removeprefix("Value error, "),
        }
        for fault in error.errors()
    ]
    what = "; ".join(f"{fault['pointer']}: {fault['detail']}" for fault in errors)
    if _wants_page(request):
        # Names of parameters help a program; whoever follows a broken link needs a way on.
        what = _(
            "The address asks for something this page does not know. Go back to the map and choose "
            "again."
        )
    return _answer(request, Problem(422, _("Some of this cannot be used"), what, errors=errors))


def _of_store(request: Request, error: Exception) -> Response:
    """Answer for a database that is away or overloaded: try again, nothing is lost."""
    assert isinstance(error, PoolTimeoutError | DBAPIError)
    passing = isinstance(error, PoolTimeoutError | OperationalError) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    )
    if not passing:
        return _of_fault(request, error)
    logger.warning("The database did not answer in time: %s", type(error).__name__)
    return _answer(request, busy(request.state.language))


def busy(language: Language) -> Problem:
    """Say that the database is away or overloaded."""
    _ = language.gettext
    return Problem(
        503,
        _("Busy or restarting"),
        _("The site cannot reach its database right now. Please try again in a few seconds."),
        {"Retry-After": str(RETRY_AFTER_S)},
    )


def _of_fault(request: Request, error: Exception) -> Response:
    logger.error("A fault of ours at %s %s", request.method, request.url.path, exc_info=error)
    _ = request.state.language.gettext
    problem = Problem(
        500,
        _("A fault of ours"),
        _("Something broke on our side. It is written down, and not your doing."),
    )
    return _answer(request, problem)


async def _of_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    # Whose session has ended meanwhile must not lose what they typed. A form of another site never
    # comes this far (`dependencies.own_site`).
    sent = error.status == 401 and request.method == "POST" and _wants_page(request)
    kept = await _kept(request) if sent else None
    return await run_in_threadpool(_answer, request, error, kept)


def install(app: FastAPI) -> None:
    """Have the application answer every error in this way."""
    app.add_exception_handler(Problem, _of_problem)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(PoolTimeoutError, _of_store)
    app.add_exception_handler(DBAPIError, _of_store)
    app.add_exception_handler(Exception, _of_fault)
