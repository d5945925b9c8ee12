"""Texts and photos that wait for a moderator, and what becomes of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import text
from sqlalchemy.orm import Session

from data.models import ReviewState
from data.queries import audit
from geo.statuses import Party, Status, refusal, released_to

MOST_SHOWN = 20
"""Items of each kind that the queue shows at once, oldest first."""


APPEAL_DAYS = 14
"""How long whoever sent a photo can appeal against its refusal, and its files are kept for that."""


Own = Literal["", "sent", "decided"]


class Decided(ValueError):  # noqa: N818 (it is the name of what happened)
    """Somebody has decided meanwhile, or the visitor may not decide this."""


@dataclass(frozen=True, slots=True)
class WaitingText:
    """A text that waits.

    Attributes
    ----------
    id : int
        Of the review.
    category_code : str
    description : str
        What the reporter wrote.
    public_text : str
        What everybody reads of it now.
    round : int
        2 where the reporter has appealed.
    earlier_reason, appeal : str
        Of an appeal: the reason of the first moderator, and what the reporter says to it.
    own : "sent", "decided" or ""
        Why another moderator decides: the visitor sent it, or has decided the first time.
    """

    id: int
    report_id: int
    category_code: str
    description: str
    public_text: str
    created_at: datetime
    round: int
    earlier_reason: str
    appeal: str
    own: Own


@dataclass(frozen=True, slots=True)
class WaitingPhoto:
    """A photo that waits.

    Attributes
    ----------
    earlier_reason : str
        Of an appeal: why the first moderator did not show it.
    appeal : str
        What its sender says to that; empty the first time.
    own : "sent", "decided" or ""
        Why another moderator decides: the visitor sent it, or has decided the first time.
    public : bool
        Whether everybody sees it already, so that this corrects it.
    """

    id: int
    report_id: int
    category_code: str
    width: int
    height: int
    created_at: datetime
    earlier_reason: str
    appeal: str
    own: Own
    public: bool


@dataclass(frozen=True, slots=True)
class HeldReport:
    """A whole report that is held.

    Attributes
    ----------
    reason : str
        Why it was taken out of sight.
    appeal : str
        What its reporter says to that, as long as nobody has answered.
    own : "sent", "decided" or ""
        Why another moderator decides: the visitor sent it, or has held it and it was appealed.
    """

    id: int
    category_code: str
    description: str
    updated_at: datetime
    reason: str
    appeal: str
    own: Own


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits, oldest first.

    Attributes
    ----------
    texts_waiting, photos_waiting : int
        All that wait, shown or not.
    """

    texts: list[WaitingText]
    photos: list[WaitingPhoto]
    held: list[HeldReport]
    texts_waiting: int
    photos_waiting: int


_TEXTS = """
    SELECT review.id, review.report_id, report.category_code, private.description,
        report.public_text, review.created_at, review.round,
        coalesce(text_review_reason(earlier.id), '') AS earlier_reason,
        coalesce(appeal.reason, '') AS appeal,
        CASE WHEN visitor_reported(review.report_id) THEN 'sent'
            WHEN review.round = 2 AND visitor_decided(review.report_id) THEN 'decided'
            ELSE '' END AS own
    FROM text_review AS review
    JOIN report ON report.id = review.report_id
    JOIN report_private AS private ON private.report_id = review.report_id
    LEFT JOIN text_review AS earlier
        ON earlier.report_id = review.report_id AND review.round = 2 AND earlier.round = 1
    LEFT JOIN text_appeal AS appeal
        ON appeal.report_id = review.report_id AND review.round = 2
    WHERE review.state = 'waiting' AND visitor_moderates(review.report_id)
"""


_PHOTOS = """
    SELECT photo.id, report_id, category_code, width, height, photo.created_at,
        photo.reason AS earlier_reason, coalesce(appeal.reason, '') AS appeal,
        CASE WHEN visitor_reported(report_id) THEN 'sent'
            WHEN appeal.photo_id IS NOT NULL AND visitor_reviewed(photo.id) THEN 'decided'
            ELSE '' END AS own, photo.state = 'public' AS public
    FROM photo JOIN report ON report.id = report_id
    LEFT JOIN photo_appeal AS appeal ON appeal.photo_id = photo.id
    WHERE visitor_moderates(report_id)
"""


_HELD = """
    SELECT report.id, category_code, private.description, updated_at,
        coalesce(hold.reason, '') AS reason,
        CASE WHEN hold.answer = '' THEN hold.appeal ELSE '' END AS appeal,
        CASE WHEN visitor_reported(report.id) THEN 'sent'
            WHEN NOT visitor_may_release(report.id) THEN 'decided'
            ELSE '' END AS own
    FROM report JOIN report_private AS private ON private.report_id = report.id
    LEFT JOIN report_hold AS hold ON hold.report_id = report.id
    WHERE status = 'held' AND visitor_moderates(report.id)
"""


def queue(session: Session) -> Queue:
    """Give what waits for a moderator.

    Parameters
    ----------
    session : Session
        Of a moderator: to anybody else nothing waits.

    Returns
    -------
    Queue
    """
    most = {"most": MOST_SHOWN}
    texts = session.execute(text(f"{_TEXTS} ORDER BY review.created_at, review.id LIMIT :most"), most)  # fmt: skip
    photos = session.execute(
        text(
            f"{_PHOTOS} AND photo.state = 'waiting' ORDER BY photo.created_at, photo.id LIMIT :most"
        ),
        most,
    )
    held = session.execute(
        text(f"{_HELD} ORDER BY coalesce(hold.appeal, '') = '', updated_at, report.id LIMIT :most"),
        most,
    )
    counts = session.execute(
        text(
            "SELECT (SELECT count(*) FROM text_review WHERE state = 'waiting'), "
            "(SELECT count(*) FROM photo WHERE state = 'waiting' AND report_id IS NOT NULL)"
        )
    ).one()
    return Queue(
        [WaitingText(*row) for row in texts],
        [WaitingPhoto(*row) for row in photos],
        [HeldReport(*row) for row in held],
        *counts,
    )


def waiting_photo(session: Session, id: int) -> WaitingPhoto | None:
    """Give one photo that waits or is public; None for any other, or where the visitor moderates not."""
    found = session.execute(
        text(f"{_PHOTOS} AND photo.id = :id AND photo.state <> 'refused'"), {"id": id}
    ).one_or_none()
    return None if found is None else WaitingPhoto(*found)


def is_photo(session: Session, id: int) -> bool:
    """Tell whether there is such a photo, refused or not, of a report that the visitor moderates."""
    found = session.scalar(
        text(f"SELECT EXISTS ({_PHOTOS} AND photo.id = :id)"),
        {"id": id},
    )
    return bool(found)


def waiting_text(session: Session, id: int) -> WaitingText | None:
    """Give one text that waits; None where it does not wait, or not for the visitor."""
    found = session.execute(text(f"{_TEXTS} AND review.id = :id"), {"id": id}).one_or_none()
    return None if found is None else WaitingText(*found)


def held_report(session: Session, id: int) -> HeldReport | None:
    """Give one report that is held; None where it is not, or to whoever moderates nothing."""
    found = session.execute(text(f"{_HELD} AND report.id = :id"), {"id": id}).one_or_none()
    return None if found is None else HeldReport(*found)


def decide_text(
    session: Session,
    waiting: WaitingText,
    person_id: int,
    *,
    state: ReviewState,
    public_text: str,
    reason: str,
) -> None:
    """Say what becomes public of a text, and why not all of it.

    Parameters
    ----------
    session : Session
        Of a moderator. Nothing is committed here.
    waiting : WaitingText
    person_id : int
        The moderator.
    state : ReviewState
    public_text : str
        What everybody may read.
    reason : str
        For the reporter and for moderators.

    Raises
    ------
    Decided
    """
    decided = session.execute(
        text(
            "UPDATE text_review SET state = CAST(:state AS review_state), reason = :reason, "
            "decided_at = now(), decided_by_id = :person_id "
            "WHERE id = :id AND state = 'waiting' RETURNING id"
        ),
        {"id": waiting.id, "state": state.value, "reason": reason, "person_id": person_id},
    ).one_or_none()
    if decided is None:
        raise Decided
    session.execute(
        text("UPDATE report SET public_text = :public_text WHERE id = :id"),
        {"id": waiting.report_id, "public_text": public_text},
    )
    detail = {"state": state.value, "round": waiting.round, "reason": reason}
    audit.add(session, person_id, "text.decide", f"report {waiting.report_id}", detail)


def show_photo(session: Session, id: int, person_id: int) -> int:
    """Let everybody see a photo.

    Returns
    -------
    int
        Its report.

    Raises
    ------
    Decided
    """
    change = "state = 'public', reason = ''"
    return _review(session, id, person_id, "photo.show", change=change, values={})


def refuse_photo(session: Session, id: int, person_id: int, reason: str) -> int:
    """Do not show a photo. Its files go once nobody can appeal any more (`forget_refused`).

    Returns
    -------
    int
        Its report.

    Raises
    ------
    Decided
    """
    change = "state = 'refused', reason = :reason"
    return _review(session, id, person_id, "photo.refuse", change=change, values={"reason": reason})


def replace_photo(session: Session, id: int, person_id: int, *, key: str) -> int:
    """Put other files in place of a photo's own, which are deleted, and let everybody see them.

    Returns
    -------
    int
        Its report.

    Raises
    ------
    Decided
    """
    change = "state = 'public', reason = '', key = :key"
    return _review(session, id, person_id, "photo.blur", change=change, values={"key": key})


def _review(
    session: Session,
    id: int,
    person_id: int,
    action: str,
    *,
    change: str,
    values: dict[str, str],
) -> int:
    reviewed = session.execute(
        text(
            f"UPDATE photo SET {change}, reviewed_by_id = :person_id, "  # noqa: S608 (our own words)
            "reviewed_at = now() WHERE id = :id AND state <> 'refused' AND report_id IS NOT NULL RETURNING report_id"
        ),
        {"id": id, "person_id": person_id} | values,
    ).one_or_none()
    if reviewed is None:
        raise Decided
    detail = {name: value for name, value in values.items() if name == "reason"}
    subject = f"report {reviewed.report_id}"
    audit.add(session, person_id, action, subject, {"photo": id, **detail})
    assert isinstance(reviewed.report_id, int)
    return reviewed.report_id


def correct_text(
    session: Session,
    report_id: int,
    person_id: int,
    *,
    state: ReviewState,
    public_text: str,
    reason: str,
) -> int:
    """Show less of a text that is public.

    Returns
    -------
    int
        The round of the decision: after 2 nobody appeals any more.

    Raises
    ------
    Decided
        Where nothing of it is public, it waits in the queue, or is the visitor's own.
    """
    corrected = session.scalar(
        text("SELECT text_correct(:id, CAST(:state AS review_state), :public_text, :reason)"),
        {"id": report_id, "state": state.value, "public_text": public_text, "reason": reason},
    )
    if not isinstance(corrected, int):
        raise Decided
    detail = {"state": state.value, "round": corrected, "reason": reason}
    audit.add(session, person_id, "text.correct", f"report {report_id}", detail)
    return corrected


@dataclass(frozen=True, slots=True)
class Note:
    """Words of the timeline, as moderators read them.

    Attributes
    ----------
    hidden : bool
        Whether a moderator has taken them out of sight.
    """

    id: int
    at: datetime
    note: str
    hidden: bool


def notes(session: Session, report_id: int) -> list[Note]:
    """Give the public words of a timeline, and those that were, oldest first."""
    found = session.execute(
        text(
            "SELECT event.id, at, concat_ws(' / ', nullif(words.note, ''), "
            "nullif(words.note_spanish, '')), taken.event_id IS NOT NULL AS hidden "
            "FROM report_event AS event LEFT JOIN hidden_words AS taken ON taken.event_id = event.id, "
            "LATERAL (SELECT coalesce(taken.note, event.note) AS note, "
            "coalesce(taken.note_spanish, event.note_spanish) AS note_spanish) AS words "
            "WHERE event.report_id = :id AND public AND words.note || words.note_spanish <> '' "
            "ORDER BY at, event.id"
        ),
        {"id": report_id},
    )
    return [Note(*row) for row in found]


def hide_note(session: Session, event_id: int, person_id: int, reason: str) -> int:
    """Take words of a timeline out of sight. They stay in the store, for moderators.

    Returns
    -------
    int
        Its report.

    Raises
    ------
    Decided
    """
    report_id = session.scalar(text("SELECT report_event_hide(:id)"), {"id": event_id})
    if not isinstance(report_id, int):
        raise Decided
    detail = {"event": event_id, "reason": reason}
    audit.add(session, person_id, "note.hide", f"report {report_id}", detail)
    return report_id


def hold(session: Session, report_id: int, person_id: int, reason: str) -> None:
    """Take a whole report out of sight.

    Parameters
    ----------
    session : Session
        Of a moderator. Nothing is committed here.
    report_id : int
    person_id : int
        The moderator.
    reason : str
        For its author and for moderators.

    Raises
    ------
    Decided
        Where there is none, or it is held.
    """
    _move(session, report_id, person_id, reason, held=True)
    session.execute(
        text(
            "INSERT INTO report_hold (report_id, reason, held_by_id) "
            "VALUES (:id, :reason, :person_id)"
        ),
        {"id": report_id, "reason": reason, "person_id": person_id},
    )


def release(session: Session, report_id: int, person_id: int, reason: str) -> None:
    """Show a held report again, where it stood before.

    Parameters
    ----------
    session : Session
        Of a moderator. Nothing is committed here.
    report_id : int
    person_id : int
        The moderator.
    reason : str
        For everybody, in its timeline.

    Raises
    ------
    Decided
        Where it is not held, or for another moderator to release.
    """
    allowed = text("SELECT visitor_may_release(:id)")
    if not session.scalar(allowed, {"id": report_id}):
        raise Decided
    _move(session, report_id, person_id, reason, held=False)


def keep_held(session: Session, report_id: int, person_id: int, reason: str) -> None:
    """Answer an appeal: the report stays out of sight.

    Raises
    ------
    Decided
        Where there is no appeal to answer, or it is for another moderator to answer.
    """
    answered = session.execute(
        text(
            "UPDATE report_hold SET answer = :reason WHERE report_id = :id "
            "AND appeal <> '' AND answer = '' RETURNING report_id"
        ),
        {"id": report_id, "reason": reason},
    ).one_or_none()
    if answered is None:
        raise Decided
    audit.add(session, person_id, "report.keep_held", f"report {report_id}", {"reason": reason})


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a report is out of sight, as its reporter and moderators may read it.

    Attributes
    ----------
    appeal : str
        What the reporter says to it; empty where that can still be said.
    answer : str
        Why it stays out of sight all the same.
    own : bool
        Whether the visitor has sent the report.
    """

    reason: str
    appeal: str
    answer: str
    own: bool


def hold_of(session: Session, report_id: int) -> Hold | None:
    """Give why a report is out of sight; None to everybody but its reporter and moderators."""
    found = session.execute(
        text(
            "SELECT reason, appeal, answer, visitor_reported(report_id) AS own "
            "FROM report_hold WHERE report_id = :id"
        ),
        {"id": report_id},
    ).one_or_none()
    return None if found is None else Hold(*found)


def appeal_hold(session: Session, report_id: int, reason: str) -> None:
    """Ask for another moderator's eyes on a report that was taken out of sight, once.

    Raises
    ------
    Decided
        Where there is nothing to appeal against, or not any more.
    """
    asked = text("SELECT report_hold_appeal(:id, :reason)")
    if not session.scalar(asked, {"id": report_id, "reason": reason}):
        raise Decided


def name_reporter(session: Session, report_id: int) -> None:
    """Tell the store, for this transaction, that whoever asks has the signed link of a report."""
    session.execute(
        text("SELECT set_config('porchlight.reporter_of', :id, true)"), {"id": str(report_id)}
    )


def _move(session: Session, report_id: int, person_id: int, reason: str, *, held: bool) -> None:
    found = session.execute(
        text("SELECT status, held_from FROM report WHERE id = :id"), {"id": report_id}
    ).one_or_none()
    if found is None:
        raise Decided
    before = Status(found.status)
    held_from = Status(found.held_from) if found.held_from else None
    to = Status.HELD if held else released_to(held_from)
    if refusal(before, to, {Party.MODERATOR}, reason=reason, held_from=held_from):
        raise Decided
    values = {"id": report_id, "before": before.value, "to": to.value}
    moved = session.execute(
        text(
            "UPDATE report SET status = CAST(:to AS report_status) "
            "WHERE id = :id AND status = CAST(:before AS report_status) RETURNING id"
        ),
        values,
    ).one_or_none()
    if moved is None:
        raise Decided
    session.execute(
        text(
            "INSERT INTO report_event (report_id, kind, from_status, to_status, note, person_id) "
            "VALUES (:id, 'status', CAST(:before AS report_status), CAST(:to AS report_status), "
            ":note, :person_id)"
        ),
        values | {"note": "" if held else reason, "person_id": person_id},
    )
    action = "report.hold" if held else "report.release"
    audit.add(session, person_id, action, f"report {report_id}", {"reason": reason})


@dataclass(frozen=True, slots=True)
class Review:
    """What a moderator said of a text; the reason is empty but for its author and moderators."""

    round: int
    state: ReviewState
    reason: str
    created_at: datetime
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReviewedText:
    """The text of a report: what everybody reads, and what moderators said of it.

    Attributes
    ----------
    public_text : str
    reviews : tuple of Review
        At most two: the first, and one after an appeal. None where nothing was found.
    own : bool
        Whether the visitor has sent the report.
    """

    public_text: str
    reviews: tuple[Review, ...]
    own: bool

    @property
    def can_appeal(self) -> bool:
        """Whether the visitor may ask for another moderator's eyes."""
        return (
            self.own
            and len(self.reviews) == 1
            and self.reviews[0].state in {ReviewState.SHORTENED, ReviewState.REFUSED}
        )


def text_of(session: Session, report_id: int) -> ReviewedText | None:
    """Give the text of a report, and what moderators said of it.

    Parameters
    ----------
    session : Session
    report_id : int
        Of a report that is public, or of the visitor's own.

    Returns
    -------
    ReviewedText or None
        None where there is no such report.
    """
    written = session.execute(
        text("SELECT public_text, visitor_reported(id) AS own FROM report WHERE id = :id"),
        {"id": report_id},
    ).one_or_none()
    if written is None:
        return None
    found = session.execute(
        text(
            "SELECT round, state, coalesce(text_review_reason(id), ''), created_at, decided_at "
            "FROM text_review "
            "WHERE report_id = :id ORDER BY round"
        ),
        {"id": report_id},
    )
    reviews = (Review(row.round, ReviewState(row.state), *row[2:]) for row in found)
    return ReviewedText(written.public_text, tuple(reviews), written.own)


def appeal(session: Session, report_id: int, reason: str) -> None:
    """Ask for another moderator's eyes, once.

    Parameters
    ----------
    session : Session
        Of the reporter. Nothing is committed here.
    report_id : int
    reason : str

    Raises
    ------
    Decided
        Where there is nothing to appeal against, or it was appealed against before.
    """
    found = text_of(session, report_id)
    if found is None or not found.can_appeal:
        raise Decided
    asked = session.execute(
        text(
            "INSERT INTO text_appeal (report_id, reason) VALUES (:id, :reason) "
            "ON CONFLICT DO NOTHING RETURNING report_id"
        ),
        {"id": report_id, "reason": reason},
    ).one_or_none()
    if asked is None:
        raise Decided
    session.execute(
        text("INSERT INTO text_review (report_id, round) VALUES (:id, 2)"), {"id": report_id}
    )


def appeal_photo(session: Session, id: int, reason: str) -> None:
    """Ask for another moderator's eyes on a photo, once.

    Parameters
    ----------
    session : Session
        Of whoever sent it. Nothing is committed here.
    id : int
        Of a photo.
    reason : str

    Raises
    ------
    Decided
        Where there is nothing to appeal against, or not any more.
    """
    asked = text("SELECT photo_appeal_add(:id, :reason)")
    if not session.scalar(asked, {"id": id, "reason": reason}):
        raise Decided


@dataclass(frozen=True, slots=True)
class Sender:
    """Where to write to whoever sent a report.

    Attributes
    ----------
    language : str or None
        None where it is not known.
    knows : bool
        Whether they can sign in and see the report as its sender.
    """

    email: str
    language: str | None
    knows: bool


def sender(session: Session, report_id: int) -> Sender | None:
    """Give where to write to whoever sent a report; None for nobody, or to whoever moderates nothing."""
    found = session.execute(
        text("SELECT email, language, knows FROM report_sender(:id)"), {"id": report_id}
    ).one_or_none()
    return None if found is None else Sender(*found)


@dataclass(frozen=True, slots=True)
class Photographed:
    """How many photos of a report stand where."""

    waiting: int
    public: int
    refused: int


def photographed(session: Session, report_id: int) -> Photographed:
    """Count the photos of a report, for a moderator."""
    found = session.execute(
        text(
            "SELECT count(*) FILTER (WHERE state = 'waiting'), "
            "count(*) FILTER (WHERE state = 'public'), count(*) FILTER (WHERE state = 'refused') "
            "FROM photo WHERE report_id = :id"
        ),
        {"id": report_id},
    ).one()
    return Photographed(*found)


def forget_refused(session: Session) -> None:
    """Give up the files of refused photos once nobody can appeal any more.

    That is at once without an account or an e-mail to do it from, or after an appeal; else after
    `APPEAL_DAYS`.

    Parameters
    ----------
    session : Session
        As the owner of the store. Nothing is committed here.
    """
    session.execute(
        text(
            "UPDATE photo SET key = NULL FROM report WHERE report.id = report_id "
            "AND photo.state = 'refused' AND key IS NOT NULL AND ((reporter_id IS NULL "
            "AND NOT EXISTS (SELECT FROM report_contact AS contact "
            "WHERE contact.report_id = report.id AND email <> '')) "
            "OR photo_was_appealed(photo.id) "
            "OR reviewed_at < now() - make_interval(days => :days))"
        ),
        {"days": APPEAL_DAYS},
    )


def forget_contacts(session: Session, days: int) -> int:
    """Erase how to reach the reporters of reports that were closed so many days ago.

    Parameters
    ----------
    session : Session
        As the owner of the store. Nothing is committed here.
    days : int

    Returns
    -------
    int
        Of how many reports.
    """
    erased = session.scalars(
        text(
            "DELETE FROM report_contact USING report WHERE report.id = report_id "
            "AND closed_at < now() - make_interval(days => :days) RETURNING report_id"
        ),
        {"days": days},
    )
    return len(erased.all())
