"""Telling followers: who is due, what they read, and the link that ends it in one click."""

import hmac
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from data.queries import follows
from data.queries.follows import Named, News
from geo.categories import BY_CODE
from server.languages import Language, language
from server.letters import written
from server.links import root
from server.mail import post
from server.pages.map import KINDS, STATUSES
from server.settings import Settings, position_secret

logger = logging.getLogger(__name__)

MORNING = time(7)
"""Of the city: when digests are written. Weekly ones on Mondays."""

MOST_LINES = 50
"""News that one message spells out."""

_MAC_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Line:
    """A piece of news as a message tells it."""

    title: str
    at: datetime
    status: str
    note: str
    link: str


def mornings(now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Give the last morning of the city, and the last one of a Monday."""
    local = now.astimezone(zone)
    day = (
        local.date()
        if local.timetz().replace(tzinfo=None) >= MORNING
        else local.date() - timedelta(1)
    )
    monday = day - timedelta(day.weekday())
    return datetime.combine(day, MORNING, zone), datetime.combine(monday, MORNING, zone)


def name_of(followed: Named, words: Language) -> str:
    """Name what is followed."""
    _ = words.gettext
    if followed.report_category is not None:
        parts = [_(followed.report_category.name), followed.name]
        return ", ".join(part for part in parts if part)
    what = _("An area of the map") if followed.drawn else followed.name or _("The whole city")
    narrowed = [
        *(_(KINDS[kind]) for kind in followed.kinds),
        *(_(BY_CODE[code].name) for code in followed.categories if code in BY_CODE),
    ]
    return f"{what} ({', '.join(narrowed)})" if narrowed else what


def token(secret: bytes, id: int, person_id: int) -> str:
    """Give what a link carries that lets whoever has it stop one thing that a person follows."""
    mac = hmac.digest(secret, f"unsubscribe {id} {person_id}".encode(), "sha256").hex()
    return f"{id}-{person_id}-{mac[:_MAC_DIGITS]}"


def read_token(secret: bytes, text: str) -> tuple[int, int] | None:
    """Give what is followed and the person of a link; None where it is not one of ours."""
    parts = text.split("-")
    if len(parts) != 3 or not all(p.isascii() and p.isdigit() and len(p) < 19 for p in parts[:2]):
        return None
    id, person_id = int(parts[0]), int(parts[1])
    expected = token(secret, id, person_id)
    return (id, person_id) if hmac.compare_digest(expected.encode(), text.encode()) else None


def tell_all(engine: Engine, settings: Settings) -> int:
    """Write to all followers who are due, each news once, and give how many were written to.

    Each message is one transaction with the record of what it tells, so that whoever is killed
    between two has told some and the next one tells the others.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        As the owner of the store.
    settings : Settings
    """
    secret = position_secret(settings)
    with Session(engine) as session:
        now = session.scalars(select(func.now())).one()
        due = mornings(now, settings.zone)
        ids = follows.with_news(session, *due)
    count = 0
    for id in ids:
        with Session(engine) as session:
            try:
                count += _tell(session, id, settings, secret)
            except ValueError as error:
                # One address that cannot be written to must not keep the others from their news.
                logger.warning("Nothing was written to follower %s: %s", id, error)
                continue
            session.commit()
    with Session(engine) as session:
        follows.move_on(session, now, *due)
        session.commit()
    return count


def _tell(session: Session, id: int, settings: Settings, secret: bytes) -> bool:
    found = follows.tell(session, id)
    if found is None:
        return False
    follower, news = found
    (followed,) = follows.of_person(session, follower.person_id, id)
    words = language(follower.language)
    at = root(settings)
    lines = [_line(one, words, at) for one in news[:MOST_LINES]]
    unsubscribe = f"{at}/unsubscribe/{token(secret, id, follower.person_id)}"
    name = name_of(followed.named, words)
    letter = written(
        "news",
        follower.language,
        settings,
        name=name,
        lines=lines,
        more=len(news) - len(lines),
        root=at,
        unsubscribe=unsubscribe,
    )
    post(
        session,
        follower.email,
        _subject(lines, len(news), name, words),
        letter.text,
        letter.html,
        unsubscribe=unsubscribe,
    )
    return True


def _line(news: News, words: Language, at: str) -> Line:
    _ = words.gettext
    where = news.place
    if where is None and news.neighbourhood is not None:
        where = _("Somewhere in {area}").format(area=news.neighbourhood)
    return Line(
        title=", ".join(filter(None, (_(news.category.name), where))),
        at=news.at,
        status=_(STATUSES[news.status]) if news.status is not None else "",
        note=news.note,
        link=f"{at}/reports/{news.report_id}",
    )


def _subject(lines: Sequence[Line], count: int, name: str, words: Language) -> str:
    if count == 1:
        return f"{lines[0].title}: {lines[0].status or words.gettext('A note')}"
    counted = words.ngettext("{n} piece of news", "{n} pieces of news", count).format(n=count)
    return f"{name}: {counted}"
