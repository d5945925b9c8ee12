"""Keys for one purpose each, from the secret behind public positions.

A secret of its own would be one more thing to keep, to back up with the database and to share among
machines; the position secret has to be all that already, and can not be changed either without making
places public a second time. HKDF keeps the purposes apart: no key tells another, nor the secret.
"""

from base64 import urlsafe_b64encode

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from fastapi import Request


def key(secret: bytes, purpose: str) -> bytes:
    """Give the 256-bit key for a purpose.

    Parameters
    ----------
    secret : bytes
        The position secret.
    purpose : str
        The same words give the same key.
    """
    return HKDF(SHA256(), 32, salt=None, info=f"porchlight {purpose}".encode()).derive(secret)


def sealing(secret: bytes, purpose: str) -> Fernet:
    """Give what encrypts and authenticates for a purpose."""
    return Fernet(urlsafe_b64encode(key(secret, purpose)))


def secret_of(request: Request) -> bytes:
    """Give the secret of the installation that answers a request."""
    secret: bytes = request.app.state.positions.secret
    return secret
