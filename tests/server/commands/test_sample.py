from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from data import database
from data.models import (
    Area,
    ImportRun,
    Plan,
    PlanNote,
    PlanPartner,
    PlanReport,
    PlanTask,
    Report,
)
from geo.plans import Stage
from server.screening import screen


def stored(url, statement):
    engine = database.engine(url, pool_size=1)
    with Session(engine) as session:
        found = session.execute(statement).scalar_one()
    engine.dispose()
    return found


def put_real_city(url):
    shape = "SRID=4326;MULTIPOLYGON(((-94.6 39, -94.5 39, -94.5 39.1, -94.6 39.1, -94.6 39)))"
    engine = database.engine(url, pool_size=1)
    with Session(engine) as session:
        session.execute(
            insert(Area).values(layer="city", code="1", name="Town", geom=shape, source="city")
        )
        session.commit()
    engine.dispose()


def test_the_sample_city_is_put_in_once(own, porchlight):
    code, said = porchlight("sample", "--until", "2026-06-01", "--seed", "3")
    assert code == 0
    assert "3,000" in said
    assert "made up" in said
    assert stored(own, select(ImportRun.options))["until"] == "2026-06-01T00:00:00+00:00"
    code, said = porchlight("sample")
    assert code == 0
    assert "nothing was changed" in said
    assert stored(own, select(func.count()).select_from(Report)) == 3_000
    assert porchlight("sample", "--if-empty") == (0, "")
    stages = stored(own, select(func.array_agg(Plan.stage.distinct())))
    assert {*stages} == {Stage.ANALYSIS, Stage.RESPONSE, Stage.ASSESSMENT}
    assert stored(own, select(func.count()).select_from(PlanReport)) > 0
    for said in (Plan.title, PlanNote.words, PlanTask.what, PlanPartner.brings):
        for words in stored(own, select(func.array_agg(said))):
            assert screen(words) == (), words


def test_over_a_real_city_it_asks_to_be_told(own, porchlight):
    put_real_city(own)
    code, said = porchlight("sample")
    assert code == 1
    assert "--beside-real" in said
    assert "Traceback" not in said
    assert stored(own, select(func.count()).select_from(Report)) == 0


def test_a_start_script_passes_over_a_real_city_in_silence(own, porchlight):
    put_real_city(own)
    assert porchlight("sample", "--if-empty") == (0, "")
    assert stored(own, select(func.count()).select_from(Report)) == 0
