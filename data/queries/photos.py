"""Photos: chosen in a form, sent with a report, shown once a moderator has looked."""

from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import text
from sqlalchemy.orm import Session

from data.models import PhotoState

KEPT_FOR_A_FORM = "1 hour"
"""How long photos of a form are kept that is not sent."""


@dataclass(frozen=True, slots=True)
class ChosenPhoto:
    """A photo of a form that is not sent yet."""

    id: int
    key: str
    width: int
    height: int


def _fill_in(session: Session, token: str) -> bytes:
    """Tell the store which form is filled in, for this transaction, and give its hash."""
    form_hash = sha256(token.encode()).digest()
    session.execute(
        text("SELECT set_config('porchlight.form', :form, true)"), {"form": form_hash.hex()}
    )
    return form_hash


def chosen(session: Session, token: str) -> list[ChosenPhoto]:
    """Give the photos chosen in a form, in the order in which they came.

    Parameters
    ----------
    session : Session
        In a transaction.
    token : str
        Of the form.

    Returns
    -------
    list of ChosenPhoto
    """
    found = session.execute(
        text(
            "SELECT id, key, width, height FROM photo "
            "WHERE form_hash = :form_hash AND created_at > now() - CAST(:kept AS interval) "
            "ORDER BY id"
        ),
        {"form_hash": _fill_in(session, token), "kept": KEPT_FOR_A_FORM},
    )
    return [ChosenPhoto(*row) for row in found]


def choose(session: Session, token: str, *, key: str, sent: bytes, width: int, height: int) -> bool:
    """Keep a photo for a form.

    Parameters
    ----------
    session : Session
        Nothing is committed here.
    token : str
        Of the form.
    key : str
        Under which its files lie in the photo store.
    sent : bytes
        The file as it came, of which only a hash is kept.
    width, height : int
        In pixels.

    Returns
    -------
    bool
        False where the form has this photo already: then the files are not needed.
    """
    form_hash = _fill_in(session, token)
    added = session.execute(
        text(
            "INSERT INTO photo (form_hash, sent_hash, key, width, height) "
            "VALUES (:form_hash, :sent_hash, :key, :width, :height) "
            "ON CONFLICT DO NOTHING RETURNING id"
        ),
        {
            "form_hash": form_hash,
            "sent_hash": sha256(form_hash + sent).digest(),
            "key": key,
            "width": width,
            "height": height,
        },
    )
    return added.one_or_none() is not None


def leave_out(session: Session, token: str, ids: Collection[int]) -> None:
    """Take photos out of a form."""
    session.execute(
        text("DELETE FROM photo WHERE form_hash = :form_hash AND id = ANY (:ids)"),
        {"form_hash": _fill_in(session, token), "ids": list(ids)},
    )


def send(session: Session, token: str, report_id: int) -> int:
    """Give the photos of a form to the report that it became. They wait for a moderator.

    Parameters
    ----------
    session : Session
        In which the report was made, just now: no other takes photos.
    token : str
        Of the form.
    report_id : int

    Returns
    -------
    int
        How many.
    """
    sent = session.scalar(
        text("SELECT photos_send(:form_hash, :report_id)"),
        {"form_hash": _fill_in(session, token), "report_id": report_id},
    )
    assert isinstance(sent, int)
    return sent


@dataclass(frozen=True, slots=True)
class ShownPhoto:
    """A photo as the page of its report tells of it.

    Attributes
    ----------
    state : PhotoState
        Everybody gets only public ones; the reporter and moderators all.
    reason : str
        Why it is refused.
    can_appeal : bool
        Whether the visitor may ask for another moderator's eyes.
    """

    id: int
    state: PhotoState
    width: int
    height: int
    reason: str
    can_appeal: bool


def of_report(session: Session, report_id: int) -> list[ShownPhoto]:
    """Give the photos of a report that the visitor may see, in the order in which they came."""
    found = session.execute(
        text(
            "SELECT id, state, width, height, reason, state = 'refused' AND key IS NOT NULL "
            "AND visitor_reported(report_id) AND NOT photo_was_appealed(id) AS can_appeal "
            "FROM photo WHERE report_id = :report_id ORDER BY id"
        ),
        {"report_id": report_id},
    )
    return [ShownPhoto(row.id, PhotoState(row.state), *row[2:]) for row in found]


@dataclass(frozen=True, slots=True)
class Files:
    """Where the files of a photo lie, and whether everybody may see them."""

    key: str
    public: bool


def files(session: Session, id: int, token: str | None = None) -> Files | None:
    """Find the files of a photo that the visitor may see.

    Parameters
    ----------
    session : Session
        In a transaction, where a token is given.
    id : int
        Of a photo.
    token : str, optional
        Of the form that is filled in.

    Returns
    -------
    Files or None
    """
    if token is not None:
        _fill_in(session, token)
    found = session.execute(
        text(
            "SELECT key, state = 'public' AND EXISTS ("
            "SELECT FROM report WHERE report.id = report_id AND status <> 'held'"
            ") AS public FROM photo WHERE id = :id AND key IS NOT NULL "
            "AND (report_id IS NOT NULL) = (:token = '')"
        ),
        {"id": id, "token": token or ""},
    ).one_or_none()
    return None if found is None else Files(found.key, found.public)


def forget_forms(session: Session) -> None:
    """Delete the photos of forms that were not sent. The store's owner does this now and then."""
    session.execute(
        text(
            "DELETE FROM photo WHERE report_id IS NULL "
            "AND created_at < now() - CAST(:kept AS interval)"
        ),
        {"kept": KEPT_FOR_A_FORM},
    )


def discarded(session: Session) -> list[str]:
    """Give the keys of files that no photo names any more."""
    return list(session.scalars(text("SELECT key FROM discarded_photo LIMIT 1000")))


def deleted(session: Session, keys: Collection[str]) -> None:
    """Say that files are gone."""
    session.execute(
        text("DELETE FROM discarded_photo WHERE key = ANY (:keys)"), {"keys": list(keys)}
    )


def unknown(session: Session, keys: Collection[str]) -> list[str]:
    """Give those keys that stand for no photo."""
    found = session.scalars(
        text(
            "SELECT key FROM unnest(CAST(:keys AS text[])) AS stored (key) "
            "WHERE NOT EXISTS (SELECT FROM photo WHERE photo.key = stored.key) "
            "AND NOT EXISTS (SELECT FROM work_order_photo AS taken WHERE taken.key = stored.key)"
        ),
        {"keys": list(keys)},
    )
    return list(found)
