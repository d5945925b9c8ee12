from dataclasses import dataclass

import pytest
from sqlalchemy import Engine, text

from data import database


@dataclass
class Log:
    """A log of three entries, and somebody who gets past its triggers."""

    engine: Engine
    ids: list[int]

    def tamper(self, statement: str, changed: int) -> None:
        with self.engine.begin() as connection:
            connection.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER ALL"))
            connection.execute(text(statement), {"id": self.ids[changed]})


@pytest.fixture
def log(own):
    engine = database.engine(own, pool_size=1)
    with engine.begin() as connection:
        for number in range(3):
            connection.execute(
                text("INSERT INTO audit_entry (action, subject) VALUES ('read', :subject)"),
                {"subject": f"report {number}"},
            )
        ids = connection.scalars(text("SELECT id FROM audit_entry ORDER BY id")).all()
    yield Log(engine, list(ids))
    engine.dispose()


def test_a_whole_log_is_said_to_be_whole(log, porchlight):
    code, said = porchlight("audit", "verify")
    assert code == 0
    assert "whole: 3 entries" in said


def test_an_empty_log_is_whole(own, porchlight):
    assert porchlight("audit", "verify")[0] == 0


@pytest.mark.parametrize(
    ("statement", "changed", "named"),
    [
        ("UPDATE audit_entry SET subject = 'report 9' WHERE id = :id", 1, 1),
        ("UPDATE audit_entry SET person_id = 7 WHERE id = :id", 0, 0),
        ("UPDATE audit_entry SET at = at - interval '1 day' WHERE id = :id", 2, 2),
        ("DELETE FROM audit_entry WHERE id = :id", 0, 1),
        ("DELETE FROM audit_entry WHERE id = :id", 1, 2),
    ],
)
def test_the_first_entry_that_is_not_as_written_is_named(
    log, porchlight, statement, changed, named
):
    log.tamper(statement, changed)
    code, said = porchlight("audit", "verify")
    assert code == 1
    assert f"broken at entry {log.ids[named]} " in said
