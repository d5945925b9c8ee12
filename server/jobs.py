"""Work that no request waits for, done by procrastinate's jobs in PostgreSQL.

A worker runs beside the pages of `porchlight serve`, in a thread of its own, or alone by `porchlight
work`. A worker that is killed leaves its jobs marked as being done; every other worker looks for
such jobs and puts them back, so every job may run twice and must stand that.
"""

import asyncio
import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
from procrastinate import App, BaseRetryStrategy, PsycopgConnector, RetryDecision
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from psycopg_pool import PoolTimeout
from sqlalchemy import Engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from data import database
from data.queries import follows, hot_spots, mails, pole_imports, watch_words
from server import assessments
from server.delivery import deliver
from server.following import tell_all
from server.hot_spots import find_by_job
from server.light_results import find_by_job as find_light_results_by_job
from server.nudges import nudge
from server.plans import remind
from server.priority import rank_by_job
from server.settings import Settings

logger = logging.getLogger(__name__)

AT_ONCE = 2
"""Jobs that one worker does at the same time."""

LONGEST_WAIT_S = 3_600

ENDS_WITHIN_S = (12.0, 3.0)
"""Seconds for jobs under way to end in order, and once they were told again, to end at all."""


@dataclass(frozen=True, slots=True)
class Times:
    """How soon a worker that is gone is noticed.

    Attributes
    ----------
    heartbeat_s, dead_s, look_s : float
        Seconds between signs of life, until a silent worker counts as dead, and between looks for
        jobs of the dead. The last two together are how long a job can wait for nobody.
    again_s : float
        Seconds before a worker that lost the database starts again.
    """

    heartbeat_s: float = 5.0
    dead_s: float = 20.0
    look_s: float = 5.0
    again_s: float = 5.0


TIMES = Times()


class GrowingWaits(BaseRetryStrategy):
    """Try again after half a minute, then twice as long each time, up to an hour; without an end.

    A job that lost the database is tried again as soon as the worker itself would be.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        """Say when."""
        if isinstance(exception, DBAPIError) and exception.connection_invalidated:
            wait_s = TIMES.again_s
        else:
            wait_s = min(30 * 2 ** min(job.attempts, 10), LONGEST_WAIT_S)
        logger.warning("%s Tried again in %g s.", exception, wait_s)
        return RetryDecision(retry_at=datetime.now(UTC) + timedelta(seconds=wait_s))


def create_app(settings: Settings, engine: Engine) -> App:
    """Give the jobs of this installation.

    Parameters
    ----------
    settings : Settings
        Its `database_url` names a database at the newest migration.
    engine : sqlalchemy.Engine
        As the owner of the store.
    """
    assert settings.database_url is not None
    url = make_url(settings.database_url).set(drivername="postgresql")
    made = App(
        connector=PsycopgConnector(
            conninfo=url.render_as_string(hide_password=False),
            kwargs={"connect_timeout": 3},
            min_size=1,
            max_size=4,
        )
    )

    @made.task(name="send_mail", queue="mail", retry=GrowingWaits())
    def send_mail(id: int) -> None:
        deliver(engine, settings, id)

    @made.periodic(cron="17 3 * * *")
    @made.task(name="sweep", queue="upkeep")
    def sweep(timestamp: int) -> None:
        with Session(engine) as session:
            mails.forget(session)
            follows.forget(session)
            watch_words.forget(session)
            hot_spots.forget(session)
            pole_imports.forget(session)
            session.commit()

    @made.periodic(cron="23 13 * * 1-5")
    @made.task(name="nudge_about_forgotten", queue="mail", lock="nudge")
    def nudge_about_forgotten(timestamp: int) -> None:
        with Session(engine) as session:
            nudge(session, settings, datetime.now(UTC))
            session.commit()

    @made.periodic(cron="11 13 * * *")
    @made.task(name="remind_of_tasks", queue="mail", lock="remind")
    def remind_of_tasks(timestamp: int) -> None:
        with Session(engine) as session:
            remind(session, settings, datetime.now(UTC))
            session.commit()

    @made.task(name="find_hot_spots", queue="analysis", retry=GrowingWaits())
    def find_hot_spots(id: int) -> None:
        find_by_job(engine, settings, id)

    @made.periodic(cron="53 4 * * *")
    @made.task(name="find_light_results", queue="analysis", lock="find_light_results")
    def find_light_results(timestamp: int) -> None:
        find_light_results_by_job(engine, settings.zone)

    @made.periodic(cron="41 4 * * *")
    @made.task(name="judge_due", queue="analysis", lock="judge_due")
    def judge_due(timestamp: int) -> None:
        with Session(engine) as session:
            assessments.ask_for_due(session, settings.zone, datetime.now(UTC))
            session.commit()

    @made.task(name="judge", queue="analysis", retry=GrowingWaits())
    def judge(id: int) -> None:
        assessments.judge_by_job(engine, settings, id)

    @made.periodic(cron="* * * * *")
    # No queueing lock: it would keep a job of a dead worker from being put back beside the next one.
    @made.task(name="tell_followers", queue="mail", lock="tell")
    def tell_followers(timestamp: int) -> None:
        tell_all(engine, settings)

    _rank(made, settings, engine)
    _plan(made, settings, engine)
    return made


def _rank(made: App, settings: Settings, engine: Engine) -> None:
    """Add the jobs that rank needs."""

    @made.task(name="rank_needs", queue="analysis", lock="rank_needs", retry=GrowingWaits())
    def rank_needs() -> None:
        rank_by_job(engine, settings)

    # Needs grow older, and what is late gets later, without any change of a row.
    @made.periodic(cron="29 9 * * *")
    @made.task(name="rank_nightly", queue="analysis", lock="rank_needs")
    def rank_nightly(timestamp: int) -> None:
        rank_by_job(engine, settings)


def _plan(made: App, settings: Settings, engine: Engine) -> None:
    """Add the jobs of pole files and work plans, whose libraries take memory that a web server need not hold."""

    @made.task(name="read_poles", queue="analysis", retry=GrowingWaits())
    def read_poles(id: int) -> None:
        from server.pole_imports import read_by_job  # noqa: PLC0415 (as said above)

        read_by_job(engine, id)

    @made.task(name="apply_poles", queue="analysis", retry=GrowingWaits())
    def apply_poles(id: int) -> None:
        from server.pole_imports import apply_by_job  # noqa: PLC0415 (as said above)

        apply_by_job(engine, id)

    @made.task(name="solve_work_plan", queue="analysis", retry=GrowingWaits())
    def solve_work_plan(id: int) -> None:
        from server.work_plans import solve_by_job  # noqa: PLC0415 (as said above)

        solve_by_job(engine, settings, id)


async def _put_back(app: App) -> None:
    """Put jobs of dead workers back, for as long as this worker works."""
    while True:
        await asyncio.sleep(TIMES.look_s)
        stalled: Iterable[Job] = ()
        with suppress(ConnectorException):  # the worker itself says that the database is away
            stalled = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=TIMES.dead_s)
        for job in stalled:
            with suppress(ConnectorException):  # another worker was quicker
                await app.job_manager.retry_job(job, retry_at=datetime.now(UTC))
                logger.warning("A worker died over job %s; it is done again.", job.id)


async def _work(app: App) -> None:
    async with app.open_async():
        putting_back = asyncio.create_task(_put_back(app))
        try:
            await app.run_worker_async(
                concurrency=AT_ONCE,
                delete_jobs="successful",
                install_signal_handlers=False,
                update_heartbeat_interval=TIMES.heartbeat_s,
                stalled_worker_timeout=TIMES.dead_s,
            )
        finally:
            putting_back.cancel()
            await asyncio.gather(putting_back, return_exceptions=True)


async def _keep_working(app: App) -> None:
    task = asyncio.current_task()
    assert task is not None
    # What is told to end in the middle of a query may say so by an error of the database.
    while not task.cancelling():
        try:
            await _work(app)
        except (ConnectorException, PoolTimeout, psycopg.Error) as error:
            logger.warning("The worker lost the database and starts again: %s", error)
        if not task.cancelling():
            await asyncio.sleep(TIMES.again_s)


@contextmanager
def working(settings: Settings) -> Iterator[None]:
    """Do jobs in a thread of its own, for as long as the context lasts.

    Jobs under way at its end are finished first, as far as `ENDS_WITHIN_S` allows: the next worker
    does what was broken off once more.

    Parameters
    ----------
    settings : Settings
        Its `database_url` names a database at the newest migration.
    """
    assert settings.database_url is not None
    engine = database.engine(
        settings.database_url,
        pool_size=2 * AT_ONCE,  # an analysis says by another connection how far it has come
        pool_timeout_s=30,
        statement_timeout_ms=60_000,
    )
    loop = asyncio.new_event_loop()
    work = loop.create_task(_keep_working(create_app(settings, engine)))

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(work)

    thread = threading.Thread(target=run, name="worker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        for patience_s in ENDS_WITHIN_S:
            if thread.is_alive():
                loop.call_soon_threadsafe(work.cancel)
                thread.join(patience_s)
        if thread.is_alive():
            logger.warning("The worker does not end; the next one does its jobs again.")
        else:
            loop.close()
        engine.dispose()
