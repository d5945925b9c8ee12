"""Delivering e-mail: to the operator's mail server, or into a folder where none is set."""

import smtplib
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import parseaddr
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from data.queries import mails
from data.queries.mails import Letter
from server.mail import one_address
from server.settings import Settings

TIMEOUT_S = 10.0
"""For each step of talking to the mail server."""

_PERMANENT = 500
"""From this reply code on, a mail server refuses for good (RFC 5321, 4.2.1)."""


class Undelivered(Exception):  # noqa: N818 (it is the name of what happened)
    """The mail waits for another try."""


class _Policy(EmailPolicy):
    """Leaves addresses for programs whole: folded, they would be written as encoded words."""

    def fold_binary(self, name: str, value: str) -> bytes:
        """Give a header as it is sent."""
        if name == "List-Unsubscribe":
            return f"{name}: {value}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


def message(letter: Letter, sender: str) -> EmailMessage:
    """Give the message of some mail: plain text, HTML beside it, and headers for machines.

    Parameters
    ----------
    letter : Letter
    sender : str
        As in PORCHLIGHT_MAIL_FROM.
    """
    made = EmailMessage(policy=_Policy(linesep="\r\n"))
    made["From"] = sender
    made["To"] = one_address(letter.recipient)
    made["Subject"] = letter.subject
    made["Date"] = datetime.now(UTC)
    # The same at every try, so that mailboxes can drop a copy.
    made["Message-ID"] = f"<{letter.key}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"
    if letter.unsubscribe is not None:
        made["List-Unsubscribe"] = f"<{letter.unsubscribe}>"
        made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    made.set_content(letter.text)
    if letter.html is not None:
        made.add_alternative(letter.html, subtype="html")
    return made


def outbox(settings: Settings) -> Path:
    """Give the folder in which mail is put where no mail server is set."""
    return settings.var / "outbox"


def deliver(engine: Engine, settings: Settings, id: int) -> None:
    """Send one mail, unless it is sent already.

    The row is held while the mail server is talked to, and marked by the same transaction. Whoever
    dies between the server's yes and that mark leaves a mail that is sent once more, under the same
    Message-ID; no order of the two steps can exclude that.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        As the owner of the store.
    settings : Settings
    id : int
        Of the mail.

    Raises
    ------
    Undelivered
        It is to be tried again later.
    """
    with Session(engine) as session:
        letter = mails.claim(session, id)
        if letter is None:
            return
        try:
            made = message(letter, settings.mail_from)
            if settings.smtp_host is None:
                _keep(made, letter, outbox(settings))
            else:
                _send(made, letter.recipient, settings)
        except (OSError, smtplib.SMTPException) as error:
            given_up = mails.failed(session, id, _reason(error), for_good=_for_good(error))
            session.commit()
            if given_up:
                return
            raise Undelivered(f"Mail {id} waits: {_reason(error)}") from error
        mails.sent(session, id)
        session.commit()


def _keep(made: EmailMessage, letter: Letter, folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".", delete=False) as draft:
        draft.write(made.as_bytes())
    # Named after the mail, so that a second try replaces the first.
    Path(draft.name).rename(folder / f"{letter.id:08d}-{letter.key}.eml")


def _send(made: EmailMessage, recipient: str, settings: Settings) -> None:
    with _server(settings) as server:
        server.send_message(made, parseaddr(settings.mail_from)[1], [recipient])


@contextmanager
def _server(settings: Settings) -> Iterator[smtplib.SMTP]:
    assert settings.smtp_host is not None
    if settings.smtp_security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            settings.smtp_host,
            settings.smtp_port,
            timeout=TIMEOUT_S,
            context=ssl.create_default_context(),
        )
    else:
        server = smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=TIMEOUT_S)
    with server:
        if settings.smtp_security == "starttls":
            server.starttls(context=ssl.create_default_context())
        if settings.smtp_user is not None and settings.smtp_password is not None:
            server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        yield server


def _for_good(error: Exception) -> bool:
    """Tell whether the recipient is refused; what an operator can mend is tried again."""
    return isinstance(error, smtplib.SMTPRecipientsRefused) and all(
        code >= _PERMANENT for code, _ in error.recipients.values()
    )


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
        return f"recipient refused: {code} {said.decode(errors='replace')}"
    if isinstance(error, smtplib.SMTPResponseException):
        answer = error.smtp_error
        shown = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
        return f"{error.smtp_code} {shown}"
    return f"{type(error).__name__}: {error}"
