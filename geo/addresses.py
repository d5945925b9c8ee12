"""Reading what people write for a place: an address, a corner, or the name of a street.

Text is first normalised (case, accents, punctuation, spelled-out ordinals), then parsed into the
parts of a North American street address. Spelling errors in names are left for whoever knows the
names of the city's streets (`data.queries.places`); `readings` offers them the ways in which a
text can be taken where a direction or a street type is misspelled.

Abbreviations follow USPS Publication 28, appendices B and C1, with Kansas City's own "trafficway"
and "cutoff", and the words that Spanish speakers put around English street names.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rapidfuzz.distance import OSA

LOCALITIES = frozenset(
    {"kansas city", "kansas city mo", "kansas city missouri", "kc", "kc mo", "kcmo", "mo", "usa"}
)
"""Names of the city and what lies above it, which say nothing at the end of an address."""

LONGEST = 200
"""Characters of a text that `parse` reads; no address is longer."""

_DIRECTIONS: Mapping[str, str] = {
    word: direction
    for direction, words in {
        "n": "north norte",
        "s": "south sur",
        "e": "east este",
        "w": "west oeste",
        "ne": "northeast noreste",
        "nw": "northwest noroeste",
        "se": "southeast sureste",
        "sw": "southwest suroeste",
    }.items()
    for word in (direction, *words.split())
}

_HALFWAY = frozenset({"ne", "nw", "se", "sw"})

_TYPES: Mapping[str, str] = {
    word: kind
    for kind, words in {
        "aly": "alley ally",
        "ave": "avenue av aven avenida",
        "blvd": "boulevard boul bulevar",
        "cir": "circle circ",
        "ct": "court crt",
        "ctof": "cutoff",
        "dr": "drive drv",
        "expy": "expressway expwy",
        "fwy": "freeway",
        "hwy": "highway hiway",
        "ln": "lane",
        "loop": "",
        "pkwy": "parkway pky pkway parkwy",
        "pl": "place",
        "plz": "plaza",
        "rd": "road",
        "row": "",
        "sq": "square",
        "st": "street str calle",
        "ter": "terrace terr te",
        "trfy": "trafficway trafficwy trfwy trwy tfwy",
        "trl": "trail",
        "via": "",
        "way": "wy",
        "xing": "crossing",
    }.items()
    for word in (kind, *words.split())
}

_UNIT_WORDS = (
    "# apt apartment apto apartamento unit ste suite fl flr floor piso bld bldg building edificio "
    "rm room lot trlr bsmt"
)
_UNITS = frozenset(_UNIT_WORDS.split())

_JOINERS = frozenset({"and", "at", "y", "con", "esquina", "esq", "between", "entre"})

_OPENING_PHRASES = (
    "the corner of, corner of, intersection of, in front of, across from, next to, outside of, "
    "outside, behind, near, at, on, la esquina de, esquina de, cerca de, frente a, al lado de, "
    "junto a, detras de, en"
)
_OPENINGS = tuple(tuple(phrase.split()) for phrase in _OPENING_PHRASES.split(", "))

_ONES_WORDS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
)
_ONES = {word: number for number, word in enumerate(_ONES_WORDS.split(), start=1)}
_TENS_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
_TENS = {word: 10 * number for number, word in enumerate(_TENS_WORDS.split(), start=2)}
_ORDINALS: Mapping[str, int] = _ONES | {
    f"{word[:-1]}ieth": number for word, number in _TENS.items()
}

_ALIASES: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("mlk",): ("martin", "luther", "king", "jr"),
    ("mlk", "jr"): ("martin", "luther", "king", "jr"),
    ("m", "l", "k"): ("martin", "luther", "king", "jr"),
    ("martin", "luther", "king"): ("martin", "luther", "king", "jr"),
    ("jc", "nichols"): ("j", "c", "nichols"),
    ("cleaver",): ("emanuel", "cleaver", "ii"),
    ("cleaver", "ii"): ("emanuel", "cleaver", "ii"),
    ("emanuel", "cleaver"): ("emanuel", "cleaver", "ii"),
    ("emanuel", "cleaver", "2"): ("emanuel", "cleaver", "ii"),
}

_HIGHWAYS: Mapping[str, str] = {
    "highway": "hwy",
    "interstate": "i",
    "mo": "m",
    "missouri": "m",
    "route": "m",
}

_WORDS: Mapping[str, str] = {"saint": "st", "mount": "mt", "fort": "ft"}

_NUMBERED = re.compile(r"([0-9]{1,3})(?:[stndrh]|[a-z]{2,3})?")  # "31ts", too
_GLUED = re.compile(
    r"([0-9]{1,3}(?:st|nd|rd|th))(st|ave|av|ter|terr|blvd)"
    r"|([nsew]|[ns][ew])([0-9]{1,3}(?:st|nd|rd|th))"
    r"|([0-9]{1,6})([a-z]{4,})"
)
_HOUSE = re.compile(r"([0-9]{1,6})(?:-[0-9]+)?([a-z])?")
_HOUSE_PART = re.compile(r"[0-9]/[0-9]|[a-df-mo-rt-vx-z]")  # "1/2", "A", no direction
_POSTAL_CODE = re.compile(r"([0-9]{5})(?:-[0-9]{4})?")
_NUMBERED_UNIT = re.compile(r"[0-9][nsew]")
_SHORT_UNIT = re.compile(r"[0-9]+[a-z]?|[a-z][0-9]*|[0-9]+(?:-[0-9]+)")


@dataclass(frozen=True, order=True)
class Street:
    """A street's name in parts, each lower case and abbreviated.

    Parameters
    ----------
    direction : str
        Before the name: "e" in E 31st St. Empty where there is none.
    name : str
        Words split by one space: "31st", "worlds of fun".
    type : str
        "st", "ave"; empty where there is none.
    suffix : str
        A direction after the type.
    """

    direction: str = ""
    name: str = ""
    type: str = ""
    suffix: str = ""

    @property
    def key(self) -> str:
        """The name without spaces, for comparing: "gill ham" and "gillham" are one street."""
        return self.name.replace(" ", "")

    @property
    def is_numbered(self) -> bool:
        """Whether the name has figures, of which one wrong makes another street."""
        return any(character.isdigit() for character in self.name)

    @property
    def label(self) -> str:
        """The name as a sign shows it: "E 31st St", "NE Worlds of Fun Ave"."""
        parts = (
            self.direction.upper(),
            " ".join(_capital(word, first=not n) for n, word in enumerate(self.name.split())),
            self.type.title(),
            self.suffix.upper(),
        )
        return " ".join(filter(None, parts))


@dataclass(frozen=True)
class Address:
    """A street, with a number where the text had one."""

    street: Street
    number: int | None = None
    unit: str = ""
    postal_code: str = ""
    readings: tuple[Street, ...] = field(default=(), repr=False)
    """Other ways to take the street, likelier first."""


@dataclass(frozen=True)
class Corner:
    """Where two streets meet, in the order they were named."""

    first: Address
    second: Address


def normalise(text: str) -> str:
    """Give a text in lower-case ASCII words split by one space.

    Accents and punctuation go; "&", "@", "+" and "/" become "and"; spelled-out ordinals become
    figures. Doing it again changes nothing.

    Parameters
    ----------
    text : str
        Anything.

    Returns
    -------
    str

    Examples
    --------
    >>> normalise("Thirty-First St. & TROOST")
    '31st st and troost'
    """
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    plain = "".join(c if c.isascii() else " " for c in folded if not unicodedata.combining(c))
    plain = re.sub(r"(?<![0-9])/|/(?![0-9])|[&@+]", " and ", plain.replace("'", ""))
    plain = re.sub(r"(?<![0-9])-|-(?![0-9])", " ", plain)
    plain = re.sub(r"[^a-z0-9/#-]", " ", plain).replace("#", " # ")
    return " ".join(_figures(plain.split()))


def parse(text: str, localities: Collection[str] = ()) -> Address | Corner:
    """Take a text as an address, a street or a corner.

    Parameters
    ----------
    text : str
        Such as "3311 charlotte", "E 31st St & Troost Ave" or "esquina de Paseo y Linwood".
    localities : collection of str
        Normalised names of the city that may end an address, besides `LOCALITIES`.

    Returns
    -------
    Address or Corner
        What can not be read ends up in the street's name; nothing raises.

    Examples
    --------
    >>> address = parse("3311 Charlotte Street, Apt 2, Kansas City, MO 64109")
    >>> address.number, address.street.label, address.unit, address.postal_code
    (3311, 'Charlotte St', 'apt 2', '64109')
    >>> corner = parse("esquina de Paseo y 31")
    >>> corner.first.street.label, corner.second.street.label
    ('Paseo', '31st')
    """
    tokens = _trimmed(_unglued(normalise(text[:LONGEST]).split()), localities)
    joined = [n for n, token in enumerate(tokens) if token in _JOINERS and 0 < n < len(tokens) - 1]
    if len(joined) > 1 and tokens[joined[0]] == "at":  # "parking lot at 31st and Troost"
        tokens = tokens[joined[0] + 1 :]
        joined = [n - joined[0] - 1 for n in joined[1:]]
    if not joined or joined[0] == 0:
        return _unjoined(tokens) or _address(tokens)
    rest = tokens[joined[0] + 1 :]
    while len(rest) > 1 and (
        rest[0] in _JOINERS or rest[0] == "de" or (rest[0] == "la" and rest[1].isdigit())
    ):
        rest = rest[1:]
    # "Prospect between 39th and 40th" begins at 39th.
    end = next((n for n, token in enumerate(rest) if n and token in _JOINERS), len(rest))
    return Corner(_address(tokens[: joined[0]]), _address(rest[:end]))


def street(text: str) -> Street:
    """Take a text as the name of a street.

    Parameters
    ----------
    text : str
        Such as "East 31st Street" or "The Paseo".

    Returns
    -------
    Street

    Examples
    --------
    >>> street("The Paseo"), street("North Oak Trafficway").label
    (Street(direction='', name='paseo', type='', suffix=''), 'N Oak Trfy')
    """
    tokens, _unit = _without_unit(normalise(text).split())
    return _street(tokens)


def _unjoined(tokens: list[str]) -> Corner | None:
    """Take "31st troost" and "troost e 31st st" as corners, where no house number leads."""
    for place, token in enumerate(tokens):
        if not token[-1].isalpha() or not _NUMBERED.fullmatch(token):
            continue
        start = place - (place > 0 and tokens[place - 1] in _DIRECTIONS)
        end = place + 1 + (place + 1 < len(tokens) and tokens[place + 1] in _TYPES)
        before, after = tokens[:start], tokens[end:]
        other = before or after
        if (
            not (before and after)
            and any(t not in _TYPES and t not in _DIRECTIONS for t in other)
            and not (other[0][0].isdigit() or other[0] in _UNITS)
        ):
            numbered = _address(tokens[start:end])
            pair = (_address(before), numbered) if before else (numbered, _address(after))
            return Corner(*pair)
    return None


def _unglued(tokens: Sequence[str]) -> list[str]:
    """Part what lacks a space: "3311charlotte", "e39th", "39thst"."""
    found: list[str] = []
    for token in tokens:
        parted = _GLUED.fullmatch(token)
        found += [part for part in parted.groups() if part] if parted else [token]
    return found


def _trimmed(tokens: list[str], localities: Collection[str]) -> list[str]:
    """Leave out what opens a description of a place, and the city at its end."""
    for opening in _OPENINGS:
        if tuple(tokens[: len(opening)]) == opening and len(tokens) > len(opening):
            tokens = tokens[len(opening) :]
            break
    for place, token in enumerate(tokens):
        if token in {"block", "blk"} and place == 1 and len(tokens) > 2:
            tokens = [tokens[0], *tokens[2 + (tokens[2] == "of") :]]
            break
    code = tokens[-1:] if len(tokens) > 1 and _POSTAL_CODE.fullmatch(tokens[-1]) else []
    tokens = tokens[: len(tokens) - len(code)]
    while len(tokens) > 1:
        for length in range(min(4, len(tokens) - 1), 0, -1):
            end = " ".join(tokens[-length:])
            if end in LOCALITIES or end in localities:
                tokens = tokens[:-length]
                break
        else:
            break
    return tokens + code


def _address(tokens: Sequence[str]) -> Address:
    tokens = list(tokens)
    postal_code = ""
    if len(tokens) > 1 and (code := _POSTAL_CODE.fullmatch(tokens[-1])):
        postal_code = code[1]
        tokens = tokens[:-1]
    number, units, tokens = _number(tokens)
    tokens, unit = _without_unit(tokens)
    if (
        number is None
        and re.fullmatch(r"[0-9]{2,5}", tokens[-1] if tokens else "")
        # A type or direction alone before it makes it a numbered street.
        and any(token not in _TYPES and token not in _DIRECTIONS for token in tokens[:-1])
        and not _highway(tokens, "")
    ):
        number = int(tokens[-1])  # "Avenida Troost 3311"
        tokens = tokens[:-1]
    plain, *others = _readings(tokens) if tokens else (Street(),)
    if units and units[-1].isalpha():  # "T John Ave" may have been meant for St John
        others.append(_street([units[-1], *tokens]))
    return Address(
        street=plain,
        number=number,
        unit=" ".join((*units, unit)).strip(),
        postal_code=postal_code,
        readings=tuple(others),
    )


def _number(tokens: list[str]) -> tuple[int | None, list[str], list[str]]:
    """Split off the house number, and the unit where that stands right behind it."""
    house = _HOUSE.fullmatch(tokens[0]) if len(tokens) > 1 else None
    rest = tokens[1:]
    if house is None or all(token in _TYPES for token in rest) or rest[0] in {"th", "nd", "rd"}:
        return None, [], tokens  # "31 St" is a street
    units = [house[2]] if house[2] else []
    while len(rest) > 1 and _HOUSE_PART.fullmatch(rest[0]) and not set(rest[1:]) <= _TYPES.keys():
        units.append(rest[0])
        rest = rest[1:]
    return int(house[1]), units, rest


def _without_unit(tokens: list[str]) -> tuple[list[str], str]:
    for place, token in enumerate(tokens):
        if place and token in _UNITS:
            return tokens[:place], " ".join(tokens[place:])
    for place in range(len(tokens) - 1, 0, -1):
        if tokens[place] in _TYPES:
            rest = tokens[place + 1 :]
            if rest and rest[0] not in _DIRECTIONS and all(map(_SHORT_UNIT.fullmatch, rest)):
                return tokens[: place + 1], " ".join(rest)
            break
    if (
        len(tokens) > 1
        and _NUMBERED_UNIT.fullmatch(tokens[-1])
        and tokens[-2] not in _DIRECTIONS
        and not tokens[-2].isdigit()
    ):
        return tokens[:-1], tokens[-1]  # "3001 Paseo 1S"
    return tokens, ""


def _street(tokens: Sequence[str]) -> Street:
    """Take words as direction, name, type and direction; a street has a name before all else."""
    words = _joined(tokens)
    suffix = kind = direction = ""
    if len(words) > 2 and words[-1] in _DIRECTIONS and words[-2] in _TYPES:
        suffix = _DIRECTIONS[words.pop()]
    if len(words) > 1 and words[-1] in _TYPES:
        kind = _TYPES[words.pop()]
    if len(words) > 1 and words[0] in _DIRECTIONS:
        direction = _DIRECTIONS[words.pop(0)]
    if len(words) > 1 and not kind and words[0] in {"calle", "avenida", "av", "ave"}:
        kind = _TYPES[words.pop(0)]
    if len(words) > 1 and not suffix and not direction and words[-1] in _DIRECTIONS:
        suffix = _DIRECTIONS[words.pop()]
    if highway := _highway(words, kind):
        return Street(direction, highway, "", suffix)
    return Street(direction, " ".join(_name(words)), kind, suffix)


def _highway(words: Sequence[str], kind: str) -> str:
    """Give the one name of a highway: "71 Highway" and "Hwy 71" are US 71. Empty for a street."""
    figures = [word for word in words if word.isdigit()]
    systems = {_HIGHWAYS.get(word, word) for word in (*words, kind) if word and not word.isdigit()}
    if len(figures) != 1 or not systems or not systems <= {"us", "i", "m", "hwy"}:
        return ""
    system, *others = sorted(systems - {"hwy"}) or ["us"]
    return "" if others else f"{system} {figures[0]}"


def _joined(tokens: Sequence[str]) -> list[str]:
    """Write as one word what is one, and leave out the article."""
    words = list(tokens)
    article = int(len(words) > 1 and words[0] in _DIRECTIONS)  # "West the Paseo"
    if words[article : article + 1] == ["the"] and len(words) > article + 1:
        del words[article]
    if len(words) > 2:
        both = "".join(_DIRECTIONS.get(word, " ") for word in words[:2])
        if both in _HALFWAY:  # "N.E."
            words[:2] = [both]
    if len(words) > 2 and words[-2:] == ["cut", "off"]:
        words[-2:] = ["cutoff"]
    return words


def _name(words: list[str]) -> Iterable[str]:
    if len(words) == 2 and words[0].isdigit() and words[1] in {"th", "nd", "rd", "st"}:
        words = words[:1]
    if len(words) == 1 and (numbered := _NUMBERED.fullmatch(words[0])):
        return [_ordinal(int(numbered[1]))]
    if len(words) > 1 and words[0] in {"dr", "doctor"}:
        words = words[1:]
    spelled = [_WORDS.get(word, word) for word in words]
    return _ALIASES.get(tuple(spelled), spelled)


def _readings(tokens: list[str]) -> Iterator[Street]:
    """Give the street as written, then with misspelled types, directions and figures put right."""
    plain = _street(tokens)
    yield plain
    yield from _mended(tokens, plain)
    figured = list(_figures(tokens, _near_figure))
    if figured != tokens:
        mended = _street(figured)
        yield mended
        yield from _mended(figured, mended)


def _mended(tokens: list[str], plain: Street) -> Iterator[Street]:
    tail = [] if plain.type or len(tokens) < 2 else list(_near(tokens[-1], _TYPES))
    directed = tokens[0] in _DIRECTIONS  # or named for one: Southwest Blvd
    head = [] if directed or len(tokens) < 2 else list(_near(tokens[0], _DIRECTIONS))
    for kind in tail:
        yield _street([*tokens[:-1], kind])
    for direction in head:
        yield _street([direction, *tokens[1:]])
        if len(tokens) > 2:
            for kind in tail:
                yield _street([direction, *tokens[1:-1], kind])


def _near(word: str, known: Mapping[str, str]) -> Iterator[str]:
    """Give what a word may have been before one slip, each meaning once."""
    found = set()
    if len(word) < 2 or any(c.isdigit() for c in word):
        return
    for right, meaning in known.items():
        slips = 2 if len(right) > 6 else 1
        short = len(right) < 3 and sorted(right) != sorted(word)
        if not short and meaning not in found and OSA.distance(word, right) <= slips:
            found.add(meaning)
            yield meaning


def _figures(
    tokens: Sequence[str], meant: Callable[[str], str] = lambda token: token
) -> Iterator[str]:
    """Write spelled-out ordinals in figures; `meant` puts their spelling right."""
    place = 0
    while place < len(tokens):
        token = meant(tokens[place])
        following = meant(tokens[place + 1]) if place + 1 < len(tokens) else ""
        ones = _ONES.get(following, 0)
        if not ones and re.fullmatch(r"[1-9](st|nd|rd|th)", following):
            ones = int(following[0])
        if token in _TENS and 0 < ones < 10:
            yield _ordinal(_TENS[token] + ones)
            place += 1
        elif token in _ORDINALS:
            yield _ordinal(_ORDINALS[token])
        else:
            yield tokens[place]
        place += 1


def _near_figure(token: str) -> str:
    if len(token) < 4 or not token.isalpha():
        return token
    near = (word for word in (*_TENS, *_ORDINALS) if OSA.distance(word, token) <= 1)
    return next(near, token)


def _ordinal(number: int) -> str:
    teen = number % 100 in {11, 12, 13}
    ending = "th" if teen else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _capital(word: str, *, first: bool) -> str:
    if word in {"ii", "iii", "jc", "us", "m", "i"}:
        return word.upper()
    if word in {"of", "de"} and not first:
        return word
    if word.startswith("mc") and len(word) > 4:
        return f"Mc{word[2:].capitalize()}"
    return word.capitalize() if word[:1].isalpha() else word
