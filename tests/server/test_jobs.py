import asyncio
import signal
import subprocess
import sys
import threading
import time

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from server import jobs
from server.jobs import GrowingWaits, Times
from server.mail import post
from tests.mailbox import Mailbox, free_port, open_mailbox

QUICK = Times(heartbeat_s=0.2, dead_s=1.0, look_s=0.2, again_s=0.2)
# Whoever starts the tests in the background has signals ignored, which processes inherit.
WORK = f"""
from signal import SIGINT, default_int_handler, signal
from server import jobs
from server.command import main
signal(SIGINT, default_int_handler)
jobs.TIMES = jobs.{QUICK!r}
main(["work"])
"""


@pytest.fixture
def mailbox():
    return SlowMailbox()


class SlowMailbox(Mailbox):
    """Says when a mail is coming in, and takes it only after a while."""

    def __init__(self):
        super().__init__()
        self.coming = threading.Event()
        self.after_s = 0.0

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 (aiosmtpd's name)
        self.coming.set()
        await asyncio.sleep(self.after_s)
        return await super().handle_DATA(server, session, envelope)

    @property
    def subjects(self):
        return [message["Subject"] for _, message in self.taken]


@pytest.fixture
def smtp(mailbox, monkeypatch, settings):
    with open_mailbox(mailbox) as port:
        monkeypatch.setenv("DATABASE_URL", settings.database_url)
        monkeypatch.setenv("PORCHLIGHT_VAR", str(settings.var))
        monkeypatch.setenv("PORCHLIGHT_SMTP_HOST", "127.0.0.1")
        monkeypatch.setenv("PORCHLIGHT_SMTP_PORT", str(port))
        monkeypatch.setenv("PORCHLIGHT_SMTP_SECURITY", "none")
        monkeypatch.setenv("PORCHLIGHT_MAIL_FROM", "porchlight@example.org")
        yield settings.model_copy(
            update={
                "smtp_host": "127.0.0.1",
                "smtp_port": port,
                "smtp_security": "none",
                "mail_from": "porchlight@example.org",
            }
        )


@pytest.fixture
def start_worker():
    """Start `porchlight work` in a process of its own."""
    started = []

    def work():
        process = subprocess.Popen(
            [sys.executable, "-c", WORK],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        assert "Porchlight works" in process.stdout.readline()
        return process

    yield work
    for process in started:
        process.kill()
        process.communicate()


def write(engine, *subjects):
    with Session(engine) as session:
        for subject in subjects:
            post(session, "ann@example.org", subject, "Good day.")
        session.commit()


def until(true, seconds=20.0):
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.05)


def count(engine, query):
    with engine.connect() as connection:
        return connection.scalar(text(query))


def doing(engine):
    return count(engine, "SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'")


def test_a_worker_sends_what_was_posted_and_leaves_no_job(engine, smtp, mailbox):
    write(engine, "Before")
    with jobs.working(smtp):
        until(lambda: mailbox.subjects == ["Before"])
        write(engine, "While it works")
        until(lambda: mailbox.subjects == ["Before", "While it works"], 4)
        until(
            lambda: (
                not count(
                    engine, "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'send_mail'"
                )
            )
        )
    assert count(engine, "SELECT count(*) FROM mail WHERE sent_at IS NULL") == 0


def test_jobs_under_way_are_finished_before_the_worker_ends(engine, smtp, mailbox):
    mailbox.after_s = 1.0
    write(engine, "Under way")
    with jobs.working(smtp):
        assert mailbox.coming.wait(10)
    assert mailbox.subjects == ["Under way"]
    assert doing(engine) == 0


def test_a_worker_killed_over_its_jobs_loses_none_and_sends_none_twice(
    engine, smtp, mailbox, start_worker
):
    mailbox.after_s = 0.3
    subjects = [f"Mail {number}" for number in range(9)]
    write(engine, *subjects)
    for _ in range(3):
        mailbox.coming.clear()
        process = start_worker()
        assert mailbox.coming.wait(10)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert doing(engine) > 0
    start_worker()
    until(lambda: len(mailbox.taken) >= len(subjects))
    until(lambda: doing(engine) == 0)
    assert sorted(mailbox.subjects) == subjects


def test_the_telling_of_a_dead_worker_does_not_keep_the_next_from_telling(
    engine, smtp, monkeypatch
):
    monkeypatch.setattr(jobs, "TIMES", QUICK)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args, status) VALUES "
                "('mail', 'tell_followers', 'tell', '{\"timestamp\": 1}', 'doing'), "
                "('mail', 'tell_followers', 'tell', '{\"timestamp\": 2}', 'todo')"
            )
        )
    with jobs.working(smtp):
        until(
            lambda: not count(engine, "SELECT count(*) FROM procrastinate_jobs WHERE lock = 'tell'")
        )


def test_jobs_wait_for_nobody_longer_than_a_minute():
    assert jobs.TIMES.dead_s + 2 * jobs.TIMES.look_s < 60
    assert jobs.TIMES.heartbeat_s * 3 < jobs.TIMES.dead_s


def test_a_worker_outlives_its_database_connections(engine, smtp, mailbox, monkeypatch):
    monkeypatch.setattr(jobs, "TIMES", QUICK)
    with jobs.working(smtp):
        write(engine, "Before")
        until(lambda: mailbox.subjects == ["Before"])
        with engine.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        engine.dispose()
        write(engine, "After")
        until(lambda: mailbox.subjects == ["Before", "After"])


def test_a_mail_server_that_is_down_keeps_the_job_waiting(engine, smtp, mailbox, monkeypatch):
    down = smtp.model_copy(update={"smtp_port": free_port()})
    write(engine, "Patience")
    with jobs.working(down):
        until(lambda: count(engine, "SELECT attempts FROM mail"))
        until(lambda: doing(engine) == 0)
    waits = count(
        engine,
        "SELECT extract(epoch FROM scheduled_at - now()) FROM procrastinate_jobs "
        "WHERE task_name = 'send_mail' AND status = 'todo'",
    )
    assert 20 < waits <= 30
    with engine.begin() as connection:
        connection.execute(text("UPDATE procrastinate_jobs SET scheduled_at = now()"))
    with jobs.working(smtp):
        until(lambda: mailbox.subjects == ["Patience"])


def test_waits_grow_to_an_hour_and_never_end():
    class Job:
        attempts = 0

    waits = []
    for Job.attempts in (0, 1, 2, 6, 7, 50):
        decision = GrowingWaits().get_retry_decision(exception=OSError("down"), job=Job)
        waits.append(round(decision.retry_at.timestamp() - time.time()))
    assert waits == [30, 60, 120, 1920, 3600, 3600]


def test_a_job_whose_database_went_away_is_done_as_soon_as_it_is_back():
    class Job:
        attempts = 5

    away = OperationalError("SELECT", {}, OSError("gone"), connection_invalidated=True)
    decision = GrowingWaits().get_retry_decision(exception=away, job=Job)
    assert decision.retry_at.timestamp() - time.time() <= jobs.TIMES.again_s


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_command_ends_in_order(start_worker, smtp, ending):
    process = start_worker()
    process.send_signal(ending)
    assert process.wait(sum(jobs.ENDS_WITHIN_S) + 15) == (130 if ending == signal.SIGINT else 0)
