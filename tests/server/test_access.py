"""Every route, asked by everybody: nobody learns what their roles do not open.

Canaries stand in all that is private of a report at a home. The walk asks each route of the
application, those added later too, with the id of that report wherever a route takes one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from html import unescape
from urllib.parse import parse_qs

import pytest
import shapely
from fastapi import FastAPI, Response
from fastapi.testclient import TestClient
from geoalchemy2.shape import from_shape
from shapely import Point
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.orm import Session

from data.models import (
    Area,
    AreaLayer,
    Assessment,
    AssessmentVerdict,
    Crew,
    Department,
    Depot,
    EventKind,
    Mail,
    Need,
    Pace,
    Person,
    Photo,
    Plan,
    PlanFigures,
    PlanNote,
    PlanPartner,
    PlanTask,
    Report,
    ReportContact,
    ReportEvent,
    Walk,
    WalkStop,
    WorkOrder,
    WorkOrderEvent,
    WorkPlan,
)
from data.photo_store import PhotoFolder, Size
from data.queries import follows, reports, sign_ins
from data.queries.follows import Subject
from geo import plans
from geo.kinds import Kind
from geo.plans import Audience, Ground, Stage
from geo.roles import Act, Grant, Role, Site, belongs, keeps, may
from server.following import tell_all
from tests.answers import said_by
from tests.people import person, signed_in
from tests.places import box, found_city
from tests.reports import new

HOME = (-94.5612347, 39.0123456)
"""Within the block watch, the district and the liaison's own division."""


def acts(act: Act):
    return lambda grants, town: may(grants, act, town.site)


def of_the_watch(grants, town) -> bool:
    return belongs(grants, town.block_watch) or keeps(grants, town.block_watch)


def of_the_members(grants, town) -> bool:
    return belongs(grants, town.block_watch)


def keeps_the_watch(grants, town) -> bool:
    return keeps(grants, town.block_watch)


def works_on_lights(grants, town) -> bool:
    lights = Site(Kind.LIGHTING, council_district_id=town.site.council_district_id)
    return may(grants, Act.WORK, lights)


def plans_lights(grants, town) -> bool:
    return may(grants, Act.WORK, Site(Kind.LIGHTING))


CANARIES = {
    "text": ("canaryoftext", acts(Act.READ_TEXT)),
    "address": ("9413 Canaryofhome", acts(Act.READ_EXACT)),
    "longitude": ("94.56123", acts(Act.READ_EXACT)),
    "latitude": ("39.01234", acts(Act.READ_EXACT)),
    "name": ("canaryofname", acts(Act.WORK)),
    "e-mail": ("canaryofmail@", acts(Act.WORK)),
    "phone": ("816-555-0199", acts(Act.WORK)),
    "note": ("canaryofnote", acts(Act.WORK)),
    "contact for members": ("canaryofmembers", of_the_watch),
    "request to join": ("canaryofjoining", keeps_the_watch),
    "area that is followed": ("canaryofarea", lambda grants, town: False),
    "corner of a plan": ("94.560912", lambda grants, town: plans.sees(grants, town.ground)),
    "task of a plan": ("canaryoftask", lambda grants, town: plans.sees(grants, town.ground)),
    "step of a plan": ("canaryofstep", lambda grants, town: plans.sees(grants, town.ground)),
    "note in a plan": ("canaryofpartners", lambda grants, town: plans.works(grants, town.ground)),
    "figures of a plan": (
        "canaryofcell",
        lambda grants, town: plans.leads(grants, replace(town.ground, block_watch_id=None)),
    ),
    "places of an assessment": (
        "canaryofplaces",
        lambda grants, town: plans.sees(grants, town.ground),
    ),
    "counts of a verdict": (
        "271,828",
        lambda grants, town: plans.leads(grants, replace(town.ground, block_watch_id=None)),
    ),
    "picture that waits": ("canaryofpicture", acts(Act.MODERATE)),
    "key of its files": ("canaryofkey", lambda grants, town: False),
    "note of a stop": ("canaryofstop", of_the_members),
    "address of a stop": ("7351 Canaryofcorner", of_the_members),
    "longitude of a stop": ("94.56321", of_the_members),
    "title of a walk under way": ("canaryofwalk", of_the_watch),
    "note of a work order": ("canaryoforder", works_on_lights),
    "address of a work order": ("8123 Canaryoflight", works_on_lights),
    "name of a work plan": ("canaryofbudget", plans_lights),
    "words taken out of a timeline": ("canaryoftimeline", acts(Act.MODERATE)),
}
"""What stands where, and who of those that ask may see it."""

QUESTIONS = (
    "",
    "?q=9413%20canaryOFhome",  # found whatever the case, and no canary where a page repeats it
    "?lat=39.0123&lon=-94.5612",
    "?bbox=-94.562,39.012,-94.561,39.013",
)

PARAMETERS = {
    "day": ["2026-06-09"],
    "layer": ["reports", "block_watches", "neighbourhoods", "needs"],
    "size": ["large", "small"],
    "cell": ["0.0"],
    "crew_id": ["1"],
    "event_id": ["1"],
    "form": ["geojson", "gpkg", "csv"],
    "run_id": ["1"],
    "token": ["x"],
    "grant_id": ["1"],
    "invitation_id": ["1"],
    "meeting_id": ["1"],
    "note_id": ["1"],
    "number": ["0"],
    "partner_id": ["1"],
    "person_id": ["1"],
    "photo_id": ["1"],
    "question": ["lighting"],
    "report_id": ["1"],
    "request_id": ["1"],
    "stop_id": ["1"],
    "task_id": ["1"],
}
"""What stands in for the parameters of paths that are no id of a report and no tile."""

TILES = [(0, 0, 0), (14, 3888, 6263), (16, 15553, 25053), (18, 62213, 100213)]


@dataclass(frozen=True)
class Asker:
    name: str
    person_id: int | None
    grants: tuple[Grant, ...]


@dataclass(frozen=True)
class Town:
    report: int
    block_watch: int
    site: Site
    ground: Ground
    askers: tuple[Asker, ...]


def photograph(session, settings, report: int) -> None:
    """A photo that waits for a moderator; its file is all canary."""
    key, content = CANARIES["key of its files"][0].ljust(32, "x"), CANARIES["picture that waits"][0]
    session.execute(insert(Photo).values(report_id=report, key=key, width=4, height=3))
    for size in Size:
        PhotoFolder(settings.var / "photos").put(key, size, content.encode())


def walk_by(session, block_watch: int) -> None:
    """A walk that has not ended, with a stop."""
    title = CANARIES["title of a walk under way"][0]
    walk = session.scalar(
        insert(Walk)
        .values(block_watch_id=block_watch, title=title, walked_on=date(2026, 6, 9))
        .returning(Walk.id)
    )
    stop = {
        "walk_id": walk, "key": "stop", "body_hash": b"", "seen_at": func.now(),
        "geom": from_shape(Point(-float(CANARIES["longitude of a stop"][0]), 39.0125), 4326),
        "address": CANARIES["address of a stop"][0], "note": CANARIES["note of a stop"][0],
    }  # fmt: skip
    session.execute(insert(WalkStop).values(**stop))


def hide_words(session, report: int, moderator: int) -> None:
    """Words of the timeline that everybody could read until a moderator took them out."""
    words = {"kind": EventKind.NOTE, "note": CANARIES["words taken out of a timeline"][0]}
    event = session.scalar(
        insert(ReportEvent).values(report_id=report, **words).returning(ReportEvent.id)
    )
    session.execute(
        text(
            "SELECT set_config('porchlight.person', :id, true), "
            "set_config('porchlight.strong', 'true', true)"
        ),
        {"id": str(moderator)},
    )
    assert session.scalar(text("SELECT report_event_hide(:id)"), {"id": event}) == report


@pytest.fixture
def town(engine, settings) -> Town:
    """A city with a report at a home that is full of canaries, and somebody of each role."""
    with Session(engine) as session:
        city = found_city(session)
        divisions = [
            session.scalar(
                insert(Area)
                .values(layer=AreaLayer.PATROL_DIVISION, code=name, name=name, geom=geom)
                .returning(Area.id)
            )
            for name, geom in (
                ("East", box(-94.6, 39, -94.5, 39.1)),
                ("Far", box(-94.2, 39, -94.1, 39.1)),
            )
        ]
        of = {row.code: row for row in session.scalars(select(Department))}
        person(session)  # so that no id of a person is that of the report
        askers = [Asker("nobody", None, ())]
        for name, grant in (
            ("resident", None),
            ("member", Grant(Role.MEMBER, block_watch_id=city.block_watch)),
            ("captain", Grant(Role.CAPTAIN, block_watch_id=city.block_watch)),
            ("liaison of the division", Grant(Role.LIAISON, area_id=divisions[0])),
            ("liaison of another", Grant(Role.LIAISON, area_id=divisions[1])),
            (
                "staff of the kind",
                Grant(
                    Role.STAFF, department_id=of["safety"].id, kinds=frozenset(of["safety"].kinds)
                ),
            ),
            (
                "staff of another kind",
                Grant(
                    Role.STAFF,
                    department_id=of["lighting"].id,
                    kinds=frozenset(of["lighting"].kinds),
                ),
            ),
            ("moderator", Grant(Role.MODERATOR)),
            ("administrator", Grant(Role.ADMINISTRATOR)),
        ):
            if grant is None:
                askers.append(Asker(name, person(session), ()))
                continue
            scope = {
                "block_watch_id": grant.block_watch_id,
                "area_id": grant.area_id,
                "department_id": grant.department_id,
            }
            askers.append(Asker(name, person(session, grant.role, **scope), (grant,)))
        contact = reports.Contact(
            CANARIES["name"][0], CANARIES["e-mail"][0] + "example.org", CANARIES["phone"][0]
        )
        report = new(
            "noise_spot",
            HOME,
            description=f"{CANARIES['text'][0]} Call me at 816-555-0123.",
            address=f"{CANARIES['address'][0]} Ave",
            contact=contact,
        )
        # A key of the session's sequence of reports that no person has.
        session.execute(text("SELECT setval(pg_get_serial_sequence('report', 'id'), 4999)"))
        id = reports.submit(session, report, key="home", body_hash=b"home").id
        note = {"kind": EventKind.NOTE, "note": CANARIES["note"][0], "public": False}
        session.execute(insert(ReportEvent).values(report_id=id, **note))
        found = session.get_one(Report, id)
        assert session.scalars(select(ReportContact)).one().name == contact.name
        site = Site(
            found.kind,
            found.block_watch_id,
            found.exact_patrol_division_id,
            found.exact_council_district_id,
        )
        block_watch = city.block_watch
        session.execute(
            text("INSERT INTO member_contact (block_watch_id, contact) VALUES (:watch, :contact)"),
            {"watch": block_watch, "contact": CANARIES["contact for members"][0]},
        )
        other = person(session, email="other@example.org")
        session.execute(
            text(
                "INSERT INTO join_request (block_watch_id, person_id, note) "
                "VALUES (:watch, :person, :note)"
            ),
            {"watch": block_watch, "person": other, "note": CANARIES["request to join"][0]},
        )
        area = Subject(
            drawn=shapely.box(HOME[0] - 0.002, HOME[1] - 0.002, HOME[0] + 0.002, HOME[1] + 0.002),
            name=CANARIES["area that is followed"][0],
        )
        follows.add(session, other, area, Pace.AT_ONCE, "en")
        photograph(session, settings, id)
        walk_by(session, block_watch)
        hide_words(session, id, askers[-2].person_id)
        _plan(session, block_watch, of["safety"].id)
        _work_order(session, city.council_district)
        ground = Ground(
            block_watch, divisions[0], city.council_district, frozenset({of["safety"].id})
        )
        session.commit()
    return Town(id, block_watch, site, ground, tuple(askers))


def _work_order(session: Session, council_district: int) -> None:
    """An order for a light, issued to a crew, that says what not everybody may know."""
    place = "SRID=4326;POINT(-94.5555 39.0155)"
    depot = session.scalar(insert(Depot).values(name="Yard", geom=place).returning(Depot.id))
    crew = session.scalar(
        insert(Crew).values(name="Crew", depot_id=depot, kind=Kind.LIGHTING).returning(Crew.id)
    )
    need = session.scalar(
        insert(Need)
        .values(
            kind=Kind.LIGHTING,
            category_code="light_out",
            geom=place,
            address=CANARIES["address of a work order"][0],
            council_district_id=council_district,
            hazard=False,
            status="confirmed",
            opened_at=func.now(),
        )
        .returning(Need.id)
    )
    order = session.scalar(
        insert(WorkOrder)
        .values(
            need_id=need,
            crew_id=crew,
            day=date(2026, 6, 9),
            service_minutes=30,
            state="issued",
        )
        .returning(WorkOrder.id)
    )
    plan = {"name": CANARIES["name of a work plan"][0], "budget_cents": 100, "crew_days": 1}
    session.execute(insert(WorkPlan).values(kind=Kind.LIGHTING, **plan))
    note = CANARIES["note of a work order"][0]
    session.execute(insert(WorkOrderEvent).values(work_order_id=order, note=note))


def _plan(session: Session, block_watch: int, department: int) -> None:
    """A plan that is full of canaries, on a hot spot by exact places."""
    plan = session.scalar(
        insert(Plan)
        .values(
            title="A plan",
            block_watch_id=block_watch,
            place=box(-94.5625, 39.011, -94.560912, 39.013),
        )
        .returning(Plan.id)
    )
    of_plan = {"plan_id": plan}
    figures = {
        "verdict": "hot", "source": "reports", "since": "2026-01-01", "until": "2026-05-31",
        "width_m": 200, "count": 1, "dark": 0, "expected": None, "p": None, "rows_version": 1,
        "method": CANARIES["figures of a plan"][0],
    }  # fmt: skip
    session.execute(insert(PlanFigures).values(**of_plan, exact=True, figures=figures))
    session.execute(insert(PlanPartner).values(**of_plan, department_id=department, name="Safety"))
    session.execute(insert(PlanTask).values(**of_plan, what=CANARIES["task of a plan"][0]))
    for what, said in (
        ("step of a plan", {"audience": Audience.WATCH, "stage": Stage.SCANNING}),
        ("note in a plan", {"audience": Audience.PARTNERS}),
    ):
        session.execute(insert(PlanNote).values(**of_plan, words=CANARIES[what][0], **said))
    _assessment(session, plan)


def _assessment(session: Session, plan: int) -> None:
    """How the plan was judged, with canaries where it was compared and in what was counted."""
    place = box(-94.5625, 39.011, -94.560912, 39.013)
    series = {"steps": [1], "months": [1], "ring": 0}
    proposal = {
        "until": "2025-12-31", "first_month": "2025-12", "copies": 1, "busier": 0, "suggested": [0],
        "places": [{"shift": [900.0, 0.0], "name": CANARIES["places of an assessment"][0], "distance": 0.0}],
        "counts": {"reports": {"treated": series, "ring": 0, "places": [series]}},
    }  # fmt: skip
    assessment = session.scalar(
        insert(Assessment)
        .values(
            plan_id=plan,
            response_starts=date(2026, 1, 1),
            before_from=date(2025, 12, 1),
            before_until=date(2025, 12, 31),
            after_from=date(2026, 1, 1),
            after_until=date(2026, 1, 31),
            settling_days=10,
            ring_m=0,
            categories=["noise_spot"],
            offense_groups=[],
            worst_first=False,
            proposal=proposal,
            chosen=[0],
            chosen_reason="Building work",
            zone="America/Chicago",
            fixed_at=func.now(),
            treated=place,
            ring=place,
            control=place,
            control_ring=place,
        )
        .returning(Assessment.id)
    )
    told = {"outcome": "fewer", "around": None, "months": None, "read_at": "", "rows_version": 1}
    areas = ("treated", "ring", "control", "control_ring")
    counted = int(CANARIES["counts of a verdict"][0].replace(",", ""))
    numbers = {
        **{area: [counted, counted] for area in areas}, "wdd": [0, 0, 0], "expected": 1, "z": 0,
        "detectable": 1, "irr": None, "wdq": None, "tne": None, "around": None,
        "overdispersion": 1,
    }  # fmt: skip
    session.execute(
        insert(AssessmentVerdict).values(
            assessment_id=assessment,
            source="reports",
            computed_at=func.now(),
            method=1,
            found={**told, "numbers": numbers},
            published={**told, "numbers": None, "caveats": []},
        )
    )


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Every method and path of the application."""
    for entry in app.routes:
        router = getattr(entry, "original_router", None)
        for route in (entry,) if router is None else router.routes:
            for method in sorted((getattr(route, "methods", None) or set()) - {"HEAD"}):
                yield method, route.path


def filled(path: str, report: int) -> list[str]:
    """The path with its parameters filled in, in every way there is."""
    if "{z}" in path:
        return [
            path.format(layer=layer, z=z, x=x, y=y)
            for layer in ("reports", "block_watches")
            for z, x, y in TILES
        ]
    if "{z:int}" in path:  # those of the desk
        path = path.replace("{z:int}", "14").replace("{x:int}", "3888").replace("{y:int}", "6263")
    paths = [path]
    for name in re.findall(r"\{(\w+)(?::\w+)?\}", path):
        assert name == "id" or name in PARAMETERS, (
            f"{path}: say in PARAMETERS what stands for {name}"
        )
        values = [str(report), "1"] if name == "id" else PARAMETERS[name]
        paths = [re.sub(rf"\{{{name}(:\w+)?\}}", value, path) for path in paths for value in values]
    return paths


def leaks(client: TestClient, engine, town: Town, methods: set[str], under: str = "/") -> list[str]:
    """Who was told what by which route, though they may not know it."""
    found = []
    for asker in town.askers:
        forbidden = {
            what: canary
            for what, (canary, allowed) in CANARIES.items()
            if not allowed(asker.grants, town)
        }
        for method, path in routes(client.app):
            if method not in methods or not path.startswith(under):
                continue
            for address in filled(path, town.report):
                # To draw a PDF takes most of a second, and it says what its page says.
                asks = method == "GET" and "{" not in path and not path.endswith(".pdf")
                for question in QUESTIONS if asks else ("",):
                    answer = _asked(client, engine, asker, method, address + question)
                    told = said_by(answer, address)
                    found += [
                        f"{asker.name}: {what} at {method} {address}{question}"
                        for what, canary in forbidden.items()
                        if canary in told
                    ]
    return found


def _asked(client, engine, asker, method, address):
    client.cookies.clear()
    if asker.person_id is not None:
        signed_in(client, engine, asker.person_id)  # anew, since some routes sign out
    sent = {"json": {}} if address.startswith("/api/") else {"data": {"note": "x"}}
    return client.request(
        method, address, follow_redirects=False, **({} if method == "GET" else sent)
    )


def test_no_page_tells_anybody_what_they_may_not_know(client, engine, town):
    assert leaks(client, engine, town, {"GET"}) == []


def test_no_answer_to_anything_sent_tells_it_either(client, engine, town):
    assert leaks(client, engine, town, {"POST", "PUT", "PATCH", "DELETE"}) == []


def test_whoever_works_on_it_does_see_it(client, engine, town):
    """Else the walk could find nothing because there is nothing."""
    worker = next(asker for asker in town.askers if asker.name == "staff of the kind")
    text = _asked(client, engine, worker, "GET", f"/work/{town.report}").text
    for what in ("text", "address", "name", "note"):
        assert CANARIES[what][0] in text, what


def test_whoever_is_of_a_plan_does_see_it(client, engine, town):
    """As above."""
    liaison = next(asker for asker in town.askers if asker.name == "liaison of the division")
    text = _asked(client, engine, liaison, "GET", "/plans/1").text
    for what in ("task of a plan", "step of a plan", "note in a plan", "figures of a plan"):
        assert CANARIES[what][0] in text, what
    text = _asked(client, engine, liaison, "GET", "/plans/1/assessment").text
    for what in ("places of an assessment", "counts of a verdict"):
        assert CANARIES[what][0] in text, what
    place = _asked(client, engine, liaison, "GET", "/api/plans/1").text
    assert CANARIES["corner of a plan"][0] in place


def test_a_route_that_tells_is_caught(client, engine, town):
    @client.app.get("/new/{id}")
    def tell(id: int) -> Response:
        return Response(CANARIES["note"][0])

    found = leaks(client, engine, town, {"GET"}, under="/new/")
    assert f"nobody: note at GET /new/{town.report}" in found
    assert f"member: note at GET /new/{town.report}" in found
    assert not [one for one in found if one.startswith("administrator")]


FILLED_IN = {
    "note": "<typed> & kept\r\nby all means",
    "decision": "approved",
    "held": "1",
    "approve": "1",
    "role": "captain",
    "password": "canaryofpassword",
}
"""A form that every route takes which asks who sends it."""


def test_whoever_is_not_signed_in_any_more_keeps_what_they_typed(client, engine, town):
    """And is led to a page that whoever may do it can see, wherever the form was sent to."""
    refused, backs = [], dict[str, str]()
    for path in [path for method, path in routes(client.app) if method == "POST"]:
        if path.startswith("/api/"):
            continue
        id = town.block_watch if path.startswith("/watches/") else town.report
        address = filled(path, id)[0]
        client.cookies.clear()
        answer = client.post(f"{address}?asked=1", data=FILLED_IN, headers={"Accept": "text/html"})
        if answer.status_code != 401:
            continue
        refused.append(path)
        assert 'name="note" value="&lt;typed&gt; &amp; kept\r\nby all means"' in answer.text, path
        assert f'action="{address}?asked=1"' in answer.text
        assert "canaryofpassword" not in answer.text
        link = re.search(r'class="btn[^"]*" href="/sign-in\?([^"]*)"', answer.text)
        (back,) = parse_qs(unescape(link[1]))["next"]
        backs.setdefault(back, path)
    reached = set()
    for back, path in backs.items():
        told = {_asked(client, engine, asker, "GET", back).status_code for asker in town.askers}
        # Some of what stands for an id is of nothing here, and is told so.
        assert min(told) < 400 or told & {404, 409, 410}, (path, back, told)
        assert 405 not in told, (path, back)
        reached |= {back} if min(told) < 400 else set()
    of_report, watch = f"/reports/{town.report}", f"/watches/{town.block_watch}"
    assert {"/work", f"/work/{town.report}", of_report, watch, "/following/area"} <= reached
    assert {"/account", "/moderation", "/people"} <= reached
    assert {"/work/changes", "/moderation/texts/{id:int}", "/people/{id:int}/roles"} <= set(refused)
    assert {"/reports/{id:int}/appeal", "/watches/{id:int}/ask", "/following/area"} <= set(refused)
    assert {"/account/sign-ins/end", "/work/filters", "/work/{id:int}"} <= set(refused)


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        ("http://testserver/work?overdue=1&lang=es", "/work?overdue=1"),
        ("http://testserver/work/changes", "/work"),
        ("https://elsewhere.example/work?overdue=1", "/work"),
        ("http://testserver/sign-in?next=%2Fmoderation", "/moderation"),
        ("http://testserver//elsewhere.example/", "/work"),
    ],
)
def test_signing_in_leads_back_to_where_the_form_was(client, referer, back):
    headers = {"Accept": "text/html", "Referer": referer}
    text = client.post("/work/changes", data={"note": "x"}, headers=headers).text
    links = [parse_qs(unescape(found)) for found in re.findall(r'/sign-in\?([^"]*)"', text)]
    assert links
    assert {found["next"][0] for found in links} == {back}


def test_signing_in_leads_back_to_the_page_with_its_question(client):
    text = client.get("/work?overdue=1&lang=en", headers={"Accept": "text/html"}).text
    assert "/sign-in?next=%2Fwork%3Foverdue%3D1" in text
    assert "/sign-in?next=%2F%3Fkind%3Dlighting" in client.get("/?kind=lighting").text
    link = client.get("/sign-in/link?token=canaryoftoken&next=/work").text
    nexts = re.findall(r'/sign-in\?next=([^"]*)"', link)
    assert set(nexts) == {"%2Fwork"}


def test_weak_sign_ins_open_no_role_of_the_city(client, engine, town):
    administrator = town.askers[-1]
    with Session(engine) as session:
        token = sign_ins.begin(session, administrator.person_id, strong=False, browser="")
        session.commit()
    client.cookies.set("porchlight", token)
    for path in (f"/work/{town.report}", "/people", "/moderation", "/work.csv"):
        assert client.get(path).status_code == 403, path


def test_what_was_typed_survives_every_refusal(client, engine, town):
    """Of a sign-in without its second step, of a role that is not there, of a form that is not whole."""
    administrator, resident = town.askers[-1].person_id, town.askers[1].person_id
    typed = "first words &amp; a &lt;second&gt; line"
    weak, refused = 0, set()
    for path in [path for method, path in routes(client.app) if method == "POST"]:
        if path.startswith(("/api/", "/sign-", "/invitation")):
            continue
        id = town.block_watch if path.startswith("/watches/") else town.report
        address = filled(path, id)[0]
        for person_id, strong in ((administrator, False), (resident, True)):
            client.cookies.clear()
            signed_in(client, engine, person_id, strong=strong)
            sent = {"note": "first words & a <second> line", "decision": "made up"}
            answer = client.post(address, data=sent, headers={"Accept": "text/html"})
            if answer.status_code not in {403, 409, 422, 429, 503} or "<form" not in answer.text:
                continue
            refused.add((answer.status_code, path))
            assert typed in answer.text or 'id="address"' in answer.text, (path, answer.status_code)
            if "second step of signing in" in answer.text:
                weak += 1
                assert f'name="note" value="{typed}"' in answer.text, path
                assert 'target="_blank"' in answer.text, path
    assert weak >= 10
    assert {(403, "/work/changes"), (403, "/moderation/texts/{id:int}")} <= refused
    assert 422 in {status for status, _path in refused}, refused


def test_what_another_site_sends_is_not_offered_to_be_sent_again(client, engine, town):
    signed_in(client, engine, town.askers[-1].person_id)
    headers = {"Accept": "text/html", "Sec-Fetch-Site": "cross-site"}
    answer = client.post("/work/changes", data={"note": "words of others"}, headers=headers)
    assert answer.status_code == 403
    assert "words of others" not in answer.text
    assert "Send it again" not in answer.text


@pytest.mark.parametrize("pace", Pace)
def test_no_message_tells_its_reader_what_pages_would_not(client, engine, settings, town, pace):
    """At once or as a digest; not even those whom pages would tell, since mail lies about."""
    with Session(engine) as session:
        for n, asker in enumerate(town.askers[1:]):
            session.execute(
                update(Person)
                .where(Person.id == asker.person_id)
                .values(email=f"asker{n}@example.org")
            )
            for subject in (
                Subject(report_id=town.report),
                Subject(block_watch_id=town.block_watch),
            ):
                follows.add(session, asker.person_id, subject, pace, "en")
        session.execute(text("UPDATE follow SET created_at = 'epoch', told_to = 'epoch'"))
        session.commit()
    # What was typed for the moderators to read is told to nobody.
    client.post(f"/reports/{town.report}/support", data={"description": "canaryofsupport"})
    assert tell_all(engine, settings) >= len(town.askers) - 1
    with Session(engine) as session:
        mails = [str(tuple(row)) for row in session.execute(
            select(Mail.recipient, Mail.subject, Mail.text, Mail.html))]  # fmt: skip
    canaries = {
        what: canary for what, (canary, _) in CANARIES.items() if what != "area that is followed"
    }
    for mail in mails:
        assert [what for what, canary in canaries.items() if canary in mail] == []
        assert "canaryofsupport" not in mail
        assert f"/reports/{town.report}" in mail


def test_what_waits_or_is_for_members_is_seen_by_those_it_is_for(client, engine, town):
    """Else the walk could find nothing because there is nothing."""
    askers = {asker.name: asker for asker in town.askers}
    photo, stops = "/photos/1/large.webp", "/walks/1/stops.csv"
    for name, address, canaries in (
        ("moderator", photo, ["picture that waits"]),
        ("captain", stops, ["note of a stop", "address of a stop", "longitude of a stop"]),
        ("moderator", f"/reports/{town.report}", ["words taken out of a timeline"]),
        ("staff of another kind", "/desk/orders/1", ["note of a work order"]),
        ("administrator", "/desk/plans/1", ["name of a work plan"]),
        ("staff of another kind", "/crew/routes/1/2026-06-09", ["address of a work order"]),
    ):
        told = _asked(client, engine, askers[name], "GET", address).text
        assert [what for what in canaries if CANARIES[what][0] not in told] == [], address
    for name in ("nobody", "resident", "administrator"):
        assert (
            CANARIES["note of a stop"][0]
            not in _asked(client, engine, askers[name], "GET", stops).text
        )
