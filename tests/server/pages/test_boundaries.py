"""Boundaries of block watches, as browsers send them."""

import html
import json
import re

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from data.models import BlockWatch
from geo.roles import Role
from tests.places import box

OLD = (-94.565, 39.01, -94.557, 39.014)


def ring(west, south, east, north):
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def drawn(*corners):
    return json.dumps({"type": "Polygon", "coordinates": [corners]})


NEW = drawn(*ring(-94.563, 39.01, -94.555, 39.014))
BOW = drawn([-94.563, 39.01], [-94.555, 39.014], [-94.555, 39.01], [-94.563, 39.014])


def field(page, name):
    return html.unescape(re.search(rf'name="{name}"[^>]* value="([^"]*)"', page)[1])


def bounds(engine, watch):
    with Session(engine) as session:
        shape = select(
            *(func.round(part(BlockWatch.boundary).op("::")(text("numeric")), 4)
              for part in (func.ST_XMin, func.ST_YMin, func.ST_XMax, func.ST_YMax))
        ).where(BlockWatch.id == watch)  # fmt: skip
        return tuple(map(float, session.execute(shape).one()))


def send(client, watch, **sent):
    page = client.get(f"/watches/{watch}/boundary").text
    given = {"version": field(page, "version"), "drawn": "", "act": "check", **sent}
    return client.post(f"/watches/{watch}/boundary", data=given)


def test_a_captain_sees_what_changes_and_then_stores_it(client, engine, act, watch):
    act(Role.CAPTAIN)
    assert f'href="/watches/{watch}/boundary"' in client.get(f"/watches/{watch}").text
    page = client.get(f"/watches/{watch}/boundary").text
    assert json.loads(field(page, "drawn"))["type"] == "Polygon"
    with Session(engine) as session:
        session.execute(
            insert(BlockWatch).values(name="<Other>", boundary=box(-94.557, 39.01, -94.555, 39.014))
        )
        session.commit()
    review = send(client, watch, drawn=NEW).text
    assert "25 % of it is also in &lt;Other&gt;" in review
    assert "No open report changes hands." in review
    assert bounds(engine, watch) == OLD
    sent = {name: field(review, name) for name in ("version", "drawn", "restore")}
    answer = client.post(f"/watches/{watch}/boundary", data={**sent, "act": "save"})
    assert "The new boundary holds." in answer.text
    assert bounds(engine, watch) == (-94.563, 39.01, -94.555, 39.014)


def test_an_earlier_boundary_is_restored(client, engine, act, watch):
    act(Role.ADMINISTRATOR)
    send(client, watch, drawn=NEW, act="save")
    page = client.get(f"/watches/{watch}/boundary").text
    assert "imported" in page
    old = re.search(r'name="restore" value="(\d+)"', page)[1]
    review = send(client, watch, restore=old).text
    sent = {name: field(review, name) for name in ("version", "drawn", "restore")}
    assert sent["restore"] == old
    client.post(f"/watches/{watch}/boundary", data={**sent, "act": "save"})
    assert bounds(engine, watch) == OLD
    for unknown in ("x", str(int(old) + 99), "9" * 30):
        assert send(client, watch, restore=unknown).status_code == 404


def test_the_second_of_two_captains_is_told_and_keeps_what_was_drawn(client, engine, act, watch):
    act(Role.CAPTAIN)
    version = field(client.get(f"/watches/{watch}/boundary").text, "version")
    act(Role.CAPTAIN)
    send(client, watch, drawn=NEW, act="save")
    mine = drawn(*ring(-94.56, 39.02, -94.55, 39.025))
    for asked in ("check", "save"):
        given = {"version": version, "drawn": mine, "act": asked}
        answer = client.post(f"/watches/{watch}/boundary", data=given)
        assert answer.status_code == 409
        assert "Somebody changed the boundary while you drew" in answer.text
        assert json.loads(field(answer.text, "drawn")) == json.loads(mine)
    assert bounds(engine, watch)[0] == -94.563
    newest = field(answer.text, "version")
    given = {"version": newest, "drawn": mine, "act": "save"}
    client.post(f"/watches/{watch}/boundary", data=given)
    assert bounds(engine, watch)[0] == -94.56


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({}, "There is no boundary yet."),
        ({"drawn": "{"}, "cannot be read"),
        ({"drawn": "[" * 100_000}, "cannot be read"),
        ({"drawn": '"x"'}, "cannot be read"),
        ({"drawn": drawn([-94.563, 39.01])}, "three different corners"),
        ({"drawn": BOW}, "crosses itself"),
        ({"drawn": BOW}, "Crossing 1 on the map is near"),
        ({"drawn": drawn(*ring(-94.563, 39.01, -94.5628, 39.0102))}, "one short street"),
        ({"drawn": drawn(*ring(-94.6, 39, -94.54, 39.04))}, "four square miles"),
        ({"drawn": drawn(*ring(-94.55, 39.01, -94.53, 39.02))}, "50 % of this is outside"),
        ({"corners": "39.01, -94.56\nNowhere at all\n39.02, 500.5"}, "Line 2, “Nowhere at all”"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_boundary_is_told_and_nothing_is_lost(
    client, engine, act, watch, sent, said
):
    act(Role.CAPTAIN)
    for asked in ("check", "save"):
        answer = send(client, watch, **sent, act=asked)
        assert answer.status_code == 422
        assert said in answer.text
        assert field(answer.text, "drawn") == sent.get("drawn", "")
        assert html.escape(sent.get("corners", ""), quote=False).split("\n")[0] in answer.text
    assert bounds(engine, watch) == OLD


def test_a_crossing_is_marked_on_the_map(client, act, watch):
    act(Role.CAPTAIN)
    page = send(client, watch, drawn=BOW).text
    assert '"marks": [{"lat": 39.012, "lon": -94.559, "number": 1}]' in page


def test_corners_are_named_without_a_map(client, engine, act, watch):
    act(Role.CAPTAIN)
    corners = "39.01, -94.562\n39.01, -94.556\n\n39.0135, -94.556\n39.0135, -94.562"
    review = send(client, watch, corners=corners).text
    assert "Store this boundary?" in review
    sent = {name: field(review, name) for name in ("version", "drawn", "restore")}
    client.post(f"/watches/{watch}/boundary", data={**sent, "act": "save"})
    assert bounds(engine, watch) == (-94.562, 39.01, -94.556, 39.0135)


def test_several_parts_are_shown_as_one_outline_and_stay_as_they_are(client, engine, act, watch):
    act(Role.CAPTAIN)
    parts = "SRID=4326;MULTIPOLYGON(((-94.56 39, -94.55 39, -94.55 39.01, -94.56 39)),"
    with Session(engine) as session:
        session.execute(
            text("UPDATE block_watch SET boundary = CAST(:parts AS geometry)"),
            {"parts": f"{parts}((-94.54 39, -94.541 39, -94.541 39.001, -94.54 39)))"},
        )
        session.commit()
    page = client.get(f"/watches/{watch}/boundary").text
    assert "several parts" in page
    assert len(json.loads(field(page, "drawn"))["coordinates"][0]) == 4


def test_very_many_corners_are_shown_in_a_simpler_form(client, engine, act, watch):
    act(Role.CAPTAIN)
    with Session(engine) as session:
        session.execute(
            text(
                "UPDATE block_watch SET boundary = ST_Multi("
                "ST_Buffer(ST_SetSRID(ST_MakePoint(-94.56, 39.02), 4326), 0.004, 400))"
            )
        )
        session.commit()
    page = client.get(f"/watches/{watch}/boundary").text
    assert 20 < len(json.loads(field(page, "drawn"))["coordinates"][0]) <= 200


@pytest.mark.parametrize("role", [None, Role.MEMBER, Role.MODERATOR])
def test_others_neither_see_nor_change_it(client, engine, act, watch, role):
    act(role)
    assert client.get(f"/watches/{watch}/boundary").status_code == 403
    given = {"version": "1", "drawn": NEW, "act": "save"}
    assert client.post(f"/watches/{watch}/boundary", data=given).status_code == 403
    client.cookies.clear()
    assert client.post(f"/watches/{watch}/boundary", data=given).status_code == 401
    assert bounds(engine, watch) == OLD


def test_another_site_cannot_send_it(client, engine, act, watch):
    act(Role.CAPTAIN)
    given = {"version": "1", "drawn": NEW, "act": "save"}
    headers = {"sec-fetch-site": "cross-site"}
    answer = client.post(f"/watches/{watch}/boundary", data=given, headers=headers)
    assert answer.status_code == 403
