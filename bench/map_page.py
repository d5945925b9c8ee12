"""The map's page on 1,000,000 reports, beside plain Folium pages with 1, 10 and 100 thousand points.

    nice .venv/bin/python bench/map_page.py [--markercluster FOLDER]

Ours is served as `porchlight serve` does, on the city of bench/tiles.py. Folium's pages are built as
its guide shows, with every asset of theirs taken from our own server/static/vendor, so that nothing
waits for another host; FastMarkerCluster needs `dist/` of the npm package leaflet.markercluster 1.1.0
and is left out without it. Each page is opened anew in a Chromium that has nothing in its cache.

Painted means that the canvas (or the marker pane) of the features holds a mark, counted from the
start of the navigation. Built means the server's answer for ours, and for Folium the time from a list
of coordinates to the HTML.
"""

import argparse
import gzip
import json
import shutil
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import folium
from folium.plugins import FastMarkerCluster
from generate import places
from playwright.sync_api import Browser, sync_playwright
from tiles import REPORTS, made_database, ours

STATIC = Path(__file__).parent.parent / "server" / "static"
MIDDLE = (39.08, -94.56)
ZOOM = 12
OPENED = 5
GIVE_UP_S = 180

# A copy of 160 by 120 pixels is quick enough to read at every frame.
WATCH = """
    const small = new OffscreenCanvas(160, 120).getContext("2d", {willReadFrequently: true});
    const marked = () => {
        if (document.querySelector(".leaflet-marker-pane > *")) return true;
        const canvas = document.querySelector(
            ".leaflet-porchlight-reports-pane canvas, .leaflet-overlay-pane canvas");
        if (!canvas || !canvas.width) return false;
        small.clearRect(0, 0, 160, 120);
        small.drawImage(canvas, 0, 0, 160, 120);
        return small.getImageData(0, 0, 160, 120).data.some((part, at) => at % 4 === 3 && part);
    };
    const look = () => {
        // What was found in this frame is on the screen at the next.
        if (marked()) requestAnimationFrame(() => { globalThis.paintedAt = performance.now(); });
        else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
"""


Points = list[tuple[float, float]]
Peer = tuple[str, Callable[[Points], folium.Map], tuple[int, ...]]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def painted(browser: Browser, address: str) -> float | None:
    """Give seconds until the first features are on the screen, or None after a long wait."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(WATCH)
    page = context.new_page()
    page.set_default_timeout(GIVE_UP_S * 1000)
    try:
        page.goto(address, wait_until="commit")
        page.wait_for_function("() => globalThis.paintedAt !== undefined", polling=100)
        return page.evaluate("globalThis.paintedAt") / 1000
    except Exception as error:  # noqa: BLE001 (Playwright's own, and a page may run out of memory)
        print(f"gave up on {address}: {error}", flush=True)
        return None
    finally:
        context.close()


def plain_map() -> folium.Map:
    """Folium's map without tiles of another host, and with Leaflet from our folder."""
    made = folium.Map(MIDDLE, zoom_start=ZOOM, tiles=None, prefer_canvas=True)
    made.options["maxZoom"] = 19  # Folium drops it with the tiles, and clusters need it
    made.default_js = [("leaflet", "vendor/leaflet/leaflet.js")]
    made.default_css = [("leaflet_css", "vendor/leaflet/leaflet.css")]
    return made


def markers(points: Points) -> folium.Map:
    made = plain_map()
    for point in points:
        folium.Marker(point, popup="a report").add_to(made)
    return made


def geojson(points: Points) -> folium.Map:
    made = plain_map()
    features = [
        {
            "type": "Feature",
            "properties": {"name": "a report"},
            "geometry": {"type": "Point", "coordinates": [lon, lat]},
        }
        for lat, lon in points
    ]
    folium.GeoJson(
        {"type": "FeatureCollection", "features": features},
        marker=folium.CircleMarker(radius=4),
        popup=folium.GeoJsonPopup(["name"]),
    ).add_to(made)
    return made


def clusters(points: Points) -> folium.Map:
    made = plain_map()
    # Its own callback wants the icons of yet another package.
    plugin = FastMarkerCluster(points, callback="row => L.marker([row[0], row[1]])")
    plugin.default_js = [("markercluster", "markercluster/leaflet.markercluster.js")]
    plugin.default_css = [
        ("markerclustercss", "markercluster/MarkerCluster.css"),
        ("markerclusterdefaultcss", "markercluster/MarkerCluster.Default.css"),
    ]
    plugin.add_to(made)
    return made


def row(
    name: str,
    points: int,
    *,
    html: bytes,
    built_s: float,
    times: list[float | None],
    first: str = "",
) -> None:
    came = [time for time in times if time is not None]
    shown = f"{statistics.median(came):8.2f}" if came else f"{'> ' + str(GIVE_UP_S):>8}"
    print(
        f"{name:<28}{points:>10,}{len(html) / 1024:>12,.0f}{len(gzip.compress(html)) / 1024:>10,.0f}"
        f"{built_s:>10.3f}{shown:>10}{first:>10}",
        flush=True,
    )


def measure_ours(browser: Browser) -> None:
    with ours(made_database(), cache_bytes=64 * 1024 * 1024) as (port, _):
        address = f"http://127.0.0.1:{port}/"
        first = painted(browser, address)  # with no tile in the server's memory either
        times = [painted(browser, address) for _ in range(OPENED)]
        built = []
        for _ in range(20):
            start = time.perf_counter()
            html = urllib.request.urlopen(address).read()
            built.append(time.perf_counter() - start)
        row(
            "Porchlight",
            REPORTS,
            html=html,
            built_s=statistics.median(built),
            times=times,
            first=f"{first or 0:.2f}",
        )


def measure_folium(browser: Browser, folder: Path, site: str, peer: Peer, count: int) -> None:
    name, build, _counts = peer
    longitudes, latitudes = places(count)
    points = list(zip(latitudes.tolist(), longitudes.tolist(), strict=True))
    start = time.perf_counter()
    html = build(points).get_root().render().encode()
    built_s = time.perf_counter() - start
    (folder / "page.html").write_bytes(html)
    opened = OPENED if count < 100_000 else 2
    times = [painted(browser, f"{site}/page.html?{n}") for n in range(opened)]
    row(f"Folium, {name}", count, html=html, built_s=built_s, times=times)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--markercluster", type=Path)
    cluster = arguments.parse_args().markercluster
    chromium = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    )
    peers: list[Peer] = [
        ("Marker", markers, (1_000, 10_000)),
        ("GeoJson on canvas", geojson, (1_000, 10_000, 100_000)),
    ]
    if cluster:
        peers.append(("FastMarkerCluster", clusters, (1_000, 10_000, 100_000)))
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        (folder / "vendor").symlink_to(STATIC / "vendor")
        if cluster:
            (folder / "markercluster").symlink_to(cluster.absolute())
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        print(json.dumps({"chromium": browser.version, "folium": folium.__version__}))
        print(
            f"{'':<28}{'points':>10}{'HTML KiB':>12}{'gzip KiB':>10}{'built s':>10}"
            f"{'painted s':>10}{'first s':>10}"
        )
        measure_ours(browser)
        with served(folder) as site:
            for peer in peers:
                for count in peer[2]:
                    measure_folium(browser, folder, site, peer, count)
        browser.close()


if __name__ == "__main__":
    main()
