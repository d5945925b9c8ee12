from folium.map import Layer
from folium.raster_layers import TileLayer
from folium.template import Template


class Base(Layer):
    """The base map drawn from imported geometry, without any other host.

    `map/atlas.js` puts it on the map once the view and the version to ask for are known.

    Parameters
    ----------
    tiles : str
        URL template of vector tiles with the layers city, block, water, street and label.
    """

    _template = Template(
        """
        {% macro script(this, kwargs) %}
            const {{ this.get_name() }} = porchlight.base({{ this.config|tojson }});
        {% endmacro %}
        """
    )

    def __init__(self, tiles: str) -> None:
        super().__init__(name="base", overlay=False, control=False, show=False)
        self._name = "Layer"
        self._id = "base"
        self.config = {"tiles": tiles}


class RasterBase(TileLayer):
    """The base map of raster tiles that the operator has chosen.

    Parameters
    ----------
    url : str
        URL template with `{z}`, `{x}` and `{y}`.
    attribution : str
        Credit as plain text.
    """

    def __init__(self, url: str, attribution: str) -> None:
        super().__init__(tiles=url, attr=attribution, name="base", control=False, max_zoom=19)
        self._name = "Layer"
        self._id = "base"
