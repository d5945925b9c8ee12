"""Changes of an action plan by those who lead it or work on it: steps, partners, tasks, notes, reports."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session

from data.models.plan import BRINGS_LIMIT, PARTNER_LIMIT, TASK_LIMIT, TITLE_LIMIT
from data.queries import audit, plans
from data.queries.plans import Changed, NewTask, Summary, Task
from geo.plans import Audience, Refusal, Stage, refusal
from server import visitors
from server.dependencies import Chosen, Who, Writing, own_site
from server.pages.plans import found_plan, plan_page, standing_of
from server.plan_forms import Reading, Typed
from server.plans import REFUSALS, tell_of_task
from server.problems import Problem
from server.schemas.filters import LARGEST_ID
from server.screening import Concern
from server.settings import Settings
from server.visitors import Visitor

router = APIRouter(
    prefix="/plans/{id:int}", dependencies=[Depends(own_site)], include_in_schema=False
)

_NAMES_A_BUSINESS = frozenset({Concern.NAME, Concern.ADDRESS})
"""What the name of an organization or a business may have in it."""


def _required(request: Request, who: Visitor, found: Summary, *, leading: bool) -> int:
    """Give the person, and refuse whoever does not lead a plan, or does not work on it.

    Raises
    ------
    Problem
    """
    visitors.require(request, who)
    standing = standing_of(who, found)
    _ = request.state.language.gettext
    if leading and not standing.leads:
        raise Problem(
            403,
            _("For those who lead the plan"),
            _("The liaison of the division and the captains of the block watch do this."),
        )
    if not standing.works:
        raise Problem(
            403,
            _("For those who work on the plan"),
            _("Those who lead the plan and staff of its partners do this."),
        )
    if found.stage is Stage.CLOSED:
        raise Problem(
            409,
            _("The plan is closed"),
            _("What came of it stays as it is. If the problem is back, open a new plan."),
        )
    assert who.person_id is not None
    return who.person_id


@dataclass(frozen=True, slots=True)
class Work:
    """A plan that is changed, and by whom."""

    request: Request
    session: Session
    settings: Settings
    who: Visitor
    plan: Summary
    typed: Mapping[str, str]

    def reading(self) -> Reading:
        """Begin to read what was sent."""
        return Reading(self.typed, self.request.state.language)

    def again(self, form: str, reading: Reading, status: int = 422) -> HTMLResponse:
        """Show the page with the form as it was sent."""
        now = found_plan(self.request, self.session, self.settings, self.plan.id)
        return plan_page(
            self.request, self.session, self.settings, self.who, now,
            sent=reading.sent(form), status=status,
        )  # fmt: skip

    def changed_meanwhile(self, form: str, reading: Reading) -> HTMLResponse:
        """Say that somebody was quicker, and keep what was typed."""
        reading.faults[""] = self.request.state.language.gettext(
            "Somebody else has changed this meanwhile, so nothing of yours is stored yet. The page "
            "shows how it is now: look at it, and send yours again."
        )
        return self.again(form, reading, 409)

    def done(self, part: str, *, held: bool = False) -> RedirectResponse:
        """Go back to a part of the page."""
        notice = "held" if held else "changed"
        return RedirectResponse(f"/plans/{self.plan.id}?notice={notice}#{part}", 303)

    def version(self) -> int:
        """Give the version that the form was made for."""
        typed = self.typed.get("version", "")
        return int(typed) if re.fullmatch(r"[0-9]{1,9}", typed) else 0


def _work(
    *, request: Request, session: Writing, settings: Chosen, who: Who, id: int, typed: Typed
) -> Work:
    found = found_plan(request, session, settings, id)
    _required(request, who, found, leading=False)
    return Work(request, session, settings, who, found, typed)


def _lead(
    *, request: Request, session: Writing, settings: Chosen, who: Who, id: int, typed: Typed
) -> Work:
    found = found_plan(request, session, settings, id)
    _required(request, who, found, leading=True)
    return Work(request, session, settings, who, found, typed)


Working = Annotated[Work, Depends(_work)]
"""A plan that the visitor works on."""

Leading = Annotated[Work, Depends(_lead)]
"""A plan that the visitor leads."""


@router.post("/title", response_model=None)
def rename(work: Leading) -> Response:
    """Give a plan another title."""
    reading = work.reading()
    title = reading.short("title", TITLE_LIMIT)
    if not reading.stands:
        return work.again("title", reading)
    try:
        plans.rename(work.session, work.plan.id, work.version(), title)
    except Changed:
        return work.changed_meanwhile("title", reading)
    return work.done("main")


@router.post("/stage", response_model=None)
def move(work: Leading) -> Response:
    """Bring a plan to another stage, and keep what was found or decided."""
    reading, found = work.reading(), work.plan
    _ = reading.spoken.gettext
    typed = work.typed.get("to", "")
    to = Stage(typed) if typed in set(Stage) else found.stage
    form = f"stage-{to.value}"
    words, held = reading.words("words")
    starts = reading.day("response_starts") if to is Stage.RESPONSE else None
    if found.stage in {Stage.RESPONSE, Stage.ASSESSMENT} and to is not Stage.ANALYSIS:
        starts = found.response_starts
    if work.version() != found.version:
        return work.changed_meanwhile(form, reading)
    if reading.stands:
        refused = refusal(
            found.stage, to, words=words, response_starts=starts, today=work.settings.today()
        )
        if refused is not None:
            field_name = "response_starts" if refused is Refusal.START_MISSING else ""
            reading.faults[field_name] = _(REFUSALS[refused])
    if not reading.stands:
        return work.again(form, reading)
    try:
        plans.move(work.session, found.id, work.version(), to, starts)
    except Changed:
        return work.changed_meanwhile(form, reading)
    audience = Audience.EVERYONE if to is Stage.CLOSED else Audience.WATCH
    plans.add_note(work.session, found.id, audience, words, stage=to, held=held)
    audit.add(work.session, work.who.person_id, "plan.move", f"plan {found.id}", {"to": to.value})
    return work.done("steps", held=held)


@router.post("/notes", response_model=None)
def add_note(work: Working) -> Response:
    """Add to what is known at the stage of a plan, or to its discussion."""
    reading, found = work.reading(), work.plan
    of_stage = bool(work.typed.get("of_stage"))
    form = "finding" if of_stage else "note"
    if of_stage:
        _required(work.request, work.who, found, leading=True)
    words, held = reading.words("words")
    typed = work.typed.get("audience", "")
    if not of_stage and typed not in set(Audience):
        reading.faults["audience"] = reading.spoken.gettext("Choose whom it is for.")
    if not reading.stands:
        return work.again(form, reading)
    audience = Audience.WATCH if of_stage else Audience(typed)
    plans.add_note(
        work.session, found.id, audience, words, stage=found.stage if of_stage else None, held=held
    )
    return work.done("steps" if of_stage else "discussion", held=held)


@router.post("/partners", response_model=None)
def add_partner(work: Leading) -> Response:
    """Add a partner: a department, a service location, or another by its name."""
    reading = work.reading()
    _ = reading.spoken.gettext
    chosen = work.typed.get("partner", "")
    kind, _dash, number = chosen.partition("-")
    id = int(number) if re.fullmatch(r"[0-9]{1,18}", number) else None
    known = kind in {"department", "location"} and id is not None
    name = ""
    if not known:
        name = reading.short("name", PARTNER_LIMIT, needed=not chosen, allowed=_NAMES_A_BUSINESS)
    if chosen and not known:
        reading.faults["partner"] = _("Choose a partner of the list.")
    brings = reading.short("brings", BRINGS_LIMIT, needed=False)
    if not reading.stands:
        return work.again("partner", reading)
    added = plans.add_partner(
        work.session,
        work.plan.id,
        department_id=id if kind == "department" else None,
        service_location_id=id if kind == "location" else None,
        name=name,
        brings=brings,
    )
    if not added:
        reading.faults["partner"] = _("This is a partner already, or is gone. Choose another.")
        return work.again("partner", reading)
    return work.done("partners")


@router.post("/partners/{partner_id:int}/remove", response_model=None)
def remove_partner(work: Leading, partner_id: int) -> Response:
    """Remove a partner; what it had to do waits for somebody else."""
    plans.remove_partner(work.session, work.plan.id, min(partner_id, LARGEST_ID))
    return work.done("partners")


def _task(work: Work, reading: Reading) -> NewTask:
    """Read a task."""
    _ = reading.spoken.gettext
    what, due = reading.short("what", TASK_LIMIT), reading.day("due")
    kind, _dash, number = work.typed.get("by", "").partition("-")
    id = int(number) if re.fullmatch(r"[0-9]{1,18}", number) else None
    partner_id = person_id = None
    if kind == "partner" and id in {one.id for one in plans.partners(work.session, work.plan.id)}:
        partner_id = id
    elif kind == "person" and id in {
        one.person_id for one in plans.people(work.session, work.plan.id)
    }:
        person_id = id
    elif kind:
        reading.faults["by"] = _("Choose somebody of the list.")
    return NewTask(what, partner_id, person_id, due)


def _tell(work: Work, task: NewTask) -> None:
    if task.person_id != work.who.person_id:
        tell_of_task(work.session, work.settings, work.plan.id, work.plan.title, task)


@router.post("/tasks", response_model=None)
def add_task(work: Leading) -> Response:
    """Write down a task, and tell whoever has it."""
    reading = work.reading()
    task = _task(work, reading)
    if not reading.stands:
        return work.again("task", reading)
    if plans.add_task(work.session, work.plan.id, task) is not None:
        _tell(work, task)
    return work.done("tasks")


@router.post("/tasks/{task_id:int}", response_model=None)
def change_task(work: Leading, task_id: int) -> Response:
    """Change a task, and tell whoever has it now."""
    reading = work.reading()
    before = _task_of(work, task_id)
    task = _task(work, reading)
    form = f"task-{task_id}"
    if not reading.stands:
        return work.again(form, reading)
    try:
        plans.change_task(work.session, work.plan.id, task_id, work.version(), task)
    except Changed:
        return work.changed_meanwhile(form, reading)
    if task.person_id != before.person_id:
        _tell(work, task)
    return work.done("tasks")


def _task_of(work: Work, task_id: int) -> Task:
    for one in plans.tasks(work.session, work.plan.id, work.settings.today()):
        if one.id == task_id:
            return one
    _ = work.request.state.language.gettext
    raise Problem(404, _("Not found"), _("There is no such task. It may have been deleted."))


@router.post("/tasks/{task_id:int}/tick", response_model=None)
def tick_task(work: Working, task_id: int) -> Response:
    """Write down that a task is done, or is not done after all."""
    _task_of(work, task_id)
    plans.tick(work.session, work.plan.id, task_id, done=bool(work.typed.get("done")))
    return work.done("tasks")


@router.post("/tasks/{task_id:int}/delete", response_model=None)
def delete_task(work: Leading, task_id: int) -> Response:
    """Delete a task."""
    plans.drop_task(work.session, work.plan.id, min(task_id, LARGEST_ID))
    return work.done("tasks")


@router.post("/reports", response_model=None)
def link_report(work: Working) -> Response:
    """Link a report to a plan."""
    reading = work.reading()
    number = reading.number("report")
    if number is None:
        reading.faults.setdefault("report", reading.spoken.gettext("Write something here."))
    elif not plans.link(work.session, work.plan.id, number):
        reading.faults["report"] = reading.spoken.gettext(
            "No report of this number is shown in the place of the plan or near it."
        )
    if not reading.stands:
        return work.again("report", reading)
    return work.done("reports")


@router.post("/reports/{report_id:int}/unlink", response_model=None)
def unlink_report(work: Working, report_id: int) -> Response:
    """Unlink a report from a plan."""
    plans.unlink(work.session, work.plan.id, min(report_id, LARGEST_ID))
    return work.done("reports")
