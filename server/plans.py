"""What is done around action plans: figures that are kept, what everybody sees of a place, and mail."""

import contextlib
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import shapely
from babel.dates import format_date
from shapely import MultiPolygon
from shapely.geometry.base import BaseGeometry
from sqlalchemy.orm import Session

from data.queries import plans
from data.queries.hot_spots import Run, Source
from data.queries.plans import NewTask
from geo.categories import CATEGORIES, N_
from geo.crs import to_stored
from geo.plans import Audience, PlaceFault, Refusal, Stage, parts_of, public_place
from geo.roles import Role
from server.hot_spots import LEAST_PUBLISHED, PUBLIC_WIDTH_M, SAME_DAYS, Asked, Sight, grouped
from server.languages import Language, language_of
from server.links import root
from server.mail import post
from server.settings import Settings

STAGES: dict[Stage, str] = {
    Stage.SCANNING: N_("Scanning"),
    Stage.ANALYSIS: N_("Analysis"),
    Stage.RESPONSE: N_("Response"),
    Stage.ASSESSMENT: N_("Assessment"),
    Stage.CLOSED: N_("Closed"),
}

MEANINGS: dict[Stage, str] = {
    Stage.SCANNING: N_("What is the problem, and where?"),
    Stage.ANALYSIS: N_("What do we know of it, and why here?"),
    Stage.RESPONSE: N_("What is done, by whom, by when?"),
    Stage.ASSESSMENT: N_("Did it work?"),
    Stage.CLOSED: N_("What came of it?"),
}

ASKS: dict[Stage, str] = {
    Stage.SCANNING: N_("Why look at the problem anew?"),
    Stage.ANALYSIS: N_("What is known already, and what do you want to find out?"),
    Stage.RESPONSE: N_("What will be done, and why should it help?"),
    Stage.ASSESSMENT: N_("What was done?"),
    Stage.CLOSED: N_("What came of it? Everybody reads this."),
}
"""What is to be said with the step to a stage."""

REFUSALS: dict[Refusal, str] = {
    Refusal.NO_SUCH_STEP: N_("The plan cannot go there from where it stands now. Choose again."),
    Refusal.WORDS_MISSING: N_("Say it in a few words: others read here why the plan moved on."),
    Refusal.START_MISSING: N_("Give the day on which the response starts."),
    Refusal.NOT_STARTED: N_(
        "The response has not started yet, so there is nothing to assess. Wait for its first day."
    ),
    Refusal.STARTED: N_(
        "The response has started, so it is assessed next, whether it worked or not."
    ),
}

PLACE_FAULTS: dict[PlaceFault, str] = {
    PlaceFault.TOO_SMALL: N_(
        "This place is as small as the ground of one home. Choose a larger cell, more reports, or "
        "the whole block watch."
    ),
    PlaceFault.TOO_LARGE: N_(
        "This place is larger than four square miles. Choose a smaller one: a plan for everywhere "
        "is a plan for nowhere."
    ),
}

AUDIENCES: dict[Audience, str] = {
    Audience.PARTNERS: N_("For those who work on the plan"),
    Audience.WATCH: N_("For the block watch as well"),
    Audience.EVERYONE: N_("For everybody"),
}

ROLES: dict[Role, str] = {
    Role.CAPTAIN: N_("A captain of the block watch"),
    Role.LIAISON: N_("The police liaison"),
    Role.STAFF: N_("City staff"),
    Role.ADMINISTRATOR: N_("An administrator"),
}

SHOWN_DAYS = 365
"""Days before a plan is opened from which its place may be published."""


def frozen(asked: Asked, run: Run, sight: Sight, number: int) -> dict[str, Any]:
    """Give what is kept of a hot spot when a plan is opened on it.

    Parameters
    ----------
    asked : Asked
    run : Run
        Whose answer it is.
    sight : Sight
    number : int
        Of the cell among those of the sight.

    Returns
    -------
    dict
        As JSON: parameters, versions, and the numbers of the cell. What was not measured is None.
    """

    def measured(value: float) -> float | None:
        return None if np.isnan(value) else float(value)

    assert run.read_at is not None
    return {
        "source": asked.source.value,
        "cell": f"{sight.cells.q[number]}.{sight.cells.r[number]}",
        "width_m": asked.width_m,
        "since": asked.since.isoformat(),
        "until": asked.until.isoformat(),
        "asked": asked.written(),
        "method": run.method,
        "rows_version": run.rows_version,
        "read_at": run.read_at.isoformat(),
        "verdict": str(sight.verdict[number]),
        "count": int(sight.counts[number]),
        "reports": int(sight.reports[number]),
        "around": int(sight.lag[number]),
        "expected": measured(sight.expected[number]),
        "p": measured(sight.p[number]),
        "q": measured(sight.q[number]),
        "dark": int(sight.dark[number]),
        "months": sight.months[:, number].tolist(),
        "first_month": sight.found["first_month"],
    }


def in_degrees(place_m: BaseGeometry) -> MultiPolygon:
    """Give an area of the city's metres in degrees, as the store takes it."""
    to = to_stored()
    turned = shapely.transform(place_m, lambda xy: np.column_stack(to.transform(*xy.T)))
    return parts_of(turned)


def shown_place(session: Session, place_m: BaseGeometry, now: datetime) -> MultiPolygon | None:
    """Give what everybody sees of the place of a plan, in degrees.

    The cells of the public map of hot spots that it lies in, counted by what everybody sees of the
    last year; None where one of them holds too few incidents to be on that map.
    """
    since = now - timedelta(days=SHOWN_DAYS)
    codes = tuple(category.code for category in CATEGORIES)
    west, south, east, north = place_m.bounds
    margin_m = 2.0 * PUBLIC_WIDTH_M
    box = to_stored().transform_bounds(
        west - margin_m, south - margin_m, east + margin_m, north + margin_m
    )
    found = plans.shown_since(session, since - timedelta(days=SAME_DAYS), box, codes)
    first = grouped(found, Source.REPORTS, codes).first
    first = first[found.at_s[first] >= since.timestamp()]
    shown = public_place(
        place_m,
        found.xy_m[first, 0],
        found.xy_m[first, 1],
        width_m=float(PUBLIC_WIDTH_M),
        least=LEAST_PUBLISHED,
    )
    return None if shown is None else in_degrees(shown)


def _day(day: date, words: Language) -> str:
    return str(format_date(day, "full", locale=words.locale))


def tell_of_task(
    session: Session, settings: Settings, plan_id: int, title: str, task: NewTask
) -> None:
    """Write to whoever was given a task, as far as that is a person.

    Parameters
    ----------
    session : Session
        In the name of whoever gave it. Nothing is committed here.
    settings : Settings
    plan_id : int
    title : str
        Of the plan.
    task : NewTask
    """
    if task.person_id is None:
        return
    to = plans.address_of(session, plan_id, task.person_id)
    if to is None:
        return
    words = language_of(to.language, settings.language)
    _ = words.gettext
    text = [
        _("You have a task in the action plan “{title}”:").format(title=title),
        task.what,
        *([_("Due: {day}").format(day=_day(task.due, words))] if task.due else []),
        f"{root(settings)}/plans/{plan_id}#tasks",
    ]
    with contextlib.suppress(ValueError):  # no address
        post(session, to.email, _("A task for you in an action plan"), "\n\n".join(text))


def remind(session: Session, settings: Settings, now: datetime) -> int:
    """Write to whoever has a task that is due soon, once for each task.

    Parameters
    ----------
    session : Session
        As the owner of the store. Nothing is committed here.
    settings : Settings
    now : datetime
        With a time zone; decides what is due soon.

    Returns
    -------
    int
        E-mails written.
    """
    today: date = now.astimezone(settings.zone).date()
    written, told = 0, set[int]()
    for to, found in plans.to_remind(session, today).items():
        words = language_of(to.language, settings.language)
        _ = words.gettext
        lines = [
            _("{day}: {what}").format(day=_day(task.due, words), what=task.what)
            + f"\n{task.title}: {root(settings)}/plans/{task.plan_id}#tasks"
            for task in found
        ]
        subject = words.ngettext(
            "{n} task of an action plan is due soon",
            "{n} tasks of action plans are due soon",
            len(found),
        ).format(n=len(found))
        text = [_("Due in the next days:"), *lines, _("You are reminded of each task once.")]
        with contextlib.suppress(ValueError):  # no address
            post(session, to.email, subject, "\n\n".join(text))
            told |= {task.id for task in found}
            written += 1
    plans.reminded(session, told)
    return written


def tell_of_verdict(session: Session, settings: Settings, plan_id: int) -> None:
    """Write to those of a plan that the verdict on it is there.

    Parameters
    ----------
    session : Session
        As the owner of the store. Nothing is committed here.
    settings : Settings
    plan_id : int
    """
    plan = plans.summary(session, plan_id, settings.today())
    assert plan is not None
    for to in plans.to_tell(session, plan_id):
        words = language_of(to.language, settings.language)
        _ = words.gettext
        text = [
            _("Did it work? The verdict on the action plan “{title}” is there.").format(
                title=plan.title
            ),
            _("It is kept as it is. Beside it stands what it rests on, and what could mislead."),
            f"{root(settings)}/plans/{plan_id}/assessment",
        ]
        with contextlib.suppress(ValueError):  # no address
            post(session, to.email, _("The verdict on an action plan"), "\n\n".join(text))
