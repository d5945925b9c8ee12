"""Answers taken apart once, and kept for whoever may read them and asks again."""

from sqlalchemy.orm import Session

from data.queries import hot_spots
from data.queries.hot_spots import Run
from server.hot_spots import Sight, unpacked
from server.kept import Kept

_kept = Kept[Sight](8)
"""One of a year of 15,000 cells takes 3 MiB."""


def sight_of(session: Session, run: Run) -> Sight:
    """Give the cells of an analysis that is done.

    Parameters
    ----------
    session : Session
    run : Run
        As the visitor of the session has read it, which shows that the cells are the visitor's as well.
    """
    assert run.found is not None
    found = run.found
    return _kept.get(
        (run.id, run.read_at), lambda: unpacked(hot_spots.cells(session, run.id), found)
    )
