from layers.features import N_, PLACES, Features
from layers.symbols import Rule

_TYPES = (
    ("police_station", "shield-fill", N_("Police station")),
    ("fire_station", "fire", N_("Fire station")),
    ("library", "book-fill", N_("Library")),
    ("community_centre", "people-fill", N_("Community centre")),
    ("school", "mortarboard-fill", N_("School")),
    ("youth_family", "house-heart-fill", N_("Youth and family services")),
    ("health", "heart-pulse-fill", N_("Health")),
    ("food_shelter", "basket-fill", N_("Food and shelter")),
    ("place_of_worship", "bell-fill", N_("Place of worship")),
    ("city_office", "building-fill", N_("City office")),
    ("shop", "bag-fill", N_("Shop")),
    ("other", "geo-alt-fill", N_("Other services")),
)


class ServiceLocations(Features):
    """Where services are offered, each type with its own icon."""

    name = "service_locations"
    title = N_("Service locations")
    group = PLACES
    shown = True
    min_zoom = 12
    rules = (
        Rule({"shape": "circle", "colour": "service", "size": 10, "filled": True}),
        *(
            Rule({"icon": f"vendor/bootstrap-icons/{icon}.svg"}, {"type": (value,)}, label)
            for value, icon, label in _TYPES
        ),
    )
