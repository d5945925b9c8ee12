"""One-time codes (TOTP, RFC 6238): six digits that change every half minute."""

import io

import pyotp
import segno

from server import keys

STEP_S = 30
_PURPOSE = "one-time codes"


def new_secret() -> str:
    """Give a new secret, as apps take it when it is typed."""
    return pyotp.random_base32()


def sealed(secret: bytes, code_secret: str) -> bytes:
    """Encrypt the secret of a person's codes, as it is stored.

    Parameters
    ----------
    secret : bytes
        The position secret.
    code_secret : str
    """
    return keys.sealing(secret, _PURPOSE).encrypt(code_secret.encode())


def opened(secret: bytes, stored: bytes) -> str:
    """Decrypt the secret of a person's codes."""
    return keys.sealing(secret, _PURPOSE).decrypt(stored).decode()


def step_of(code_secret: str, code: str, now_s: float) -> int | None:
    """Give the step of time that a code is of; None where it is of none near now.

    Parameters
    ----------
    code_secret : str
    code : str
        As it was typed: spaces do not matter.
    now_s : float
        Seconds since 1970. The step before and the one after count as well, for clocks that differ.
    """
    typed = "".join(code.split())
    made = pyotp.TOTP(code_secret, interval=STEP_S)
    now = int(now_s) // STEP_S
    fitting = [
        step
        for step in (now - 1, now, now + 1)
        if pyotp.utils.strings_equal(typed, made.at(step * STEP_S))
    ]
    return max(fitting, default=None)


def drawn(code_secret: str, email: str, issuer: str) -> str:
    """Draw the secret as a QR code, as SVG to put into a page."""
    address = pyotp.TOTP(code_secret).provisioning_uri(name=email, issuer_name=issuer)
    svg = io.BytesIO()
    segno.make(address, error="m").save(
        svg, kind="svg", scale=4, border=4, light="#fff", xmldecl=False, svgns=False, omitsize=True
    )
    return svg.getvalue().decode()
