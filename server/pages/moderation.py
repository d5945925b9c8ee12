"""What waits for a moderator: texts in which something points at a person, photos, held reports."""

import itertools
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypedDict
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session

from data.models import ReviewState
from data.models.photo import REASON_LIMIT
from data.models.report import DESCRIPTION_LIMIT
from data.photo_store import Size, new_key
from data.queries import audit, moderation, photos
from data.queries.moderation import (
    Decided,
    HeldReport,
    Hold,
    Note,
    ReviewedText,
    WaitingPhoto,
    WaitingText,
)
from data.queries.photos import ShownPhoto
from data.queries.reports import Held
from geo.categories import BY_CODE, N_
from geo.places import plain_text
from geo.roles import Role
from server import appeals, keys, report_words, visitors
from server.decisions import tell_of_hold, tell_of_photos, tell_of_release, tell_of_text
from server.dependencies import Chosen, Moderator, Who, Writing, own_site
from server.languages import Language
from server.pages.page import page
from server.pages.photos import put, store_of
from server.pages.plan_notes import QueuedNote
from server.pages.plan_notes import queued as queued_notes
from server.pages.rulings import Decision, decided_already
from server.pages.watch_words import QueuedWords, queued
from server.photos import Box, PhotoError, clean, turn
from server.problems import Problem
from server.schemas.filters import LARGEST_ID
from server.screening import EXPLANATIONS, Marked, marked, screen, seal
from server.visitors import Visitor

router = APIRouter(dependencies=[Depends(own_site)], include_in_schema=False)

MODERATORS = (Role.MODERATOR, Role.ADMINISTRATOR)
BOXES_LIMIT = 20
"""Parts of one photo that can be dragged over at once."""

COLUMNS, ROWS = 12, 9
"""Squares of the grid by which parts are chosen without a mouse or finger."""

_BOX = re.compile(r"(0|1|0?\.\d+|1\.0+)" + r",(0|1|0?\.\d+|1\.0+)" * 3)

REVIEWS: dict[ReviewState, str] = {
    ReviewState.WAITING: N_("The text waits for a moderator, who decides what of it is shown."),
    ReviewState.APPROVED: N_("A moderator has read the text and shows all of it."),
    ReviewState.SHORTENED: N_("A moderator has taken something out of the text."),
    ReviewState.REFUSED: N_("A moderator does not show the text."),
}


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A text that waits, with what was found in it."""

    waiting: WaitingText
    marked: Marked


@dataclass(frozen=True, slots=True)
class Words:
    """What a moderator typed, and what is to be said of it before it counts.

    Attributes
    ----------
    text : str or None
        What everybody would read; None where only a reason is asked for.
    reason : str
    faults : dict of str to str
        What must be mended, by field.
    warnings : dict of str to list of str
        What points at a person, by field: to be reworded, or sent once more as it is.
    """

    text: str | None
    reason: str
    faults: Mapping[str, str] = field(default_factory=dict)
    warnings: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def seal(self) -> str:
        """What a form carries that was shown with the warnings about just these words."""
        return seal(self.text or "", self.reason)


class AgainPage(TypedDict):
    """A form of a moderator once more, with what was typed and what is wrong with it."""

    words: Words
    action: str
    kept: Mapping[str, str]
    report_id: int
    marked: Marked | None
    photo_id: int | None
    reason_limit: int


class QueuePage(TypedDict):
    """What the queue shows."""

    texts: Sequence[MarkedText]
    photos: Sequence[WaitingPhoto]
    held: Sequence[HeldReport]
    words: Sequence[QueuedWords]
    plan_notes: Sequence[QueuedNote]
    texts_waiting: int
    photos_waiting: int
    categories: dict[str, str]
    reason_limit: int
    done: str


@router.get("/moderation")
def read_queue(
    request: Request, person_id: Moderator, session: Writing, done: str = ""
) -> HTMLResponse:
    """Show what waits, oldest first, and write down who read which of it."""
    waiting = moderation.queue(session)
    read = {
        "reports": sorted(
            {one.report_id for one in waiting.texts} | {one.id for one in waiting.held}
        ),
        "photos": [one.id for one in waiting.photos],
    }
    if any(read.values()):
        audit.add(session, person_id, "moderation.read", "", read)
    context = QueuePage(
        texts=[_marked(text) for text in waiting.texts],
        photos=waiting.photos,
        held=waiting.held,
        words=queued(session),
        plan_notes=queued_notes(session),
        texts_waiting=waiting.texts_waiting,
        photos_waiting=waiting.photos_waiting,
        categories={code: category.name for code, category in BY_CODE.items()},
        reason_limit=REASON_LIMIT,
        done=done,
    )
    return page(request, "moderation.html", context)


def _marked(waiting: WaitingText) -> MarkedText:
    return MarkedText(waiting, marked(waiting.description, screen(waiting.description)))


def _words(
    reason: str,
    language: Language,
    *,
    confirmed: str,
    public_text: str | None = None,
) -> Words:
    """Look through what a moderator typed as through what a reporter types.

    Parameters
    ----------
    reason : str
    language : Language
    confirmed : str
        What the form carried: the seal of words that were warned of and sent all the same.
    public_text : str, optional
        What everybody would read, where the decision says that.
    """
    _ = language.gettext
    typed = Words(None if public_text is None else plain_text(public_text), plain_text(reason))
    faults = {}
    if typed.text is not None and not 0 < len(typed.text) <= DESCRIPTION_LIMIT:
        faults["public_text"] = _(
            "Write what shall be shown, in 2,000 characters at most, or refuse the text."
        )
    if not 0 < len(typed.reason) <= REASON_LIMIT:
        faults["reason"] = _("Give a reason, in {most} characters at most.").format(
            most=REASON_LIMIT
        )
    warnings = {}
    if confirmed != typed.seal:
        warnings = {
            name: [
                f"“{written[one.start : one.end]}”: {_(EXPLANATIONS[one.concern].reason)}"
                for one in found
            ]
            for name, written in (("public_text", typed.text or ""), ("reason", typed.reason))
            if (found := screen(written))
        }
    return Words(typed.text, typed.reason, faults, warnings)


def _again(
    request: Request,
    words: Words,
    report_id: int,
    *,
    description: str = "",
    photo_id: int | None = None,
    **kept: str,
) -> HTMLResponse:
    context = AgainPage(
        words=words,
        action=request.url.path,
        kept=kept,
        report_id=report_id,
        marked=marked(description, screen(description)) if description else None,
        photo_id=photo_id,
        reason_limit=REASON_LIMIT,
    )
    return page(request, "moderation_again.html", context, status=422)


@router.post("/moderation/texts/{id:int}", response_model=None)
def decide_text(
    *,
    request: Request,
    id: int,
    person_id: Moderator,
    session: Writing,
    settings: Chosen,
    decision: Decision,
    public_text: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    confirmed: Annotated[str, Form()] = "",
) -> HTMLResponse | RedirectResponse:
    """Show a text as it is, shortened, or not at all."""
    language = request.state.language
    state = ReviewState(decision)
    waiting = moderation.waiting_text(session, id) if id <= LARGEST_ID else None
    if waiting is None or waiting.own:
        raise decided_already(language)
    shown, why = waiting.description, ""
    if state is not ReviewState.APPROVED:
        typed = public_text if state is ReviewState.SHORTENED else None
        words = _words(reason, language, confirmed=confirmed, public_text=typed)
        if words.faults or words.warnings:
            return _again(
                request,
                words,
                waiting.report_id,
                description=waiting.description,
                decision=decision,
            )
        shown, why = words.text or "", words.reason
    try:
        moderation.decide_text(
            session, waiting, person_id, state=state, public_text=shown, reason=why
        )
    except Decided as error:
        raise decided_already(language) from error
    tell_of_text(session, settings, waiting.report_id, state, final=waiting.round == 2)
    return RedirectResponse("/moderation?done=1", 303)


class PhotoPage(TypedDict):
    """What the page of one photo shows."""

    photo: WaitingPhoto
    squares: Sequence[int]
    columns: int
    categories: dict[str, str]
    fault: str


@router.get("/moderation/photos/{id:int}")
def read_photo(request: Request, id: int, person_id: Moderator, session: Writing) -> HTMLResponse:
    """Show one photo under numbered squares, of which any can be blurred."""
    shown = _photo_page(request, session, id)
    audit.add(session, person_id, "photo.read", f"photo {id}")
    return shown


def _photo_page(request: Request, session: Session, id: int, fault: str = "") -> HTMLResponse:
    photo = _waiting_photo(request, session, id)
    context = PhotoPage(
        photo=photo,
        squares=range(1, COLUMNS * ROWS + 1),
        columns=COLUMNS,
        categories={code: category.name for code, category in BY_CODE.items()},
        fault=fault,
    )
    return page(request, "moderation_photo.html", context, status=422 if fault else 200)


def _waiting_photo(request: Request, session: Session, id: int) -> WaitingPhoto:
    """Give a photo that the visitor may decide about.

    Raises
    ------
    Problem
        404 where there is none, 409 where it is decided or for another to decide.
    """
    language: Language = request.state.language
    _ = language.gettext
    if id > LARGEST_ID or not moderation.is_photo(session, id):
        raise Problem(404, _("Not found"), _("There is no such photo."))
    photo = moderation.waiting_photo(session, id)
    if photo is None or photo.own:
        raise decided_already(language)
    return photo


def joined(squares: Collection[int]) -> list[Box]:
    """Give the parts of a photo that numbered squares make up.

    Squares side by side become one part, and equal rows below each other too: the larger a part, the
    less is left of what it hides.

    Parameters
    ----------
    squares : collection of int
        From 1, row by row.
    """
    parts: dict[tuple[int, int], Box] = {}
    found: list[Box] = []
    for row in range(ROWS):
        columns = [column for column in range(COLUMNS) if row * COLUMNS + column + 1 in squares]
        runs = [
            [column for _place, column in run]
            for _start, run in itertools.groupby(enumerate(columns), lambda at: at[1] - at[0])
        ]
        below: dict[tuple[int, int], Box] = {}
        for run in runs:
            span = run[0], len(run)
            above = parts.pop(span, None)
            top, height = (above.top, above.height) if above else (row / ROWS, 0)
            below[span] = Box(run[0] / COLUMNS, top, len(run) / COLUMNS, height + 1 / ROWS)
        found += parts.values()
        parts = below
    return [*found, *parts.values()]


@router.post("/moderation/photos/{id:int}/squares", response_model=None)
def blur_squares(
    *,
    request: Request,
    id: int,
    person_id: Moderator,
    session: Writing,
    settings: Chosen,
    square: Annotated[list[int], Form()] = [],  # noqa: B006 (FastAPI copies it)
) -> HTMLResponse | RedirectResponse:
    """Blur the squares that were chosen, for good, and show the photo."""
    if not set(square) & set(range(1, COLUMNS * ROWS + 1)):
        _ = request.state.language.gettext
        return _photo_page(request, session, id, _("Choose one square at least."))
    _waiting_photo(request, session, id)
    try:
        report_id = _blur(request, session, id, person_id, joined(set(square)))
    except Decided as error:
        raise decided_already(request.state.language) from error
    tell_of_photos(session, settings, report_id)
    return RedirectResponse("/moderation?done=1", 303)


@router.post("/moderation/photos/{id:int}", response_model=None)
def decide_photo(
    *,
    request: Request,
    id: int,
    person_id: Moderator,
    session: Writing,
    settings: Chosen,
    decision: Annotated[Literal["public", "refused"], Form()],
    box: Annotated[list[str], Form()] = [],  # noqa: B006 (FastAPI copies it)
    reason: Annotated[str, Form()] = "",
    confirmed: Annotated[str, Form()] = "",
    shown: Annotated[bool, Form()] = False,
) -> HTMLResponse | RedirectResponse:
    """Show a photo, with parts of it blurred where some are marked, or refuse it."""
    language = request.state.language
    boxes = _boxes(box, language)
    photo = _waiting_photo(request, session, id)
    # A correction says that it is one: else somebody else has shown the photo meanwhile.
    if photo.public != shown:
        raise decided_already(language)
    try:
        if decision == "refused":
            words = _words(reason, language, confirmed=confirmed)
            if words.faults or words.warnings:
                kept = {"decision": decision, "shown": str(shown).lower()}
                return _again(request, words, photo.report_id, photo_id=id, **kept)
            report_id = moderation.refuse_photo(session, id, person_id, words.reason)
        elif boxes:
            report_id = _blur(request, session, id, person_id, boxes)
        else:
            report_id = moderation.show_photo(session, id, person_id)
    except Decided as error:
        raise decided_already(language) from error
    tell_of_photos(session, settings, report_id)
    return RedirectResponse("/moderation?done=1", 303)


def _blur(request: Request, session: Session, id: int, person_id: int, boxes: Sequence[Box]) -> int:
    store, key = store_of(request), new_key()
    found = photos.files(session, id)
    try:
        content = store.get(found.key, Size.LARGE) if found else None
        if content is None:
            raise Decided
        with turn():
            photo = clean(content, boxes)
        put(store, key, photo)
    except (PhotoError, OSError) as error:
        _ = request.state.language.gettext
        raise Problem(
            503,
            _("Not at this moment"),
            _("The photo could not be blurred just now. Try again in a minute."),
        ) from error
    return moderation.replace_photo(session, id, person_id, key=key)


def _boxes(sent: Sequence[str], language: Language) -> list[Box]:
    if len(sent) > BOXES_LIMIT or not all(_BOX.fullmatch(box) for box in sent):
        _ = language.gettext
        raise Problem(
            422,
            _("Some of this cannot be used"),
            _("The marked parts of the photo cannot be read. Mark them again."),
        )
    return [Box(*map(float, box.split(","))) for box in sent]


@router.post("/moderation/reports/{id:int}/text", response_model=None)
def correct_text(
    *,
    request: Request,
    id: int,
    person_id: Moderator,
    session: Writing,
    settings: Chosen,
    decision: Annotated[Literal["shortened", "refused"], Form()],
    public_text: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    confirmed: Annotated[str, Form()] = "",
) -> HTMLResponse | RedirectResponse:
    """Show less of a text that is public."""
    language = request.state.language
    id = min(id, LARGEST_ID)
    state = ReviewState(decision)
    typed = public_text if state is ReviewState.SHORTENED else None
    words = _words(reason, language, confirmed=confirmed, public_text=typed)
    if words.faults or words.warnings:
        return _again(request, words, id, decision=decision)
    try:
        decided = moderation.correct_text(
            session, id, person_id, state=state, public_text=words.text or "", reason=words.reason
        )
    except Decided as error:
        raise decided_already(language) from error
    tell_of_text(session, settings, id, state, final=decided == 2)
    return RedirectResponse(f"/reports/{id}#text", 303)


@router.post("/moderation/notes/{event_id:int}", response_model=None)
def hide_note(
    *,
    request: Request,
    event_id: int,
    person_id: Moderator,
    session: Writing,
    report: Annotated[int, Form()] = 0,
    reason: Annotated[str, Form()] = "",
    confirmed: Annotated[str, Form()] = "",
) -> HTMLResponse | RedirectResponse:
    """Take words of a timeline out of sight."""
    language = request.state.language
    words = _words(reason, language, confirmed=confirmed)
    if words.faults or words.warnings:
        return _again(request, words, report, report=str(report))
    try:
        id = moderation.hide_note(session, min(event_id, LARGEST_ID), person_id, words.reason)
    except Decided as error:
        raise decided_already(language) from error
    return RedirectResponse(f"/reports/{id}", 303)


@router.post("/moderation/reports/{id:int}", response_model=None)
def decide_report(
    *,
    request: Request,
    id: int,
    person_id: Moderator,
    session: Writing,
    settings: Chosen,
    held: Annotated[bool, Form()],
    reason: Annotated[str, Form()] = "",
    confirmed: Annotated[str, Form()] = "",
) -> HTMLResponse | RedirectResponse:
    """Take a whole report out of sight, keep it there after an appeal, or show it again."""
    language = request.state.language
    id = min(id, LARGEST_ID)
    words = _words(reason, language, confirmed=confirmed)
    if words.faults or words.warnings:
        return _again(request, words, id, held=str(held).lower())
    waiting = moderation.held_report(session, id)
    try:
        if not held:
            moderation.release(session, id, person_id, words.reason)
        elif waiting is not None:
            moderation.keep_held(session, id, person_id, words.reason)
        else:
            moderation.hold(session, id, person_id, words.reason)
    except Decided as error:
        raise decided_already(language) from error
    if held:
        tell_of_hold(session, settings, id, final=waiting is not None)
    else:
        tell_of_release(session, settings, id)
    return RedirectResponse("/moderation?done=1", 303)


class HeldPage(TypedDict):
    """What is said of a report that everybody may not see.

    Attributes
    ----------
    hold : Hold or None
        Why, for its author and for moderators.
    waiting : HeldReport or None
        The report, for moderators.
    """

    id: int
    is_new: bool
    taken: bool
    hold: Hold | None
    waiting: HeldReport | None
    reason_limit: int


def held_page(request: Request, session: Session, found: Held, *, is_new: bool) -> HTMLResponse:
    """Say that a report is out of sight; to its author and to moderators why, and what they can do."""
    context = HeldPage(
        id=found.id,
        is_new=is_new,
        taken=found.taken,
        hold=moderation.hold_of(session, found.id),
        waiting=moderation.held_report(session, found.id),
        reason_limit=REASON_LIMIT,
    )
    status = report_words.held(found, request.state.language).status
    return page(request, "report_held.html", context, status=status)


def _author(
    request: Request, session: Session, visitor: Visitor, report_id: int, token: str
) -> None:
    """Let whoever is signed in go on, and whoever has the signed link of this report."""
    if appeals.holds(keys.secret_of(request), report_id, token, time.time()):
        moderation.name_reporter(session, report_id)
    else:
        visitors.require(request, visitor)


class AppealPage(TypedDict):
    """What moderators decided about a report, for whoever has its signed link."""

    id: int
    token: str
    text: ReviewedText
    review: str | None
    photos: Sequence[ShownPhoto]
    hold: Hold | None
    reason_limit: int


@router.get("/reports/{id:int}/appeal")
def read_appeal(
    request: Request, id: int, visitor: Who, session: Writing, token: str = ""
) -> HTMLResponse:
    """Show to whoever sent a report what moderators decided, and let them appeal."""
    id = min(id, LARGEST_ID)
    language = request.state.language
    _author(request, session, visitor, id, token)
    text = moderation.text_of(session, id)
    if text is None or not text.own:
        raise _nothing_to_appeal(language)
    context = AppealPage(
        id=id,
        token=token,
        text=text,
        review=REVIEWS[text.reviews[-1].state] if text.reviews else None,
        photos=[photo for photo in photos.of_report(session, id) if photo.state != "public"],
        hold=moderation.hold_of(session, id),
        reason_limit=REASON_LIMIT,
    )
    return page(request, "report_appeal.html", context, headers={"Referrer-Policy": "no-referrer"})


@dataclass(frozen=True, slots=True)
class Appeal:
    """An appeal as it was sent."""

    reason: str
    token: str


async def _sent_appeal(
    reason: Annotated[str, Form()] = "", token: Annotated[str, Form()] = ""
) -> Appeal:
    return Appeal(plain_text(reason), token)


SentAppeal = Annotated[Appeal, Depends(_sent_appeal)]


@router.post("/reports/{id:int}/appeal")
def appeal(
    request: Request, id: int, visitor: Who, session: Writing, sent: SentAppeal
) -> RedirectResponse:
    """Ask for another moderator's eyes on a text."""
    return _appeal(request, session, visitor, id, sent=sent, ask=moderation.appeal, part="#text")


@router.post("/reports/{id:int}/hold/appeal")
def appeal_hold(
    request: Request, id: int, visitor: Who, session: Writing, sent: SentAppeal
) -> RedirectResponse:
    """Ask for another moderator's eyes on a report that was taken out of sight."""
    return _appeal(request, session, visitor, id, sent=sent, ask=moderation.appeal_hold)


@router.post("/reports/{id:int}/photos/{photo_id:int}/appeal")
def appeal_photo(
    *, request: Request, id: int, photo_id: int, visitor: Who, session: Writing, sent: SentAppeal
) -> RedirectResponse:
    """Ask for another moderator's eyes on a photo."""

    def ask(session: Session, _report_id: int, reason: str) -> None:
        moderation.appeal_photo(session, min(photo_id, LARGEST_ID), reason)

    return _appeal(request, session, visitor, id, sent=sent, ask=ask, part="#photos")


def _appeal(
    request: Request,
    session: Session,
    visitor: Visitor,
    id: int,
    *,
    sent: Appeal,
    ask: Callable[[Session, int, str], None],
    part: str = "",
) -> RedirectResponse:
    """Take an appeal, and lead back to where it was written: a part of the page of the report."""
    id = min(id, LARGEST_ID)
    _author(request, session, visitor, id, sent.token)
    _ = request.state.language.gettext
    if not 0 < len(sent.reason) <= REASON_LIMIT:
        raise Problem(
            422,
            _("Some of this cannot be used"),
            _("Give a reason, in {most} characters at most.").format(most=REASON_LIMIT),
        )
    try:
        ask(session, id, sent.reason)
    except Decided as error:
        raise _nothing_to_appeal(request.state.language) from error
    query = f"/appeal?{urlencode({'token': sent.token})}" if sent.token else ""
    return RedirectResponse(f"/reports/{id}{query}{part}", 303)


def _nothing_to_appeal(language: Language) -> Problem:
    _ = language.gettext
    return Problem(
        409,
        _("Nothing to appeal against"),
        _("There is no decision that you can appeal against, or you have done so already."),
    )


@dataclass(frozen=True, slots=True)
class Moderated:
    """What the page of a report shows of its text and photos.

    Attributes
    ----------
    text : ReviewedText
    review : str or None
        What a moderator said of the text, in words.
    photos : list of ShownPhoto
    can_hold : bool
        Whether the visitor may take the report, or something of it, out of sight.
    notes : list of Note
        Words of its timeline, for whoever may take them out of sight.
    """

    text: ReviewedText
    review: str | None
    photos: list[ShownPhoto]
    can_hold: bool
    notes: list[Note]


def moderated(session: Session, id: int, visitor: Visitor) -> Moderated:
    """Give what the page of a public report shows of its text and photos.

    Parameters
    ----------
    session : Session
    id : int
        Of the report.
    visitor : Visitor

    Returns
    -------
    Moderated
    """
    text = moderation.text_of(session, id)
    assert text is not None  # the report is public
    review = REVIEWS[text.reviews[-1].state] if text.reviews else None
    moderates = visitor.has(*MODERATORS)
    notes = moderation.notes(session, id) if moderates else []
    return Moderated(text, review, photos.of_report(session, id), moderates, notes)
