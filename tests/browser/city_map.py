"""The city's map as somebody before a screen has it: what is painted where, and what stands beside it."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

from playwright.sync_api import FloatRect, Locator, Page, expect

MIDDLE = (39.0469, -94.5659)

# A copy is read, since Chromium warns of canvases that are read again and again.
_COPY = """
    const copyOf = (layer) => {
        const canvas = document.querySelector(`.leaflet-porchlight-${layer}-pane canvas`);
        if (!canvas || !canvas.width) return null;
        const brush = new OffscreenCanvas(canvas.width, canvas.height)
            .getContext("2d", {willReadFrequently: true});
        brush.drawImage(canvas, 0, 0);
        const {x, y, width} = canvas.getBoundingClientRect();
        const scale = canvas.width / width;
        return (left, top, wide, high) => brush.getImageData(
            (left - x) * scale, (top - y) * scale, wide * scale, high * scale).data;
    };
    const seen = document.querySelector(".folium-map").getBoundingClientRect();
    const tintOf = (name) => getComputedStyle(document.documentElement)
        .getPropertyValue(`--mark-${name}`).match(/[0-9a-f]{2}/gi).map((part) => parseInt(part, 16));
"""

_INK = f"""
    ({{layer, tint, spot}}) => {{
        {_COPY}
        const read = copyOf(layer);
        if (!read) return 0;
        const part = spot
            ? read(spot.x - 3, spot.y - 3, 6, 6)
            : read(seen.x, seen.y, seen.width, seen.height);
        const wanted = tint && tintOf(tint);
        let count = 0;
        for (let i = 0; i < part.length; i += 4) {{
            if (part[i + 3] && (!wanted || wanted.every((value, at) => part[i + at] === value))) count += 1;
        }}
        return count;
    }}
"""

_MARK = f"""
    ({{layer, tint}}) => {{
        {_COPY}
        const read = copyOf(layer);
        if (!read) return null;
        const wanted = tintOf(tint);
        for (let y = seen.y + 150; y < seen.bottom - 100; y += 2) {{
            for (let x = seen.x + 100; x < seen.right - 300; x += 2) {{
                const part = [...read(x, y, 4, 4)];
                if (part.every((value, at) => at % 4 === 3 || value === wanted[at % 4])) return {{x: x + 2, y: y + 2}};
            }}
        }}
        return null;
    }}
"""


@dataclass(frozen=True)
class Entry:
    """One report of the list."""

    id: int
    title: str
    meta: str
    lat: float
    lon: float


class CityMap:
    """The map's page in one browser tab."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.canvas = page.locator(".folium-map")
        self.list = page.locator("#list")
        self.entries = page.locator(".report-entry")
        self.search = page.get_by_role("combobox", name="Find an address, corner or place")
        self.places = page.get_by_role("listbox", name="Places found").get_by_role("option")
        self.popup = page.locator(".leaflet-popup")
        self.notices = page.locator(".map-notices")
        self.layers = page.locator(".layers-panel")

    def open(
        self, at: tuple[float, float] | None = None, zoom: int = 17, **query: str
    ) -> "CityMap":
        """Open the map, at a place if one is given, and wait until map and list are there."""
        view = {} if at is None else {"lat": f"{at[0]}", "lon": f"{at[1]}", "zoom": str(zoom)}
        self.page.goto(f"/?{urlencode(view | query)}")
        return self.settle()

    def settle(self) -> "CityMap":
        """Wait until the address tells the view and the list has been told it."""
        self.page.wait_for_url(re.compile("zoom="))
        expect(self.list.locator("[data-needs-script]")).to_have_count(0)
        expect(self.page.locator(".htmx-request")).to_have_count(0)
        return self

    @property
    def query(self) -> Mapping[str, Sequence[str]]:
        """What stands in the address."""
        return parse_qs(urlsplit(self.page.url).query)

    @property
    def view(self) -> tuple[float, float, int]:
        """Latitude, longitude and zoom of the middle, as the address has them."""
        query = self.query
        return float(query["lat"][0]), float(query["lon"][0]), int(query["zoom"][0])

    def wait_for_view(self, at: tuple[float, float], zoom: int | None = None) -> None:
        """Wait until the middle of the map has come to a place."""
        self.page.wait_for_function(
            """([lat, lon, zoom]) => {
                const query = new URLSearchParams(location.search);
                return Math.abs(query.get("lat") - lat) < 3e-4
                    && Math.abs(query.get("lon") - lon) < 3e-4
                    && (zoom === null || Number(query.get("zoom")) === zoom);
            }""",
            arg=[*at, zoom],
        )

    def spot(self, lat: float, lon: float) -> dict[str, float]:
        """Give where in the window a place of the city is."""
        middle_lat, middle_lon, zoom = self.view
        box = self.box(self.canvas)
        east, south = (
            a - b
            for a, b in zip(
                _world(lat, lon, zoom), _world(middle_lat, middle_lon, zoom), strict=True
            )
        )
        return {"x": box["x"] + box["width"] / 2 + east, "y": box["y"] + box["height"] / 2 + south}

    def click(self, lat: float, lon: float) -> None:
        """Click on a place of the city."""
        spot = self.spot(lat, lon)
        self.page.mouse.click(spot["x"], spot["y"])

    def ink(self, layer: str, *, tint: str = "", spot: Mapping[str, float] | None = None) -> int:
        """Count the pixels that a layer has painted: of one colour, or within 3 pixels of a spot."""
        return self.page.evaluate(_INK, {"layer": layer, "tint": tint, "spot": spot})

    def wait_for_ink(
        self,
        layer: str,
        *,
        tint: str = "",
        spot: Mapping[str, float] | None = None,
        painted: bool = True,
        within_s: float = 10,
    ) -> None:
        """Wait until a layer has painted something, or nothing any more."""
        self.page.wait_for_function(
            f"(what) => (({_INK})(what) > 0) === what.painted",
            arg={"layer": layer, "tint": tint, "spot": spot, "painted": painted},
            polling=100,
            timeout=within_s * 1000,
        )

    def mark(self, layer: str, tint: str) -> dict[str, float]:
        """Give where a mark of a colour stands, away from the panels of the map."""
        wanted = {"layer": layer, "tint": tint}
        return self.page.wait_for_function(_MARK, arg=wanted, polling=200).json_value()

    def listed(self) -> list[Entry]:
        """Read the list."""
        return [
            Entry(
                int(entry.get_attribute("data-feature").removeprefix("reports/")),
                entry.get_by_role("link").inner_text(),
                entry.locator(".report-meta").inner_text(),
                float(entry.get_attribute("data-lat")),
                float(entry.get_attribute("data-lon")),
            )
            for entry in self.entries.all()
        ]

    def layer(self, title: str) -> Locator:
        """Give the switch of a layer."""
        return self.layers.get_by_role("checkbox", name=title, exact=True)

    def open_layers(self) -> None:
        """Open the panel with the layers and the legend, where it is not open already."""
        button = self.layers.get_by_role("button")
        if button.get_attribute("aria-expanded") == "false":
            button.click()

    def legend(self, title: str) -> Locator:
        """Give what the legend says of a layer."""
        return self.layers.locator("section").filter(
            has=self.page.get_by_role("heading", name=title, exact=True)
        )

    @staticmethod
    def box(locator: Locator) -> FloatRect:
        """Give where something stands in the window."""
        box = locator.bounding_box()
        assert box is not None, f"{locator} is not to be seen"
        return box


def _world(lat: float, lon: float, zoom: int) -> tuple[float, float]:
    """Give pixels of the whole world's map in Web Mercator."""
    size = 256 * 2**zoom
    north = math.log(math.tan(math.pi / 4 + math.radians(lat) / 2)) / math.pi
    return size * (lon + 180) / 360, size * (1 - north) / 2
