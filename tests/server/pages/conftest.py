"""A small city with a block watch, and people who sign in to it."""

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from data.models import Person
from geo.roles import Role
from tests.people import person, signed_in
from tests.places import found_city


@pytest.fixture
def watch(engine) -> int:
    with Session(engine) as session:
        made = found_city(session)
        session.commit()
    return made.block_watch


@pytest.fixture
def act(client, engine, watch):
    """Sign the browser in as somebody, of the watch or not."""

    def become(role=None, name="", **scope):
        if role in {Role.CAPTAIN, Role.MEMBER}:
            scope = {"block_watch_id": watch, **scope}
        with Session(engine) as session:
            id = person(session, role, **scope)
            session.execute(update(Person).where(Person.id == id).values(name=name))
            session.commit()
        signed_in(client, engine, id)
        return id

    return become
