"""Links by which whoever sent a report without an account appeals: signed, for one report, for some days."""

import hmac
from datetime import timedelta

from data.queries.moderation import APPEAL_DAYS
from server import keys

_LASTS_S = int(timedelta(days=APPEAL_DAYS).total_seconds())


def token(secret: bytes, report_id: int, now_s: float) -> str:
    """Give what a link carries.

    Parameters
    ----------
    secret : bytes
        Of the installation.
    report_id : int
    now_s : float
        Seconds since 1970; it holds for `APPEAL_DAYS` from here.
    """
    expires_s = int(now_s) + _LASTS_S
    return f"{expires_s}.{_signature(secret, report_id, expires_s)}"


def holds(secret: bytes, report_id: int, token: str, now_s: float) -> bool:
    """Tell whether a link is ours, for this report, and of these days."""
    expires, _dot, signature = token.partition(".")
    if not (expires.isascii() and expires.isdigit() and signature.isascii()):
        return False
    # Of a time that is written in any other way the signature is another.
    ours = hmac.compare_digest(signature, _signature(secret, report_id, int(expires[:12])))
    return ours and now_s < int(expires)


def _signature(secret: bytes, report_id: int, expires_s: int) -> str:
    said = f"{report_id} {expires_s}".encode()
    return hmac.digest(keys.key(secret, "appeals"), said, "sha256").hex()
