"""What every layer of features has in common.

A layer holds addresses and looks, never rows or what people wrote: its features are fetched by the
browser as vector tiles, and drawn by `map/features.js`.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from folium.map import Layer
from folium.template import Template

from layers.symbols import Rule, Symbol

FEATURES_FROM_ZOOM = 14
"""Tiles below this zoom carry counts for cells, those from it on the features."""


class Features(Layer):
    """A layer of features from vector tiles.

    Parameters
    ----------
    tiles : str
        URL template with `{z}`, `{x}` and `{y}`.
    order : int
        Where it stands among the layers: a higher one is drawn above.
    show : bool
        Whether it is on at first.
    min_zoom : int
        Below this zoom of the map nothing is fetched or drawn.
    translate : callable
        Gives a message in the language of the page.
    asset : callable
        Gives the URL of a path below the static folder.

    Attributes
    ----------
    name : str
        Key in URLs of tiles, features and pages.
    title, group : str
        Name and heading in the layer control, to be translated where shown.
    rules : tuple of Rule
        The looks, in order; those with a label make the legend.
    shown : bool
        Whether it is on where nobody chose.
    min_zoom : int
        As above, where the map does not ask for more.
    counted : bool
        Whether its tiles carry counts for cells below `FEATURES_FROM_ZOOM`.
    filtered : bool
        Whether the filters of the page hold for it.
    staff : bool
        Whether only the city's people see it: its features come from routes of the desk.
    empty : str or None
        What the map says where none are in view; None says nothing.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    group: ClassVar[str]
    rules: ClassVar[tuple[Rule, ...]]
    shown: ClassVar[bool] = False
    min_zoom: ClassVar[int] = 0
    counted: ClassVar[bool] = False
    filtered: ClassVar[bool] = False
    staff: ClassVar[bool] = False
    empty: ClassVar[str | None] = None

    _template = Template(
        """
        {% macro script(this, kwargs) %}
            const {{ this.get_name() }} = porchlight.features({{ this.config|tojson }});
        {% endmacro %}
        """
    )

    def __init__(
        self,
        tiles: str,
        order: int,
        *,
        show: bool,
        min_zoom: int,
        translate: Callable[[str], str],
        asset: Callable[[str], str],
    ) -> None:
        super().__init__(name=translate(self.title), overlay=True, show=show)
        self._name = "Layer"
        self._id = self.name
        self.order = order
        self.config = {
            "name": self.name,
            "title": translate(self.title),
            "tiles": tiles,
            "order": order,
            "min_zoom": min_zoom,
            "features_from": FEATURES_FROM_ZOOM if self.counted else 0,
            "filtered": self.filtered,
            "staff": self.staff,
            "empty": translate(self.empty) if self.empty else "",
            "cell": self.rules[0].symbol["colour"],
            "cell_note": translate(CELL_NOTE) if self.counted else "",
            "rules": [
                {"when": dict(rule.when), "symbol": _located(rule.symbol, asset)}
                for rule in self.rules
            ],
            "legend": [
                {
                    "label": translate(rule.label),
                    "symbol": _located({**self.rules[0].symbol, **rule.symbol}, asset),
                }
                for rule in self.rules
                if rule.label is not None
            ],
        }


def _located(symbol: Symbol, asset: Callable[[str], str]) -> dict[str, Any]:
    located: dict[str, Any] = dict(symbol)
    if "icon" in symbol:
        located["icon"] = asset(symbol["icon"])
    return located


def N_(message: str) -> str:  # noqa: N802 (gettext's name for "translate this later")
    """Mark a message for translation where it is shown."""
    return message


CELL_NOTE = N_("A circle with a number counts what is around it. Zoom in to see each one.")

DESK = N_("The desk")
PROBLEMS = N_("What neighbours report")
PLACES = N_("Places and help")
BORDERS = N_("Borders")
CONTEXT = N_("Also good to know")
"""Headings of the layer control."""
