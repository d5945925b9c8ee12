"""What the server does now and then, beside answering."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from data.queries import limits, sign_in_links, tallies
from server.limits import LONGEST

logger = logging.getLogger(__name__)

EVERY_S = 60.0
MOST_PENDING = 1_000
"""Rows of changes that a tile's statement may have to sum; a thousand take 0.1 ms."""


def fold_tallies(engine: Engine, most_pending: int = MOST_PENDING) -> bool:
    """Fold what triggers have counted, where much has come together.

    Parameters
    ----------
    engine : sqlalchemy.Engine
    most_pending : int
        Rows that may lie there unfolded.

    Returns
    -------
    bool
        Whether this call has folded.
    """
    with Session(engine) as session:
        folded = tallies.pending(session) > most_pending and tallies.compact(session)
        session.commit()
    return folded


def forget_attempts(engine: Engine) -> None:
    """Delete attempts and links of signing in that can not count any more.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        As the owner of the store.
    """
    with Session(engine) as session:
        limits.forget(session, LONGEST)
        sign_in_links.forget(session)
        session.commit()


@contextmanager
def upkeep(engine: Engine, every_s: float = EVERY_S) -> Iterator[None]:
    """Look after tallies and attempts for as long as the context lasts, in a thread of its own.

    Parameters
    ----------
    engine : sqlalchemy.Engine
    every_s : float
        Seconds between two looks.
    """
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(every_s):
            try:
                fold_tallies(engine)
                forget_attempts(engine)
            except SQLAlchemyError as error:
                # Nothing is lost: the rows lie there until the next look.
                logger.warning("Could not look after the store: %s", error)

    thread = threading.Thread(target=look, name="upkeep", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=5)
