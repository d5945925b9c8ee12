"""Stops of walks, checked and stored alike for phones that send JSON and for the plain form."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from shapely import Point
from sqlalchemy.orm import Session

from data.models.walk import STOP_NOTE_LIMIT
from data.queries import places, reports, walks
from data.queries.reports import Contact, OutsideServedArea
from data.queries.walks import NewStop, StoredStop, Walk, Wish
from geo.places import plain_text
from geo.walks import Answer, Question, UnknownAnswer, understood
from server import screening, submissions
from server.faults import Fault, Refused
from server.languages import Language
from server.limits import TooMany
from server.positions import Positions
from server.screening import EXPLANATIONS, Finding
from server.submissions import Sent, Where

MOST_STOPS = 300
"""Stops of a walk."""


@dataclass(frozen=True, slots=True)
class StopDraft:
    """A stop as it was read, before it is checked.

    Attributes
    ----------
    where : Pair, Named or Fault
    answers : mapping of str to str
        By codes of questions.
    note : str
    reports : mapping of str to str
        Words of the reports that are asked for, by codes of questions; empty for the usual words.
    even_so : bool
        Whether reports shall be sent though something in their words points at a person.
    seen_at : datetime
    key : str
        Sent again with a repetition.
    body : bytes
        What was sent, in one spelling, to tell a repetition from another stop.
    """

    where: Where | Fault
    answers: Mapping[str, str]
    note: str
    reports: Mapping[str, str]
    even_so: bool
    seen_at: datetime
    key: str
    body: bytes

    @property
    def body_hash(self) -> bytes:
        """What is stored of the body."""
        return sha256(self.body).digest()


@dataclass(frozen=True, slots=True)
class ScreenedFault(Fault):
    """Words that point at a person, and what is left without them."""

    left: str = ""


@dataclass(frozen=True, slots=True)
class CheckedStop:
    """A stop that can be stored, and the words of the reports that are asked for."""

    new: NewStop
    reports: Mapping[Question, str]


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends reports, and how they are counted.

    Attributes
    ----------
    positions : Positions
    language : Language
        In which faults are told, and reports are written.
    city : str
        Its name.
    reporter_id : int or None
    count : callable
        Counts a new report, or raises `TooMany`.
    """

    positions: Positions
    language: Language
    city: str
    reporter_id: int | None
    count: Callable[[], None]


def check(session: Session, walk: Walk, draft: StopDraft, sender: Sender) -> CheckedStop:
    """Check a stop.

    Parameters
    ----------
    session : Session
    walk : Walk
        As a member of its block watch sees it.
    draft : StopDraft
    sender : Sender

    Returns
    -------
    CheckedStop

    Raises
    ------
    Refused
        With everything that is wrong.
    """
    language = sender.language
    _ = language.gettext
    faults: list[Fault] = []
    place, address = None, ""
    if isinstance(draft.where, Fault):
        faults.append(draft.where)
    else:
        try:
            located = submissions.locate(
                session, draft.where, sender.positions, language, sender.city
            )
            place, address = located.place, located.address
        except Refused as refused:
            faults += refused.faults
    note = plain_text(draft.note)
    faults += _note_faults(note, language)
    answers: Mapping[Question, Answer] = {}
    try:
        answers = understood(draft.answers)
        if not answers and not note:
            message = _("Answer one question at least, or write a note.")
            faults.append(Fault("answers", "nothing_seen", message))
    except UnknownAnswer:
        message = _("This form is out of date. Open it again with a connection.")
        faults.append(Fault("answers", "unknown_answer", message))
    wanted = {
        question: plain_text(draft.reports[question.code]) or _(answer.report)
        for question, answer in answers.items()
        if answer.category is not None and question.code in draft.reports
    }
    for question, words in wanted.items():
        faults += _words_faults(question, words, language, even_so=draft.even_so)
    if walk.stops >= MOST_STOPS:
        message = _("This walk has {most} stops, which is as many as fit. Begin another walk.")
        faults.append(Fault("send", "too_many_stops", message.format(most=MOST_STOPS)))
    if faults:
        raise Refused(*faults)
    assert isinstance(place, Point)
    if not address and (near := places.nearest(session, place.x, place.y)):
        address = near.label
    # A phone may have slept through years, or its clock may be wrong.
    seen_at = min(draft.seen_at, datetime.now(UTC))
    if walk.created_at is not None:
        seen_at = max(seen_at, walk.created_at)
    return CheckedStop(NewStop(place, address, note, seen_at, answers), wanted)


def _note_faults(note: str, language: Language) -> Iterable[Fault]:
    _ = language.gettext
    if len(note) > STOP_NOTE_LIMIT:
        message = _("This is too long. Use {most} characters at most.").format(most=STOP_NOTE_LIMIT)
        yield Fault("note", "too_long", message)
    if findings := screening.screen(note):
        yield _screened("note", note, findings, language)


def _words_faults(
    question: Question, words: str, language: Language, *, even_so: bool
) -> Iterable[Fault]:
    for fault in submissions.description_faults(words, language):
        yield Fault(question.code, fault.code, fault.message)
    findings = screening.screen(words)
    if findings and not even_so:
        yield _screened(question.code, words, findings, language)


def _screened(
    field: str, words: str, findings: tuple[Finding, ...], language: Language
) -> ScreenedFault:
    """Say which words point at a person, why that matters, and what to write in their place."""
    told = EXPLANATIONS[findings[0].concern]
    found = words[findings[0].start : findings[0].end]
    message = f"“{found}”: {language.gettext(told.reason)} {language.gettext(told.advice)}"
    left = screening.preview(words, findings).replace(screening.MARK, "")
    return ScreenedFault(field, "screened", message, left=" ".join(left.split()))


def title_fault(title: str, language: Language) -> str:
    """Say what in the title of a walk points at a person; empty where nothing does."""
    findings = screening.screen(title)
    return _screened("title", title, findings, language).message if findings else ""


def store(
    session: Session, walk: Walk, stop: CheckedStop, draft: StopDraft, sender: Sender
) -> StoredStop:
    """Store a stop, once a key, and the reports that are asked for.

    What neighbours may have reported already is asked about later: the stop keeps the words. So it
    does where the limit on reports is reached, since the stop must not wait for that.

    Raises
    ------
    Refused
        Outside the served area; the transaction is rolled back.
    data.queries.walks.StopKeyReused
    """
    try:
        stored = walks.add_stop(
            session, walk.id, stop.new, key=draft.key, body_hash=draft.body_hash
        )
    except OutsideServedArea as error:
        session.rollback()
        raise Refused(submissions.outside_fault(sender.language, sender.city)) from error
    if stored.replayed:
        return stored
    wanted = [
        Wish(
            stored.id,
            question,
            stop.new.answers[question],
            draft.key,
            stop.new.place,
            stop.new.seen_at,
            words,
        )
        for question, words in stop.reports.items()
    ]
    # Before the first is stored, so that no report of this stop is taken for the same as another.
    known = [bool(same(session, one, sender.positions)) for one in wanted]
    full = False
    for one, is_known in zip(wanted, known, strict=True):
        if not is_known and not full:
            try:
                with session.begin_nested():
                    id = report(session, walk, one, sender)
            except TooMany:
                full = True
            else:
                walks.decide(session, stored.id, one.question, id)
                continue
        walks.wish(session, stored.id, one.question, one.text)
    return stored


def same(session: Session, wanted: Wish, positions: Positions) -> list[reports.NearbyReport]:
    """Give the open reports that may be about the same thing as one that somebody asks for."""
    assert wanted.answer.category is not None
    return reports.nearby_same(
        session, wanted.place, wanted.answer.category, positions.homes(session)
    )


def report(session: Session, walk: Walk, wanted: Wish, sender: Sender) -> int:
    """Store a report of what was seen at a stop, as any other, once; and give its id.

    It is sent in the name of the block watch, unless it is too far from it for that.

    Raises
    ------
    Refused
    TooMany
        What was done since is to be rolled back.
    """
    assert wanted.answer.category is not None
    watch = walk.block_watch_id
    far = [*submissions.on_behalf_faults(session, watch, wanted.place, sender.language)]
    sent = Sent(
        category=wanted.answer.category,
        place=wanted.place,
        occurred_at=wanted.seen_at,
        severity=None,
        description=wanted.text,
        findings=screening.screen(wanted.text),
        address="",
        contact=Contact(),
        key=f"walk {walk.id} {wanted.key} {wanted.question.code}",
        body_hash=sha256(wanted.text.encode()).digest(),
        on_behalf_of_id=None if far else watch,
    )
    submitted = submissions.store(
        session,
        sent,
        sender.positions,
        sender.language,
        sender.city,
        reporter_id=sender.reporter_id,
    )
    if not submitted.replayed:
        sender.count()
    return submitted.id
