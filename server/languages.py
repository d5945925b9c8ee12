"""English and Spanish: catalogs read from their .po files at start, chosen a request."""

import gettext
from functools import cache
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

FOLDER = Path(__file__).parent / "translations"
CODES = ("en", "es")
COOKIE = "language"


class Language(gettext.GNUTranslations):
    """The messages of one language, with its Babel locale for dates and numbers."""

    locale: Locale

    @property
    def code(self) -> str:
        """ISO 639-1 code, as the page's `lang` attribute."""
        return str(self.locale.language)


@cache
def language(code: str) -> Language:
    """Read one language.

    Parameters
    ----------
    code : str
        One of `CODES`. English is what the messages are written in and has an empty catalog.
    """
    locale = Locale.parse(f"{code}_US")
    compiled = BytesIO()
    path = FOLDER / code / "LC_MESSAGES" / "messages.po"
    if path.exists():
        with path.open("rb") as file:
            write_mo(compiled, read_po(file, locale))
        compiled.seek(0)
        found = Language(compiled)
    else:
        found = Language()
        found._catalog = {}  # type: ignore[attr-defined]  # noqa: SLF001 (what an empty .mo sets)
        found.plural = lambda n: int(n != 1)  # type: ignore[attr-defined]
    found.locale = locale
    return found


def language_of(code: str, fallback: str) -> Language:
    """Read the language somebody has chosen, or the operator's choice where that is none we have."""
    return language(code if code in CODES else fallback)


def chosen(asked: str | None, remembered: str | None, accepted: str, fallback: str) -> str:
    """Choose the language of an answer.

    Parameters
    ----------
    asked : str or None
        The `lang` parameter of the address.
    remembered : str or None
        The cookie.
    accepted : str
        The Accept-Language header.
    fallback : str
        The operator's choice.

    Returns
    -------
    str
        One of `CODES`: the first of these that names one.
    """
    for code in (asked, remembered):
        if code in CODES:
            return code
    weighted = []
    for position, part in enumerate(accepted.split(",")):
        tag, _, weight = part.strip().partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            continue
        weighted.append((-quality, position, tag[:2].lower()))
    return next((tag for quality, _, tag in sorted(weighted) if tag in CODES and quality), fallback)
