"""Passwords of the city's people: Argon2id with 64 MiB, and the same work for whoever has none."""

import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error

from data.queries.people import UNUSABLE

FEWEST, MOST = 12, 200
"""Characters of a password."""

_HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=2)
_AT_ONCE = threading.BoundedSemaphore(4)
"""Each takes 64 MiB for a tenth of a second; a flood of sign-ins must not take all memory."""


def hashed(password: str) -> str:
    """Give what is stored of a password."""
    with _AT_ONCE:
        return _HASHER.hash(password)


def fits(stored: str | None, password: str) -> bool:
    """Tell whether a password is the stored one.

    Parameters
    ----------
    stored : str or None
        None where there is no such account, or none with a password: it takes as long all the same,
        and so does one that no password fits.
    password : str
    """
    usable = stored is not None and not stored.startswith(UNUSABLE)
    with _AT_ONCE:
        try:
            _HASHER.verify(
                stored if stored is not None and usable else _of_nobody(), password[:MOST]
            )
        except Argon2Error:
            return False
    return usable


@cache
def _of_nobody() -> str:
    return _HASHER.hash("of nobody")
