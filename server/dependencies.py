"""What routes are given: a session to read with, a session to write with, the settings.

What waits for nothing is asynchronous here: a synchronous dependency costs a trip to the thread pool.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from geo.roles import Role
from server import visitors
from server.positions import Positions
from server.problems import Problem
from server.settings import Settings
from server.visitors import Visitor
from server.ways_back import from_own_page


async def _settings(request: Request) -> Settings:
    settings = request.app.state.settings
    assert isinstance(settings, Settings)
    return settings


async def _visitor(request: Request) -> Visitor:
    if visitors.cookie(request) in request.cookies:
        # Kept for the header of the page as well, that of a page of errors too.
        request.state.visitor = await run_in_threadpool(visitors.find, request)
    visitor = request.state.visitor
    assert isinstance(visitor, Visitor)
    return visitor


Who = Annotated[Visitor, Depends(_visitor)]
"""Who asks."""


async def _moderator(request: Request, visitor: Who) -> int:
    visitors.require(request, visitor, (Role.MODERATOR, Role.ADMINISTRATOR))
    assert visitor.person_id is not None
    return visitor.person_id


Moderator = Annotated[int, Depends(_moderator)]
"""The person, who may moderate: asked for before any form is looked at."""


async def _reading(request: Request, visitor: Who) -> AsyncIterator[Session]:
    if visitor.signed_in is None:
        # Each statement is its own transaction, so that there is nothing to begin or to roll back,
        # and giving the connection back waits for nothing.
        with Session(request.app.state.reading) as session:
            yield session
        return
    with Session(request.app.state.engine) as session:
        try:
            await run_in_threadpool(visitors.name_visitor, session, visitor)
            yield session
        finally:
            await run_in_threadpool(session.rollback)


@asynccontextmanager
async def _committed(engine: Engine) -> AsyncIterator[Session]:
    """Give a session that is committed once, or rolled back whatever went wrong."""
    with Session(engine) as session:
        try:
            yield session
            if session.in_transaction():
                await run_in_threadpool(session.commit)
        except BaseException:
            await run_in_threadpool(session.rollback)
            raise


async def _writing(request: Request, visitor: Who) -> AsyncIterator[Session]:
    async with _committed(request.app.state.engine) as session:
        if visitor.signed_in is not None:
            await run_in_threadpool(visitors.name_visitor, session, visitor)
        yield session


@contextmanager
def written(request: Request) -> Iterator[tuple[Session, Visitor]]:
    """Give what `Writing` and `Who` do, to a route that has no dependencies, inside of its thread."""
    if visitors.cookie(request) in request.cookies:
        request.state.visitor = visitors.find(request)
    visitor: Visitor = request.state.visitor
    with Session(request.app.state.engine) as session:
        if visitor.signed_in is not None:
            visitors.name_visitor(session, visitor)
        yield session, visitor
        session.commit()


Chosen = Annotated[Settings, Depends(_settings)]
"""The settings of this installation."""


async def _accounts(request: Request) -> AsyncIterator[Session]:
    async with _committed(request.app.state.owner) as session:
        yield session


Accounts = Annotated[Session, Depends(_accounts, scope="function")]
"""A session as the owner of the store, committed once: for accounts, which no other route may touch."""

Reading = Annotated[Session, Depends(_reading, scope="function")]
"""A session to read with. Its connection is given back before the answer is sent."""

Writing = Annotated[Session, Depends(_writing, scope="function")]
"""A session that is committed once, before the answer is sent."""


async def _positions(request: Request) -> Positions:
    positions = request.app.state.positions
    assert isinstance(positions, Positions)
    return positions


Places = Annotated[Positions, Depends(_positions)]
"""The served area, and what everybody may see of places in it."""


async def own_site(request: Request) -> None:
    """Refuse what a page of another site sends in the name of whoever looks at it."""
    if request.method not in {"GET", "HEAD", "OPTIONS"} and not from_own_page(request):
        _ = request.state.language.gettext
        raise Problem(
            403,
            _("Sent from another site"),
            _("This came from a page that is not ours, so nothing was stored. Open the form here."),
        )
