"""Folium's map and controls with our own assets.

Folium's classes load from four other hosts, and its `add_js_link` changes a class for the whole
process. What an instance says of itself goes first and touches no other.
"""

from collections.abc import Callable, Sequence
from typing import Any

import folium
from branca.element import MacroElement
from folium import plugins
from folium.template import Template

from layers.features import N_, Features


class Map(folium.Map):
    """Folium's map without jQuery, icon fonts and marker images, none of which ours uses."""

    def __init__(
        self,
        location: tuple[float, float],
        zoom: int,
        *,
        min_zoom: int,
        max_zoom: int,
        scale: bool,
    ) -> None:
        super().__init__(
            location=location,
            zoom_start=zoom,
            tiles=None,
            control_scale=scale,
            zoom_control=False,
        )
        self._id = "porchlight"
        self.default_js = [
            ("leaflet", "vendor/leaflet/leaflet.js"),
            ("protomaps", "vendor/protomaps-leaflet/protomaps-leaflet.js"),
        ]
        self.default_css = [("leaflet_css", "vendor/leaflet/leaflet.css")]
        # Folium gives these to a tile layer only, and drops them where it has none.
        self.options["minZoom"] = min_zoom
        self.options["maxZoom"] = max_zoom


class Zoom(MacroElement):
    """Leaflet's zoom buttons, which Folium can not give a language."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
            L.control.zoom({{ this.options|tojson }}).addTo({{ this._parent.get_name() }});
        {% endmacro %}
        """
    )

    def __init__(self, translate: Callable[[str], str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # branca is untyped
        self._name = "Zoom"
        self._id = "porchlight"
        self.options = {
            "zoomInTitle": translate(N_("Zoom in")),
            "zoomOutTitle": translate(N_("Zoom out")),
        }


class Fullscreen(plugins.Fullscreen):
    """Folium's button for the full screen."""

    def __init__(self, translate: Callable[[str], str]) -> None:
        super().__init__(  # type: ignore[no-untyped-call]  # folium types a part of itself
            title=translate(N_("Full screen")),
            title_cancel=translate(N_("Leave full screen")),
            force_separate_button=True,
        )
        self._id = "porchlight"
        self.default_js = [("fullscreen", "vendor/leaflet.fullscreen/Control.FullScreen.js")]
        self.default_css = [("fullscreen_css", "vendor/leaflet.fullscreen/Control.FullScreen.css")]


class Locate(plugins.LocateControl):
    """Folium's button that shows where one is."""

    # The plugin would tell of a failure by an alert, in English; our modules do it on the page.
    _template = Template(
        """
        {% macro script(this, kwargs) %}
            L.control.locate({
                ...{{ this.options|tojson }}, onLocationError: () => {},
            }).addTo({{ this._parent.get_name() }});
        {% endmacro %}
        """
    )

    def __init__(self, translate: Callable[[str], str]) -> None:
        super().__init__(  # type: ignore[no-untyped-call]  # folium types a part of itself
            position="topleft",
            setView="once",
            showPopup=False,
            markerStyle={"keyboard": False},  # it does nothing, so it is no button
            locateOptions={"enableHighAccuracy": True, "maxZoom": 17},
            strings={
                "title": translate(N_("Show where I am")),
                "outsideMapBoundsMsg": translate(N_("You seem to be outside of this map.")),
            },
        )
        self._id = "porchlight"
        self.default_js = [("locate", "vendor/leaflet.locatecontrol/L.Control.Locate.min.js")]
        self.default_css = [("locate_css", "vendor/leaflet.locatecontrol/L.Control.Locate.min.css")]


class LayerControl(plugins.GroupedLayerControl):
    """Folium's grouped layer control; `map/legend.js` puts it into one panel with the legend."""

    def __init__(self, layers_: Sequence[Features], translate: Callable[[str], str]) -> None:
        groups: dict[str, list[Features]] = {}
        for layer in layers_:
            groups.setdefault(translate(layer.group), []).append(layer)
        super().__init__(  # type: ignore[no-untyped-call]  # as above
            groups, exclusive_groups=False, collapsed=False
        )
        self._id = "porchlight"
        self.default_js = [
            (
                "grouped_layers",
                "vendor/leaflet-groupedlayercontrol/leaflet.groupedlayercontrol.min.js",
            )
        ]
        self.default_css = [
            (
                "grouped_layers_css",
                "vendor/leaflet-groupedlayercontrol/leaflet.groupedlayercontrol.min.css",
            )
        ]
        # A layer that is off was never put on the map, so nothing has to be taken off.
        self.layers_untoggle = set()


class Start(MacroElement):
    """The last line of the script: hands the map and its layers to `map/atlas.js`.

    Parameters
    ----------
    base : str
        Name of the base layer's variable.
    layers_ : sequence of Features
    config : dict
        Addresses, words and mode, as JSON.
    """

    _template = Template(
        """
        {% macro script(this, kwargs) %}
            porchlight.start(
                {{ this._parent.get_name() }},
                {{ this.base }},
                [{% for name in this.names %}{{ name }}, {% endfor %}],
                {{ this.config|tojson }}
            );
        {% endmacro %}
        """
    )

    def __init__(self, base: str, layers_: Sequence[Features], config: dict[str, Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # branca is untyped
        self._name = "Start"
        self._id = "porchlight"
        self.base = base
        self.names = [layer.get_name() for layer in layers_]
        self.config = config
