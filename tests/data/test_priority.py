"""What the store itself sees to: published weights that stay, and who reads which ranks."""

import tomllib
from pathlib import Path

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.orm import Session

from data import database
from data.models import (
    Department,
    Need,
    NeedRank,
    Person,
    Report,
    RoleGrant,
    Support,
    WeightsVersion,
)
from geo.kinds import Kind
from geo.priority import FACTORS, read_weights
from geo.roles import Role
from tests.places import IN_EASTSIDE, found_city
from tests.reports import new, send

FILE = Path(__file__).parents[2] / "data/weights.toml"
OTHER = {kind: dict.fromkeys(factors, 10) for kind, factors in FACTORS.items()}


@pytest.fixture
def asked(session):
    """Ask as pages do, in somebody's name."""

    def ask(statement, person_id=None, strong=True):
        with session.begin_nested() as nested:
            session.execute(text(f"SET LOCAL ROLE {database.WEB_ROLE}"))
            database.name_visitor(session, person_id, strong=strong)
            found = session.execute(statement).all() if statement.is_select else []
            if statement.is_insert:
                session.execute(statement)
            nested.rollback()
        return found

    return ask


@pytest.fixture
def person(session):
    def make(role=None, department=None, **scope):
        id = session.scalar(insert(Person).returning(Person.id))
        if department:
            scope["department_id"] = session.scalar(
                select(Department.id).where(Department.code == department)
            )
        if role is not None:
            session.execute(insert(RoleGrant).values(person_id=id, role=role, **scope))
        return id

    return make


@pytest.fixture
def first(session):
    return session.scalar(select(WeightsVersion))


def publish(replaces_id, person_id=None):
    return insert(WeightsVersion).values(
        replaces_id=replaces_id, person_id=person_id, signed_by="Ada", note="Why", weights=OTHER
    )


def test_the_first_version_is_that_of_the_readable_file(first):
    file = tomllib.loads(FILE.read_text(encoding="utf-8"))
    assert (first.at, first.signed_by, first.note) == (
        file["published"],
        file["signed_by"],
        file["note"],
    )
    found = read_weights(first.weights)
    for kind in FACTORS:
        assert found[kind].tolist() == [row["weight"] for row in file[kind]]


@pytest.mark.parametrize(
    "statement",
    [update(WeightsVersion).values(note="Other"), delete(WeightsVersion)],
    ids=["changed", "deleted"],
)
def test_weights_that_were_published_stay(session, first, statement):
    with pytest.raises(DBAPIError, match="neither changed nor deleted"):
        session.execute(statement)


def test_whoever_published_can_be_erased_and_the_version_stays(session, first, person):
    who = person()
    session.execute(publish(first.id, who))
    session.execute(delete(Person).where(Person.id == who))
    kept = session.scalars(select(WeightsVersion).order_by(WeightsVersion.id)).all()[-1]
    assert (kept.person_id, kept.signed_by) == (None, "Ada")


def test_of_two_who_replace_the_same_version_one_is_refused(session, first):
    session.execute(publish(first.id))
    with (
        pytest.raises(IntegrityError, match="weights_version_replaced_once"),
        session.begin_nested(),
    ):
        session.execute(publish(first.id))
    with pytest.raises(IntegrityError, match="weights_version_replaced_once"):
        session.execute(publish(None))


def test_only_an_administrator_publishes_and_in_the_own_name(first, asked, person):
    administrator = person(Role.ADMINISTRATOR)
    assert asked(publish(first.id, administrator), administrator) == []
    staff = person(Role.STAFF, "lighting")
    for who, named, strong in (
        (None, None, True),
        (staff, staff, True),
        (person(Role.MODERATOR), None, True),
        (administrator, staff, True),
        (administrator, administrator, False),
    ):
        with pytest.raises(ProgrammingError, match="row-level security"):
            asked(publish(first.id, named), who, strong)


def test_everybody_reads_weights_and_nobody_who_published_them_but_by_signature(asked):
    assert len(asked(select(WeightsVersion.weights, WeightsVersion.signed_by))) == 1
    with pytest.raises(ProgrammingError, match="permission denied"):
        asked(select(WeightsVersion.person_id))


@pytest.fixture
def ranks(session, first):
    found_city(session)
    for category in ("light_out", "dumping"):
        send(session, new(category, at=IN_EASTSIDE))
    for need in session.scalars(select(Need)):
        session.execute(
            insert(NeedRank).values(
                need_id=need.id, weights_version_id=first.id, kind=need.kind, rank=1, rank_low=1,
                rank_high=1, score=50, seed=1, parts=[50], levels=[0.5], facts={},
            )
        )  # fmt: skip


def test_ranks_are_for_those_who_work_on_the_kind(ranks, asked, person):
    kinds = select(NeedRank.kind).order_by(NeedRank.kind)
    for who, seen in (
        (None, []),
        (person(), []),
        (person(Role.MODERATOR), []),
        (person(Role.STAFF, "safety"), []),
        (person(Role.STAFF, "lighting"), [Kind.LIGHTING]),
        (person(Role.STAFF, "cleanup"), [Kind.CLEANUP]),
        (person(Role.ADMINISTRATOR), [Kind.LIGHTING, Kind.CLEANUP]),
    ):
        assert [row.kind for row in asked(kinds, who)] == seen
    assert asked(kinds, person(Role.ADMINISTRATOR), strong=False) == []


def test_a_rank_lies_in_its_interval(session, ranks):
    with pytest.raises(IntegrityError, match="rank_is_in_its_interval"):
        session.execute(update(NeedRank).values(rank_low=2))


def test_whatever_changes_needs_or_who_speaks_up_has_them_ranked_once(session, ranks):
    waiting = select(func.count()).select_from(
        text("procrastinate_jobs WHERE task_name = 'rank_needs' AND status = 'todo'")
    )
    assert session.scalar(waiting) == 1
    report = session.scalar(select(Report.id))
    for change in (
        update(Need).values(hazard=True),
        insert(Support).values(report_id=report, supporter=b"mark"),
    ):
        session.execute(text("DELETE FROM procrastinate_jobs"))
        session.execute(change)
        assert session.scalar(waiting) == 1


def test_a_ranking_waits_for_whoever_counts_on_it(engine):
    """Else it would read too early, and nobody would ask for another."""
    with Session(engine) as setup:
        found_city(setup)
        send(setup, new("dumping", at=IN_EASTSIDE))
        setup.commit()
    free = text(
        "SELECT id FROM procrastinate_jobs WHERE task_name = 'rank_needs' FOR UPDATE SKIP LOCKED"
    )
    with Session(engine) as changing, Session(engine) as worker:
        changing.execute(update(Need).values(hazard=True))
        assert worker.scalars(free).all() == []
        worker.rollback()
        changing.commit()
        assert len(worker.scalars(free).all()) == 1
