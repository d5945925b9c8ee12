"""A map in one file that opens without internet: its data, code and pictures are all inside."""

import mimetypes
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from layers.atlas import Options, View, atlas, safe_json
from layers.features import N_
from layers.registry import BY_NAME, LAYERS

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'"
)
"""Lets the file run what is inside of it and ask nothing of any host."""

_OWN_STYLES = ("vendor/bootstrap/bootstrap.min.css", "porchlight.css")

_PAGE = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
).get_template("snapshot.html")

_URL = re.compile(r"""url\((["']?)(?!data:|#)([^"')]+)\1\)""")


def snapshot(
    collections: Mapping[str, Mapping[str, Any]],
    base: Mapping[str, Mapping[str, Any]],
    view: View,
    *,
    static: Path,
    title: str,
    note: str,
    language: str,
    translate: Callable[[str], str],
) -> str:
    """Write a map as one HTML file.

    Parameters
    ----------
    collections : mapping of str to GeoJSON FeatureCollection
        By name of the layer; these layers and no others are on the map, all of them on at first.
        Positions in EPSG:4326, of what is public only: everything given stands in the file. A
        feature has an `id`, the attributes that its layer's tiles carry, and for its popup `title`
        and `facts` (a list of `label` and `value`) as plain text.
    base : mapping of str to GeoJSON FeatureCollection
        The base map: city, water, park, block, street, label, with the attributes of its tiles.
    view : View
        Where the map opens.
    static : pathlib.Path
        The static folder.
    title, note : str
        Plain text: what the map shows, and of when and what it is.
    language : str
        Of the page, e.g. "en".
    translate : callable
        Gives a message in that language.

    Returns
    -------
    str
        What people wrote stands in it as JSON only, and becomes text in the browser.

    Raises
    ------
    ValueError
        Where a name is no layer.
    """
    known = {layer.name for layer in LAYERS}
    if unknown := sorted(set(collections) - known):
        raise ValueError(f"There are no layers {', '.join(unknown)}. Known: {', '.join(known)}.")

    def inside(path: str) -> str:
        return _data_url(static / path) if path.endswith(".svg") else path

    parts = atlas(
        [layer for layer in LAYERS if layer.name in collections],
        view,
        Options(mode="snapshot", shown=tuple(collections), asset=inside, translate=translate),
    )
    return _PAGE.render(
        language=language,
        title=title,
        note=note,
        policy=POLICY,
        styles=[_style(static / path) for path in (*_OWN_STYLES, *parts.styles, "map.css")],
        theme=_script(static / "theme.js"),
        import_map=safe_json(
            {"imports": {name: _data_url(static / path) for name, path in parts.modules.items()}}
        ),
        markup=parts.markup,
        list_title=translate(N_("List of what is on the map")),
        show_title=translate(N_("Show on the map")),
        listed=[
            {
                "name": name,
                "title": translate(BY_NAME[name].title),
                "entries": [*_entries(found["features"])],
            }
            for name, found in collections.items()
        ],
        blocks={name: safe_json(found) for name, found in {**collections, "base": base}.items()},
        scripts=[_script(static / path) for path in parts.scripts],
        script=parts.script,
    )


def _entries(features: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Give what the list says of each feature; what the map can tell, the list tells."""
    for feature in features:
        properties = feature["properties"]
        if "title" in properties:
            position = feature["geometry"]["coordinates"]
            while isinstance(position[0], list | tuple):
                position = position[0]
            lon, lat = position[:2]
            text = {"title": properties["title"], "facts": properties["facts"]}
            yield {"id": feature["id"], "lon": lon, "lat": lat, **text}


def _data_url(path: Path) -> str:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{b64encode(path.read_bytes()).decode()}"


def _script(path: Path) -> str:
    # Within strings, comments and patterns, the only places where it can stand, it means the same.
    return re.sub(r"</(?=script)", r"<\\/", path.read_text(encoding="utf-8"), flags=re.IGNORECASE)


def _style(path: Path) -> str:
    """Give a style sheet with the pictures it names inside."""

    def inside(match: re.Match[str]) -> str:
        return f'url("{_data_url(path.parent / match[2])}")'

    return _URL.sub(inside, path.read_text(encoding="utf-8"))
