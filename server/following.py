"""Telling followers: who is due, what they read, and the link that ends it in one click."""

import hmac
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from data.queries import follows
from data.queries.follows import Follower, Named, News
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
"""Reports whose news one message spells out."""

ALL = "all"
"""Stands in a link for everything that a person follows."""

_MAC_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened to a report, as a message tells it."""

    at: datetime
    status: str
    note: str


@dataclass(frozen=True, slots=True)
class Line:
    """A report that there is news of, the oldest first."""

    title: str
    link: str
    steps: Sequence[Step]


@dataclass(frozen=True, slots=True)
class Group:
    """What there is to tell through one thing that is followed, and the link that stops it."""

    name: str
    lines: Sequence[Line]
    unsubscribe: str


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
    what = followed.name or (_("An area of the map") if followed.drawn else _("The whole city"))
    narrowed = [
        *(_(KINDS[kind]) for kind in followed.kinds),
        *(_(BY_CODE[code].name) for code in followed.categories if code in BY_CODE),
    ]
    return f"{what} ({', '.join(narrowed)})" if narrowed else what


def token(secret: bytes, id: int | None, person_id: int) -> str:
    """Give what a link carries that lets whoever has it stop one thing that a person follows.

    Without an id it stops all of them.
    """
    what = ALL if id is None else str(id)
    mac = hmac.digest(secret, f"unsubscribe {what} {person_id}".encode(), "sha256").hex()
    return f"{what}-{person_id}-{mac[:_MAC_DIGITS]}"


def read_token(secret: bytes, text: str) -> tuple[int | None, int] | None:
    """Give what is followed (None for all) and the person of a link; None where it is not ours."""
    parts = text.split("-")
    if len(parts) != 3 or not all(
        _is_id(p) or (p == ALL and not n) for n, p in enumerate(parts[:2])
    ):
        return None
    id, person_id = None if parts[0] == ALL else int(parts[0]), int(parts[1])
    expected = token(secret, id, person_id)
    return (id, person_id) if hmac.compare_digest(expected.encode(), text.encode()) else None


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def tell_all(engine: Engine, settings: Settings) -> int:
    """Write to all followers who are due, each news once, and give how many were written to.

    Whoever follows several things gets one message. Each is one transaction with the record of what it
    tells, so that whoever is killed between two has told some and the next one tells the others.

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
        people = follows.with_news(session, *due)
    count = 0
    for person_id in people:
        with Session(engine) as session:
            try:
                found = follows.tell(session, person_id, *due)
                if found is not None:
                    _write(session, *found, settings, secret)
                    count += 1
            except ValueError as error:
                # One address that cannot be written to must not keep the others from their news.
                logger.warning("Nothing was written to person %s: %s", person_id, error)
                continue
            session.commit()
    with Session(engine) as session:
        follows.move_on(session, now, *due)
        session.commit()
    return count


def _write(
    session: Session,
    follower: Follower,
    news: Sequence[News],
    settings: Settings,
    secret: bytes,
) -> None:
    words, at = language(follower.language), root(settings)

    def leave(id: int | None) -> str:
        return f"{at}/unsubscribe/{token(secret, id, follower.person_id)}?lang={words.code}"

    everything = leave(None)
    names = {
        one.id: name_of(one.named, words) for one in follows.of_person(session, follower.person_id)
    }
    links = {id: leave(id) for id in names}
    groups = _groups(news, names, links, words, at)
    unsubscribe = groups[0].unsubscribe if len(groups) == 1 else everything
    reports = {one.report_id for one in news}
    letter = written(
        "news",
        follower.language,
        settings,
        groups=groups,
        more=len(reports) - sum(len(group.lines) for group in groups),
        root=at,
        everything=everything,
    )
    post(
        session,
        follower.email,
        _subject(groups, len(news), words),
        letter.text,
        letter.html,
        unsubscribe=unsubscribe,
    )


def _groups(
    news: Sequence[News],
    names: Mapping[int, str],
    links: Mapping[int, str],
    words: Language,
    at: str,
) -> list[Group]:
    """Give what there is to tell by what it is followed through, as long as a message may be."""
    through: dict[int, dict[int, list[News]]] = {}
    for one in news:
        through.setdefault(one.follow_id, {}).setdefault(one.report_id, []).append(one)
    groups, room = [], MOST_LINES
    for id, reports in through.items():
        lines = [_line(some, words, at) for some in [*reports.values()][:room]]
        if not lines:
            break
        room -= len(lines)
        groups.append(Group(names[id], lines, links[id]))
    return groups


def _line(news: Sequence[News], words: Language, at: str) -> Line:
    _, last = words.gettext, news[-1]
    where = last.place
    if where is None and last.neighbourhood is not None:
        where = _("Somewhere in {area}").format(area=last.neighbourhood)
    return Line(
        title=", ".join(filter(None, (_(last.category.name), where))),
        link=f"{at}/reports/{last.report_id}",
        steps=[
            Step(one.at, "" if one.status is None else _(STATUSES[one.status]), one.note)
            for one in news
        ],
    )


def _subject(groups: Sequence[Group], count: int, words: Language) -> str:
    _ = words.gettext
    if count == 1:
        line = groups[0].lines[0]
        return f"{line.title}: {line.steps[0].status or _('A note')}"
    counted = words.ngettext("{n} piece of news", "{n} pieces of news", count).format(n=count)
    if len(groups) > 1:
        return _("What you follow: {news}").format(news=counted)
    return f"{groups[0].name}: {counted}"
