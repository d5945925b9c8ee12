"""Files of poles that are looked at before they are applied, as pages ask for them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from data.models import PoleChange, PoleChangeKind, PoleImport, PoleImportState

MOST_BYTES = 64 * 1024 * 1024
"""Of a file. The city's 90,000 poles take 17 MB as GeoJSON."""

CHANGED = "the stored poles have changed since"
"""Reason of a file that has to be looked at again."""

FAULT = "a fault that is not the file's"
"""Reason of a file that could not be brought in for nothing that is known of files."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A file as it stands; the attributes are those of `data.models.PoleImport`."""

    id: int
    at: datetime
    file_name: str
    crs: str
    state: PoleImportState
    counts: Mapping[str, int]
    digest: bytes | None
    reason: str
    remove_gone: bool
    applied_at: datetime | None

    @property
    def under_way(self) -> bool:
        """Whether a job has it."""
        return self.state in {PoleImportState.READING, PoleImportState.APPLYING}

    @property
    def seen(self) -> str:
        """Names the changes that are shown."""
        return (self.digest or b"").hex()


@dataclass(frozen=True, slots=True)
class Change:
    """What a file changes of one pole; longitude and latitude are where it stands afterwards, or stood."""

    id: int
    kind: PoleChangeKind
    pole_id: str
    distance_m: float | None
    asked: bool
    row_number: int | None
    reason: str
    longitude: float | None
    latitude: float | None


_STAGED = tuple(getattr(PoleImport, name) for name in Staged.__dataclass_fields__)


def stage(session: Session, person_id: int, file_name: str, crs: str, content: bytes) -> int:
    """Keep a file, which a job then reads.

    Parameters
    ----------
    session : Session
        Of whoever works on all lights; the store refuses others.
    person_id : int
    file_name, crs : str
    content : bytes

    Returns
    -------
    int
        Its id.
    """
    return session.execute(
        insert(PoleImport)
        .values(person_id=person_id, file_name=file_name, crs=crs, content=content)
        .returning(PoleImport.id)
    ).scalar_one()


def latest(session: Session, limit: int) -> list[Staged]:
    """Give the files that were sent last, the newest first."""
    rows = session.execute(select(*_STAGED).order_by(PoleImport.id.desc()).limit(limit))
    return [Staged(*row) for row in rows]


def one(session: Session, id: int) -> Staged | None:
    """Give a file; None where there is none, or the visitor may not see it."""
    row = session.execute(select(*_STAGED).where(PoleImport.id == id)).one_or_none()
    return None if row is None else Staged(*row)


def changes(
    session: Session,
    id: int,
    kind: PoleChangeKind | None = None,
    *,
    after: int = 0,
    limit: int | None = None,
) -> Iterator[Change]:
    """Give what a file changes, in the order in which it is shown.

    Parameters
    ----------
    session : Session
    id : int
        Of the file.
    kind : PoleChangeKind, optional
        Only these.
    after : int
        The last change of the page before.
    limit : int, optional
        Changes at the most.
    """
    place = func.coalesce(PoleChange.geom, PoleChange.was)
    asked = (
        select(
            PoleChange.id, PoleChange.kind, PoleChange.pole_id, PoleChange.distance_m,
            PoleChange.asked, PoleChange.row_number, PoleChange.reason,
            func.ST_X(place), func.ST_Y(place),
        )
        .where(PoleChange.pole_import_id == id, PoleChange.id > after)
        .order_by(PoleChange.id)
        .limit(limit)
    )  # fmt: skip
    if kind is not None:
        asked = asked.where(PoleChange.kind == kind)
    return (Change(*row) for row in session.execute(asked))


def decide(
    session: Session, id: int, state: PoleImportState, *, seen: bytes, remove_gone: bool
) -> bool:
    """Have a file applied, or drop it.

    Parameters
    ----------
    session : Session
    id : int
    state : PoleImportState
        `APPLYING` or `DROPPED`.
    seen : bytes
        Digest of the changes that were looked at.
    remove_gone : bool

    Returns
    -------
    bool
        False where it is not as it was seen any more, so that nothing was done.
    """
    waiting = PoleImport.state == PoleImportState.READY, PoleImport.digest == seen
    drops = state is PoleImportState.DROPPED
    changed = session.execute(
        update(PoleImport)
        .where(
            PoleImport.id == id,
            *(
                (PoleImport.state.in_((PoleImportState.READY, PoleImportState.FAILED)),)
                if drops
                else waiting
            ),
        )
        .values(state=state, remove_gone=remove_gone)
        .returning(PoleImport.id)
    )
    return changed.first() is not None


KEPT_DAYS = 30
"""Days after which a file that nobody decided about is dropped."""


def forget(session: Session) -> None:
    """Drop files that nobody decided about, and what dropped ones would have changed.

    As the owner of the store.
    """
    session.execute(
        update(PoleImport)
        .where(
            PoleImport.state == PoleImportState.READY,
            PoleImport.at < func.now() - timedelta(days=KEPT_DAYS),
        )
        .values(state=PoleImportState.DROPPED)
        .execution_options(synchronize_session=False)
    )
    dropped = select(PoleImport.id).where(PoleImport.state == PoleImportState.DROPPED)
    session.execute(
        delete(PoleChange)
        .where(PoleChange.pole_import_id.in_(dropped))
        .execution_options(synchronize_session=False)
    )
