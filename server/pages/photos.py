"""Photos: those chosen in the form, and those of reports, to whoever may see them."""

import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import Response
from sqlalchemy.orm import Session

from data.photo_store import PhotoStore, Size, new_key
from data.queries import photos
from data.queries.photos import Files
from server import limits
from server.dependencies import Reading, Writing
from server.faults import Fault
from server.languages import Language
from server.limits import Limit
from server.photos import (
    BYTES_LIMIT,
    MEDIA_TYPE,
    PATIENCE_S,
    PHOTOS_LIMIT,
    Photo,
    PhotoError,
    PhotoFault,
    clean,
    turn,
)
from server.problems import Problem
from server.schemas.filters import LARGEST_ID

router = APIRouter(include_in_schema=False)

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 60


@dataclass(frozen=True, slots=True)
class Received:
    """What became of the files that came with a form.

    Attributes
    ----------
    faults : tuple of Fault
        One for each file that is not taken.
    """

    faults: tuple[Fault, ...] = ()


def store_of(request: Request) -> PhotoStore:
    """Give the photo store of this installation."""
    store: PhotoStore = request.app.state.photo_store
    return store


def received(
    request: Request,
    album: Annotated[str, Form()] = "",
    files: Annotated[list[UploadFile | str], File(alias="photos")] = [],  # noqa: B006 (FastAPI copies it)
    drop_photo: Annotated[list[str], Form()] = [],  # noqa: B006 (as above)
) -> Received:
    """Keep the photos that came with a form, so that no fault of the form loses them.

    This is done, and committed, before anything else of the form is looked at: no connection waits
    while photos are decoded.
    """
    # A program that fills in the form may send no file as an empty text.
    chosen = [file for file in files if not isinstance(file, str) and (file.filename or file.size)]
    left_out = {int(id) for id in drop_photo if id.isdecimal() and len(id) < 19}
    if not album or not (chosen or left_out):
        return Received()
    engine, language = request.app.state.engine, request.state.language
    with Session(engine) as session:
        photos.leave_out(session, album, left_out)
        room = PHOTOS_LIMIT - len(photos.chosen(session, album))
        session.commit()
    messages = list(_keep(request, album, chosen[:room]))
    if len(chosen) > room:
        messages.append(said(PhotoFault.TOO_MANY, language))
    return Received(tuple(Fault("photos", "not_taken", message) for message in messages))


def _keep(request: Request, album: str, files: Sequence[UploadFile]) -> Iterator[str]:
    """Keep files, and say why of those that are not taken."""
    store, until = store_of(request), time.monotonic() + PATIENCE_S
    most = PHOTOS_LIMIT * request.app.state.settings.reports_per_hour
    for file in files:
        try:
            limits.count_from_here(request, Limit("photo from address", most, timedelta(hours=1)))
        except limits.TooMany as error:
            yield limits.said(request, error)
            return
        try:
            with turn(until - time.monotonic()):
                sent = file.file.read(BYTES_LIMIT + 1)
                photo = clean(sent)
        except PhotoError as error:
            yield said(error.fault, request.state.language)
            if error.fault is PhotoFault.BUSY:
                return
            continue
        key = new_key()
        try:
            put(store, key, photo)
        except OSError as error:
            logger.warning("A photo could not be stored: %s", error)
            yield said(PhotoFault.NOT_STORED, request.state.language)
            return
        with Session(request.app.state.engine) as session:
            added = photos.choose(
                session, album, key=key, sent=sent, width=photo.width, height=photo.height
            )
            session.commit()
        if not added:
            with contextlib.suppress(OSError):  # else the hourly sweep finds it
                store.delete(key)


def put(store: PhotoStore, key: str, photo: Photo) -> None:
    """Keep both sizes of a photo, or none of them as far as the store still answers.

    Raises
    ------
    OSError
        What could not be deleted then, the hourly sweep finds.
    """
    try:
        store.put(key, Size.LARGE, photo.large)
        store.put(key, Size.SMALL, photo.small)
    except OSError:
        with contextlib.suppress(OSError):
            store.delete(key)
        raise


def said(fault: PhotoFault, language: Language) -> str:
    """Say why a file is not taken, and what to do."""
    _ = language.gettext
    messages = {
        PhotoFault.NOT_A_PHOTO: _(
            "One of the files is no photo that we can read. Send JPEG, PNG, WebP or HEIC, as phones "
            "make them."
        ),
        PhotoFault.TOO_LARGE: _("One of the photos is larger than 10 MB. Send a smaller one."),
        PhotoFault.TOO_MANY_PIXELS: _(
            "One of the photos has too many pixels. Make it smaller, or send a screenshot of it."
        ),
        PhotoFault.TOO_MANY: _("A report can have 5 photos. Those beyond were left out."),
        PhotoFault.NOT_STORED: _(
            "Photos cannot be kept at this moment. Send the report without them, or choose them "
            "again in a few minutes."
        ),
        PhotoFault.BUSY: _(
            "Too many photos arrive at this moment. Choose yours again in a minute."
        ),
    }
    return messages[fault]


@router.get("/photos/{id:int}/{size}.webp")
def read_photo(request: Request, id: int, size: Size, session: Reading) -> Response:
    """Give a photo of a report to whoever may see it."""
    found = photos.files(session, id) if id <= LARGEST_ID else None
    session.close()  # no connection waits for the store of the files
    return photo_file(request, found, size)


@router.get("/report/photos/{id:int}.webp")
def read_chosen(request: Request, id: int, session: Writing, album: str = "") -> Response:
    """Give a photo to the form in which it was chosen."""
    found = photos.files(session, id, album) if album and id <= LARGEST_ID else None
    session.close()  # as above
    return photo_file(request, found, Size.SMALL)


def photo_file(request: Request, found: Files | None, size: Size) -> Response:
    """Answer with one of the files of a photo, or say that there is none for whoever asks."""
    _ = request.state.language.gettext
    try:
        content = store_of(request).get(found.key, size) if found else None
    except OSError as error:
        logger.warning("A photo could not be read: %s", error)
        raise Problem(
            503,
            _("Not at this moment"),
            _("Photos cannot be shown right now. Please try again in a minute."),
            {"Retry-After": str(RETRY_AFTER_S)},
        ) from error
    if found is None or content is None:
        raise Problem(404, _("No such photo"), _("This photo is not there, or it is not public."))
    # Not for long: a moderator may still take the report out of sight.
    kept = "public, max-age=300" if found.public else "private, no-store"
    return Response(content, media_type=MEDIA_TYPE, headers={"Cache-Control": kept})
