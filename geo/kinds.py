"""The three kinds of report, and how bad the reporter finds it."""

from enum import StrEnum


class Kind(StrEnum):
    """What a report asks for."""

    PROBLEM_SPOT = "problem_spot"
    LIGHTING = "lighting"
    CLEANUP = "cleanup"


class Severity(StrEnum):
    """How bad it is, in the reporter's words."""

    MINOR = "minor"
    SERIOUS = "serious"
    DANGEROUS = "dangerous"
