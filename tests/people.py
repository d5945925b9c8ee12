"""People as tests sign them in."""

from fastapi.testclient import TestClient
from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session

from data.models import Person, RoleGrant
from data.queries import sign_ins
from geo.roles import Role


def person(session: Session, role: Role | None = None, *, email: str | None = None, **scope) -> int:
    """A person, holding a role within its scope where one is given. Nothing is committed."""
    id = session.scalar(insert(Person).values(email=email).returning(Person.id))
    if role is not None:
        session.execute(insert(RoleGrant).values(person_id=id, role=role, **scope))
    return id


def signed_in(
    client: TestClient, engine: Engine, person_id: int, strong: bool = True
) -> TestClient:
    """The same client, whose browser a person has signed in."""
    with Session(engine) as session:
        token = sign_ins.begin(session, person_id, strong=strong, browser="Test browser")
        session.commit()
    client.cookies.set("porchlight", token, domain="testserver.local")  # as answers set it
    return client
