"""Signing in: by a link sent by e-mail, by password and one-time code, and as somebody made up."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pyotp
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from data.models import ImportRun, Mail, Person, SignIn, SignInLink
from data.queries import people, sign_ins
from geo.roles import Role
from server import codes, invitations, passwords
from server.ways_back import own_path
from tests.people import person, signed_in

EMAIL = "rosa@example.org"
PASSWORD = "four random words do"
SECRET = b"s" * 32  # as the fixture `settings` has it
FROM_ANOTHER_SITE = {"Sec-Fetch-Site": "cross-site"}


def asked(client, email=EMAIL, **form):
    return client.post("/sign-in", data={"email": email, **form})


def link(engine) -> str:
    """The newest link that was sent."""
    with Session(engine) as session:
        sent = session.scalars(select(Mail).order_by(Mail.id.desc())).first()
    return re.search(r"http://[^\s]+", sent.text)[0]


def token(engine) -> str:
    return re.search(r"token=([^&]+)", link(engine))[1]


def used(client, token, onward="/account"):
    return client.post(
        "/sign-in/link", data={"token": token, "next": onward}, follow_redirects=False
    )


class TestLink:
    def test_a_link_signs_its_address_in_and_makes_the_account(self, client, engine):
        assert "Look into your mail" in asked(client, " Rosa@Example.org ").text
        shown = client.get(link(engine).replace("http://127.0.0.1:8000", ""))
        assert f"Sign in as {EMAIL}" in shown.text
        assert shown.headers["referrer-policy"] == "no-referrer"
        assert shown.headers["cache-control"] == "no-store"
        answer = used(client, token(engine))
        assert (answer.status_code, answer.headers["location"]) == (303, "/account")
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert f"signed in as {EMAIL}" in client.get("/account").text

    def test_looking_at_a_link_does_not_use_it(self, client, engine):
        asked(client)
        for _ in range(3):
            assert client.get("/sign-in/link", params={"token": token(engine)}).status_code == 200
        assert used(client, token(engine)).status_code == 303

    def test_known_and_unknown_addresses_get_the_same_answer(self, client, engine):
        with Session(engine) as session:
            person(session, email=EMAIL)
            session.commit()
        known, unknown = asked(client), asked(client, "nobody@example.org")
        assert known.status_code == unknown.status_code == 200
        hidden = re.compile(r'nonce(="|-)[\w-]+')
        assert hidden.sub("", known.text) == hidden.sub("", unknown.text).replace(
            "nobody@example.org", EMAIL
        )

    def test_a_link_works_once(self, client, engine):
        asked(client)
        used(client, token(engine))
        assert used(client, token(engine)).status_code == 410
        assert client.get("/sign-in/link", params={"token": token(engine)}).status_code == 410

    def test_of_twenty_uses_at_once_one_signs_in(self, client, engine):
        asked(client)
        once, together = token(engine), threading.Barrier(20)

        def use(_number):
            together.wait()
            return TestClient(client.app).post(
                "/sign-in/link", data={"token": once}, follow_redirects=False
            )

        with ThreadPoolExecutor(20) as threads:
            statuses = [answer.status_code for answer in threads.map(use, range(20))]
        assert statuses.count(303) == 1
        with Session(engine) as session:
            assert len(session.scalars(select(SignIn)).all()) == 1

    def test_after_ten_minutes_by_the_clock_of_the_database_it_is_over(self, client, engine):
        asked(client)
        with engine.begin() as connection:
            connection.execute(
                update(SignInLink).values(created_at=text("now() - interval '601 s'"))
            )
        assert used(client, token(engine)).status_code == 410

    def test_the_link_leads_to_our_address_whatever_the_request_says(self, client, engine):
        client.post("/sign-in", data={"email": EMAIL}, headers={"Host": "evil.example"})
        assert link(engine).startswith("http://127.0.0.1:8000/")

    def test_what_is_no_address_is_said_and_kept(self, client):
        answer = asked(client, "rosa@")
        assert answer.status_code == 422
        assert 'value="rosa@"' in answer.text
        assert "Write one e-mail address" in answer.text

    def test_the_browser_gets_another_token_at_each_sign_in(self, client, engine):
        with Session(engine) as session:
            id = person(session, email=EMAIL)
            session.commit()
        signed_in(client, engine, id, strong=False)
        before = client.cookies["porchlight"]
        asked(client)
        used(client, token(engine))
        assert client.cookies["porchlight"] != before
        with Session(engine) as session:
            assert sign_ins.find(session, before) is None

    def test_a_closed_account_stays_closed(self, client, engine):
        asked(client)
        with Session(engine) as session:
            people.close(session, person(session, email=EMAIL), closed=True)
            session.commit()
        answer = used(client, token(engine))
        assert answer.status_code == 403
        assert "porchlight" not in client.cookies

    def test_a_page_of_another_site_can_not_sign_anybody_in_or_out(self, client):
        for path in ("/sign-in", "/sign-in/link", "/sign-in/password", "/sign-in/as", "/sign-out"):
            assert client.post(path, headers=FROM_ANOTHER_SITE).status_code == 403


@pytest.mark.parametrize("path", ["/account", "/?lat=39&lon=-94", "/reports/12#support"])
def test_own_pages_are_gone_on_to(path):
    assert own_path(path) == path


@pytest.mark.parametrize(
    "path",
    ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "evil", "",
     "javascript:alert(1)", "/a\r\nSet-Cookie: a=b", "\\\\evil.example", "/a\\b"],
)  # fmt: skip
def test_nothing_else_is_gone_on_to(path):
    assert own_path(path) == "/"


@pytest.fixture
def administrator(engine):
    """Somebody with a password, and the secret of their one-time codes."""
    code_secret = codes.new_secret()
    with Session(engine) as session:
        id = person(session, Role.ADMINISTRATOR, email=EMAIL)
        people.set_password(session, id, passwords.hashed(PASSWORD))
        people.enrol(session, id, codes.sealed(SECRET, code_secret), 1)
        session.commit()
    return pyotp.TOTP(code_secret)


def by_password(client, code="", password=PASSWORD, email=EMAIL, **headers):
    form = {"email": email, "password": password, "code": code, "next": "/people"}
    return client.post("/sign-in/password", data=form, headers=headers, follow_redirects=False)


class TestPassword:
    def test_password_and_code_together_open_the_roles_of_the_city(self, client, administrator):
        answer = by_password(client, administrator.now())
        assert (answer.status_code, answer.headers["location"]) == (303, "/people")
        assert client.get("/people").status_code == 200

    def test_a_link_alone_opens_no_role_of_the_city(self, client, engine, administrator):
        asked(client)
        used(client, token(engine))
        assert client.get("/people").status_code == 403
        assert "does not hold in this browser" in client.get("/account").text

    def test_a_code_counts_once(self, client, administrator):
        code = administrator.now()
        assert by_password(client, code).status_code == 303
        assert by_password(client, code).status_code == 422

    def test_what_is_wrong_is_not_told(self, client, administrator):
        answers = [
            by_password(client, "000000"),
            by_password(client, administrator.now(), password="another"),
            by_password(client, administrator.now(), email="nobody@example.org"),
        ]
        assert {answer.status_code for answer in answers} == {422}
        assert len({re.search(r'role="alert">([^<]+)', answer.text)[1] for answer in answers}) == 1

    def test_unknown_accounts_cost_as_much_work(self, monkeypatch):
        verified = []
        stored = passwords.hashed(PASSWORD)
        hasher = passwords._HASHER
        passwords.fits(None, PASSWORD)

        class Counting:
            @staticmethod
            def verify(stored_hash, password):
                verified.append(stored_hash.split("$")[3])
                return hasher.verify(stored_hash, password)

        monkeypatch.setattr(passwords, "_HASHER", Counting)
        assert passwords.fits(stored, PASSWORD)
        assert not passwords.fits(None, PASSWORD)
        assert not passwords.fits("!never", PASSWORD)
        assert verified == ["m=65536,t=3,p=2"] * 3

    def test_the_first_time_one_time_codes_are_set_up(self, client, engine):
        with Session(engine) as session:
            id = person(session, Role.ADMINISTRATOR, email=EMAIL)
            people.set_password(session, id, passwords.hashed(PASSWORD))
            session.commit()
        shown = by_password(client)
        assert "<svg" in shown.text
        assert "porchlight" not in client.cookies
        code_secret = re.search(r'account-secret">(\w+)<', shown.text)[1]
        form = {"enrolment": re.search(r'name="enrolment" value="([^"]+)', shown.text)[1]}
        wrong = client.post("/sign-in/codes", data=form | {"code": "000000"})
        assert wrong.status_code == 422
        assert code_secret in wrong.text
        right = form | {"code": pyotp.TOTP(code_secret).now(), "next": "/people"}
        answer = client.post("/sign-in/codes", data=right, follow_redirects=False)
        assert answer.headers["location"] == "/people"
        assert client.get("/people").status_code == 200
        with Session(engine) as session:
            stored = session.get_one(Person, id)
            assert code_secret.encode() not in stored.totp_secret
            assert codes.opened(SECRET, stored.totp_secret) == code_secret
        assert client.post("/sign-in/codes", data=right).status_code == 410

    def test_a_made_up_enrolment_opens_nothing(self, client, administrator):
        assert client.post("/sign-in/codes", data={"enrolment": "x"}).status_code == 410

    def test_an_invitation_is_good_for_one_password(self, client, engine):
        with Session(engine) as session:
            id = person(session, Role.ADMINISTRATOR, email=EMAIL)
            invited = invitations.token(session, SECRET, id)
            session.commit()
        assert EMAIL in client.get("/invitation", params={"token": invited}).text
        form = {"token": invited, "password": PASSWORD, "again": PASSWORD}
        for wrong in ({"password": "short", "again": "short"}, {"again": "other words typed"}):
            assert client.post("/invitation", data=form | wrong).status_code == 422
        assert "Your password is kept" in client.post("/invitation", data=form).text
        assert client.post("/invitation", data=form).status_code == 410
        assert "<svg" in by_password(client).text

    @pytest.mark.parametrize("change", [lambda t: t[:-1] + "x", lambda t: "9" + t, lambda t: ""])
    def test_a_changed_invitation_is_none(self, client, engine, change):
        with Session(engine) as session:
            invited = invitations.token(session, SECRET, person(session, email=EMAIL))
            session.commit()
        answer = client.get("/invitation", params={"token": change(invited)})
        assert answer.status_code == 410

    def test_an_invitation_ends_by_the_clock_of_the_database(self, engine, monkeypatch):
        monkeypatch.setattr(invitations, "LASTS", invitations.LASTS * -1)
        with Session(engine) as session:
            invited = invitations.token(session, SECRET, person(session, email=EMAIL))
            assert invitations.find(session, SECRET, invited) is None

    def test_starting_over_ends_passwords_codes_sign_ins_and_old_invitations(
        self, engine, administrator
    ):
        with Session(engine) as session:
            id = people.find_by_email(session, EMAIL).id
            people.start_over(session, id)
            before = invitations.token(session, SECRET, id)
            signed = sign_ins.begin(session, id, strong=True, browser="")
            people.set_password(session, id, passwords.hashed(PASSWORD))
            people.start_over(session, id)
            assert invitations.find(session, SECRET, before) is None
            assert sign_ins.find(session, signed) is None
            known = people.find(session, id)
            assert known.totp_secret is None
            assert not passwords.fits(known.password_hash, PASSWORD)


class TestLimits:
    def test_the_eleventh_try_at_an_account_waits_wherever_it_comes_from(
        self, client, administrator
    ):
        clients = [TestClient(client.app, client=(f"203.0.113.{n}", 50_000)) for n in range(11)]
        statuses = [by_password(one, password="wrong").status_code for one in clients]
        assert statuses == [422] * 10 + [429]
        refused = by_password(clients[0], administrator.now())
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= 300
        assert f'value="{EMAIL}"' in refused.text

    def test_an_address_that_tries_many_accounts_waits_whatever_it_says_of_itself(self, client):
        behind = ProxyHeadersMiddleware(client.app, trusted_hosts="127.0.0.1")
        straight = TestClient(behind, client=("203.0.113.9", 50_000))
        statuses = [
            by_password(
                straight, email=f"{n}@example.org", **{"X-Forwarded-For": f"198.51.100.{n}"}
            ).status_code
            for n in range(11)
        ]
        assert statuses == [422] * 10 + [429]
        proxied = TestClient(behind, client=("127.0.0.1", 50_000))
        rotated = {"X-Forwarded-For": "198.51.100.77, 203.0.113.9"}
        assert by_password(proxied, email="k@example.org", **rotated).status_code == 429

    def test_one_address_is_not_flooded_with_links(self, client, engine):
        clients = [TestClient(client.app, client=(f"203.0.113.{n}", 50_000)) for n in range(6)]
        assert [asked(one).status_code for one in clients] == [200] * 5 + [429]
        with Session(engine) as session:
            assert len(session.scalars(select(Mail)).all()) == 5


class TestTryAs:
    @pytest.fixture
    def somebody(self, engine):
        with Session(engine) as session:
            id = person(session, Role.MODERATOR)
            session.execute(update(Person).values(is_sample=True, name="Sample"))
            session.commit()
        return id

    @staticmethod
    def city(engine, source):
        with Session(engine) as session:
            session.execute(
                insert(ImportRun).values(source=source, file_name="x", sha256=b"x" * 32)
            )
            session.commit()

    def test_on_the_sample_city_everybody_may_try_being_somebody(self, client, engine, somebody):
        self.city(engine, "sample")
        assert "Moderator" in client.get("/sign-in").text
        answer = client.post("/sign-in/as", data={"person": somebody}, follow_redirects=False)
        assert answer.status_code == 303
        assert "Moderation" in client.get("/account").text

    @pytest.mark.parametrize("sources", [[], ["kansas_city"], ["sample", "kansas_city"]])
    def test_beside_a_real_city_nobody_may(self, client, engine, somebody, sources):
        for source in sources:
            self.city(engine, source)
        assert "/sign-in/as" not in client.get("/sign-in").text
        assert client.post("/sign-in/as", data={"person": somebody}).status_code == 404

    def test_who_was_somebody_made_up_is_nobody_once_the_city_is_real(
        self, client, engine, somebody
    ):
        self.city(engine, "sample")
        client.post("/sign-in/as", data={"person": somebody})
        assert client.get("/account").status_code == 200
        self.city(engine, "kansas_city")
        assert client.get("/account").status_code == 401

    def test_real_people_are_never_offered(self, client, engine):
        self.city(engine, "sample")
        with Session(engine) as session:
            id = person(session, Role.ADMINISTRATOR, email=EMAIL)
            session.commit()
        assert client.post("/sign-in/as", data={"person": id}).status_code == 404


def test_signing_out_ends_the_sign_in_and_not_just_the_cookie(client, engine):
    with Session(engine) as session:
        id = person(session)
        session.commit()
    signed_in(client, engine, id)
    kept = client.cookies["porchlight"]
    assert client.post("/sign-out", follow_redirects=False).headers["location"] == "/"
    client.cookies.set("porchlight", kept, domain="testserver.local")
    assert client.get("/account").status_code == 401


def test_over_a_safe_connection_the_cookie_is_bound_to_the_host(client, engine):
    safe = TestClient(client.app, base_url="https://testserver")
    asked(safe)
    cookie = used(safe, token(engine)).headers["set-cookie"]
    assert cookie.startswith("__Host-porchlight=")
    assert all(part in cookie for part in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"))
    assert "Domain" not in cookie
