"""What was ticked in a list, each row with its version as it was seen."""

from collections.abc import Sequence

from geo.places import typed_number


def picked_numbers(pick: Sequence[str], numbers: int) -> dict[int, list[int]] | None:
    """Read the values of ticked boxes: an id, and what tells how its row was seen, with dots between.

    Parameters
    ----------
    pick : sequence of str
    numbers : int
        That stand behind the id.

    Returns
    -------
    dict of int to list of int, or None
        By ids, in their order; None where that is no list of ours.
    """
    found: dict[int, list[int]] = {}
    for word in pick:
        read = [number for part in word.split(".") if (number := typed_number(part)) is not None]
        if len(read) != numbers + 1 or word.count(".") != numbers:
            return None
        found[read[0]] = read[1:]
    return dict(sorted(found.items()))


def picked_versions(pick: Sequence[str]) -> dict[int, int] | None:
    """Read the values of ticked boxes that are `id.version` each, as `picked_numbers` does."""
    found = picked_numbers(pick, 1)
    return None if found is None else {id: version for id, (version,) in found.items()}


def picked_ids(pick: Sequence[str]) -> frozenset[int]:
    """Give what was ticked as far as it can be read, to be ticked again."""
    ids = (typed_number(word.partition(".")[0]) for word in pick)
    return frozenset(id for id in ids if id is not None)
