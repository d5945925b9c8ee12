"""Addresses of our own pages for e-mails."""

from server.settings import Settings


def root(settings: Settings) -> str:
    """Give where the site is, as an e-mail should say it, without a slash at its end.

    Never what the request says: whoever asks for a link to somebody's account writes that themselves.
    """
    if settings.public_url is not None:
        return str(settings.public_url).rstrip("/")
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"
