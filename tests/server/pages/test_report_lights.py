"""Reporting street lights: which one it is, a whole block, and what is dangerous first."""

import json
import re

import pytest
from shapely import box
from shapely.geometry import mapping
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from data.models import Need, NeedReport, Report, ReportEvent, StreetLight
from geo.outages import Match
from tests.places import IN_EASTSIDE, found_city
from tests.server.pages.test_reports import HERE, Controls

NORTON = (-94.561, 39.0125)
"""On Norton Ave, just north of 34th St."""


@pytest.fixture
def poles(engine):
    """Lights at a place, 30, 60 and 500 m east of it, and two on a block of Norton Ave."""
    with Session(engine) as session:
        found_city(session)
        ids = [
            session.scalar(
                insert(StreetLight)
                .values(pole_id=pole, geom=f"SRID=4326;POINT({lon} {lat})")
                .returning(StreetLight.id)
            )
            for pole, lon, lat in (
                ("K1", IN_EASTSIDE[0] + 0.00005, IN_EASTSIDE[1]),
                ("K2", IN_EASTSIDE[0] + 0.00035, IN_EASTSIDE[1]),
                ("K3", IN_EASTSIDE[0] + 0.0007, IN_EASTSIDE[1]),
                ("K4", IN_EASTSIDE[0] + 0.006, IN_EASTSIDE[1]),
                ("N1", NORTON[0] + 0.0001, NORTON[1]),
                ("N2", NORTON[0] - 0.0001, NORTON[1] + 0.0004),
            )
        ]
        session.commit()
    return dict(zip(("K1", "K2", "K3", "K4", "N1", "N2"), ids, strict=True))


@pytest.fixture
def send(client, poles):
    def send(page=None, **typed):
        filled = Controls((page or client.get("/report")).text).fields
        filled |= {"kind": "lighting", "category": "light_out"} | typed
        return client.post("/report", data=filled, follow_redirects=False)

    return send


def numbers(page):
    return re.findall(r'data-pole="(\w+)"', page.text)


def stored(engine, column):
    with Session(engine) as session:
        return session.scalars(select(column).order_by(column)).all()


def test_the_lights_near_an_address_are_listed_and_the_nearest_is_proposed(send, client):
    page = send(lights="1", address=f"{IN_EASTSIDE[1]}, {IN_EASTSIDE[0]}")
    assert page.status_code == 200
    assert numbers(page) == ["K1", "K2", "K3"]
    assert Controls(page.text).fields["street_light"] == ""
    assert "the nearest, about 10 feet away" in page.text


def test_looking_for_lights_without_a_place_says_what_is_missing(send):
    page = send(lights="1")
    assert page.status_code == 422
    assert "Say where it is" in page.text


def test_the_nearest_light_counts_where_none_is_picked(send, engine, poles):
    assert send(**HERE).status_code == 303
    assert stored(engine, Need.street_light_id) == [poles["K1"]]
    assert stored(engine, NeedReport.how) == [Match.NEAREST]


def test_the_light_that_is_picked_counts_and_its_pole_is_the_place(send, client, engine, poles):
    answer = send(street_light=str(poles["K3"]), **HERE)
    assert answer.status_code == 303
    assert stored(engine, Need.street_light_id) == [poles["K3"]]
    assert stored(engine, NeedReport.how) == [Match.PICKED]
    with Session(engine) as session:
        assert session.scalar(
            select(Report.exact_geom.ST_Distance(StreetLight.geom)).join(
                StreetLight, StreetLight.id == Report.street_light_id
            )
        ) == pytest.approx(0, abs=1e-9)
    page = client.get(answer.headers["location"])
    assert "<strong>Light K3</strong>: Reported · 1 report<" in page.text
    facts = client.get(f"/api/features/street_lights/{poles['K3']}").json()
    assert {"label": "Open reports", "value": "1"} in facts["facts"]


@pytest.mark.parametrize("picked", ["K4", "none"])
def test_a_pole_that_can_not_be_meant_is_told_and_the_nearest_proposed(
    send, client, engine, poles, picked
):
    page = send(street_light=str(poles.get(picked, 10**15)), **HERE)
    assert page.status_code == 422
    assert "The light you chose is not near this place." in page.text
    assert client.post("/report", data=Controls(page.text).fields).status_code == 200
    assert stored(engine, Need.street_light_id) == [poles["K1"]]


def test_a_pole_that_was_picked_for_a_place_two_houses_on_is_chosen_anew(send, engine, poles):
    west = {"lat": HERE["lat"], "lon": str(IN_EASTSIDE[0] - 0.0009)}  # K3 is 138 m from there
    page = send(street_light=str(poles["K3"]), **west)
    assert page.status_code == 422
    assert "The light you chose is not near this place." in page.text
    assert stored(engine, Need.street_light_id) == []


def test_a_pole_that_was_picked_for_another_category_is_left_out(send, engine, poles):
    assert (
        send(street_light=str(poles["K3"]), category="dumping", kind="cleanup", **HERE).status_code
        == 303
    )
    assert stored(engine, Need.street_light_id) == [None]


def test_a_whole_block_says_which_lights_it_marks(send, engine, poles):
    here = {"lat": str(NORTON[1] + 0.0002), "lon": str(NORTON[0])}
    page = send(lights="1", category="block_dark", **here)
    assert numbers(page) == ["N1", "N2"]
    assert "Your report marks 2 street lights as dark" in page.text
    assert send(category="block_dark", **here).status_code == 303
    assert set(stored(engine, Need.street_light_id)) == {poles["N1"], poles["N2"]}


def test_a_drawn_stretch_says_which_lights_it_marks(send, engine, client):
    x, y = IN_EASTSIDE
    drawn = f'{{"type":"LineString","coordinates":[[{x},{y}],[{x + 0.0008},{y}]]}}'
    told = {
        category: client.post(
            "/report/lights", data={"category": category, "shape": "line", "drawn": drawn}
        )
        for category in ("light_out", "light_day_burner")
    }
    assert numbers(told["light_out"]) == ["K1", "K2", "K3"]
    assert "Your report marks 3 street lights as dark:" in told["light_out"].text
    assert "Your report is about 3 street lights:" in told["light_day_burner"].text
    assert send(shape="line", drawn=drawn).status_code == 303
    assert stored(engine, NeedReport.how) == [Match.STRETCH] * 3


def test_nobody_marks_the_lights_of_half_a_city_by_one_report(send, client, engine):
    x, y = IN_EASTSIDE
    with Session(engine) as session:
        lights = [
            {
                "pole_id": f"L{n}",
                "geom": f"SRID=4326;POINT({x + 0.0001 * (n % 10)} {y - 0.0001 * (n // 10)})",
            }
            for n in range(100)
        ]
        session.execute(insert(StreetLight), lights)
        session.commit()
    wide = {"shape": "polygon", "drawn": json.dumps(mapping(box(x, y - 0.001, x + 0.001, y)))}
    offered = client.post("/report/lights", data={"category": "light_out"} | wide)
    assert "one report marks up to 100" in offered.text
    assert numbers(offered) == []
    page = send(**wide)
    assert page.status_code == 422
    assert "one report marks up to 100" in page.text
    assert stored(engine, Report.id) == []
    assert send(category="light_needed", **wide).status_code == 303


@pytest.mark.parametrize(
    "typed", [{}, {"category": "dumping"}, {"category": "light_needed"} | HERE]
)
def test_there_is_nothing_to_pick_where_no_light_is_meant(client, poles, typed):
    page = client.post("/report/lights", data={"category": "light_out"} | typed)
    assert page.status_code == 200
    assert numbers(page) == []


def test_no_light_within_reach_is_told_and_stops_nothing(send, engine):
    far = {"lat": "39.03", "lon": "-94.59"}
    assert "We know of no street light here" in send(lights="1", **far).text
    assert send(**far).status_code == 303
    assert stored(engine, Need.street_light_id) == [None]


def test_danger_stops_the_form_until_somebody_has_called(send, client, engine):
    page = send(category="light_damaged", danger="wires", description="Sparks", **HERE)
    assert page.status_code == 200
    assert {"tel:911", "tel:311", "tel:1-888-544-4852"} <= set(re.findall('tel:[^"]+', page.text))
    assert stored(engine, Report.id) == []
    filled = Controls(page.text).fields
    answer = client.post("/report", data=filled | {"called": "wires"}, follow_redirects=False)
    assert answer.status_code == 303
    assert stored(engine, Report.description) == ["Sparks"]
    assert stored(engine, Need.hazard) == [True]
    with Session(engine) as session:
        note = session.scalars(select(ReportEvent).where(~ReportEvent.public)).one()
    assert note.note == "Wires are down. The reporter says that they have called."


def test_danger_stops_whatever_the_light_is_called_and_is_not_lost_among_reports_nearby(
    send, client, engine
):
    assert send(**HERE).status_code == 303
    page = send(danger="wires", severity="minor", **HERE)
    assert "Stop: call first" in page.text
    filled = Controls(page.text).fields
    other = client.post("/report", data=filled | {"called": "cover"})
    assert "Stop: call first" in other.text
    answer = client.post("/report", data=filled | {"called": "wires"}, follow_redirects=False)
    assert answer.status_code == 303
    assert stored(engine, Need.hazard) == [True]
    assert len(stored(engine, NeedReport.report_id)) == 2


def test_what_was_dangerous_about_a_light_stops_no_cleanup(send):
    left_over = {"kind": "cleanup", "category": "dumping", "danger": "wires"}
    assert send(**left_over, **HERE).status_code == 303


def test_back_from_the_danger_brings_the_form_as_it_was(send, client):
    page = send(category="light_damaged", danger="cover", description="Open lid", **HERE)
    back = client.post("/report", data=Controls(page.text).fields | {"change": "1"})
    assert Controls(back.text).fields["danger"] == "cover"
    assert "Open lid" in back.text


def test_damage_is_asked_about_and_one_that_is_not_dangerous_is_sent(send, engine):
    page = send(category="light_damaged", **HERE)
    assert page.status_code == 422
    assert "Say whether the damage is dangerous" in page.text
    assert send(category="light_damaged", danger="none", **HERE).status_code == 303
    assert stored(engine, Report.category_code) == ["light_damaged"]


def api(client, **body):
    return client.post("/api/reports", json={"category": "light_out"} | body)


@pytest.mark.parametrize("named", [{"street_light_id": "K3"}, {"attribute": {"pole": "K3"}}])
def test_a_program_names_a_light_by_its_id_or_by_the_number_on_its_pole(
    client, engine, poles, named
):
    if "street_light_id" in named:
        named = {"street_light_id": poles["K3"]}
    key = {"Idempotency-Key": "walk-7"}
    answers = [
        client.post("/api/reports", json={"category": "light_out"} | named, headers=key)
        for _again in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert stored(engine, Need.street_light_id) == [poles["K3"]]
    lights = client.get(answers[0].json()["url"]).json()["properties"]["street_lights"]
    assert lights == [{"id": poles["K3"], "pole": "K3", "status": "reported", "reports": 1}]


def test_a_repetition_gets_its_answer_though_the_pole_is_gone_since(client, engine, poles):
    key, body = (
        {"Idempotency-Key": "walk-8"},
        {"category": "light_out", "street_light_id": poles["K3"]},
    )
    first = client.post("/api/reports", json=body, headers=key)
    with Session(engine) as session:
        session.execute(delete(StreetLight).where(StreetLight.id == poles["K3"]))
        session.commit()
    again = client.post("/api/reports", json=body, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert client.post("/api/reports", json=body).status_code == 422


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"attribute": {"pole": "K99"}}, "no_such_light"),
        ({"attribute": {"pole": "K\0"}}, "no_such_light"),
        ({"attribute": {"pole": "\0"}}, "no_such_light"),
        ({"attribute": {"pole": "K4"}, "street_light_id": 1}, "no_such_light"),
        ({"attribute": {"pole": "K4"}, "lat": IN_EASTSIDE[1], "lon": IN_EASTSIDE[0]}, "far_away"),
        ({"category": "block_dark", "attribute": {"pole": "K3"}}, "not_about_one_light"),
        ({"category": "dumping", "attribute": {"pole": "K3"}}, "not_about_one_light"),
        ({}, "one_place"),
    ],
)
def test_a_program_is_told_what_is_wrong_with_a_light(client, poles, body, code):
    answer = api(client, **body)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["code"] == code
    member = "street_light_id" if "street_light_id" in body else "attribute/pole"
    assert error["pointer"] == f"body/{member if 'attribute' in body else 'place'}"
