"""Who is signed in, by the database's clock alone."""

import secrets
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import text
from sqlalchemy.orm import Session

from data.queries.imports import SAMPLE
from geo.kinds import Kind
from geo.roles import Grant, Role

IDLE = {True: "30 minutes", False: "12 hours"}
ABSOLUTE = {True: "12 hours", False: "14 days"}
"""How long a browser stays signed in unused, and at all; by whether the city's roles hold in it."""

LIVE = f"""
    ended_at IS NULL
    AND seen_at > now() - CASE WHEN strong THEN interval '{IDLE[True]}'
        ELSE interval '{IDLE[False]}' END
    AND sign_in.created_at > now() - CASE WHEN strong THEN interval '{ABSOLUTE[True]}'
        ELSE interval '{ABSOLUTE[False]}' END
"""
"""Which sign-ins hold."""

# Nobody stays a made-up person once the city is a real one.
_FOUND = text(f"""
    SELECT sign_in.id, person.id AS person_id, person.name, person.email, person.language,
        person.is_sample, strong, by_provider, seen_at < now() - interval '1 minute' AS seen_long_ago
    FROM sign_in JOIN person ON person.id = person_id
    WHERE token_hash = :token_hash AND disabled_at IS NULL AND {LIVE}
        AND (NOT is_sample OR NOT EXISTS (SELECT FROM import_run WHERE source <> '{SAMPLE}'))
""")  # noqa: S608 (its own constants)

_GRANTS = text("""
    SELECT role, block_watch_id, area_id, department_id, department.kinds::text[] AS kinds
    FROM role_grant LEFT JOIN department ON department.id = department_id
    WHERE person_id = :person_id AND ended_at IS NULL ORDER BY role_grant.id
""")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person in a signed-in browser.

    Attributes
    ----------
    id : int
        Of the sign-in.
    strong : bool
        Whether the city's roles hold.
    by_provider : bool
        Whether the city's own sign-in vouched for the person.
    grants : tuple of Grant
        All that the person holds, whether or not they hold in this browser.
    """

    id: int
    person_id: int
    name: str
    email: str | None
    language: str
    is_sample: bool
    strong: bool
    by_provider: bool
    grants: tuple[Grant, ...]


def begin(
    session: Session, person_id: int, *, strong: bool, browser: str, by_provider: bool = False
) -> str:
    """Sign a person in, and give the token for the browser's cookie.

    Parameters
    ----------
    session : Session
        As the owner of the store. Nothing is committed here.
    person_id : int
    strong : bool
        Whether two factors, or the city's own sign-in, were asked.
    browser : str
        What the browser says it is, for the list on the account page.
    by_provider : bool
        Whether the city's own sign-in vouched for the person.

    Returns
    -------
    str
    """
    token = secrets.token_urlsafe(32)
    session.execute(
        text(
            "INSERT INTO sign_in (token_hash, person_id, strong, browser, by_provider) "
            "VALUES (:token_hash, :person_id, :strong, left(:browser, 200), :by_provider)"
        ),
        {
            "token_hash": hashed(token),
            "person_id": person_id,
            "strong": strong,
            "browser": browser,
            "by_provider": by_provider,
        },
    )
    return token


def hashed(token: str) -> bytes:
    """Give what is stored of a token of 256 random bits."""
    return sha256(token.encode()).digest()


def find(session: Session, token: str) -> SignedIn | None:
    """Give who is signed in by a token; None where it is unknown, ended or too old.

    Parameters
    ----------
    session : Session
        As the owner of the store. The time of the last use is written at most once a minute.
    token : str
        From the cookie.

    Returns
    -------
    SignedIn or None
    """
    found = session.execute(_FOUND, {"token_hash": hashed(token)}).one_or_none()
    if found is None:
        return None
    if found.seen_long_ago:
        session.execute(text("UPDATE sign_in SET seen_at = now() WHERE id = :id"), {"id": found.id})
    grants = session.execute(_GRANTS, {"person_id": found.person_id})
    return SignedIn(
        id=found.id,
        person_id=found.person_id,
        name=found.name,
        email=found.email,
        language=found.language,
        is_sample=found.is_sample,
        strong=found.strong,
        by_provider=found.by_provider,
        grants=tuple(
            Grant(
                Role(grant.role),
                grant.block_watch_id,
                grant.area_id,
                grant.department_id,
                frozenset(map(Kind, grant.kinds or ())),
            )
            for grant in grants
        ),
    )


def end(session: Session, id: int, person_id: int) -> None:
    """Sign one browser of a person out."""
    session.execute(
        text("UPDATE sign_in SET ended_at = now() WHERE id = :id AND person_id = :person_id"),
        {"id": id, "person_id": person_id},
    )
