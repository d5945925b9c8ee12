"""Links with which people of the city choose a password: good once, and for three days.

Nothing is stored of them. A link is signed, and with it the password that the person has so far: once
another is chosen, no link made before holds.
"""

import hmac
import re
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from data.queries import people
from server import keys

LASTS = timedelta(days=3)

_WRITTEN = re.compile(r"([0-9]{1,15})\.([0-9]{1,15})\.[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Invited:
    """Whom a link invites."""

    person_id: int
    email: str


def token(session: Session, secret: bytes, person_id: int) -> str:
    """Give the token of a link that invites a person.

    Parameters
    ----------
    session : Session
        As the owner of the store.
    secret : bytes
        The position secret.
    person_id : int
    """
    expires_s = int(people.now_s(session) + LASTS.total_seconds())
    person = people.find(session, person_id)
    assert person is not None
    return f"{person_id}.{expires_s}.{_signature(secret, person, expires_s)}"


def find(session: Session, secret: bytes, typed: str) -> Invited | None:
    """Give whom a token invites; None where it is none, too old, or used.

    The person's row is locked, so that of two who use one link at once one is the first.
    """
    written = _WRITTEN.fullmatch(typed)
    if written is None:
        return None
    person_id, expires_s = int(written[1]), int(written[2])
    person = people.find(session, person_id, lock=True)
    if person is None or person.disabled_at is not None or person.email is None:
        return None
    signed = f"{person_id}.{expires_s}.{_signature(secret, person, expires_s)}"
    fresh = expires_s > people.now_s(session)
    if not fresh or not hmac.compare_digest(signed.encode(), typed.encode()):
        return None
    return Invited(person_id, person.email)


def _signature(secret: bytes, person: people.Known, expires_s: int) -> str:
    told = f"{person.id} {expires_s} {person.email} {person.password_hash or ''}"
    return hmac.digest(keys.key(secret, "invitations"), told.encode(), "sha256").hex()
