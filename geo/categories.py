"""The categories a report can have, as one readable table.

A category belongs to one kind and one group, carries the Open311 service code under which other
programs know it, the radius within which two reports may be the same thing, and whether the thing
stands in public space (shown exactly) or may be at a home (shown at a generalised place).

The names are plain English and the keys of the translations.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from geo.kinds import Kind


class Setting(StrEnum):
    """Where a thing of this category stands, which decides how exactly its place is public."""

    PUBLIC_SPACE = "public_space"
    HOME = "home"


@dataclass(frozen=True, slots=True)
class Category:
    """One row of the table.

    Attributes
    ----------
    code : str
        Stable key, used in addresses of pages and in files.
    kind : Kind
    group : str
        Heading under which the form lists it.
    name : str
        Plain words of a resident.
    service_code : str
        Open311 GeoReport v2 service code.
    duplicate_radius_m : int
        Metres within which a report of the same category may be the same thing. FixMyStreet began
        at 50 m; a lamp is nearer than that to its neighbour, a noisy corner is not.
    setting : Setting
    """

    code: str
    kind: Kind
    group: str
    name: str
    service_code: str
    duplicate_radius_m: int
    setting: Setting


def N_(message: str) -> str:  # noqa: N802 (gettext's name for "translate this later")
    """Mark a message for translation where it is shown."""
    return message


_SPOT, _LIGHT, _CLEAN = Kind.PROBLEM_SPOT, Kind.LIGHTING, Kind.CLEANUP
_OUT, _HOME = Setting.PUBLIC_SPACE, Setting.HOME

# fmt: off
CATEGORIES: tuple[Category, ...] = (
    Category("light_out", _LIGHT, N_("Street lights"), N_("Street light is out"), "L01", 20, _OUT),
    Category("light_flickers", _LIGHT, N_("Street lights"), N_("Light flickers or is dim"), "L02", 20, _OUT),
    Category("light_day_burner", _LIGHT, N_("Street lights"), N_("Light is on all day"), "L03", 20, _OUT),
    Category("block_dark", _LIGHT, N_("Street lights"), N_("Whole block is dark"), "L04", 120, _OUT),
    Category("light_damaged", _LIGHT, N_("Street lights"), N_("Pole or wires are damaged"), "L05", 20, _OUT),
    Category("light_blocked", _LIGHT, N_("Dark places"), N_("Trees block the light"), "L06", 40, _OUT),
    Category("light_needed", _LIGHT, N_("Dark places"), N_("A light is needed here"), "L07", 60, _OUT),
    Category("dumping", _CLEAN, N_("Trash"), N_("Illegal dumping"), "C01", 40, _OUT),
    Category("litter", _CLEAN, N_("Trash"), N_("Litter or overflowing bin"), "C02", 40, _OUT),
    Category("private_trash", _CLEAN, N_("Trash"), N_("Trash piled up on a property"), "C03", 30, _HOME),
    Category("overgrowth", _CLEAN, N_("Weeds and lots"), N_("Tall weeds or overgrowth"), "C04", 40, _HOME),
    Category("vacant_lot", _CLEAN, N_("Weeds and lots"), N_("Neglected vacant lot"), "C05", 40, _OUT),
    Category("graffiti", _CLEAN, N_("Street and walls"), N_("Graffiti"), "C06", 30, _OUT),
    Category("abandoned_vehicle", _CLEAN, N_("Street and walls"), N_("Abandoned vehicle"), "C07", 30, _OUT),
    Category("sign_damaged", _CLEAN, N_("Street and walls"), N_("Sign missing or damaged"), "C08", 30, _OUT),
    Category("open_building", _SPOT, N_("Buildings"), N_("Vacant building is open"), "P01", 30, _OUT),
    Category("unsafe_building", _SPOT, N_("Buildings"), N_("Building looks unsafe"), "P02", 30, _HOME),
    Category("property_neglect", _SPOT, N_("Buildings"), N_("Neglected property"), "P03", 30, _HOME),
    Category("street_trouble", _SPOT, N_("Trouble spots"), N_("Spot where trouble keeps happening"), "P04", 80, _OUT),
    Category("noise_spot", _SPOT, N_("Trouble spots"), N_("Loud noise again and again"), "P05", 80, _HOME),
    Category("speeding", _SPOT, N_("Trouble spots"), N_("Speeding or street racing"), "P06", 120, _OUT),
    Category("break_ins", _SPOT, N_("Trouble spots"), N_("Cars or garages broken into"), "P07", 80, _HOME),
    Category("blind_corner", _SPOT, N_("Hard to see or walk"), N_("Blind corner or hidden path"), "P08", 60, _OUT),
    Category("unsafe_crossing", _SPOT, N_("Hard to see or walk"), N_("Unsafe crossing or sidewalk"), "P09", 60, _OUT),
    Category("nuisance", _SPOT, N_("Trouble spots"), N_("Other nuisance at a place"), "P10", 50, _HOME),
)

# fmt: on

BY_CODE = MappingProxyType({category.code: category for category in CATEGORIES})
