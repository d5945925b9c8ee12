"""Where a page of a list ended, as the `next` link carries it."""

import re
from datetime import UTC, datetime, timedelta

from data.queries.filters import Cursor

CURSOR = re.compile(r"([0-9]{1,17})-([0-9]{1,18})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def cursor_of(text: str | None) -> Cursor | None:
    """Read a cursor; none means the first page."""
    if text is None:
        return None
    found = CURSOR.fullmatch(text)
    if found is None:
        raise ValueError("take the cursor from the `next` link of the page before")
    return Cursor(_EPOCH + timedelta(microseconds=int(found[1])), int(found[2]))


def cursor_text(cursor: Cursor) -> str:
    """Write a cursor as the `next` link carries it."""
    return f"{(cursor.reported_at - _EPOCH) // timedelta(microseconds=1)}-{cursor.id}"
