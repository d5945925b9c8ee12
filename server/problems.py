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
from server.ways_back import from_own_page

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 3

_AGAIN = {429, 503}
"""Answers after which the same form may well be taken in a while."""

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
    signs_in : bool
        Whether signing in, perhaps in a stronger way, mends it.
    **members
        Further members of the problem object.
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        *,
        signs_in: bool = False,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.headers = headers
        self.signs_in = signs_in
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
    again : bool
        Whether the same form may be taken later: after signing in, or a little later.
    """

    action: str
    fields: tuple[tuple[str, str], ...]
    has_files: bool
    again: bool

    @property
    def words(self) -> list[str]:
        """What of it somebody wrote in words, to be read and copied."""
        return [value for _name, value in self.fields if len(value.split()) > 1]


async def _kept(request: Request, problem: Problem) -> Kept | None:
    """Give the form that is refused, so that whoever sent it loses nothing of it."""
    # What a page of another site sends is no word of whoever looks at it, and must not be offered to
    # them to be sent once more.
    if request.method != "POST" or not _wants_page(request) or not from_own_page(request):
        return None
    try:
        form = (await request.form()).multi_items()
    except HTTPException:  # it can not be read
        form = []
    await request.close()  # its files
    signs_in = any(name in _SECRET and value for name, value in form)
    if signs_in and problem.status != 401:
        return None  # without the password there is nothing to send again
    query = request.url.query
    return Kept(
        request.url.path + (f"?{query}" if query else ""),
        tuple((n, v) for n, v in form if isinstance(v, str) and n not in _SECRET),
        any(not isinstance(value, str) and value.filename for _name, value in form),
        problem.status in _AGAIN or problem.signs_in,
    )


async def _refusal(request: Request, problem: Problem) -> Response:
    """Give the answer of a route that refuses a form, with the form."""
    return await run_in_threadpool(_answer, request, problem, await _kept(request, problem))


def _answer(request: Request, problem: Problem, kept: Kept | None = None) -> Response:
    if not _wants_page(request):
        return problem_response(problem)
    return page(
        request,
        "problem.html",
        {
            "title": problem.title,
            "detail": problem.detail,
            "signs_in": problem.signs_in,
            "kept": kept,
        },
        status=problem.status,
        headers=problem.headers,
    )


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


async def _of_validation(request: Request, error: Exception) -> Response:
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
        what = (
            _(
                "The form did not come as this site makes it, so nothing was changed. Go back, load "
                "the page again, and send it from there."
            )
            if request.method == "POST"
            else _(
                "The address asks for something this page does not know. Go back to the map and "
                "choose again."
            )
        )
    problem = Problem(422, _("Some of this cannot be used"), what, errors=errors)
    return await _refusal(request, problem)


async def _of_store(request: Request, error: Exception) -> Response:
    """Answer for a database that is away or overloaded: try again, nothing is lost."""
    assert isinstance(error, PoolTimeoutError | DBAPIError)
    passing = isinstance(error, PoolTimeoutError | OperationalError) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    )
    if not passing:
        return await run_in_threadpool(_of_fault, request, error)
    logger.warning("The database did not answer in time: %s", type(error).__name__)
    return await _refusal(request, busy(request.state.language))


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
    return await _refusal(request, error)


def install(app: FastAPI) -> None:
    """Have the application answer every error in this way."""
    app.add_exception_handler(Problem, _of_problem)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(PoolTimeoutError, _of_store)
    app.add_exception_handler(DBAPIError, _of_store)
    app.add_exception_handler(Exception, _of_fault)
