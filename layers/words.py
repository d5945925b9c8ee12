"""What the map's JavaScript says. It gets these in the language of the page."""

from collections.abc import Callable, Mapping
from typing import Any

from layers.features import N_

_WORDS: Mapping[str, str] = {
    "map": N_("Map of the city. Everything it shows is in the list as well."),
    "layers": N_("Layers and legend"),
    "loading": N_("Loading…"),
    "details": N_("See details"),
    "close": N_("Close"),
    "retry": N_("Try again"),
    "facts_failed": N_("The details could not be loaded."),
    "previous": N_("Previous"),
    "next": N_("Next"),
    "one_of": N_("{index} of {count}"),
    "load_failed": N_("The map could not load: {layer}. It will try again in a moment."),
    "base_failed": N_("The streets and names of the map could not load. Check your connection."),
    "outline_failed": N_("The boundary of what you chose could not be loaded. Choose it again."),
    "live_failed": N_("The map can not check for news. What you see may be out of date."),
    "search": N_("Find an address, corner or place"),
    "places": N_("Places found"),
    "no_place": N_("No such place found. Try the street name or a nearby corner."),
    "search_failed": N_("The search does not answer. Try again, or move the map."),
    "your_place": N_("The place you chose"),
    "place_chosen": N_("Place chosen. Drag the pin or tap again to change it."),
    "pick_help": N_("Tap the map where the problem is."),
    "line_help": N_("Tap the map where the stretch begins, then along it to its end."),
    "polygon_help": N_("Tap each corner of the lot, one after another."),
    "one_point": N_("1 point set. Tap the next one."),
    "points": N_("{n} points set. Tap to add more, or drag a point."),
    "one_more": N_("{n} points set. A lot needs three at least."),
    "undo_point": N_("Undo last point"),
    "start_over": N_("Start over"),
    "typed_counts": N_("The drawing is gone: what you typed counts now."),
    "no_position_here": N_("Your position is not to be had. Look for an address instead."),
    "no_position": N_("Your position is not to be had. Tap the map instead."),
}

_PLACE_KINDS: Mapping[str, str] = {
    "address": N_("Address"),
    "corner": N_("Corner"),
    "street": N_("Street"),
    "landmark": N_("Landmark"),
    "neighbourhood": N_("Neighbourhood"),
}


def words(translate: Callable[[str], str]) -> dict[str, Any]:
    """Give the words of the map.

    Parameters
    ----------
    translate : callable
        Gives a message in the language of the page.

    Returns
    -------
    dict
        Plain text by key, and a dict of such under `place_kinds`.
    """
    return {
        **{key: translate(message) for key, message in _WORDS.items()},
        "place_kinds": {kind: translate(message) for kind, message in _PLACE_KINDS.items()},
    }
