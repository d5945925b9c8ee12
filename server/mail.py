"""Writing e-mail: stored with whatever causes it, and sent by a job once that is committed."""

import unicodedata
from email.errors import HeaderParseError
from email.headerregistry import Address

from sqlalchemy import insert
from sqlalchemy.orm import Session

from data.models import Mail

_LONGEST_ADDRESS = 254


def one_address(text: str) -> Address:
    """Read an e-mail address, and nothing but one.

    Raises
    ------
    ValueError
        For several, for a name beside it, or where it could reach into another header.
    """
    odd = any(character in ",<>" or character.isspace() for character in text)
    if odd or len(text) > _LONGEST_ADDRESS or _one_line(text) != text:
        raise ValueError("write one e-mail address, like name@example.org")
    try:
        address = Address(addr_spec=text)
    except (HeaderParseError, ValueError, IndexError) as error:
        raise ValueError("write one e-mail address, like name@example.org") from error
    if not address.username or not address.domain:
        raise ValueError("write one e-mail address, like name@example.org")
    return address


def _one_line(text: str) -> str:
    plain = "".join(" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in text)
    return " ".join(plain.split())


def post(
    session: Session,
    to: str,
    subject: str,
    text: str,
    html: str | None = None,
    *,
    unsubscribe: str | None = None,
) -> None:
    """Have an e-mail sent once the session's transaction is committed.

    Parameters
    ----------
    session : Session
        Of the web role or of the owner. Nothing is committed here.
    to : str
        One address.
    subject : str
        Line breaks become spaces.
    text, html : str
        What it says, as plain text and, where given, as HTML too.
    unsubscribe : str, optional
        Address that ends messages like this: a GET shows a button, a POST does it.

    Raises
    ------
    ValueError
        Where `to` is no address.
    """
    one_address(to)
    session.execute(
        insert(Mail)
        .values(
            recipient=to, subject=_one_line(subject), text=text, html=html, unsubscribe=unsubscribe
        )
        .inline()
    )
