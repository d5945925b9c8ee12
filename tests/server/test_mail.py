import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.orm import Session

from data import database
from data.models import Mail
from server.mail import one_address, post


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
