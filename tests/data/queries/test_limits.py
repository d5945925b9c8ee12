"""Limits count together, whoever asks, and by the database's clock."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from data.models import Attempt
from data.queries import limits

MINUTE = timedelta(minutes=1)


def tried(session, what="sign in", subject=b"somebody", most=3) -> bool:
    return limits.allowed(session, what, subject, most, MINUTE)


def pass_by(session, seconds) -> None:
    session.execute(text("UPDATE attempt SET at = at - make_interval(secs => :s)"), {"s": seconds})


def test_as_many_as_are_allowed_pass_and_no_more(session):
    assert [tried(session) for _ in range(5)] == [True, True, True, False, False]


def test_others_and_other_things_have_limits_of_their_own(session):
    for _ in range(3):
        tried(session)
    assert tried(session, subject=b"somebody else")
    assert tried(session, what="report")
    assert not tried(session)


def test_waiting_as_long_as_is_said_helps(session):
    for _ in range(3):
        tried(session)
    pass_by(session, 20)
    assert not tried(session)
    wait_s = limits.free_in_s(session, "sign in", b"somebody", 3, MINUTE)
    assert 39 <= wait_s <= 40
    pass_by(session, wait_s)
    assert tried(session)


def test_what_is_refused_does_not_count(session):
    for _ in range(3):
        tried(session)
    pass_by(session, 30)
    for _ in range(3):
        assert not tried(session)
    pass_by(session, 31)
    assert tried(session)


def test_many_at_once_do_not_slip_through(engine):
    def once(_number) -> bool:
        with Session(engine) as session:
            passed = tried(session, most=5)
            session.commit()
        return passed

    with ThreadPoolExecutor(10) as threads:
        assert sum(threads.map(once, range(30))) == 5


def test_old_attempts_are_deleted_and_young_ones_kept(session):
    tried(session)
    pass_by(session, 120)
    tried(session)
    assert limits.forget(session, MINUTE) == 1
    assert session.scalar(select(func.count()).select_from(Attempt)) == 1
