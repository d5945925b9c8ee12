import logging
import time

from sqlalchemy import Engine, func, insert, select, text
from sqlalchemy.orm import Session

from data.models import LayerChange
from data.photo_store import PhotoFolder
from data.queries import tallies
from server.upkeep import fold_tallies, upkeep


def change(engine: Engine, times: int) -> None:
    with Session(engine) as session:
        session.execute(insert(LayerChange), [{"layer": "reports", "n": 1}] * times)
        session.commit()


def rows(engine: Engine) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(LayerChange))


def version(engine: Engine) -> int:
    with Session(engine) as session:
        return tallies.versions(session)["reports"]


def test_tallies_are_folded_once_much_has_come_together(engine):
    fold_tallies(engine, most_pending=0)
    of_each_layer, before = rows(engine), version(engine)
    change(engine, 30)
    assert not fold_tallies(engine, most_pending=100)
    assert rows(engine) == of_each_layer + 30
    assert fold_tallies(engine, most_pending=5)
    assert rows(engine) == of_each_layer
    assert version(engine) == before + 30


def test_a_server_looks_after_the_tallies_by_itself(engine, tmp_path):
    of_each_layer = rows(engine)
    change(engine, 2_000)
    with upkeep(engine, PhotoFolder(tmp_path), 90, every_s=0.01):
        deadline = time.monotonic() + 10
        while rows(engine) > of_each_layer:
            assert time.monotonic() < deadline


def test_upkeep_outlives_a_fault_of_the_database(engine, caplog, tmp_path):
    of_each_layer = rows(engine)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE layer_change RENAME TO away"))
    with caplog.at_level(logging.WARNING), upkeep(engine, PhotoFolder(tmp_path), 90, every_s=0.01):
        while not caplog.records:
            time.sleep(0.01)
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE away RENAME TO layer_change"))
        change(engine, 2_000)
        deadline = time.monotonic() + 10
        while rows(engine) > of_each_layer:
            assert time.monotonic() < deadline
