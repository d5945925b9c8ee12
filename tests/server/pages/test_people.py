"""People and roles, for administrators only; every change is in the audit log."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from data.models import AuditEntry, Department, Mail, Person, RoleGrant
from data.queries import people
from data.queries.people import LastAdministrator
from geo.roles import Role
from tests.people import person, signed_in
from tests.places import found_city


@pytest.fixture
def city(engine):
    with Session(engine) as session:
        made = found_city(session)
        session.commit()
    return made


@pytest.fixture
def administrator(engine, city):
    with Session(engine) as session:
        id = person(session, Role.ADMINISTRATOR, email="ada@example.org")
        session.commit()
    return id


@pytest.fixture
def ada(client, engine, administrator):
    return signed_in(client, engine, administrator)


def added(client, email="new@example.org") -> int:
    answer = client.post("/people", data={"email": email, "name": "New"}, follow_redirects=False)
    return int(answer.headers["location"].rpartition("/")[2])


def actions(engine) -> list[tuple[str, str]]:
    with Session(engine) as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id))
        return [(entry.action, entry.subject) for entry in entries]


@pytest.mark.parametrize("role", [None, Role.MODERATOR])
def test_others_see_nobody(client, engine, city, role):
    assert client.get("/people").status_code == 401
    with Session(engine) as session:
        id = person(session, role)
        session.commit()
    signed_in(client, engine, id)
    for path in ("/people", f"/people/{id}"):
        assert client.get(path).status_code == 403
    for path in ("/people", f"/people/{id}/roles", f"/people/{id}/invite", f"/people/{id}/close"):
        assert client.post(path).status_code == 403


def test_an_administrator_without_the_second_factor_sees_nobody(client, engine, administrator):
    signed_in(client, engine, administrator, strong=False)
    assert client.get("/people").status_code == 403


def test_a_captain_is_made_and_ended(ada, engine, city):
    id = added(ada)
    form = {"role": "captain", "block_watch": city.block_watch, "department": "1"}
    assert "The role holds now" in ada.post(f"/people/{id}/roles", data=form).text
    assert "Captain of a block watch: Norton Watch" in ada.get("/people").text
    with Session(engine) as session:
        (held,) = session.scalars(select(RoleGrant).where(RoleGrant.person_id == id))
        assert (held.block_watch_id, held.department_id) == (city.block_watch, None)
    ada.post(f"/people/{id}/roles/{held.id}/end")
    assert "None: a resident." in ada.get(f"/people/{id}").text
    assert actions(engine) == [
        ("person.add", f"person {id}"),
        ("role.grant", f"person {id}"),
        ("role.end", f"person {id}"),
    ]


def test_staff_are_of_a_department_and_may_be_of_a_district(ada, engine, city):
    id = added(ada)
    with Session(engine) as session:
        lighting = session.scalar(select(Department.id).where(Department.code == "lighting"))
    form = {"role": "staff", "department": lighting, "district": city.council_district}
    text = ada.post(f"/people/{id}/roles", data=form).text
    assert "City staff: Street lighting, District 3" in text


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"role": "king"},
        {"role": "captain"},
        {"role": "liaison", "division": "x"},
        {"role": "liaison", "division": "999999"},
        {"role": "staff", "department": "999999"},
        {"role": "captain", "block_watch": "9" * 18},
    ],
)
def test_a_role_without_its_scope_is_not_given(ada, engine, form):
    id = added(ada)
    answer = ada.post(f"/people/{id}/roles", data=form)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert len(actions(engine)) == 1


def test_a_division_is_no_district(ada, city):
    form = {"role": "liaison", "division": city.council_district}
    assert ada.post(f"/people/{added(ada)}/roles", data=form).status_code == 422


def test_a_role_that_is_held_is_not_given_twice(ada, engine):
    id = added(ada)
    for _ in range(2):
        assert ada.post(f"/people/{id}/roles", data={"role": "moderator"}).status_code == 200
    assert [action for action, _ in actions(engine)].count("role.grant") == 1


def test_an_invitation_goes_to_their_own_address(ada, engine, client):
    id = added(ada)
    ada.post(f"/people/{id}/roles", data={"role": "moderator"})
    assert "on its way" in ada.post(f"/people/{id}/invite").text
    with Session(engine) as session:
        sent = session.scalars(select(Mail)).one()
        assert sent.recipient == "new@example.org"
    path = re.search(r"http://127.0.0.1:8000(/invitation\S+)", sent.text)[1]
    assert "Choose a password" in client.get(path).text
    assert ("person.invite", f"person {id}") in actions(engine)


def test_people_are_found_by_part_of_their_address(ada):
    added(ada, "maria@example.org")
    assert "maria@example.org" not in ada.get("/people").text  # holds no role
    assert "maria@example.org" in ada.get("/people?q=MARIA").text
    assert "Nobody is found" in ada.get("/people?q=%25").text


def test_the_same_address_is_the_same_person(ada):
    assert added(ada) == added(ada, "New@Example.org")


def test_a_closed_account_is_signed_out_and_can_be_opened_again(ada, engine, administrator):
    id = added(ada)
    assert "closed" in ada.post(f"/people/{id}/close").text
    with Session(engine) as session:
        assert session.get_one(Person, id).disabled_at is not None
    assert "open again" in ada.post(f"/people/{id}/close", data={"open": "1"}).text
    assert ada.post(f"/people/{administrator}/close").status_code == 409


def test_nobody_at_an_address_is_not_found(ada):
    assert ada.get("/people/999999").status_code == 404
    assert ada.get(f"/people/{10**30}").status_code == 404


def role_of(engine, id: int) -> RoleGrant:
    with Session(engine) as session:
        return session.scalars(select(RoleGrant).where(RoleGrant.person_id == id)).one()


def test_the_last_administrator_stays(ada, engine, administrator):
    own = role_of(engine, administrator).id
    answer = ada.post(
        f"/people/{administrator}/roles/{own}/end",
        data={"sure": "1"},
        headers={"Accept": "text/html"},
    )
    assert answer.status_code == 409
    assert "somebody else an administrator first" in answer.text
    assert ada.post("/account/delete", data={"sure": "1"}).status_code == 409
    assert role_of(engine, administrator).ended_at is None


def test_ones_own_role_ends_only_when_it_is_meant(ada, engine, administrator):
    with Session(engine) as session:
        person(session, Role.ADMINISTRATOR)
        session.commit()
    own = role_of(engine, administrator).id
    asked = ada.post(f"/people/{administrator}/roles/{own}/end")
    assert "End your own role?" in asked.text
    assert role_of(engine, administrator).ended_at is None
    ended = ada.post(
        f"/people/{administrator}/roles/{own}/end", data={"sure": "1"}, follow_redirects=False
    )
    assert ended.headers["location"] == "/account"
    assert role_of(engine, administrator).ended_at is not None


def test_of_two_administrators_who_end_each_other_one_stays(engine, administrator):
    with Session(engine) as session:
        other = person(session, Role.ADMINISTRATOR)
        session.commit()

    def end(id: int, grant_id: int) -> bool:
        with Session(engine) as session:
            try:
                people.end_grant(session, grant_id, id)
                session.commit()
            except LastAdministrator:
                return False
            return True

    grants = [(id, role_of(engine, id).id) for id in (administrator, other)]
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(lambda grant: end(*grant), grants)) == [False, True]


def test_a_closed_administrator_is_none_who_stays(engine, administrator):
    with Session(engine) as session:
        people.close(session, person(session, Role.ADMINISTRATOR), closed=True)
        people.close(session, person(session), closed=True)
        with pytest.raises(LastAdministrator):
            people.close(session, administrator, closed=True)
