"""What e-mail says: a template for plain text and one for HTML, in the recipient's language."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from server.languages import language
from server.pages.page import TEMPLATES
from server.settings import Settings

_PLAIN = TEMPLATES.overlay(autoescape=False)


@dataclass(frozen=True, slots=True)
class Written:
    """The two shapes of what an e-mail says."""

    text: str
    html: str


def written(name: str, code: str, settings: Settings, /, **context: Any) -> Written:
    """Write an e-mail.

    Parameters
    ----------
    name : str
        Of the two templates in `server/templates/mail/`.
    code : str
        Of the recipient's language.
    settings : Settings
    **context
        What the templates show.
    """
    common = {
        "language": language(code),
        "now": datetime.now(UTC),
        "time_zone": settings.zone,
        "city_name": settings.city_name,
    }
    return Written(
        *(
            environment.get_template(f"mail/{name}.{kind}").render(common | context)
            for environment, kind in ((_PLAIN, "txt"), (TEMPLATES, "html"))
        )
    )
