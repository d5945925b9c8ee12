"""What roles are called."""

from collections.abc import Callable

from data.queries.people import Held
from geo.categories import N_
from geo.roles import Role

ROLES: dict[Role, str] = {
    Role.MEMBER: N_("Member of a block watch"),
    Role.CAPTAIN: N_("Captain of a block watch"),
    Role.LIAISON: N_("Police liaison"),
    Role.STAFF: N_("City staff"),
    Role.MODERATOR: N_("Moderator"),
    Role.ADMINISTRATOR: N_("Administrator"),
}


def said(held: Held, gettext: Callable[[str], str]) -> str:
    """Say a role with its scope, such as "City staff: Street lighting, Council District 3"."""
    scope = ", ".join(part for part in (held.department, held.place) if part)
    name = gettext(ROLES[held.role])
    return f"{name}: {scope}" if scope else name
