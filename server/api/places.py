"""Places by name and names of places, from what is stored: no other host is asked."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from data.queries import places
from geo.addresses import LONGEST
from server.dependencies import Reading
from server.problems import Problem
from server.schemas.places import NearestOut, PlaceOut, PlacesOut
from server.schemas.problems import described

router = APIRouter(prefix="/api/places", tags=["places"])

MOST_PLACES = 20

Longitude = Annotated[float, Query(ge=-180, le=180, allow_inf_nan=False)]
Latitude = Annotated[float, Query(ge=-90, le=90, allow_inf_nan=False)]


@router.get("", responses=described(422, 503), summary="Find a place by its name")
def find_places(
    *,
    request: Request,
    session: Reading,
    q: Annotated[
        str,
        Query(
            min_length=1,
            max_length=LONGEST,
            description="An address, a corner (31st & Troost), a street, a neighbourhood or the "
            "name of a service location.",
        ),
    ],
    lat: Latitude | None = None,
    lon: Longitude | None = None,
    limit: Annotated[int, Query(ge=1, le=MOST_PLACES)] = 6,
) -> PlacesOut:
    """Give places in the served area that fit a text, best first, of equals the nearer first."""
    if (lat is None) != (lon is None):
        _ = request.state.language.gettext
        raise Problem(
            422,
            _("Some of this cannot be used"),
            _("To put near places first, send both lat and lon."),
        )
    near = None if lat is None or lon is None else (lon, lat)
    found = places.search(session, q, limit=limit, near=near)
    return PlacesOut(places=[PlaceOut.of(place) for place in found])


@router.get("/nearest", responses=described(422, 503), summary="Name the place at a position")
def name_place(session: Reading, lat: Latitude, lon: Longitude) -> NearestOut:
    """Give the address or corner at a position, null where none is near."""
    place = places.nearest(session, lon, lat)
    return NearestOut(place=None if place is None else PlaceOut.of(place))
