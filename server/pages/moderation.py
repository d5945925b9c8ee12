"""What waits for a moderator: texts in which something points at a person, photos, held reports."""

import itertools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypedDict

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session

from data.models import ReviewState
from data.models.photo import REASON_LIMIT
from data.models.report import DESCRIPTION_LIMIT
from data.photo_store import Size, new_key
from data.queries import moderation, photos
from data.queries.moderation import Decided, HeldReport, ReviewedText, WaitingPhoto, WaitingText
from data.queries.photos import ShownPhoto
from geo.categories import BY_CODE, N_
from geo.places import plain_text
from geo.roles import Role
from server import screening, visitors
from server.decisions import tell_of_photos, tell_of_text
from server.dependencies import Chosen, Reading, Who, Writing, own_site
from server.languages import Language
from server.pages.page import page
from server.pages.photos import put, store_of
from server.pages.watch_words import QueuedWords, queued
from server.photos import Box, PhotoError, clean
from server.problems import Problem
from server.screening import EXPLANATIONS, Concern
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
class Part:
    """A part of a text, and why it is held if it is."""

    text: str
    concern: Concern | None = None


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A text that waits, with what was found in it, and what would become public without that."""

    waiting: WaitingText
    parts: Sequence[Part]
    reasons: Sequence[str]
    preview: str


class QueuePage(TypedDict):
    """What the queue shows."""

    texts: Sequence[MarkedText]
    photos: Sequence[WaitingPhoto]
    held: Sequence[HeldReport]
    words: Sequence[QueuedWords]
    texts_waiting: int
    photos_waiting: int
    categories: dict[str, str]
    reason_limit: int
    done: str


def parts_of(description: str) -> list[Part]:
    """Cut a text into what is held and what is not."""
    parts, at = [], 0
    for finding in screening.screen(description):
        parts.append(Part(description[at : finding.start]))
        parts.append(Part(description[finding.start : finding.end], finding.concern))
        at = finding.end
    parts.append(Part(description[at:]))
    return [part for part in parts if part.text]


@router.get("/moderation")
def read_queue(request: Request, visitor: Who, session: Reading, done: str = "") -> HTMLResponse:
    """Show what waits, oldest first."""
    visitors.require(request, visitor, MODERATORS)
    waiting = moderation.queue(session)
    context = QueuePage(
        texts=[_marked(text) for text in waiting.texts],
        photos=waiting.photos,
        held=waiting.held,
        words=queued(session),
        texts_waiting=waiting.texts_waiting,
        photos_waiting=waiting.photos_waiting,
        categories={code: category.name for code, category in BY_CODE.items()},
        reason_limit=REASON_LIMIT,
        done=done,
    )
    return page(request, "moderation.html", context)


def _marked(waiting: WaitingText) -> MarkedText:
    parts = parts_of(waiting.description)
    findings = screening.screen(waiting.description)
    reasons = dict.fromkeys(EXPLANATIONS[part.concern].reason for part in parts if part.concern)
    return MarkedText(
        waiting, parts, list(reasons), screening.preview(waiting.description, findings)
    )


@router.post("/moderation/texts/{id:int}")
def decide_text(
    *,
    request: Request,
    id: int,
    visitor: Who,
    session: Writing,
    settings: Chosen,
    decision: Annotated[Literal["approved", "shortened", "refused"], Form()],
    public_text: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Show a text as it is, shortened, or not at all."""
    person_id = _moderator(request, visitor)
    language = request.state.language
    state = ReviewState(decision)
    waiting = moderation.waiting_text(session, id) if id < 2**63 else None
    if waiting is None or waiting.own:
        raise _decided(language)
    shown = {
        ReviewState.APPROVED: waiting.description,
        ReviewState.SHORTENED: plain_text(public_text),
    }.get(state, "")
    why = "" if state is ReviewState.APPROVED else _reason(reason, language)
    if state is ReviewState.SHORTENED and not 0 < len(shown) <= DESCRIPTION_LIMIT:
        _ = language.gettext
        raise Problem(
            422,
            _("Some of this cannot be used"),
            _("Write what shall be shown, in 2,000 characters at most, or refuse the text."),
        )
    try:
        moderation.decide_text(
            session, waiting, person_id, state=state, public_text=shown, reason=why
        )
    except Decided as error:
        raise _decided(language) from error
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
def read_photo(request: Request, id: int, visitor: Who, session: Reading) -> HTMLResponse:
    """Show one photo under numbered squares, of which any can be blurred."""
    visitors.require(request, visitor, MODERATORS)
    return _photo_page(request, session, id)


def _photo_page(request: Request, session: Session, id: int, fault: str = "") -> HTMLResponse:
    photo = moderation.waiting_photo(session, id) if id < 2**63 else None
    if photo is None or photo.own:
        raise _decided(request.state.language)
    context = PhotoPage(
        photo=photo,
        squares=range(1, COLUMNS * ROWS + 1),
        columns=COLUMNS,
        categories={code: category.name for code, category in BY_CODE.items()},
        fault=fault,
    )
    return page(request, "moderation_photo.html", context, status=422 if fault else 200)


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
    visitor: Who,
    session: Writing,
    settings: Chosen,
    square: Annotated[list[int], Form()] = [],  # noqa: B006 (FastAPI copies it)
) -> HTMLResponse | RedirectResponse:
    """Blur the squares that were chosen, for good, and show the photo."""
    person_id = _moderator(request, visitor)
    if not set(square) & set(range(1, COLUMNS * ROWS + 1)):
        _ = request.state.language.gettext
        return _photo_page(request, session, id, _("Choose one square at least."))
    try:
        report_id = _blur(request, session, min(id, 2**63 - 1), person_id, joined(set(square)))
    except Decided as error:
        raise _decided(request.state.language) from error
    tell_of_photos(session, settings, report_id)
    return RedirectResponse("/moderation?done=1", 303)


@router.post("/moderation/photos/{id:int}")
def decide_photo(
    *,
    request: Request,
    id: int,
    visitor: Who,
    session: Writing,
    settings: Chosen,
    decision: Annotated[Literal["public", "refused"], Form()],
    box: Annotated[list[str], Form()] = [],  # noqa: B006 (FastAPI copies it)
    reason: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Show a photo, with parts of it blurred where some are marked, or refuse it."""
    person_id = _moderator(request, visitor)
    language = request.state.language
    id = min(id, 2**63 - 1)
    boxes = _boxes(box, language)
    try:
        if decision == "refused":
            report_id = moderation.refuse_photo(session, id, person_id, _reason(reason, language))
        elif boxes:
            report_id = _blur(request, session, id, person_id, boxes)
        else:
            report_id = moderation.show_photo(session, id, person_id)
    except Decided as error:
        raise _decided(language) from error
    tell_of_photos(session, settings, report_id)
    return RedirectResponse("/moderation?done=1", 303)


def _blur(request: Request, session: Session, id: int, person_id: int, boxes: Sequence[Box]) -> int:
    store, key = store_of(request), new_key()
    found = photos.files(session, id)
    try:
        content = store.get(found.key, Size.LARGE) if found else None
        if content is None:
            raise Decided
        put(store, key, clean(content, boxes))
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


@router.post("/moderation/reports/{id:int}")
def decide_report(
    *,
    request: Request,
    id: int,
    visitor: Who,
    session: Writing,
    held: Annotated[bool, Form()],
    reason: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Take a whole report out of sight, or show it again."""
    person_id = _moderator(request, visitor)
    language = request.state.language
    change = moderation.hold if held else moderation.release
    try:
        change(session, min(id, 2**63 - 1), person_id, _reason(reason, language))
    except Decided as error:
        raise _decided(language) from error
    return RedirectResponse("/moderation?done=1", 303)


@router.post("/reports/{id:int}/appeal")
def appeal(
    *,
    request: Request,
    id: int,
    visitor: Who,
    session: Writing,
    reason: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Ask for another moderator's eyes."""
    visitors.require(request, visitor)
    language = request.state.language
    try:
        moderation.appeal(session, min(id, 2**63 - 1), _reason(reason, language))
    except Decided as error:
        raise _nothing_to_appeal(language) from error
    return RedirectResponse(f"/reports/{id}#text", 303)


@router.post("/reports/{id:int}/photos/{photo_id:int}/appeal")
def appeal_photo(
    *,
    request: Request,
    id: int,
    photo_id: int,
    visitor: Who,
    session: Writing,
    reason: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Ask for another moderator's eyes on a photo."""
    visitors.require(request, visitor)
    language = request.state.language
    try:
        moderation.appeal_photo(session, min(photo_id, 2**63 - 1), _reason(reason, language))
    except Decided as error:
        raise _nothing_to_appeal(language) from error
    return RedirectResponse(f"/reports/{id}#photos", 303)


def _nothing_to_appeal(language: Language) -> Problem:
    _ = language.gettext
    return Problem(
        409,
        _("Nothing to appeal against"),
        _("There is no decision that you can appeal against, or you have done so already."),
    )


def _moderator(request: Request, visitor: Visitor) -> int:
    visitors.require(request, visitor, MODERATORS)
    assert visitor.person_id is not None
    return visitor.person_id


def _reason(typed: str, language: Language) -> str:
    reason = plain_text(typed)
    if 0 < len(reason) <= REASON_LIMIT:
        return reason
    _ = language.gettext
    raise Problem(
        422,
        _("Some of this cannot be used"),
        _("Give a reason, in {most} characters at most.").format(most=REASON_LIMIT),
    )


def _decided(language: Language) -> Problem:
    _ = language.gettext
    return Problem(
        409,
        _("Decided already"),
        _("Somebody else has decided this meanwhile, or it is for another moderator to decide."),
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
        Whether the visitor may take the report out of sight.
    """

    text: ReviewedText
    review: str | None
    photos: list[ShownPhoto]
    can_hold: bool


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
    review = REVIEWS[text.reviews[-1].state] if text.reviews else None
    return Moderated(text, review, photos.of_report(session, id), visitor.has(*MODERATORS))
