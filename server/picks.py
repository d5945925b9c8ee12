"""What was ticked in a list, each row with its version as it was seen."""

from collections.abc import Sequence


def picked_versions(pick: Sequence[str]) -> dict[int, int] | None:
    """Read the values of ticked boxes, `id.version` each.

    Returns
    -------
    dict of int to int, or None
        Versions by ids, in their order; None where that is no list of ours.
    """
    found: dict[int, int] = {}
    for word in pick:
        id, _dot, version = word.partition(".")
        if not all(
            part.isascii() and part.isdecimal() and len(part) < 19 for part in (id, version)
        ):
            return None
        found[int(id)] = int(version)
    return dict(sorted(found.items()))
