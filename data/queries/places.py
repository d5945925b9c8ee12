"""Finding places by what people write, and naming places they point at, without internet.

The text is parsed (`geo.addresses`), its street is looked for among the names of all streets
(`geo.gazetteer`, kept in memory by each process for as long as they do not change), and only then
is the number or the crossing street looked up in the store.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from data.models import LocationType
from geo.addresses import LONGEST, Address, Corner, Street, normalise, parse
from geo.gazetteer import Gazetteer, Match

_TRIED = 12
"""Streets whose numbers or crossings are looked up for one text."""

_WORSE_THAN_BEST = 0.3
_INTERPOLATED = 0.01
_NO_SUCH_NUMBER = 0.2
_NO_SUCH_CORNER = 0.3
_FAR = 0.02
_FAR_DEGREES = 0.1
_SAME_CORNER_DEGREES = 0.0005
_LANDMARK = 0.98
_UNLIKELY = 0.5

_ON_CORNER_M = 25.0
_AT_HOUSE_M = 40.0
_ALONG_STREET_M = 60.0
_ANYTHING_M = 150.0


class PlaceKind(StrEnum):
    """What a place is."""

    ADDRESS = "address"
    CORNER = "corner"
    STREET = "street"
    LANDMARK = "landmark"
    NEIGHBOURHOOD = "neighbourhood"


class Exactness(StrEnum):
    """How well a place's position is known."""

    EXACT = "exact"
    INTERPOLATED = "interpolated"
    """Told from the numbers around it, or from the run of two streets."""
    MIDDLE = "middle"
    """Somewhere in the middle of a street or an area."""


@dataclass(frozen=True)
class Place:
    """A place with a name.

    Parameters
    ----------
    label : str
        As it is written on an envelope or a sign: "3311 Charlotte St", "E 31st St & Troost Ave".
    kind : PlaceKind
    lon, lat : float
        Degrees on WGS 84.
    score : float
        From 0 to 1: how well the label fits what was asked.
    exactness : Exactness
    """

    label: str
    kind: PlaceKind
    lon: float
    lat: float
    score: float
    exactness: Exactness


@dataclass(frozen=True)
class _Landmark:
    kind: PlaceKind
    table: str
    id: int


@dataclass(frozen=True)
class _Names:
    """The names of one state of the store."""

    gazetteer: Gazetteer
    street_ids: Sequence[int]
    labels: Mapping[int, str]
    landmarks: Sequence[_Landmark]
    localities: frozenset[str]


_State = tuple[int, UUID, int, int]

_kept: dict[_State, _Names] = {}
"""The names of the state last seen: reading them takes longer than a search."""

# Sums alone repeat after a rollback, and the highest id alone misses a commit that came late.
_STATE = text("""
    SELECT (SELECT oid::bigint FROM pg_database WHERE datname = current_database()),
        (SELECT id FROM gazetteer_build), coalesce(sum(n), 0), coalesce(max(id), 0)
    FROM layer_change WHERE layer IN ('service_locations', 'neighbourhoods', 'base')
""")

_STREETS = text(
    "SELECT id, direction, name, type, suffix, label, addresses FROM street_name ORDER BY id"
)

_LANDMARKS = text("""
    SELECT 'landmark' AS kind, 'service_location' AS "table", id, name, type::text
    FROM service_location WHERE NOT confidential
    UNION ALL
    SELECT 'neighbourhood', 'area', id, name, '' FROM area WHERE layer = 'neighbourhood'
    UNION ALL
    SELECT 'landmark', 'ground', min(id), name, '' FROM ground WHERE name <> '' GROUP BY name
""")

_LOCALITIES = text("SELECT name FROM area WHERE layer = 'city'")

_WORDS_FOR: Mapping[str, str] = {
    LocationType.POLICE_STATION: "police station policia",
    LocationType.FIRE_STATION: "fire station bomberos",
    LocationType.LIBRARY: "library biblioteca",
    LocationType.COMMUNITY_CENTRE: "community center centro comunitario",
    LocationType.SCHOOL: "school escuela",
    LocationType.YOUTH_FAMILY: "youth family jovenes familia",
    LocationType.HEALTH: "health clinic salud clinica",
    LocationType.FOOD_SHELTER: "food pantry shelter comida refugio",
    LocationType.PLACE_OF_WORSHIP: "church iglesia",
    LocationType.CITY_OFFICE: "city office oficina ciudad",
    LocationType.SHOP: "shop store market tienda mercado",
}
"""What people call each sort of service location when they do not know its name."""

_SERVED = """
    EXISTS (
        SELECT FROM area_piece AS served
        WHERE served.layer = 'city' AND ST_Intersects(served.geom, place)
    )
"""

_NUMBERED = text(f"""
    SELECT street_name_id, postal_code, ST_X(place) AS lon, ST_Y(place) AS lat, exact FROM (
        SELECT DISTINCT ON (street_name_id, postal_code)
            street_name_id, postal_code, geom AS place, true AS exact
        FROM address WHERE street_name_id = ANY (:streets) AND number = :number
        ORDER BY street_name_id, postal_code, id
    ) AS known WHERE {_SERVED}
    UNION ALL
    SELECT street_name_id, '', ST_X(place), ST_Y(place), false FROM (
        SELECT DISTINCT ON (street_name_id) street_name_id,
            ST_LineInterpolatePoint(geom, (:number - low)::float / (high - low)) AS place
        FROM address_range
        WHERE street_name_id = ANY (:streets) AND :number BETWEEN low AND high
        ORDER BY street_name_id, high - low, id
    ) AS told WHERE {_SERVED}
""")  # noqa: S608 (no value is built in)

_CORNERS = text(f"""
    SELECT first_id, second_id, surveyed, ST_X(place) AS lon, ST_Y(place) AS lat FROM (
        SELECT first_id, second_id, surveyed, geom AS place FROM corner
        WHERE first_id = ANY (:first) AND second_id = ANY (:second)
            OR first_id = ANY (:second) AND second_id = ANY (:first)
    ) AS met WHERE {_SERVED}
""")  # noqa: S608 (no value is built in)

_MIDDLES = text(f"""
    SELECT id, ST_X(place) AS lon, ST_Y(place) AS lat FROM (
        SELECT id, coalesce(
            ST_ClosestPoint(geom, coalesce(
                ST_SetSRID(ST_MakePoint(:lon, :lat), 4326), ST_Centroid(geom)
            )),
            (SELECT address.geom FROM address WHERE street_name_id = street_name.id LIMIT 1)
        ) AS place
        FROM street_name WHERE id = ANY (:streets)
    ) AS street WHERE {_SERVED}
""")  # noqa: S608 (no value is built in)

# The name comes from here, not from memory: what was made confidential since is not told.
_LOCATED = text(f"""
    SELECT "table", id, name, ST_X(place) AS lon, ST_Y(place) AS lat FROM (
        SELECT 'service_location' AS "table", id, name, geom AS place
        FROM service_location WHERE id = ANY (:service_location) AND NOT confidential
        UNION ALL
        SELECT 'area', id, name, ST_PointOnSurface(geom) FROM area WHERE id = ANY (:area)
        UNION ALL
        SELECT 'ground', id, name, ST_PointOnSurface(geom) FROM ground WHERE id = ANY (:ground)
    ) AS landmark WHERE {_SERVED}
""")  # noqa: S608 (no value is built in)

# The position is written out each time: an index finds the nearest only to a constant.
_HERE = "ST_SetSRID(ST_MakePoint(:lon, :lat), 4326)"

_NEAREST = text(f"""
    WITH found AS (
        (SELECT 'address' AS what, street_name_id AS first_id, NULL::bigint AS second_id,
            number::float AS number, geom AS place, true AS exact
        FROM address WHERE street_name_id IS NOT NULL ORDER BY geom <-> {_HERE} LIMIT 5)
        UNION ALL
        (SELECT 'corner', first_id, second_id, NULL, geom, surveyed
        FROM corner ORDER BY geom <-> {_HERE} LIMIT 5)
        UNION ALL
        (SELECT 'stretch', street_name_id, NULL,
            low + ST_LineLocatePoint(geom, {_HERE}) * (high - low),
            ST_ClosestPoint(geom, {_HERE}), false
        FROM address_range ORDER BY geom <-> {_HERE} LIMIT 5)
    )
    SELECT found.what, found.number, found.exact, first_name.label AS first,
        second_name.label AS second, ST_X(found.place) AS lon, ST_Y(found.place) AS lat,
        ST_DistanceSphere(found.place, {_HERE}) AS away_m
    FROM found
    JOIN street_name AS first_name ON first_name.id = found.first_id
    LEFT JOIN street_name AS second_name ON second_name.id = found.second_id
    WHERE EXISTS (
        SELECT FROM area_piece AS served
        WHERE served.layer = 'city' AND ST_Intersects(served.geom, {_HERE})
    )
    ORDER BY away_m
""")  # noqa: S608 (no value is built in)


def search(
    session: Session, text: str, *, limit: int = 6, near: tuple[float, float] | None = None
) -> list[Place]:
    """Find places in the served area by an address, a corner, a street or a landmark's name.

    Parameters
    ----------
    session : Session
    text : str
        As somebody wrote it: case, abbreviations and slips of the keyboard do not matter. What
        goes beyond `geo.addresses.LONGEST` characters is not read.
    limit : int
        Places at the most.
    near : tuple of float, optional
        Longitude and latitude; of places that fit alike the nearer comes first.

    Returns
    -------
    list of Place
        Best first. Empty where nothing fits.
    """
    names = _names(session)
    text = text[:LONGEST]
    asked = parse(text, names.localities)
    places = _landmarks(session, names, names.gazetteer.landmarks(text))
    if isinstance(asked, Corner):
        places += _corners(session, names, asked, near)
    else:
        places += _on_street(session, names, asked, near)
    return _ranked(places, near)[:limit]


def nearest(session: Session, lon: float, lat: float) -> Place | None:
    """Name a place that somebody pointed at by the address or corner there.

    Parameters
    ----------
    session : Session
    lon, lat : float
        Degrees on WGS 84.

    Returns
    -------
    Place or None
        With its own position, at most 150 m away; its score falls with the distance. None where
        nothing is near, and outside the served area.
    """
    rows = session.execute(_NEAREST, {"lon": lon, "lat": lat}).all()
    for what, within_m in (
        ("corner", _ON_CORNER_M),
        ("address", _AT_HOUSE_M),
        ("stretch", _ALONG_STREET_M),
        ("corner", _ANYTHING_M),
        ("address", _ANYTHING_M),
    ):
        for row in rows:
            if row.what == what and row.away_m <= within_m:
                return _named(row)
    return None


def _named(row: Row[tuple[Any, ...]]) -> Place:
    at_corner = row.what == "corner"
    return Place(
        label=f"{row.first} & {row.second}" if at_corner else f"{round(row.number)} {row.first}",
        kind=PlaceKind.CORNER if at_corner else PlaceKind.ADDRESS,
        lon=row.lon,
        lat=row.lat,
        score=round(1 - row.away_m / (2 * _ANYTHING_M), 4),
        exactness=Exactness.EXACT if row.exact else Exactness.INTERPOLATED,
    )


def _names(session: Session) -> _Names:
    database, build, changes, last = session.execute(_STATE).one()
    state = (database, build, changes, last)
    if (names := _kept.get(state)) is None:
        names = _read(session)
        _kept.clear()
        _kept[state] = names
    return names


def _read(session: Session) -> _Names:
    streets = session.execute(_STREETS).all()
    landmarks = session.execute(_LANDMARKS).all()
    return _Names(
        gazetteer=Gazetteer(
            [Street(row.direction, row.name, row.type, row.suffix) for row in streets],
            [row.addresses for row in streets],
            [(row.name, _WORDS_FOR.get(row.type, "")) for row in landmarks],
        ),
        street_ids=[row.id for row in streets],
        labels={row.id: row.label for row in streets},
        landmarks=[_Landmark(PlaceKind(row.kind), row.table, row.id) for row in landmarks],
        localities=frozenset(map(normalise, session.scalars(_LOCALITIES))),
    )


def _scores(names: _Names, address: Address) -> dict[int, float]:
    """Give the streets worth looking up, by id, best first."""
    matches = names.gazetteer.streets(address)[:_TRIED]
    return {
        names.street_ids[match.index]: match.score
        for match in matches
        if match.score > matches[0].score - _WORSE_THAN_BEST
    }


def _on_street(
    session: Session, names: _Names, asked: Address, near: tuple[float, float] | None
) -> list[Place]:
    scores = _scores(names, asked)
    if asked.number is None:
        return _streets(session, names, scores, near)
    found = session.execute(_NUMBERED, {"streets": list(scores), "number": asked.number}).all()
    exact = {row.street_name_id for row in found if row.exact}
    likelier = list(scores).index
    rows = sorted(
        (row for row in found if row.exact or row.street_name_id not in exact),
        key=lambda row: (likelier(row.street_name_id), row.postal_code),
    )
    codes = {id: {row.postal_code for row in rows if row.street_name_id == id} for id in scores}
    places = []
    for row in rows:
        id = row.street_name_id
        label = f"{asked.number} {names.labels[id]}"
        told = row.postal_code if len(codes[id]) > 1 else ""
        wrong_code = bool(asked.postal_code and row.postal_code not in {"", asked.postal_code})
        places.append(
            Place(
                label=f"{label}, {told}" if told else label,
                kind=PlaceKind.ADDRESS,
                lon=row.lon,
                lat=row.lat,
                score=scores[id] - (0 if row.exact else _INTERPOLATED) - 0.05 * wrong_code,
                exactness=Exactness.EXACT if row.exact else Exactness.INTERPOLATED,
            )
        )
    answered = {row.street_name_id for row in rows}
    unanswered = {id: score - _NO_SUCH_NUMBER for id, score in scores.items() if id not in answered}
    return places + _streets(session, names, unanswered, near)


def _corners(
    session: Session, names: _Names, asked: Corner, near: tuple[float, float] | None
) -> list[Place]:
    first, second = _scores(names, asked.first), _scores(names, asked.second)
    met = session.execute(_CORNERS, {"first": list(first), "second": list(second)}).all()
    places: list[Place] = []
    for score, one, other, row in sorted(
        (_best_order(row, first, second) for row in met), key=lambda found: -found[0]
    ):
        # East and West 31st St both begin at Main St: that is one corner.
        if any(_degrees(place, (row.lon, row.lat)) < _SAME_CORNER_DEGREES for place in places):
            continue
        places.append(
            Place(
                label=f"{names.labels[one]} & {names.labels[other]}",
                kind=PlaceKind.CORNER,
                lon=row.lon,
                lat=row.lat,
                score=score / 2,
                exactness=Exactness.EXACT if row.surveyed else Exactness.INTERPOLATED,
            )
        )
    if places:
        return places
    alone = {id: score - _NO_SUCH_CORNER for id, score in {**second, **first}.items()}
    return _streets(session, names, alone, near)


def _best_order(
    row: Row[tuple[Any, ...]], first: Mapping[int, float], second: Mapping[int, float]
) -> tuple[float, int, int, Row[tuple[Any, ...]]]:
    """Give the order of a corner's streets in which they fit the two names better."""
    score, one, other = max(
        (first[one] + second[other], one, other)
        for one, other in ((row.first_id, row.second_id), (row.second_id, row.first_id))
        if one in first and other in second
    )
    return score, one, other, row


def _streets(
    session: Session,
    names: _Names,
    scores: Mapping[int, float],
    near: tuple[float, float] | None,
) -> list[Place]:
    if not scores:
        return []
    lon, lat = near or (None, None)
    found = session.execute(_MIDDLES, {"streets": list(scores), "lon": lon, "lat": lat})
    middles = {row.id: row for row in found}
    return [
        Place(
            label=names.labels[id],
            kind=PlaceKind.STREET,
            lon=middles[id].lon,
            lat=middles[id].lat,
            score=score,
            exactness=Exactness.MIDDLE,
        )
        for id, score in scores.items()
        if id in middles
    ]


def _landmarks(session: Session, names: _Names, matches: Iterable[Match]) -> list[Place]:
    scores = {names.landmarks[match.index]: match.score * _LANDMARK for match in matches}
    if not scores:
        return []
    kinds = {(landmark.table, landmark.id): landmark for landmark in scores}
    wanted = {
        table: [landmark.id for landmark in scores if landmark.table == table]
        for table in ("service_location", "area", "ground")
    }
    places = []
    for row in session.execute(_LOCATED, wanted):
        landmark = kinds[row.table, row.id]
        points = landmark.table == "service_location"
        places.append(
            Place(
                label=row.name,
                kind=landmark.kind,
                lon=row.lon,
                lat=row.lat,
                score=scores[landmark],
                exactness=Exactness.EXACT if points else Exactness.MIDDLE,
            )
        )
    return places


def _ranked(places: Iterable[Place], near: tuple[float, float] | None) -> list[Place]:
    """Put the best first; what fits alike stays as it came, from the longest street on."""
    if near is not None:
        places = [
            replace(
                place, score=place.score - _FAR * min(1.0, _degrees(place, near) / _FAR_DEGREES)
            )
            for place in places
        ]
    likely = (place for place in places if place.score >= _UNLIKELY)
    ranked = sorted(likely, key=lambda place: -place.score)
    seen = {(place.label, place.kind): place for place in reversed(ranked)}
    kept = [place for place in ranked if seen[place.label, place.kind] is place]
    return [replace(place, score=round(min(max(place.score, 0.0), 1.0), 4)) for place in kept]


def _degrees(place: Place, near: tuple[float, float]) -> float:
    return abs(place.lon - near[0]) + abs(place.lat - near[1])
