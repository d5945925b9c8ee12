import re

from sqlalchemy import select
from sqlalchemy.orm import Session

from data import database
from data.models import Person, RoleGrant
from geo.roles import Role


def test_the_first_administrator_gets_a_link_to_choose_a_password(own, porchlight, client):
    code, said = porchlight("person", "add", "--administrator", "Ada@Example.org")
    assert code == 0
    path = re.search(r"http://127\.0\.0\.1:8000(/invitation\S+)", said)[1]
    engine = database.engine(own, pool_size=1)
    with Session(engine) as session:
        (ada,) = session.scalars(select(Person))
        (held,) = session.scalars(select(RoleGrant))
    engine.dispose()
    assert (ada.email, held.role, held.person_id) == ("ada@example.org", Role.ADMINISTRATOR, ada.id)
    client.app.state.positions._secret = (
        client.app.state.settings.var / "position.secret"
    ).read_bytes()
    assert "ada@example.org" in client.get(path).text


def test_a_second_link_takes_the_place_of_the_first(own, porchlight):
    for _ in range(2):
        assert porchlight("person", "add", "--administrator", "ada@example.org")[0] == 0


def test_what_is_no_address_is_refused_with_what_to_do(own, porchlight):
    code, said = porchlight("person", "add", "ada")
    assert code == 1
    assert "name@example.org" in said
