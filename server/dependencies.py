"""What routes are given: a session to read with, a session to write with, the settings."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from server.settings import Settings


def _settings(request: Request) -> Settings:
    settings = request.app.state.settings
    assert isinstance(settings, Settings)
    return settings


def _reading(request: Request) -> Iterator[Session]:
    with Session(request.app.state.engine) as session:
        yield session


def _writing(request: Request) -> Iterator[Session]:
    with Session(request.app.state.engine) as session:
        yield session
        session.commit()


Chosen = Annotated[Settings, Depends(_settings)]
"""The settings of this installation."""

Reading = Annotated[Session, Depends(_reading)]
"""A session that is rolled back at the end."""

Writing = Annotated[Session, Depends(_writing, scope="function")]
"""A session that is committed once, before the answer is sent."""
