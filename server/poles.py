"""Street lights that somebody names in a report, or marks with what was drawn."""

from collections.abc import Iterable
from dataclasses import dataclass

from shapely import Point
from shapely.geometry.base import BaseGeometry
from sqlalchemy.orm import Session

from data.queries import street_lights
from data.queries.street_lights import Light
from geo.categories import Category
from geo.crs import in_city_metres
from geo.kinds import Kind
from geo.outages import BLOCK, NEEDED
from server.faults import Fault, Refused
from server.languages import Language

FARTHEST_POLE_M = 250.0
"""Metres from a place beyond which a pole that is named with it is taken for another."""

MOST_MARKED = 100
"""Street lights that one report marks: about two miles of a street. Whoever drew more drew too much."""


@dataclass(frozen=True, slots=True)
class Pole:
    """A street light, by its id or by the number on its pole; where both are said they must agree.

    Attributes
    ----------
    within_m : float
        Metres from the place that is given beyond which it is taken for another.
    """

    id: int | None = None
    number: str = ""
    within_m: float = FARTHEST_POLE_M


def picked_light(
    session: Session,
    pole: Pole,
    category: Category | Fault,
    place: BaseGeometry | None,
    language: Language,
) -> Light:
    """Find the street light that was picked.

    Raises
    ------
    Refused
        Where there is none, where it is far from the place that was given, and where the report is
        not about one light.
    """
    _ = language.gettext
    if isinstance(category, Category) and not names_a_pole(category):
        message = _("Only a report about one street light names its pole. Leave it out.")
        raise Refused(Fault("street_light", "not_about_one_light", message))
    light = (
        street_lights.by_pole(session, pole.number)
        if pole.id is None
        else street_lights.one(session, pole.id)
    )
    if light is None or pole.number not in {"", light.pole}:
        message = _(
            "We know of no street light with this number. Check the number on the pole, or leave it "
            "out: then the nearest light counts."
        )
        raise Refused(Fault("street_light", "no_such_light", message))
    at = in_city_metres(Point(light.longitude, light.latitude))
    if place is not None and in_city_metres(place).distance(at) > pole.within_m:
        message = _(
            "Pole {number} is far from the place you gave. Check the number, or leave the place out."
        ).format(number=light.pole)
        raise Refused(Fault("street_light", "far_away", message))
    return light


def marked_fault(lights: int, language: Language) -> Fault | None:
    """Say that what was drawn holds more street lights than one report marks."""
    if lights <= MOST_MARKED:
        return None
    _ = language.gettext
    message = _(
        "There are {n} street lights here, and one report marks up to {most}. Draw a smaller place, "
        "or send a report for each street."
    ).format(n=lights, most=MOST_MARKED)
    return Fault("place", "too_many_lights", message)


def marked_faults(
    session: Session, category: Category, place: BaseGeometry, language: Language
) -> Iterable[Fault]:
    """Look for the lights along what was drawn, and say that they are too many where they are."""
    if category.kind is Kind.LIGHTING and not isinstance(place, Point):
        marked = street_lights.meant_by(session, category.code, place).lights
        fault = marked_fault(len(marked), language)
        if fault is not None:
            yield fault


def names_a_pole(category: Category) -> bool:
    """Tell whether a report of a category can be about one street light."""
    return category.kind is Kind.LIGHTING and category.code not in {BLOCK, NEEDED}
