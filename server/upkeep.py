"""What the server does now and then, beside answering."""

import itertools
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from data.photo_store import PhotoStore
from data.queries import limits, moderation, photos, sign_in_links, tallies
from server.limits import LONGEST

logger = logging.getLogger(__name__)

EVERY_S = 60.0
MOST_PENDING = 1_000
"""Rows of changes that a tile's statement may have to sum; a thousand take 0.1 ms."""

ORPHANED_S = 3_600.0
_KEYS_AT_ONCE = 1_000
_SWEEP_EVERY = 60  # looks: about once an hour


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


def forget(engine: Engine, contact_days: int) -> None:
    """Erase contacts and refused photos whose time is over, and photos of forms that were not sent.

    Parameters
    ----------
    engine : sqlalchemy.Engine
    contact_days : int
        Days after its report was closed that a contact is kept.
    """
    with Session(engine) as session:
        moderation.forget_contacts(session, contact_days)
        moderation.forget_refused(session)
        photos.forget_forms(session)
        session.commit()


def delete_discarded(engine: Engine, store: PhotoStore) -> int:
    """Delete the files of photos that are gone.

    Parameters
    ----------
    engine : sqlalchemy.Engine
    store : PhotoStore

    Returns
    -------
    int
        How many photos had files.
    """
    with Session(engine) as session:
        keys = photos.discarded(session)
        for key in keys:
            store.delete(key)
        photos.deleted(session, keys)
        session.commit()
    return len(keys)


def delete_orphans(engine: Engine, store: PhotoStore, older_than_s: float = ORPHANED_S) -> int:
    """Delete files that stand for no photo: a request ended between the file and its row.

    Parameters
    ----------
    engine : sqlalchemy.Engine
    store : PhotoStore
    older_than_s : float
        Seconds; what is younger may be about to get its row.

    Returns
    -------
    int
        How many photos had such files.
    """
    keys = iter(set(store.keys(older_than_s)))
    deleted = 0
    while some := list(itertools.islice(keys, _KEYS_AT_ONCE)):
        with Session(engine) as session:
            for key in photos.unknown(session, some):
                store.delete(key)
                deleted += 1
    return deleted


@contextmanager
def upkeep(
    engine: Engine, store: PhotoStore, contact_days: int, every_s: float = EVERY_S
) -> Iterator[None]:
    """Look after what needs it for as long as the context lasts, in a thread of its own.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        As the owner of the store.
    store : PhotoStore
    contact_days : int
        Days after its report was closed that a contact is kept.
    every_s : float
        Seconds between two looks.
    """
    ended = threading.Event()

    def look() -> None:
        for looks in itertools.count():
            if ended.wait(every_s):
                return
            try:
                fold_tallies(engine)
                forget_attempts(engine)
                forget(engine, contact_days)
                delete_discarded(engine, store)
                if looks % _SWEEP_EVERY == 0:
                    delete_orphans(engine, store)
            except (SQLAlchemyError, OSError) as error:
                # Nothing is lost: it is done at the next look.
                logger.warning("Could not look after the store: %s", error)

    thread = threading.Thread(target=look, name="upkeep", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=5)
