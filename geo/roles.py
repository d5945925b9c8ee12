"""Who may do what, and where: a role holds within a block watch, a division, a district, a kind.

The store asks the same again by its own rules (`report_private`, row-level security).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from geo.kinds import Kind


class Role(StrEnum):
    """What somebody is to the city. Whoever has none is a resident."""

    MEMBER = "member"
    CAPTAIN = "captain"
    LIAISON = "liaison"
    STAFF = "staff"
    MODERATOR = "moderator"
    ADMINISTRATOR = "administrator"


STRONG = frozenset({Role.LIAISON, Role.STAFF, Role.MODERATOR, Role.ADMINISTRATOR})
"""Roles that hold only after signing in with two factors, or by the city's own sign-in."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role and its scope.

    Attributes
    ----------
    role : Role
    block_watch_id : int or None
        Of a captain or a member.
    area_id : int or None
        The patrol division of a liaison; the council district of staff, None for all of them.
    department_id : int or None
        Of staff.
    kinds : frozenset of Kind
        What the department of staff works on.
    """

    role: Role
    block_watch_id: int | None = None
    area_id: int | None = None
    department_id: int | None = None
    kinds: frozenset[Kind] = frozenset()


@dataclass(frozen=True, slots=True)
class Site:
    """What the scopes of roles ask of a report."""

    kind: Kind
    block_watch_id: int | None = None
    patrol_division_id: int | None = None
    council_district_id: int | None = None


class Act(StrEnum):
    """What can be done with a report beyond what everybody may.

    READ_EXACT is its exact place and home address, READ_TEXT what the reporter wrote, WORK its
    status, assignment and notes, MODERATE whether it is shown.
    """

    READ_EXACT = "read_exact"
    READ_TEXT = "read_text"
    WORK = "work"
    MODERATE = "moderate"


def may(grants: Iterable[Grant], act: Act, site: Site) -> bool:
    """Tell whether somebody may do something with a report.

    Parameters
    ----------
    grants : iterable of Grant
        All that somebody holds.
    act : Act
    site : Site

    Returns
    -------
    bool
    """
    return any(_allows(grant, act, site) for grant in grants)


def _allows(grant: Grant, act: Act, site: Site) -> bool:
    match grant.role:
        case Role.ADMINISTRATOR:
            return True
        case Role.MODERATOR:
            return act in {Act.READ_TEXT, Act.MODERATE}
        case Role.STAFF:
            here = grant.area_id is None or grant.area_id == site.council_district_id
            return act is not Act.MODERATE and here and site.kind in grant.kinds
        case Role.LIAISON:
            here = grant.area_id is not None and grant.area_id == site.patrol_division_id
            if act is Act.WORK:
                return here and site.kind is Kind.PROBLEM_SPOT
            return act is not Act.MODERATE and here
        case Role.CAPTAIN | Role.MEMBER:
            return False


def keeps(grants: Iterable[Grant], block_watch_id: int) -> bool:
    """Tell whether somebody may change a block watch: its boundary, meetings and members."""
    return any(
        grant.role is Role.ADMINISTRATOR
        or (grant.role is Role.CAPTAIN and grant.block_watch_id == block_watch_id)
        for grant in grants
    )


def belongs(grants: Iterable[Grant], block_watch_id: int) -> bool:
    """Tell whether somebody is of a block watch, as a member or its captain."""
    return any(
        grant.role in {Role.CAPTAIN, Role.MEMBER} and grant.block_watch_id == block_watch_id
        for grant in grants
    )
