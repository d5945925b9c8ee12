import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.orm import Session

from data import database
from data.models import Mail
from server.delivery import Undelivered, deliver, outbox
from server.mail import one_address, post
from tests.mailbox import Mailbox, free_port, open_mailbox


@pytest.fixture
def web(database_url):
    engine = database.engine(database_url, role=database.WEB_ROLE)
    yield engine
    engine.dispose()


def jobs(engine):
    with engine.connect() as connection:
        return connection.execute(
            text("SELECT task_name, queue_name, status, args FROM procrastinate_jobs")
        ).all()


class TestPosting:
    def test_mail_and_its_job_are_stored_by_one_commit(self, engine, web):
        with Session(web) as session:
            post(session, "ann@example.org", "Hello", "Good day.")
            assert jobs(engine) == []
            session.commit()
        with Session(engine) as session:
            stored = session.scalars(select(Mail)).one()
        assert (stored.recipient, stored.subject, stored.text) == (
            "ann@example.org",
            "Hello",
            "Good day.",
        )
        assert jobs(engine) == [("send_mail", "mail", "todo", {"id": stored.id})]

    def test_what_is_rolled_back_is_neither_stored_nor_sent(self, engine, web):
        with Session(web) as session:
            post(session, "ann@example.org", "Hello", "Good day.")
            session.rollback()
        assert jobs(engine) == []

    @pytest.mark.parametrize(
        "query",
        [
            "SELECT id FROM mail",
            "UPDATE mail SET sent_at = now()",
            "DELETE FROM mail",
            "SELECT args FROM procrastinate_jobs",
            "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('mail', 'send_mail')",
        ],
    )
    def test_the_web_role_can_add_mail_and_nothing_more(self, web, query):
        with (
            Session(web) as session,
            pytest.raises(ProgrammingError, match="permission denied"),
        ):
            session.execute(text(query))

    @pytest.mark.parametrize(
        "address",
        [
            "",
            "ann",
            "@example.org",
            "ann@",
            "ann@example.org, eve@example.org",
            "Ann <ann@example.org>",
            "ann@example.org\r\nBcc: eve@example.org",
            "ann@example.org\x00",
            "a" * 250 + "@example.org",
        ],
    )
    def test_nothing_but_one_address_is_taken(self, session, address):
        with pytest.raises(ValueError, match="one e-mail address"):
            post(session, address, "Hello", "Good day.")

    def test_the_store_refuses_a_second_recipient_too(self, session):
        with pytest.raises(IntegrityError, match="recipient_is_one_address"):
            session.execute(
                text(
                    "INSERT INTO mail (recipient, subject, text) VALUES ('a@b.org,c@d.org', '', '')"
                )
            )

    def test_a_subject_can_not_begin_another_header(self, session):
        post(session, "ann@example.org", "Hello\r\nBcc: eve@example.org\u2028x", "Good day.")
        assert session.scalars(select(Mail.subject)).one() == "Hello Bcc: eve@example.org x"

    def test_an_address_is_kept_as_it_was_written(self):
        assert one_address("Ann.O'Neil+watch@example.org").addr_spec == (
            "Ann.O'Neil+watch@example.org"
        )


@pytest.fixture
def mailbox():
    return Mailbox()


@pytest.fixture
def smtp(mailbox, settings):
    with open_mailbox(mailbox) as port:
        yield settings.model_copy(
            update={
                "smtp_host": "127.0.0.1",
                "smtp_port": port,
                "smtp_security": "none",
                "mail_from": "Porchlight <porchlight@example.org>",
            }
        )


@pytest.fixture
def posted(engine):
    def write(to="ann@example.org", subject="Hello", text="Good day.", **values):
        with Session(engine) as session:
            post(session, to, subject, text, **values)
            session.commit()
            return session.scalars(select(Mail.id).order_by(Mail.id.desc())).first()

    return write


def stored(engine, id):
    with Session(engine) as session:
        return session.get_one(Mail, id)


class TestDelivering:
    def test_a_mail_server_gets_text_and_html_with_the_headers_machines_ask_for(
        self, engine, smtp, mailbox, posted
    ):
        unsubscribe = "https://porchlight.example.org/unsubscribe/" + "x" * 150
        id = posted(
            subject="Ihr Bericht: “Straßenlampe” " * 4,
            text="Good day, señora.",
            html="<p>Good day, señora.</p>",
            unsubscribe=unsubscribe,
        )
        key = stored(engine, id).key
        deliver(engine, smtp, id)
        ((envelope, message),) = mailbox.taken
        assert envelope.mail_from == "porchlight@example.org"
        assert envelope.rcpt_tos == ["ann@example.org"]
        assert message["To"] == "ann@example.org"
        assert message["From"] == "Porchlight <porchlight@example.org>"
        assert message["Subject"] == ("Ihr Bericht: “Straßenlampe” " * 4).strip()
        assert message["Message-ID"] == f"<{key}@example.org>"
        assert message["Auto-Submitted"] == "auto-generated"
        assert abs((message["Date"].datetime - datetime.now(UTC)).total_seconds()) < 60
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert message["List-Unsubscribe"] == f"<{unsubscribe}>"
        raw = envelope.content.decode()
        assert f"<{unsubscribe}>" in raw, "programs read this header as it stands"
        text, html = message.iter_parts()
        assert text.get_content().strip() == "Good day, señora."
        assert html.get_content().strip() == "<p>Good day, señora.</p>"

    def test_what_is_sent_is_not_sent_again_and_its_words_are_forgotten(
        self, engine, smtp, mailbox, posted
    ):
        id = posted(html="<p>Good day.</p>")
        deliver(engine, smtp, id)
        deliver(engine, smtp, id)
        assert len(mailbox.taken) == 1
        kept = stored(engine, id)
        assert kept.sent_at is not None
        assert (kept.text, kept.html, kept.attempts) == ("", None, 1)

    def test_two_workers_with_one_mail_send_it_once(self, engine, smtp, mailbox, posted):
        id = posted()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: deliver(engine, smtp, id), range(8)))
        assert len(mailbox.taken) == 1

    def test_a_server_that_is_down_loses_nothing(self, engine, smtp, mailbox, posted):
        id = posted()
        down = smtp.model_copy(update={"smtp_port": free_port()})
        with pytest.raises(Undelivered, match="ConnectionRefusedError"):
            deliver(engine, down, id)
        kept = stored(engine, id)
        assert (kept.sent_at, kept.given_up_at, kept.attempts) == (None, None, 1)
        assert "ConnectionRefusedError" in kept.last_error
        deliver(engine, smtp, id)
        assert [message["Subject"] for _, message in mailbox.taken] == ["Hello"]

    def test_a_server_that_is_busy_is_asked_again(self, engine, smtp, mailbox, posted):
        id = posted()
        mailbox.answer = "451 try later"
        with pytest.raises(Undelivered, match="451 try later"):
            deliver(engine, smtp, id)
        mailbox.answer = "250 OK"
        deliver(engine, smtp, id)
        assert len(mailbox.taken) == 1

    def test_a_recipient_that_is_refused_for_good_is_given_up_at_once(
        self, engine, smtp, mailbox, posted
    ):
        id = posted()
        mailbox.refused = "550 no such mailbox"
        deliver(engine, smtp, id)
        kept = stored(engine, id)
        assert kept.given_up_at is not None
        assert kept.last_error == "recipient refused: 550 no such mailbox"

    def test_mail_that_failed_for_days_is_given_up(self, engine, smtp, mailbox, posted):
        id = posted()
        with Session(engine) as session:
            session.execute(text("UPDATE mail SET created_at = now() - interval '6 days'"))
            session.commit()
        mailbox.answer = "451 try later"
        deliver(engine, smtp, id)
        assert stored(engine, id).given_up_at is not None

    def test_without_a_mail_server_a_folder_takes_mail_that_its_owner_alone_reads(
        self, engine, settings, posted
    ):
        id = posted(text="A link that signs you in.")
        deliver(engine, settings, id)
        (file,) = outbox(settings).glob("*")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        message = message_from_bytes(file.read_bytes(), policy=policy.default)
        assert file.suffix == ".eml"
        assert message["To"] == "ann@example.org"
        assert message.get_content().strip() == "A link that signs you in."
        assert stored(engine, id).sent_at is not None
