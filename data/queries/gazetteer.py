"""Deriving the gazetteer from what is stored: names of streets, numbering, corners."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import shapely
from shapely import LineString, MultiLineString, Point, STRtree
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo import addresses
from geo.addresses import Address, Street
from geo.crs import CITY_SRID
from geo.numbering import HALF_BLOCK, Cluster, Stretch, crossings, reaching, run, stretches

_Key = TypeVar("_Key", int, str)

_SURVEYED_REACH_M = 10.0
_DERIVED_REACH_M = 60.0
_SNAP_M = 40.0

_OF_LOTS = "vacant_lot"
_OF_LOCATIONS = "service_location"

_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('porchlight.gazetteer'))")

_CENTRELINES = text("SELECT name, ST_AsBinary(ST_Transform(geom, :srid)) FROM street ORDER BY id")

_LOADED = text(
    "SELECT street, count(*) FROM address WHERE source <> ALL (:derived) GROUP BY street"
)

_LOTS = text("SELECT id, address FROM vacant_lot WHERE address <> ''")

_LOCATIONS = text(
    "SELECT id, address FROM service_location WHERE address <> '' AND NOT confidential"
)

# What people wrote themselves with their own report is no source of addresses.
_REQUESTS = text(
    "SELECT DISTINCT address || home_address AS address FROM report "
    "WHERE address || home_address <> '' AND source <> 'porchlight'"
)

_PUT_NAMES = text("""
    INSERT INTO street_name (direction, name, type, suffix, label, addresses)
    SELECT * FROM unnest(
        CAST(:direction AS text[]), CAST(:name AS text[]), CAST(:type AS text[]),
        CAST(:suffix AS text[]), CAST(:label AS text[]), CAST(:addresses AS int[])
    )
    ON CONFLICT (direction, name, type, suffix)
    DO UPDATE SET label = excluded.label, addresses = excluded.addresses
    RETURNING id, direction, name, type, suffix
""")

_DROP_NAMES = text("DELETE FROM street_name WHERE id <> ALL (:kept)")

_LINK = text("""
    UPDATE address SET street_name_id = named.id
    FROM unnest(CAST(:street AS text[]), CAST(:id AS bigint[])) AS named (street, id)
    WHERE address.street = named.street AND address.source <> ALL (:derived)
        AND address.street_name_id IS DISTINCT FROM named.id
""")

_DROP_DERIVED = text("DELETE FROM address WHERE source = ANY (:derived)")

_PUT_DERIVED = """
    INSERT INTO address (number, street, postal_code, street_name_id, geom, source, external_id)
    SELECT put.number, put.street, put.postal_code, put.name_id, place.geom, :source, place.id::text
    FROM unnest(
        CAST(:id AS bigint[]), CAST(:number AS int[]), CAST(:street AS text[]),
        CAST(:postal_code AS text[]), CAST(:name_id AS bigint[])
    ) AS put (id, number, street, postal_code, name_id)
    JOIN {table} AS place ON place.id = put.id
"""
_PUT_LOTS = text(_PUT_DERIVED.format(table="vacant_lot"))
_PUT_LOCATIONS = text(_PUT_DERIVED.format(table="service_location"))

# Medians: a wrong geocode among a block's addresses moves nothing. The two sides of the street
# count alike, however many houses each has.
_CLUSTERS = text("""
    WITH known AS (
        SELECT street_name_id, number, ST_Transform(geom, :srid) AS place
        FROM address WHERE street_name_id IS NOT NULL
        UNION ALL
        SELECT parsed.name_id, parsed.number,
            ST_Transform(ST_PointOnSurface(report.exact_geom), :srid)
        FROM unnest(
            CAST(:address AS text[]), CAST(:name_id AS bigint[]), CAST(:number AS int[])
        ) AS parsed (address, name_id, number)
        JOIN report ON report.address || report.home_address = parsed.address AND report.source <> 'porchlight'
    ), side AS (
        SELECT street_name_id, number / :half_block AS part, avg(number) AS number,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY ST_X(place)) AS x_m,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY ST_Y(place)) AS y_m
        FROM known GROUP BY street_name_id, part, number % 2
    )
    SELECT street_name_id, avg(number)::float, avg(x_m), avg(y_m)
    FROM side GROUP BY street_name_id, part
""")

# Edges of census blocks follow the centrelines, so where three blocks meet there is a corner.
_BLOCK_CORNERS = text("""
    SELECT ST_X(node), ST_Y(node) FROM (
        SELECT ST_Transform(vertex.geom, :srid) AS node
        FROM area, LATERAL ST_DumpPoints(area.geom) AS vertex
        WHERE area.layer = 'block'
        GROUP BY vertex.geom HAVING count(DISTINCT area.id) >= 3
    ) AS met
""")

_PUT_LINES = text("""
    UPDATE street_name
    SET geom = ST_Multi(ST_Transform(ST_GeomFromWKB(drawn.line, :srid), 4326))
    FROM unnest(CAST(:id AS bigint[]), CAST(:line AS bytea[])) AS drawn (id, line)
    WHERE drawn.id = street_name.id
""")

_PUT_RANGES = text("""
    INSERT INTO address_range (street_name_id, low, high, geom)
    SELECT id, low, high, ST_Transform(ST_GeomFromWKB(line, :srid), 4326)
    FROM unnest(
        CAST(:id AS bigint[]), CAST(:low AS int[]), CAST(:high AS int[]), CAST(:line AS bytea[])
    ) AS put (id, low, high, line)
""")

_PUT_CORNERS = text("""
    INSERT INTO corner (first_id, second_id, surveyed, geom)
    SELECT first_id, second_id, surveyed, ST_Transform(ST_GeomFromWKB(point, :srid), 4326)
    FROM unnest(
        CAST(:first_id AS bigint[]), CAST(:second_id AS bigint[]), CAST(:surveyed AS boolean[]),
        CAST(:point AS bytea[])
    ) AS put (first_id, second_id, surveyed, point)
""")


@dataclass(frozen=True)
class Built:
    """How much a gazetteer holds."""

    streets: int
    addresses: int
    corners: int


@dataclass(frozen=True)
class _Sources:
    centrelines: Mapping[Street, MultiLineString]
    labels: Mapping[Street, str]
    loaded: Mapping[str, Street]
    lots: Mapping[int, Address]
    locations: Mapping[int, Address]
    requests: Mapping[str, Address]
    weights: Mapping[Street, int]


def rebuild(session: Session) -> Built:
    """Derive the gazetteer anew from everything stored.

    Call it at the end of an import that brought streets, addresses, requests, vacant lots or
    service locations, in the same transaction. Running searches see the old gazetteer until then.

    Parameters
    ----------
    session : Session
        Is not committed.

    Returns
    -------
    Built
    """
    session.execute(_LOCK)
    sources = _read(session)
    ids = _put_names(session, sources)
    _put_addresses(session, sources, ids)
    pieces = _pieces(session, sources, ids)
    surveyed = {ids[street]: line for street, line in sources.centrelines.items()}
    derived = {
        id: line
        for id, of_street in pieces.items()
        if id not in surveyed and (line := run(of_street)) is not None
    }
    _put_lines(session, pieces, surveyed | derived)
    corners = _put_corners(session, surveyed, derived)
    session.execute(text("DELETE FROM gazetteer_build"))
    session.execute(text("INSERT INTO gazetteer_build DEFAULT VALUES"))
    session.execute(text("ANALYZE street_name, address, address_range, corner"))
    held = session.execute(text("SELECT count(*) FROM address WHERE street_name_id IS NOT NULL"))
    return Built(len(ids), held.scalar_one(), corners)


def _read(session: Session) -> _Sources:
    lines: defaultdict[Street, list[LineString]] = defaultdict(list)
    labels: dict[Street, str] = {}
    for name, line in session.execute(_CENTRELINES, {"srid": CITY_SRID}):
        street = addresses.street(name)
        labels.setdefault(street, name)
        part = shapely.from_wkb(bytes(line))
        assert isinstance(part, LineString)
        lines[street].append(part)
    derived = {"derived": [_OF_LOTS, _OF_LOCATIONS]}
    counted: dict[str, int] = dict(session.execute(_LOADED, derived).all())
    loaded = {written: addresses.street(written) for written in counted}
    lots = _parsed(session.execute(_LOTS))
    locations = _parsed(session.execute(_LOCATIONS))
    requests = _parsed((row.address, row.address) for row in session.execute(_REQUESTS))

    weights: Counter[Street] = Counter()
    for written, street in loaded.items():
        weights[street] += counted[written]
    for found in (lots, locations, requests):
        weights.update(address.street for address in found.values())
    trusted = {*lines, *loaded.values()}
    trusted.update(address.street for found in (lots, locations) for address in found.values())
    # A street that a single request names may be a slip of the pen, or tell who wrote it.
    known = {street for street in {*trusted, *weights} if street in trusted or weights[street] > 1}
    one = _typed(known, weights)
    merged: Counter[Street] = Counter()
    for street in known:
        merged[one[street]] += weights[street]
    drawn: defaultdict[Street, list[LineString]] = defaultdict(list)
    for street, parts in lines.items():
        drawn[one[street]] += parts
    return _Sources(
        centrelines={street: MultiLineString(parts) for street, parts in drawn.items()},
        labels=labels,
        loaded={written: one[street] for written, street in loaded.items()},
        lots=_renamed(lots, one),
        locations=_renamed(locations, one),
        requests=_renamed(requests, one),
        weights=merged,
    )


def _parsed(rows: Iterable[tuple[_Key, str]]) -> dict[_Key, Address]:
    found = {}
    for key, written in rows:
        address = addresses.parse(written)
        if isinstance(address, Address) and address.number and address.street.name:
            found[key] = address
    return found


def _typed(known: Iterable[Street], weights: Mapping[Street, int]) -> dict[Street, Street]:
    """Make one of a street written with and without its type, by the way most write it.

    "Holmes" is Holmes St, and "Paseo Blvd" is Paseo.
    """
    typed: dict[Street, Street] = {}
    for street in sorted(known, key=lambda street: (weights[street], street)):
        if street.type:
            typed[replace(street, type="")] = street
    one = {street: street for street in known}
    for bare, full in typed.items():
        if bare in one:
            usual = max(full, bare, key=lambda street: weights[street])
            one[bare] = one[full] = usual
    return one


def _renamed(found: Mapping[_Key, Address], one: Mapping[Street, Street]) -> dict[_Key, Address]:
    return {
        key: replace(address, street=one[address.street])
        for key, address in found.items()
        if address.street in one
    }


def _put_names(session: Session, sources: _Sources) -> dict[Street, int]:
    streets = sorted(sources.weights)
    put = session.execute(
        _PUT_NAMES,
        {
            "direction": [street.direction for street in streets],
            "name": [street.name for street in streets],
            "type": [street.type for street in streets],
            "suffix": [street.suffix for street in streets],
            "label": [sources.labels.get(street, street.label) for street in streets],
            "addresses": [sources.weights[street] for street in streets],
        },
    )
    ids = {Street(*parts): id for id, *parts in put}
    session.execute(_DROP_NAMES, {"kept": list(ids.values())})
    return ids


def _put_addresses(session: Session, sources: _Sources, ids: Mapping[Street, int]) -> None:
    derived = [_OF_LOTS, _OF_LOCATIONS]
    session.execute(_DROP_DERIVED, {"derived": derived})
    session.execute(
        _LINK,
        {
            "street": list(sources.loaded),
            "id": [ids[street] for street in sources.loaded.values()],
            "derived": derived,
        },
    )
    for put, source, found in (
        (_PUT_LOTS, _OF_LOTS, sources.lots),
        (_PUT_LOCATIONS, _OF_LOCATIONS, sources.locations),
    ):
        session.execute(
            put,
            {
                "source": source,
                "id": list(found),
                "number": [address.number for address in found.values()],
                "street": [address.street.label for address in found.values()],
                "postal_code": [address.postal_code for address in found.values()],
                "name_id": [ids[address.street] for address in found.values()],
            },
        )


def _pieces(
    session: Session, sources: _Sources, ids: Mapping[Street, int]
) -> dict[int, list[Stretch]]:
    rows = session.execute(
        _CLUSTERS,
        {
            "srid": CITY_SRID,
            "half_block": HALF_BLOCK,
            "address": list(sources.requests),
            "name_id": [ids[address.street] for address in sources.requests.values()],
            "number": [address.number for address in sources.requests.values()],
        },
    )
    clusters: defaultdict[int, list[Cluster]] = defaultdict(list)
    for name_id, number, x_m, y_m in rows:
        clusters[name_id].append(Cluster(number, x_m, y_m))
    return {name_id: stretches(found) for name_id, found in sorted(clusters.items())}


def _put_lines(
    session: Session,
    pieces: Mapping[int, Sequence[Stretch]],
    lines: Mapping[int, MultiLineString],
) -> None:
    session.execute(text("UPDATE street_name SET geom = NULL"))
    session.execute(
        _PUT_LINES,
        {
            "srid": CITY_SRID,
            "id": list(lines),
            "line": [shapely.to_wkb(line) for line in lines.values()],
        },
    )
    flat = [(name_id, piece) for name_id, found in pieces.items() for piece in found]
    session.execute(text("DELETE FROM address_range"))
    session.execute(
        _PUT_RANGES,
        {
            "srid": CITY_SRID,
            "id": [name_id for name_id, _piece in flat],
            "low": [piece.low for _id, piece in flat],
            "high": [piece.high for _id, piece in flat],
            "line": [shapely.to_wkb(piece.line) for _id, piece in flat],
        },
    )


def _put_corners(
    session: Session,
    surveyed: Mapping[int, MultiLineString],
    derived: Mapping[int, MultiLineString],
) -> int:
    met = crossings(
        {id: reaching(line, _SURVEYED_REACH_M) for id, line in surveyed.items()}
        | {id: reaching(line, _DERIVED_REACH_M) for id, line in derived.items()}
    )
    on_map = np.array([c.first in surveyed and c.second in surveyed for c in met], dtype=bool)
    points = [crossing.point for crossing in met]
    if not on_map.all():
        found = session.execute(_BLOCK_CORNERS, {"srid": CITY_SRID})
        nodes = np.array([Point(x_m, y_m) for x_m, y_m in found], dtype=object)
        which, node = STRtree(nodes).query_nearest(points, max_distance=_SNAP_M, all_matches=False)
        for crossing, corner in zip(which, node, strict=True):
            if not on_map[crossing]:
                points[crossing] = nodes[corner]
                on_map[crossing] = True
    session.execute(text("DELETE FROM corner"))
    session.execute(
        _PUT_CORNERS,
        {
            "srid": CITY_SRID,
            "first_id": [crossing.first for crossing in met],
            "second_id": [crossing.second for crossing in met],
            "surveyed": on_map.tolist(),
            "point": [shapely.to_wkb(point) for point in points],
        },
    )
    return len(met)
