"""What is counted as rows change: the versions of the map's layers, and the tallies of reports."""

from typing import Any

from sqlalchemy import BigInteger, cast, delete, func, insert, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from data.models import LayerChange, ReportTally
from data.queries.tiles import LAYERS

_FOLDING_LOCK = 0x706F726368
"""Key of the advisory lock of whoever folds."""

_FOLDING_TIMEOUT_MS = 60_000


def versions(session: Session) -> dict[str, int]:
    """Give a number for each layer of tiles, which grows whenever what it shows changes.

    Two readings with the same number have seen the very same rows: each change adds at least one,
    and a later reading sees whatever an earlier one saw.
    """
    sums = select(LayerChange.layer, cast(func.sum(LayerChange.n), BigInteger))
    found = dict(session.execute(sums.group_by(LayerChange.layer)).all())
    return {layer: found.get(layer, 0) for layer in LAYERS}


def pending(session: Session) -> int:
    """Give how many rows of changes there are beyond one a layer."""
    rows = session.scalar(select(func.count()).select_from(LayerChange)) or 0
    return max(rows - len(LAYERS), 0)


def compact(session: Session) -> bool:
    """Fold the rows of each sum into one, without changing any sum.

    Safe beside writers, who only ever add rows: what a statement does not see it leaves, and what
    it deletes it adds up again. The caller commits.

    Parameters
    ----------
    session : Session

    Returns
    -------
    bool
        False where another process is at it.
    """
    if not session.scalar(select(func.pg_try_advisory_xact_lock(_FOLDING_LOCK))):
        return False
    # The connection's own limit is meant for requests; it holds again after this transaction.
    session.execute(text(f"SET LOCAL statement_timeout = {_FOLDING_TIMEOUT_MS}"))
    tally = ReportTally
    _fold(session, LayerChange, LayerChange.layer)
    _fold(
        session, tally, tally.level, tally.x, tally.y, tally.kind, tally.category_code, tally.status
    )
    return True


def _fold(
    session: Session,
    table: type[LayerChange | ReportTally],
    *keys: InstrumentedAttribute[Any],
) -> None:
    several = select(func.unnest(func.array_agg(table.id))).group_by(*keys).having(func.count() > 1)
    gone = delete(table).where(table.id.in_(several)).returning(*keys, table.n).cte("gone")
    groups = [gone.c[key.key] for key in keys]
    sums = select(*groups, func.sum(gone.c.n)).group_by(*groups).having(func.sum(gone.c.n) != 0)
    session.execute(insert(table).from_select([*(key.key for key in keys), "n"], sums))
