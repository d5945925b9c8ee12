"""The address search, on 200,000 made-up addresses of a city with Kansas City's street names.

    nice .venv/bin/python bench/places.py

500 of the addresses are asked for as people write them: other case, other abbreviations, spelled
or bare ordinals, a slip of the keyboard or two in the words, the type or direction left out where
that leaves one address. Figures are not touched: with another figure it is another address. A place
counts as right where the first answer has the number and street asked for.

The peer is what comes to mind first: trigrams of the whole address (pg_trgm with its index).

Then, where Kansas City's files are (PORCHLIGHT_SHARED): 500 addresses of its 311 requests are taken
out, and asked for. No list of its addresses or map of its streets is to be had, so that each is
placed by the numbers around it; how far off is measured from where the city had put it.
"""

import math
import os
import random
import statistics
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url, text
from sqlalchemy.orm import Session

sys.path.insert(0, str(Path(__file__).parent.parent))

from data import database, imports
from data.cluster import Cluster
from data.queries import gazetteer, places
from data.queries.places import PlaceKind
from data.sources.batch import File
from data.sources.registry import sources

SHARED = Path(os.environ.get("PORCHLIGHT_SHARED", Path(__file__).parents[2] / "shared" / "data"))
SEED = 20_180_515
ADDRESSES = 200_000
ASKED = 500
STREETS = 2_800
DATABASE = "porchlight_bench_places"

WEST, EAST, SOUTH, NORTH = -94.62, -94.42, 38.90, 39.30

AVENUES = """
Agnes Ashland Askew Baltimore Bales Bellefontaine Bell Belleview Belmont Bennington Benton Booth
Brighton Bristol Brooklyn Brownell Cambridge Campbell Central Charlotte Chelsea Cherry Chestnut
Cleveland College Colorado Corrington Crystal Cypress Delaware Denver Donnelly Drury Eastern
Elmwood Euclid Ewing Fairmount Flora Forest Freeman Fremont Fuller Garfield Garner Genessee Gillis
Gladstone Glenwood Grand Hardesty Hardy Harris Harrison Headwood Hickory Highland Holly Holmes
Indiana Jackson Jarboe Jefferson Kenwood Kensington Lawn Liberty Lister Locust Lydia Madison Main
Manchester Marsh McGee Mercier Mersington Michigan Mill Monroe Montgall Monitor Mulberry Myrtle
Newton Nichols Norton Norwood Oak Oakley Olive Overton Park Parkwood Pennsylvania Poplar Prospect
Quincy Ralston Raytown Richmond Roanoke Roberts Rockhill Smalley Spruce Sterling Stark State Summit
Sycamore Terrace Topping Tracy Troost Valentine Van_Brunt Vine Virginia Wabash Walnut Walrond
Warwick Washington Wayne West_Pennway Wheeling White Willow Winchester Winner Woodland Wornall
Wyandotte Wyoming Ward Arletta Antioch Barry Bellaire Blue_Ridge Blue_River Briarcliff Chouteau
Claymont Cookingham Davidson Englewood Flintlock Green_Hills Hillcrest Hospital Hickman_Mills
James_A_Reed Longview Lees_Summit Maplewoods Noland North_Oak Old_Santa_Fe Parvin Platte_Purchase
Pleasant_Valley Red_Bridge Robert_Ray Shoal_Creek Skyview Stadium State_Line Swope Tiffany_Springs
Truman Vivion Waukomis Worlds_of_Fun Bannister Eastwood Searcy_Creek Emanuel_Cleaver_II
Martin_Luther_King_Jr J_C_Nichols Broadway Linwood Armour Gillham Paseo Southwest Independence
Wilson Thompson Smart Scarritt Norledge Morrell Gladys Anderson Sunrise Lexington Saida Minnie
St_John St_Louis Santa_Fe Beacon_Hill Westport Valencia Wenzel Windsor Woodson Persimmon Bedford
"""
FIRST = """
Amber Ash Aspen Bay Bear Birch Bluebird Brook Cedar Clay Copper Coral Crest Deer Eagle Elm Fair Fern
Fox Gold Grand Green Hazel Heather Hidden High Hill Holly Indian Iron Ivy Kings Lake Laurel Lone
Maple Meadow Mill Misty Oak Orchard Pine Plum Prairie Quail Queens Ridge River Rock Rose Sage Shady
Silver Spring Stone Sugar Summer Sunny Timber Valley Walnut White Wild Willow Wind Winter
"""
SECOND = """
bend brook creek dale field ford gate glen grove haven hill hurst lake land mont ridge run shire
side stone view ville water wood
"""
NATURAL = {"Ave": 0.6, "St": 0.75, "Rd": 0.82, "Blvd": 0.86, "Dr": 0.92, "Ter": 0.95, "Ln": 0.98}
SPELLED = {
    "St": ["Street", "street", "St.", "str"],
    "Ave": ["Avenue", "av", "Ave.", "avenue"],
    "Blvd": ["Boulevard", "blvd."],
    "Rd": ["Road", "Rd."],
    "Dr": ["Drive", "Dr."],
    "Ter": ["Terrace", "Terr", "Ter."],
    "Ln": ["Lane", "Ln."],
    "Trfy": ["Trafficway"],
    "Pkwy": ["Parkway", "Pky"],
}
DIRECTIONS = {
    "N": ["North", "N."],
    "S": ["South", "S."],
    "E": ["East", "E."],
    "W": ["West", "W."],
    "NE": ["Northeast", "N.E."],
    "NW": ["Northwest"],
}
ONES = "first second third fourth fifth sixth seventh eighth ninth"
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
BESIDE = {
    left: right
    for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm")
    for left, right in zip(row, row[1:] + row[-2], strict=True)
}


@dataclass(frozen=True)
class Known:
    """An address as the city writes it."""

    number: int
    direction: str
    name: str
    type: str

    @property
    def street(self) -> str:
        return " ".join(filter(None, (self.direction, self.name, self.type)))

    @property
    def label(self) -> str:
        return f"{self.number} {self.street}"


def ordinal(number: int) -> str:
    if number % 100 in {11, 12, 13}:
        return f"{number}th"
    return f"{number}{({1: 'st', 2: 'nd', 3: 'rd'}).get(number % 10, 'th')}"


def streets(chance: random.Random) -> list[tuple[str, str, str]]:
    """Numbered streets and terraces of all four parts, avenues on both sides of the river, and
    the winding streets of subdivisions."""
    found = set()
    for number in range(1, 136):
        for direction in ("E", "W") if number < 100 else ("E",):
            found.add((direction, ordinal(number), "St"))
            if number > 15:
                found.add((direction, ordinal(number), "Ter"))
    for number in range(32, 113):
        for direction in ("NE", "NW"):
            found.add((direction, ordinal(number), "St"))
            if number % 2:
                found.add((direction, ordinal(number), "Ter"))
    for word in AVENUES.split():
        name = word.replace("_", " ")
        found.add(("", name, kind(chance)))
        if chance.random() < 0.5:
            found.add(("N", name, kind(chance)))
    while len(found) < STREETS:
        joined = chance.random() < 0.5
        first, second = chance.choice(FIRST.split()), chance.choice(SECOND.split())
        name = first + second if joined else f"{first} {second.title()}"
        found.add(
            (
                chance.choice(["", "NE", "NW", ""]),
                name,
                chance.choice(["Dr", "Ln", "Ct", "Ter", "St", "Rd"]),
            )
        )
    return sorted(found)


def kind(chance: random.Random) -> str:
    point = chance.random()
    return next((name for name, upto in NATURAL.items() if point < upto), "Trfy")


def addresses(chance: random.Random) -> list[tuple[Known, float, float]]:
    """Houses along each street, 4 to 12 numbers apart, 1.6 m a number."""
    names = streets(chance)
    lengths = [chance.paretovariate(1.1) for _ in names]
    share = ADDRESSES / sum(min(length, 12) for length in lengths)
    found: list[tuple[Known, float, float]] = []
    for (direction, name, type_), length in zip(names, lengths, strict=True):
        number = chance.randrange(1, 60) * 100
        along, across = chance.uniform(WEST, EAST), chance.uniform(SOUTH, NORTH)
        for _house in range(max(2, round(min(length, 12) * share))):
            number += chance.choice([2, 4, 4, 6, 8])
            here = number * 1.6e-5
            side = 1e-4 if number % 2 else -1e-4
            east_west = name[0].isdigit()
            lon = WEST + here % (EAST - WEST) if east_west else along + side
            lat = across + side if east_west else SOUTH + here % (NORTH - SOUTH)
            found.append((Known(number, direction, name, type_), lon, lat))
            number += chance.randrange(2)
    chance.shuffle(found)
    return found[:ADDRESSES]


def noised(known: Known, houses: "Houses", chance: random.Random) -> str:
    """Write an address as somebody in a hurry does."""
    direction, name, type_ = known.direction, known.name, known.type
    if direction and chance.random() < 0.3 and houses.alone(known, without="direction"):
        direction = ""
    if chance.random() < 0.3 and houses.alone(known, without="type", direction=direction):
        type_ = ""
    if chance.random() < 0.5:
        type_ = chance.choice(SPELLED.get(type_, [type_]))
    if chance.random() < 0.5:
        direction = chance.choice(DIRECTIONS.get(direction, [direction]))
    words = f"{direction}|{spelled(name, chance) if name[0].isdigit() else name}|{type_}"
    for _ in range(chance.choice([0, 0, 1, 1, 1, 1, 2])):
        words = slipped(words, chance)
    text = f"{known.number} {' '.join(filter(None, words.split('|')))}"
    if chance.random() < 0.15:
        text += chance.choice([", Kansas City", ", Kansas City, MO", " KCMO", ", Apt 3"])
    return chance.choice([str.lower, str.upper, str.title, str])(text)


def spelled(name: str, chance: random.Random) -> str:
    number = int("".join(c for c in name if c.isdigit()))
    way = chance.random()
    if way < 0.3:
        return str(number)
    if way < 0.4 and 20 < number < 100 and number % 10:
        return f"{TENS.split()[number // 10 - 2]}-{ONES.split()[number % 10 - 1]}"
    return name


def slipped(words: str, chance: random.Random) -> str:
    """Make one slip: two letters swapped, one left out, struck twice, or the key beside it."""
    spots = [
        n
        for n, c in enumerate(words[:-1])
        if c.isalpha()
        and words[n + 1].isalpha()
        and len(words.split("|")[words[:n].count("|")]) > 3
    ]
    if not spots:
        return words
    n = chance.choice(spots)
    way = chance.randrange(4)
    if way == 0:
        return words[:n] + words[n + 1] + words[n] + words[n + 2 :]
    if way == 1:
        return words[:n] + words[n + 1 :]
    if way == 2:
        return words[:n] + words[n] + words[n:]
    return words[:n] + BESIDE.get(words[n].lower(), "e") + words[n + 1 :]


class Houses:
    """All addresses, to see whether one is told by less."""

    def __init__(self, all_of_them: list[Known]) -> None:
        self.named: defaultdict[tuple[int, str], set[Known]] = defaultdict(set)
        for known in all_of_them:
            self.named[known.number, known.name].add(known)

    def alone(self, known: Known, *, without: str, direction: str | None = None) -> bool:
        fitting = [
            other
            for other in self.named[known.number, known.name]
            if (without == "direction" or direction == "" or other.direction == known.direction)
            and (without == "type" or other.type == known.type)
        ]
        return len(fitting) == 1


def made_database(url: URL) -> str:
    own = url.set(drivername="postgresql", database="postgres").render_as_string(False)
    with psycopg.connect(own, autocommit=True) as admin:
        for statement in ("DROP DATABASE IF EXISTS {} WITH (FORCE)", "CREATE DATABASE {}"):
            admin.execute(sql.SQL(statement).format(sql.Identifier(DATABASE)))
    made = url.set(drivername="postgresql+psycopg", database=DATABASE).render_as_string(False)
    database.upgrade(made)
    return made


def fill(session: Session, houses: list[tuple[Known, float, float]]) -> float:
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    connection.execute(
        "INSERT INTO area (layer, code, name, geom) VALUES ('city', 'all', 'All', "
        "ST_Multi(ST_MakeEnvelope(-96, 37, -93, 41, 4326)))"
    )
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY address (number, street, geom, source, external_id) FROM STDIN") as copy,
    ):
        for n, (known, lon, lat) in enumerate(houses):
            place = f"SRID=4326;POINT({lon} {lat})"
            copy.write_row((known.number, known.street, place, "bench", str(n)))
    start = time.perf_counter()
    built = gazetteer.rebuild(session)
    took = time.perf_counter() - start
    print(f"{built.addresses:,} addresses on {built.streets:,} streets, {built.corners:,} corners")
    connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    connection.execute(
        "CREATE TABLE whole AS SELECT address.id, number || ' ' || label AS label "
        "FROM address JOIN street_name ON street_name.id = street_name_id"
    )
    connection.execute("CREATE INDEX ON whole USING gin (label gin_trgm_ops)")
    connection.execute("ANALYZE")
    session.commit()
    return took


def by_trigrams(session: Session, asked: str) -> str:
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    row = connection.execute(
        "SELECT label FROM whole WHERE label %% %s ORDER BY similarity(label, %s) DESC LIMIT 1",
        (asked, asked),
    ).fetchone()
    return row[0] if row else ""


def by_gazetteer(session: Session, asked: str) -> str:
    found = places.search(session, asked)
    return found[0].label if found else ""


def known_addresses(session: Session, chance: random.Random) -> None:
    houses = addresses(chance)
    whole = Houses([known for known, _lon, _lat in houses])
    asked = [
        (known, noised(known, whole, chance)) for known, _lon, _lat in chance.sample(houses, ASKED)
    ]
    print(f"derived in {fill(session, houses):.1f} s")
    print(f"{'':12}{'right first':>12}{'p50 ms':>9}{'p95 ms':>9}{'max ms':>9}")
    for name, find in (("gazetteer", by_gazetteer), ("trigrams", by_trigrams)):
        find(session, "1 Main St")  # the first search of a process reads the names
        times, wrong = [], []
        for known, words in asked:
            start = time.perf_counter()
            label = find(session, words)
            times.append((time.perf_counter() - start) * 1000)
            if label.casefold() != known.label.casefold():
                wrong.append((words, known.label, label))
        right = 1 - len(wrong) / len(asked)
        p50, p95 = (statistics.quantiles(times, n=20)[part] for part in (9, 18))
        print(f"{name:12}{right:>12.1%}{p50:>9.1f}{p95:>9.1f}{max(times):>9.1f}")
        if "--wrong" in sys.argv:
            for words, right_label, label in wrong:
                print(f"    {words!r} is {right_label}, answered {label or 'nothing'}")


def held_out_addresses(session: Session, chance: random.Random) -> None:
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    known = sources(list)
    for source, name in (
        ("city", "city_2024.geojson"),
        ("blocks", "census_blocks_2021.gpkg"),
        ("kcmo_311", "311_requests_2007_2018.csv.gz"),
    ):
        path = SHARED / "kc" / name
        imports.run(connection, known[source], File(path, name), secret=b"bench" * 8)
    rows = session.execute(
        text("""
            SELECT address, avg(ST_X(exact_geom)) AS lon, avg(ST_Y(exact_geom)) AS lat
            FROM report WHERE address ~ '^[0-9]+ ' GROUP BY address ORDER BY address
        """)
    ).all()
    held = chance.sample(rows, ASKED)
    session.execute(
        text("UPDATE report SET address = '' WHERE address = ANY (:held)"),
        {"held": [row.address for row in held]},
    )
    built = gazetteer.rebuild(session)
    off_m = []
    for row in held:
        found = places.search(session, row.address.lower())
        if found and found[0].kind is PlaceKind.ADDRESS:
            east_m = (found[0].lon - row.lon) * 111_320 * math.cos(math.radians(row.lat))
            off_m.append(math.hypot(east_m, (found[0].lat - row.lat) * 110_990))
    off_m.sort()
    p50, p95 = (statistics.quantiles(off_m, n=20)[part] for part in (9, 18))
    print(
        f"{len(rows):,} addresses of requests, {built.streets} streets, {built.corners:,} corners"
    )
    print(
        f"of {ASKED} held out: placed {len(off_m) / ASKED:.1%}, off by p50 {p50:.0f} m, p95 {p95:.0f} m"
    )


def main() -> None:
    if url := os.environ.get("DATABASE_URL"):
        server = make_url(url)
    else:
        cluster = Cluster(Path(os.environ.get("PORCHLIGHT_VAR", "var")) / "bench")
        server = make_url(cluster.start()).set(username="postgres")
    parts = [known_addresses]
    if (SHARED / "kc").is_dir():
        parts.append(held_out_addresses)
    for part in parts:
        engine = database.engine(made_database(server))
        with Session(engine) as session:
            part(session, random.Random(SEED))
        engine.dispose()


if __name__ == "__main__":
    main()
