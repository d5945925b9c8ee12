import gzip

import pytest

from data.sources import tables
from data.sources.batch import BrokenFileError, File

COLUMNS = {"id": ("number",), "name": ()}


@pytest.fixture
def read(tmp_path):
    def run(content, **columns):
        path = tmp_path / "places.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return [
            row
            for batch in tables.read(File(path, path.name, columns), COLUMNS)
            for row in batch.raw.to_pylist()
        ]

    return run


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "places.csv, row 1: the file is empty; the first row should name the columns"),
        (
            "id,name\n1,a\n2\n3,c\n",
            ("places.csv, row 3, column name: 1 values where the header names 2 columns. Look for a "
            "comma or a quotation mark too many."),
        ),
        (
            "id,name\n1,a\n2,b,c\n",
            ("places.csv, row 3, column name: 3 values where the header names 2 columns. Look for a "
            "comma or a quotation mark too many."),
        ),
        (
            'id,name\n1,"a\nb"\n2,"c\n3,d\n',
            "places.csv, row 3, column name: a quotation mark is opened and not closed.",
        ),
        (
            "id,name\n1,a\n2,Caf\xe9\n".encode("latin-1"),
            "places.csv, row 3, column name: not text in UTF-8. Save the file as CSV in UTF-8.",
        ),
        (
            "number,title\n1,a\n",
            ("places.csv, row 1, column name: there is no such column; the file has id, title. Name "
            "the one to use with --map name=COLUMN."),
        ),
        (
            gzip.compress(b"id,name\n" + b"1,a\n" * 1000, mtime=0)[:-20],
            "places.csv",
        ),
    ],
)  # fmt: skip
def test_a_broken_table_is_refused_with_its_place(read, content, message):
    with pytest.raises(BrokenFileError) as broken:
        read(content)

    assert str(broken.value).startswith(message)


def test_values_stay_text_and_lines_may_break_inside_quotes(read):
    assert read('id,name\r\n007,"Oak\nPark"\r\n') == [{"id": "007", "name": "Oak\nPark"}]


def test_a_gzipped_table_is_known_by_its_first_bytes(read):
    assert read(gzip.compress(b"id,name\n1,a\n")) == [{"id": "1", "name": "a"}]


@pytest.mark.parametrize("mark", ["\ufeff", "ï»¿", "X.U.FEFF."])
def test_a_byte_order_mark_is_no_part_of_a_name_even_mangled(read, mark):
    assert read(f"{mark}id,name\n1,a\n") == [{"id": "1", "name": "a"}]


def test_of_two_names_that_differ_in_case_the_exact_one_is_meant(read):
    assert read("ID,id,NAME\n1,2,a\n") == [{"ID": "1", "id": "2", "name": "a"}]


def test_a_mapped_column_is_read_and_a_missing_one_named(read):
    assert read("id,title\n1,a\n", name="title") == [{"id": "1", "name": "a"}]
    with pytest.raises(BrokenFileError, match="row 1, column headline: there is no such column"):
        read("id,title\n1,a\n", name="headline")


def test_numbers_are_numbers_and_nothing_else(tmp_path):
    path = tmp_path / "numbers.csv"
    values = ["1", "-2.5", "+.5", "1e3", " 4 ", "", "x", "1,5", "nan", "0x10", "1_000"]
    path.write_text("id,name\n" + "".join(f'"{value}",a\n' for value in values))

    (batch,) = tables.read(File(path, path.name), COLUMNS)

    found = tables.numbers(batch, "id").tolist()
    assert found[:5] == [1, -2.5, 0.5, 1000, 4]
    assert all(value != value for value in found[5:])
