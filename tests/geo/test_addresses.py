import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.addresses import Address, Corner, Street, normalise, parse, street

WORDS = (
    "31 31st thirty first twenty-first e west n.e. the st street ave paseo troost & / @ and at y "
    "con esquina de la corner of block apt # 2 1/2 808-810 64110 kansas city mo a jr cut off"
)
ANYTHING = st.one_of(
    st.text(max_size=60), st.lists(st.sampled_from(WORDS.split()), max_size=9).map(" ".join)
)


@given(ANYTHING)
def test_normalising_twice_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)


@given(ANYTHING)
def test_a_normalised_text_is_plain_ascii_in_single_spaces(text):
    assert normalise(text).isascii()
    assert normalise(text) == " ".join(normalise(text).lower().split())


@given(ANYTHING)
def test_nothing_that_is_written_makes_the_parser_fail(text):
    parse(text)
    street(text)


@given(ANYTHING)
def test_case_makes_no_difference(text):
    assert parse(text.upper()) == parse(text.upper().lower())


@given(
    st.sampled_from(["", "n", "e", "nw"]),
    st.sampled_from(["paseo", "31st", "worlds of fun", "st john", "emanuel cleaver ii", "mcgee"]),
    st.sampled_from(["", "st", "ave", "trfy", "ter"]),
    st.integers(1, 13_000),
)
def test_a_label_reads_as_the_address_it_was_made_from(direction, name, type_, number):
    known = Street(direction, name, type_)
    address = parse(f"{number} {known.label}")
    assert isinstance(address, Address)
    assert (address.number, address.street) == (number, known)


@pytest.mark.parametrize(
    ("text", "number", "label"),
    [
        ("3311 charlotte", 3311, "Charlotte"),
        ("3311 CHARLOTTE ST.", 3311, "Charlotte St"),
        ("  3311   Charlotte  Street ", 3311, "Charlotte St"),
        ("808 East 31st Street", 808, "E 31st St"),
        ("808 e. thirty-first", 808, "E 31st"),
        ("808 E 31", 808, "E 31st"),
        ("808 E 31 st", 808, "E 31st St"),
        ("808 E 31ts St", 808, "E 31st St"),
        ("808-810 E 31st St", 808, "E 31st St"),
        ("2100 E Twelfth Ter", 2100, "E 12th Ter"),
        ("4500 the paseo", 4500, "Paseo"),
        ("4500 Paseo Boulevard", 4500, "Paseo Blvd"),
        ("3901 West Paseo Blvd", 3901, "W Paseo Blvd"),
        ("1000 broadway", 1000, "Broadway"),
        ("3000 Southwest Blvd", 3000, "Southwest Blvd"),
        ("3000 Southwest Trafficway", 3000, "Southwest Trfy"),
        ("6000 North Oak Trafficway", 6000, "N Oak Trfy"),
        ("1301 N.E. Chouteau Trfwy", 1301, "NE Chouteau Trfy"),
        ("6300 Saint John Avenue", 6300, "St John Ave"),
        ("4100 dr martin luther king jr blvd", 4100, "Martin Luther King Jr Blvd"),
        ("4100 MLK Blvd", 4100, "Martin Luther King Jr Blvd"),
        ("1500 Emanuel Cleaver Blvd", 1500, "Emanuel Cleaver II Blvd"),
        ("9000 Blue Ridge Cut Off", 9000, "Blue Ridge Ctof"),
        ("1500 Park Ave", 1500, "Park Ave"),
        ("4545 NE Worlds of Fun Ave", 4545, "NE Worlds of Fun Ave"),
        ("7000 E US 40 Hwy", 7000, "E US 40"),
        ("7000 e 40 highway", 7000, "E US 40"),
        ("71 Highway", None, "US 71"),
        ("hwy 71", None, "US 71"),
        ("us-71", None, "US 71"),
        ("8000 N M 210 Hwy", 8000, "N M 210"),
        ("Missouri Route 9", None, "M 9"),
        ("3311charlotte", 3311, "Charlotte"),
        ("808 e31st st", 808, "E 31st St"),
        ("39thst", None, "39th St"),
        ("in front of 3911 Main St", 3911, "Main St"),
        ("frente a 3911 Main", 3911, "Main"),
        ("100 Broadway N", 100, "Broadway N"),
        ("3100 block of Troost", 3100, "Troost"),
        ("avenida Troost 3311", 3311, "Troost Ave"),
        ("cerca de 3311 Charlotte", 3311, "Charlotte"),
        ("Troost Avenue", None, "Troost Ave"),
        ("31st street", None, "31st St"),
        ("calle 31", None, "31st St"),
        ("31", None, "31st"),
    ],
)
def test_an_address_is_read_however_it_is_written(text, number, label):
    address = parse(text)
    assert isinstance(address, Address)
    assert (address.number, address.street.label) == (number, label)


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("E 31st St & Troost Ave", "E 31st St", "Troost Ave"),
        ("31st and Troost", "31st", "Troost"),
        ("31st/Troost", "31st", "Troost"),
        ("31st @ Troost", "31st", "Troost"),
        ("troost at 31", "Troost", "31st"),
        ("31st troost", "31st", "Troost"),
        ("troost e 31st st", "Troost", "E 31st St"),
        ("corner of Linwood and the Paseo", "Linwood", "Paseo"),
        ("Troost y la 31", "Troost", "31st"),
        ("esquina de Troost y 31", "Troost", "31st"),
        ("av. Troost con calle 31", "Troost Ave", "31st St"),
        ("Troost esquina con 31", "Troost", "31st"),
        ("31st & Troost, Kansas City, MO 64109", "31st", "Troost"),
        ("parking lot at 31st and Troost", "31st", "Troost"),
        ("Prospect between 39th and 40th", "Prospect", "39th"),
        ("Prospect entre la 39 y la 40", "Prospect", "39th"),
        ("71 highway and 39th", "US 71", "39th"),
    ],
)
def test_a_corner_is_read_in_english_and_spanish(text, first, second):
    corner = parse(text)
    assert isinstance(corner, Corner)
    assert (corner.first.street.label, corner.second.street.label) == (first, second)


@pytest.mark.parametrize(
    ("text", "unit", "postal_code"),
    [
        ("3311 Charlotte St Apt 2", "apt 2", ""),
        ("3311 Charlotte St #2", "# 2", ""),
        ("3311 Charlotte St, apto. 2B, Kansas City MO 64109-1234", "apto 2b", "64109"),
        ("1200 E Armour Blvd 1W", "1w", ""),
        ("3001 Paseo 1S", "1s", ""),
        ("3200 A Gillham Rd", "a", ""),
        ("3200A Gillham Rd", "a", ""),
        ("1234 1/2 Troost", "1/2", ""),
        ("3311 Charlotte 64109", "", "64109"),
    ],
)
def test_units_and_postal_codes_are_set_apart(text, unit, postal_code):
    address = parse(text)
    assert isinstance(address, Address)
    assert address.number is not None
    assert (address.unit, address.postal_code) == (unit, postal_code)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("3311 charlotte sreet", "Charlotte St"),
        ("3311 charlotte avneue", "Charlotte Ave"),
        ("808 esat 31st st", "E 31st St"),
        ("808 esat 31st stret", "E 31st St"),
        ("808 e fiftyfirst sixty-scond st", "E Fiftyfirst 62nd St"),
        ("808 e sixty-scond st", "E 62nd St"),
        ("1681 t john ave", "T John Ave"),
    ],
)
def test_misspelled_types_directions_and_ordinals_are_among_the_readings(text, meant):
    address = parse(text)
    assert isinstance(address, Address)
    assert meant in {reading.label for reading in address.readings}


def test_a_name_without_spaces_is_the_same_key():
    assert street("Gill Ham Rd").key == street("Gillham Rd").key


def test_an_ordinal_has_its_right_ending_whatever_was_typed():
    assert [street(text).name for text in ("11st", "12nd", "13", "21th", "102", "111st")] == [
        "11th",
        "12th",
        "13th",
        "21st",
        "102nd",
        "111th",
    ]


def test_text_that_names_nothing_is_an_address_without_name_or_number():
    assert parse("") == parse(" .,;") == Address(Street())
