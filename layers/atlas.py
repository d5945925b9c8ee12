"""Puts the chosen layers on one map and gives back its parts for a page to place."""

import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from branca.element import CssLink, Figure, JavascriptLink
from folium.map import Layer

from layers.base import Base, RasterBase
from layers.controls import Fullscreen, LayerControl, Locate, Map, Start, Zoom
from layers.features import FEATURES_FROM_ZOOM, Features
from layers.registry import DRAWN
from layers.words import words

MODULES: tuple[str, ...] = (
    "address",
    "atlas",
    "base",
    "boundary",
    "cells",
    "desk",
    "draw",
    "features",
    "filters",
    "hot_spots",
    "inline",
    "legend",
    "live",
    "marks",
    "notices",
    "outline",
    "pick",
    "popups",
    "search",
    "theme",
    "tiles",
)
"""The JavaScript modules of the map, each a file of `static/map/`."""

FIRST_PANE = 410
"""CSS z-index of the lowest layer, above the base map and below Leaflet's markers."""

MIN_ZOOM, MAX_ZOOM = 9, 19

_SCREEN = (900, 700)
"""CSS pixels of the map on a usual screen."""


@dataclass(frozen=True, slots=True)
class View:
    """Where a map opens: degrees on WGS 84 and a whole zoom level."""

    lat: float
    lon: float
    zoom: int


def view_of(west: float, south: float, east: float, north: float) -> View:
    """Give a view that holds a box on a screen of a usual size.

    Parameters
    ----------
    west, south, east, north : float
        Degrees on WGS 84.

    Returns
    -------
    View
        Its zoom lies within `MIN_ZOOM` and `MAX_ZOOM`.
    """
    lat = (south + north) / 2
    # At zoom z a degree of longitude is 256 * 2**z / 360 pixels wide, one of latitude 1 / cos more.
    wide = (east - west) / _SCREEN[0]
    high = (north - south) / math.cos(math.radians(lat)) / _SCREEN[1]
    zoom = math.floor(math.log2(360 / 256 / max(wide, high, 1e-9)))
    return View(lat, (west + east) / 2, min(max(zoom, MIN_ZOOM), MAX_ZOOM))


@dataclass(frozen=True, slots=True)
class Mark:
    """A place that the page speaks of by its number: degrees on WGS 84."""

    lat: float
    lon: float
    number: int


@dataclass(frozen=True, slots=True)
class Raster:
    """Raster tiles that the operator has chosen: URL template and credit as plain text."""

    url: str
    attribution: str


def _unchanged(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Options:
    """How a map is made.

    Attributes
    ----------
    mode : {"browse", "look", "pick", "draw", "cells", "desk", "snapshot"}
        Look around and share the view; look at one place, with a pin where the view opens; choose
        a place for a form; draw a boundary for a form; show cells of an analysis; stand beside the
        queue of the desk; or stand alone in a file.
    shown : collection of str or None
        Names of the layers that are on at first; None leaves it to each layer.
    asset : callable
        Gives the URL of a path below the static folder.
    translate : callable
        Gives a message in the language of the page.
    raster : Raster or None
        None draws the base map from imported geometry.
    tiles, facts, places, versions, grounds : str
        URLs: of the tiles of a `{layer}`, of the public facts of one feature (nothing opens on a map
        without it), of the search, of the versions of the layers, and of the outline of an area,
        a block watch or an action plan.
    staff_tiles, staff_facts : str
        The same of layers that the city's people see alone.
    latitude_field, longitude_field, drawn_field : str
        CSS selectors of the form's fields that the modes "pick" and "draw" fill: with a place, or
        with the GeoJSON of a line or a polygon.
    shape_fields : str
        CSS selector of the radio buttons that say which: point, line or polygon.
    marks : tuple of Mark
        What the modes "look" and "draw" mark with numbers.
    pin : bool
        Whether the mode "look" marks where the view opens.
    ground : tuple or None
        What the modes "look" and "cells" outline and go to in place of a pin, and its id.
    cells : str
        CSS selector of the element whose `data-cells` is the URL of what the mode "cells" shows.
    """

    mode: Literal["browse", "look", "pick", "draw", "cells", "desk", "snapshot"] = "browse"
    shown: Collection[str] | None = None
    asset: Callable[[str], str] = "/static/{}".format
    translate: Callable[[str], str] = _unchanged
    raster: Raster | None = None
    tiles: str = "/tiles/{layer}/{z}/{x}/{y}.mvt"
    facts: str = "/api/features/{layer}/{id}"
    places: str = "/api/places"
    versions: str = "/api/versions"
    grounds: str = "/api/{path}/{id}"
    staff_tiles: str = "/desk/tiles/{layer}/{z}/{x}/{y}.mvt"
    staff_facts: str = "/desk/features/{layer}/{id}"
    latitude_field: str = "#lat"
    longitude_field: str = "#lon"
    drawn_field: str = "#drawn"
    shape_fields: str = "[name=shape]"
    marks: tuple[Mark, ...] = ()
    pin: bool = True
    ground: tuple[Literal["area", "block_watch", "plan"], int] | None = None
    cells: str = ""


@dataclass(frozen=True, slots=True)
class Atlas:
    """A map in parts, to be placed by a page that has its own language, title and nonce.

    Attributes
    ----------
    styles, scripts : tuple of str
        URLs of style sheets, and of classic scripts that must run in this order before `script`.
    modules : mapping of str to str
        Import map: name of a module to its URL.
    markup : str
        The element that the map fills.
    script : str
        Body of an inline `<script type="module">`.
    """

    styles: tuple[str, ...]
    scripts: tuple[str, ...]
    modules: Mapping[str, str]
    markup: str
    script: str

    @property
    def import_map(self) -> str:
        """Body of the `<script type="importmap">` that must stand before the first module."""
        return safe_json({"imports": dict(self.modules)})


def safe_json(value: Any) -> str:
    """Write JSON that no browser takes for the end of a script element.

    Parameters
    ----------
    value : Any
        What JSON can hold.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # Inside of strings, the only place where these stand in JSON, an escape means the same.
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def atlas(layers_: Sequence[type[Features]], view: View, options: Options) -> Atlas:
    """Put layers on a map.

    Parameters
    ----------
    layers_ : sequence of Features subclasses
        In the order of the layer control, e.g. `registry.LAYERS`.
    view : View
    options : Options

    Returns
    -------
    Atlas
        The same for the same arguments, down to the ids.
    """
    shown = {layer.name for layer in layers_ if layer.shown}
    if options.shown is not None:
        shown = set(options.shown)
    picks = options.mode == "pick"
    whole = options.mode in {"browse", "cells", "desk", "snapshot"}
    map_ = Map(
        (view.lat, view.lon), view.zoom, min_zoom=MIN_ZOOM, max_zoom=MAX_ZOOM, scale=not picks
    )
    base = _base(options)
    base.add_to(map_)
    placed = [
        layer(
            (options.staff_tiles if layer.staff else options.tiles).replace("{layer}", layer.name),
            FIRST_PANE + DRAWN.index(layer),
            show=layer.name in shown,
            min_zoom=max(layer.min_zoom, FEATURES_FROM_ZOOM + 1) if picks else layer.min_zoom,
            translate=options.translate,
            asset=options.asset,
        )
        for layer in layers_
    ]
    drawn = sorted(placed, key=lambda layer: layer.order)
    for layer in drawn:
        layer.add_to(map_)
    Zoom(options.translate).add_to(map_)
    if options.mode in {"browse", "pick", "draw"}:
        Locate(options.translate).add_to(map_)
    if not picks:
        Fullscreen(options.translate).add_to(map_)
    if whole:
        LayerControl(placed, options.translate).add_to(map_)
    config = {
        "mode": options.mode,
        "layers_panel": whole,
        "facts": options.facts,
        "staff_facts": options.staff_facts,
        "places": options.places if options.mode in {"browse", "pick", "draw"} else "",
        "versions": options.versions,
        "grounds": options.grounds,
        "pick": {
            "lat": options.latitude_field,
            "lon": options.longitude_field,
            "drawn": options.drawn_field,
            "shapes": options.shape_fields,
        },
        "marks": [asdict(mark) for mark in options.marks],
        "pin": options.pin,
        "ground": dict([options.ground]) if options.ground else None,
        "cells": options.cells,
        "words": words(options.translate),
    }
    Start(base.get_name(), drawn, config).add_to(map_)
    figure = map_.get_root()
    assert isinstance(figure, Figure)
    return _parts(figure, options.asset)


def _base(options: Options) -> Layer:
    if options.raster is not None:
        return RasterBase(options.raster.url, options.raster.attribution)
    return Base(options.tiles.replace("{layer}", "base"))


def _parts(figure: Figure, asset: Callable[[str], str]) -> Atlas:
    figure.render()
    # Folium's own header would block zooming on phones and style the whole page, so only the
    # assets are taken from it.
    head = figure.header._children.values()  # noqa: SLF001 (branca has no public way to them)
    lines = [line.strip() for line in figure.script.render().splitlines()]
    return Atlas(
        styles=tuple(asset(link.url) for link in head if isinstance(link, CssLink)),
        scripts=tuple(asset(link.url) for link in head if isinstance(link, JavascriptLink)),
        modules={f"porchlight/{name}.js": asset(f"map/{name}.js") for name in MODULES},
        markup=figure.html.render().strip(),
        script="\n".join(
            ['import * as porchlight from "porchlight/atlas.js";', *filter(None, lines)]
        ),
    )
