"""A real mail server on loopback, which keeps what it takes."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email import message_from_bytes, policy

from aiosmtpd.controller import Controller


def free_port() -> int:
    """A port on which nothing listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        return found.getsockname()[1]


class Mailbox:
    """What was taken, as envelope and message, and what the server is told to say."""

    def __init__(self):
        self.taken = []
        self.answer = "250 OK"
        self.refused = None

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 (aiosmtpd's name)
        if self.refused is not None:
            return self.refused
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 (as above)
        if self.answer.startswith("250"):
            self.taken.append((envelope, message_from_bytes(envelope.content, policy=policy.SMTP)))
        return self.answer


@contextmanager
def open_mailbox(mailbox: Mailbox) -> Iterator[int]:
    """Serve a mailbox; gives the port."""
    server = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    server.start()
    yield server.port
    server.stop()
