from sqlalchemy import select
from sqlalchemy.orm import Session

from data import database
from data.models import NeedRank
from tests.places import IN_WESTSIDE, found_city
from tests.reports import new, send


def test_what_is_open_is_ranked_and_counted(own, porchlight):
    code, said = porchlight("rank")
    assert code == 0
    assert "nothing is open" in said
    engine = database.engine(own, pool_size=1)
    with Session(engine) as session:
        found_city(session)
        send(session, new("light_needed"))
        for category in ("dumping", "graffiti"):
            send(session, new(category, at=IN_WESTSIDE))
        session.commit()
        code, said = porchlight("rank")
        assert code == 0
        assert "lighting 1, cleanup 2." in said
        assert len(session.scalars(select(NeedRank)).all()) == 3
    engine.dispose()
