"""Signing in by a real OpenID Connect provider, through its own page."""

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from data.models import AuditEntry, Person, SignIn
from data.queries import people
from geo.roles import Role
from server.app import create_app
from tests.identity_provider import CLIENT, open_provider
from tests.people import person

EMAIL = "ada@example.org"
KNOWN = {"email": EMAIL, "email_verified": True, "amr": ["pwd", "otp", "mfa"]}


@pytest.fixture(scope="module")
def provider():
    with open_provider() as provider:
        yield provider


@pytest.fixture
def settings(settings, provider):
    return settings.model_copy(
        update={
            "public_url": "http://testserver",
            "oidc_issuer": provider.issuer,
            "oidc_client_id": CLIENT[0],
            "oidc_client_secret": SecretStr(CLIENT[1]),
            "oidc_name": "City ID",
        }
    )


@pytest.fixture
def ada(engine) -> int:
    """Somebody whom an administrator has added."""
    with Session(engine) as session:
        id = person(session, Role.ADMINISTRATOR, email=EMAIL)
        session.commit()
    return id


def left(client, onward="/people") -> str:
    """Where the browser is sent."""
    answer = client.get("/sign-in/provider", params={"next": onward}, follow_redirects=False)
    assert answer.status_code == 303
    return answer.headers["location"]


def back(client, address):
    """The answer to a browser that was sent back."""
    return client.get(address, follow_redirects=False)


@pytest.fixture
def sign_in(client, provider):
    """Signs in through the page of the provider, as somebody whom it knows so."""

    def sign_in(subject="ada", onward="/people", **claims):
        provider.know(subject, **(KNOWN | claims))
        return back(client, provider.signed_in(left(client, onward), subject))

    return sign_in


def faults(answer) -> str:
    assert 'role="alert"' in answer.text
    return answer.text.partition('role="alert"')[2].partition("</p>")[0]


class TestWayIn:
    def test_somebody_whom_an_administrator_added_gets_the_roles_they_hold(
        self, client, sign_in, ada, engine
    ):
        assert "Sign in with City ID" in client.get("/sign-in").text
        answer = sign_in()
        assert (answer.status_code, answer.headers["location"]) == (303, "/people")
        assert client.get("/people").status_code == 200
        assert "errand" not in client.cookies
        with Session(engine) as session:
            entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "person.link"))
            assert entry.one().person_id == ada

    def test_later_the_name_at_the_provider_counts_and_no_address(self, sign_in, ada, engine):
        sign_in()
        with Session(engine) as session:
            session.execute(update(Person).values(email="ada.l@example.org"))
            session.commit()
        assert sign_in(email="other@example.org", email_verified=False).status_code == 303
        with Session(engine) as session:
            assert session.scalars(select(SignIn.person_id)).all() == [ada, ada]

    def test_an_address_that_went_to_somebody_else_leads_to_nobody(self, sign_in, ada):
        sign_in()
        answer = sign_in("eve")
        assert answer.status_code == 403
        assert "Ask an administrator" in faults(answer)

    def test_after_a_new_invitation_it_is_linked_anew(self, sign_in, ada, engine):
        sign_in()
        with Session(engine) as session:
            people.start_over(session, ada)
            session.commit()
        assert sign_in("ada-again").status_code == 303

    def test_the_browser_gets_what_pkce_state_and_nonce_ask_and_no_secret(self, client):
        asked = parse_qs(urlsplit(left(client)).query)
        assert asked["response_type"] == ["code"]
        assert asked["code_challenge_method"] == ["S256"]
        assert asked["redirect_uri"] == ["http://testserver/sign-in/provider/back"]
        assert min(len(asked[name][0]) for name in ("state", "nonce", "code_challenge")) >= 43
        assert CLIENT[1] not in str(asked)
        cookie = client.cookies["errand"]
        assert asked["state"][0] not in cookie

    def test_it_leads_to_no_other_site(self, sign_in, ada):
        for onward in ("https://evil.example", "//evil.example", "/\\evil"):
            assert sign_in(onward=onward).headers["location"] == "/"

    def test_new_keys_of_the_provider_are_taken(self, sign_in, ada, provider):
        assert sign_in().status_code == 303
        provider.stop()
        provider.start()
        assert sign_in().status_code == 303


class TestStrength:
    def test_roles_of_the_city_hold_only_after_two_factors(self, settings, provider, ada):
        now = time.time()
        for setting, claims, strong in (
            ({}, {"amr": ["pwd"]}, False),
            ({}, {"amr": []}, False),
            ({"oidc_acr": "gold"}, {"amr": [], "acr": "silver"}, False),
            ({"oidc_acr": "gold"}, {"amr": [], "acr": "gold"}, True),
            ({"oidc_two_factors": "always"}, {"amr": []}, True),
            ({}, {"auth_time": now - 13 * 3600}, False),
        ):
            with TestClient(create_app(settings.model_copy(update=setting))) as client:
                provider.know("ada", **(KNOWN | {"auth_time": now} | claims))
                answer = back(client, provider.signed_in(left(client), "ada"))
                assert answer.headers["location"] == ("/people" if strong else "/account"), claims
                assert client.get("/people").status_code == (200 if strong else 403)
                told = "City ID did not say that it asked you for two factors"
                assert (told in client.get("/account").text) is not strong


class TestRefusals:
    def test_who_holds_no_role_of_the_city_is_told_whom_to_ask(self, sign_in, engine):
        for known in (False, True):
            if known:
                with Session(engine) as session:
                    person(session, email=EMAIL)
                    session.commit()
            answer = sign_in()
            assert answer.status_code == 403
            assert f"known here as {EMAIL}" in faults(answer)
        with Session(engine) as session:
            assert session.scalars(select(SignIn)).all() == []
            assert session.scalars(select(Person.oidc_subject)).all() == [None]

    def test_an_address_that_is_not_verified_links_nobody(self, sign_in, ada):
        for claims in ({"email_verified": False}, {"email": None}):
            answer = sign_in(**claims)
            assert answer.status_code == 403
            assert "no e-mail address that is verified" in faults(answer)

    def test_a_provider_that_does_not_say_so_can_be_trusted_with_addresses(
        self, settings, provider, ada
    ):
        claims = {"email": EMAIL, "amr": ["mfa"]}
        for trusted, status in ((False, 403), (True, 303)):
            trusting = settings.model_copy(update={"oidc_emails_are_verified": trusted})
            with TestClient(create_app(trusting)) as client:
                provider.know("entra", **claims)
                answer = back(client, provider.signed_in(left(client), "entra"))
                assert answer.status_code == status

    def test_a_closed_account_stays_closed(self, client, sign_in, ada, engine):
        sign_in()
        with Session(engine) as session:
            person(session, Role.ADMINISTRATOR)  # since one must stay
            people.close(session, ada, closed=True)
            session.commit()
        answer = sign_in()
        assert answer.status_code == 403
        assert "closed" in faults(answer)
        assert client.get("/people").status_code == 401

    def test_whoever_stops_at_the_provider_comes_back_to_the_ways_in(self, client, provider):
        answer = back(client, provider.signed_in(left(client), None))
        assert answer.status_code == 200
        assert "You stopped signing in there" in faults(answer)

    def test_a_sign_in_that_another_browser_began_ends_nowhere(self, client, provider, ada):
        provider.know("ada", **KNOWN)
        begun = provider.signed_in(left(client), "ada")
        other = TestClient(client.app)
        answer = back(other, begun)
        assert answer.status_code == 400
        assert "porchlight" not in other.cookies
        left(other)
        assert back(other, begun).status_code == 400
        assert "begun in another browser" in faults(back(other, begun))

    def test_nobody_comes_back_twice(self, client, provider, ada):
        provider.know("ada", **KNOWN)
        begun = provider.signed_in(left(client), "ada")
        kept = client.cookies["errand"]
        assert back(client, begun).status_code == 303
        assert back(client, begun).status_code == 400
        client.cookies.set("errand", kept, domain="testserver.local")
        again = back(client, begun)
        assert again.status_code == 400
        assert "opened twice" in faults(again)

    def test_after_ten_minutes_it_is_over(self, client, provider, ada, monkeypatch):
        provider.know("ada", **KNOWN)
        begun = provider.signed_in(left(client), "ada")
        monkeypatch.setattr("server.identity_provider.ERRAND_LASTS_S", -1)
        assert back(client, begun).status_code == 400

    def test_a_word_that_is_not_for_us_now_is_not_believed(self, client, sign_in, ada):
        now = time.time()
        for claims, said in (
            ({"exp": now - 3600}, "clocks"),
            ({"iat": now + 3600}, "clocks"),
            ({"nbf": now + 3600}, "clocks"),
            ({"aud": "another site"}, "could not be checked"),
            ({"iss": "https://evil.example"}, "could not be checked"),
            ({"nonce": "another"}, "could not be checked"),
            ({"azp": "another site"}, "could not be checked"),
        ):
            answer = sign_in(f"off-{next(iter(claims))}", **claims)
            assert answer.status_code == 502, claims
            assert said in faults(answer), claims
        assert "porchlight" not in client.cookies

    def test_clocks_that_differ_by_half_a_minute_do_no_harm(self, sign_in, ada):
        assert sign_in(iat=time.time() + 30).status_code == 303


class TestAway:
    def test_a_provider_that_does_not_answer_is_told_of_in_time(self, client, provider, ada):
        provider.know("ada", **KNOWN)
        begun = provider.signed_in(left(client), "ada")
        provider.pause()
        try:
            answer = back(client, begun)
        finally:
            provider.go_on()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
        assert "City ID does not answer" in faults(answer)

    def test_a_provider_that_is_down_is_told_of_before_leaving(self, settings):
        away = settings.model_copy(update={"oidc_issuer": "http://127.0.0.1:9"})
        with TestClient(create_app(away)) as client:
            answer = client.get("/sign-in/provider", follow_redirects=False)
        assert answer.status_code == 503
        assert "City ID does not answer" in faults(answer)

    def test_a_document_of_another_issuer_is_not_believed(self, settings, provider):
        other = settings.model_copy(update={"oidc_issuer": f"{provider.issuer}/"})
        with TestClient(create_app(other)) as client:
            answer = client.get("/sign-in/provider", follow_redirects=False)
        assert answer.status_code == 502


class TestSigningOut:
    def test_it_says_that_the_provider_may_know_the_browser_still(
        self, client, sign_in, ada, provider
    ):
        sign_in()
        answer = client.post("/sign-out")
        assert "maybe not of City ID" in answer.text
        assert f'href="{provider.issuer}/oauth2/end_session?client_id=porchlight' in answer.text
        assert client.get("/people").status_code == 401

    def test_nobody_else_is_told_so(self, client, ada):
        assert client.post("/sign-out", follow_redirects=False).headers["location"] == "/"


def test_without_a_provider_there_is_no_such_way(settings):
    without = settings.model_copy(update={"oidc_issuer": None})
    with TestClient(create_app(without)) as client:
        assert "City ID" not in client.get("/sign-in").text
        for path in ("", "/back", "/left"):
            assert client.get(f"/sign-in/provider{path}").status_code == 404
