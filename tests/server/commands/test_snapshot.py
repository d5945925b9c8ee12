"""A map written to a file by the command line."""

import pytest
from sqlalchemy import func, insert
from sqlalchemy.orm import Session

from data import database
from data.models import Report
from tests.places import IN_EASTSIDE, found_city


@pytest.fixture
def city(own):
    engine = database.engine(own, pool_size=1)
    shape = f"SRID=4326;POINT({IN_EASTSIDE[0]} {IN_EASTSIDE[1]})"
    with Session(engine) as session:
        found_city(session)
        session.execute(
            insert(Report).values(
                kind="cleanup", category_code="dumping", exact_geom=shape, public_geom=shape,
                occurred_at=func.now(),
            )
        )  # fmt: skip
        session.commit()
    engine.dispose()


def test_the_map_is_written_to_the_file(city, porchlight, tmp_path):
    file = tmp_path / "map.html"
    code, said = porchlight("snapshot", str(file), "--language", "es", "--layers", "reports")
    assert (code, "MB" in said) == (0, True)
    text = file.read_text(encoding="utf-8")
    assert '<html lang="es">' in text
    assert '"category":"dumping"' in text
    assert 'id="snapshot-neighbourhoods"' not in text


def test_options_narrow_down_the_reports(city, porchlight, tmp_path):
    file = tmp_path / "map.html"
    for options, found in (
        (["--kind", "cleanup", "--status", "open"], True),
        (["--kind", "lighting"], False),
        (["--to", "2001-01-01"], False),
        (["--bbox", "-94.6,39,-94.59,39.01"], False),
    ):
        assert porchlight("snapshot", str(file), *options)[0] == 0
        assert ('"category":"dumping"' in file.read_text(encoding="utf-8")) == found, options


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--layers", "nothing"], "there is no layer 'nothing'"),
        (["--bbox", "1,2"], "west,south,east,north"),
        (["--status", "held"], "write one of open"),
        (["--from", "2020-02-02", "--to", "2020-02-01"], "must not come after"),
        (["--language", "fr"], "write en or es"),
    ],
)
def test_an_option_that_means_nothing_is_explained(city, porchlight, tmp_path, options, told):
    file = tmp_path / "map.html"
    code, said = porchlight("snapshot", str(file), *options)
    assert code == 2
    assert told in " ".join(said.replace("│", " ").split())
    assert not file.exists()


def test_a_file_that_can_not_be_written_is_named(city, porchlight, tmp_path):
    code, said = porchlight("snapshot", str(tmp_path / "nowhere" / "map.html"))
    assert code == 2
    assert "can not be written" in " ".join(said.replace("│", " ").split())


def test_without_a_city_the_way_to_one_is_told(own, porchlight, tmp_path):
    code, said = porchlight("snapshot", str(tmp_path / "map.html"))
    assert code == 2
    assert "porchlight sample" in " ".join(said.replace("│", " ").split())
