"""How often something may be tried, counted in the store, so that all processes count together."""

from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

_ONE_AT_A_TIME = text(
    "SELECT pg_advisory_xact_lock(hashtextextended(:what || encode(:subject, 'hex'), 0))"
)

_RECENT = "what = :what AND subject = :subject AND at > clock_timestamp() - :within"

_COUNT = text(f"""
    INSERT INTO attempt (what, subject)
    SELECT :what, :subject WHERE (SELECT count(*) FROM attempt WHERE {_RECENT}) < :most
    RETURNING id
""")  # noqa: S608 (its own constants)

_FREE_IN = text(f"""
    SELECT ceil(extract(epoch FROM at + :within - clock_timestamp()))::int FROM attempt
    WHERE {_RECENT} ORDER BY at DESC OFFSET :most - 1 LIMIT 1
""")  # noqa: S608 (as above)


def allowed(session: Session, what: str, subject: bytes, most: int, within: timedelta) -> bool:
    """Count an attempt, and tell whether it is within the limit.

    Parameters
    ----------
    session : Session
        Commit it at once: what the attempt leads to may be rolled back, the attempt may not. Until
        then others who try the same for the same subject wait.
    what : str
        What is tried.
    subject : bytes
        Keyed hash of whom or where it is tried for.
    most : int
        Attempts that are allowed.
    within : timedelta
        Length of the window, which ends now by the database's clock.

    Returns
    -------
    bool
        One that is refused does not count, so that waiting always helps.
    """
    session.execute(_ONE_AT_A_TIME, {"what": what, "subject": subject})
    return counted(session, what, subject, most, within)


def counted(session: Session, what: str, subject: bytes, most: int, within: timedelta) -> bool:
    """Count an attempt as `allowed` does, but along with what it leads to, and waiting for nobody.

    So what is rolled back does not count, and as many more may come through as are under way at the
    same time.
    """
    values = {"what": what, "subject": subject, "most": most, "within": within}
    return session.execute(_COUNT, values).first() is not None


def free_in_s(session: Session, what: str, subject: bytes, most: int, within: timedelta) -> int:
    """Give in how many seconds the next attempt is allowed; 1 where it is by now."""
    values: dict[str, Any] = {"what": what, "subject": subject, "most": most, "within": within}
    return max(1, session.scalar(_FREE_IN, values) or 1)


def forget(session: Session, older_than: timedelta) -> int:
    """Delete attempts that no limit asks about any more, and give how many there were."""
    deleted = session.execute(
        text("DELETE FROM attempt WHERE at < clock_timestamp() - :older_than RETURNING id"),
        {"older_than": older_than},
    )
    return len(deleted.all())
