"""Hot spots of reports that outgrow a machine: counted part by part, here or by the workers of Dask.

A part of the city and of time is read, grouped into incidents and counted; two are joined, which counts
the incidents that lie across their edge (`geo.parts`); what is left in the end is a tally, from
which the verdicts follow as they do on the page. Workers keep the places: to whoever asked travel
counts only. Every part can be done again from the files, so a worker that is lost costs time and
nothing else.
"""

import hashlib
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

from data import partitions
from data.partitions import Chosen, Piece
from data.queries.hot_spots import Places, Source
from geo import parts
from geo.categories import BY_CODE
from geo.hot_spots import Ground, Survey, survey
from geo.hot_spots import Settings as Look
from geo.parts import Box, Grouped, Open, Part, Sameness
from server import hot_spot_files
from server.hot_spot_files import Written
from server.hot_spots import (
    METHOD,
    Asked,
    Sight,
    Tally,
    codes_of,
    judged,
    read_in,
    sameness,
    spell,
    tally,
    that_count,
)

if TYPE_CHECKING:
    from distributed import Client, Future

ROWS_AT_ONCE = 400_000
"""Rows of a part, nearly: a worker needs about 300 MiB for it."""

TRIES_AGAIN = 2
"""Times that a part is tried anew after a fault that may pass, such as a folder that was away."""

CONNECT_S = 10
WORKERLESS_S = 60
"""Seconds without any worker after which an analysis is given up."""

_WAIT_S, _LOOK_S = 0.05, 2.0
_PACKAGES = ("numpy", "scipy", "shapely", "pyproj", "pyarrow", "distributed")
_ROOT = Path(__file__).parent.parent
_SOURCES = ("geo/*.py", "data/partitions.py", "server/hot_spots.py", "server/hot_spot_parts.py")


class ClusterFault(Exception):  # noqa: N818 (it is what the message tells of)
    """The cluster cannot do it; the message says why, and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is asked of each part.

    Attributes
    ----------
    asked : Asked
    laid : Survey
    same : Sameness
    pieces : tuple of Piece
    chosen : Chosen
    zone : str
        Name of the city's time zone.
    """

    asked: Asked
    laid: Survey
    same: Sameness
    pieces: tuple[Piece, ...]
    chosen: Chosen
    zone: str


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """What is known of a part.

    Attributes
    ----------
    tally : Tally
        Of the incidents that are complete.
    rows : int
        Reports read.
    open : Open
        Incidents that may go on beyond its edge.
    """

    tally: Tally
    rows: int
    open: Open


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """What is known of all: counts, and no places."""

    tally: Tally
    rows: int


def question(
    asked: Asked, ground: Ground, look: Look, pieces: Sequence[Piece], zone: ZoneInfo
) -> Question:
    """Put a question so that parts can be asked it.

    Parameters
    ----------
    asked : Asked
        Not for everybody: reports are taken as they are.
    ground : Ground
    look : geo.hot_spots.Settings
    pieces : sequence of Piece
    zone : ZoneInfo
        The city's.

    Returns
    -------
    Question
    """
    codes = codes_of(asked)
    since, until = spell((asked.since, asked.until), zone)
    police = asked.source is Source.POLICE
    return Question(
        asked=asked,
        laid=survey(ground, look),
        same=Sameness(*sameness(asked.source, codes)),
        pieces=tuple(pieces),
        chosen=Chosen(
            since=since.timestamp(),
            until=until.timestamp(),
            codes=None if police else {code: number for number, code in enumerate(codes, 1)},
            known=frozenset() if police else frozenset(BY_CODE),
            degrees=read_in(asked, ground),
        ),
        zone=zone.key,
    )


def plan(question: Question, ground: Ground, most: int = ROWS_AT_ONCE) -> Part:
    """Cut place and time into parts of about as many rows as a worker holds at once."""
    west, south, east, north = (ground.served or ground.area).bounds
    days = (moment / 86_400 for moment in (question.chosen.since, question.chosen.until))
    first, last = days
    among = question.pieces
    return parts.cut(
        np.array([piece.low for piece in among]).reshape(-1, 3),
        np.array([piece.high for piece in among]).reshape(-1, 3),
        np.array([piece.rows for piece in among], np.int64),
        span=Box((west, south, first), (east, north, last)),
        reach=question.same.reach,
        most=most,
    )


def counted(question: Question, box: Box) -> Counted:
    """Read a part, and count it."""
    near = partitions.reports(question.pieces, box.grown(question.same.reach), question.chosen)
    rows = int(np.count_nonzero(box.holds(near)))
    found = parts.grouped(near, box, question.same)
    return Counted(_tally(question, found), rows, found.open)


def joined(question: Question, box: Box, one: Counted, other: Counted) -> Counted:
    """Join the halves of a part, and count what lay across their edge."""
    found = parts.joined(one.open, other.open, box, question.same)
    return Counted(
        one.tally + other.tally + _tally(question, found), one.rows + other.rows, found.open
    )


def _tally(question: Question, found: Grouped) -> Tally:
    asked, zone, first = question.asked, ZoneInfo(question.zone), found.first
    of_each = Places(
        lon=first["lon"],
        lat=first["lat"],
        xy_m=np.column_stack([first["x"], first["y"]]),
        at_s=first["at_s"],
        code=first["code"],
    )
    happened = that_count(asked, (asked.since, asked.until), of_each, found.reports, zone)
    return tally(asked, question.laid, happened, zone)


def summed(whole: Counted) -> Sum:
    """Keep of what is known of everything what may travel."""
    return Sum(whole.tally, whole.rows)


def seen(question: Question, sum_: Sum) -> Sight:
    """Give the verdicts."""
    return judged(question.asked, question.laid, sum_.tally)


def written(made: Mapping[str, Any], asked: Asked, sight: Sight) -> Written:
    """Give the cells as files have them, without what only incidents held together could tell."""
    file = hot_spot_files.written(made, asked, sight)
    columns = {name: column for name, column in file.columns.items() if name != "at_one_point"}
    return replace(file, columns=columns)


def here(question: Question, part: Part, tell: Callable[[int], None] = lambda done: None) -> Sum:
    """Work on all parts in this process, one after the other.

    Parameters
    ----------
    question : Question
    part : geo.parts.Part
    tell : callable
        Is told how many leaves are done.

    Returns
    -------
    Sum
    """
    done = 0

    def worked_on(part: Part) -> Counted:
        nonlocal done
        if part.halves is not None:
            one, other = (worked_on(half) for half in part.halves)
            return joined(question, part.box, one, other)
        found = counted(question, part.box)
        done += 1
        tell(done)
        return found

    return summed(worked_on(part))


def by(
    client: "Client",
    question: Question,
    part: Part,
    tell: Callable[[int], None] = lambda done: None,
) -> Sum:
    """Have the workers of a cluster work on all parts.

    Parameters
    ----------
    client : distributed.Client
    question : Question
    part : geo.parts.Part
    tell : callable
        Is told how many leaves are done.

    Returns
    -------
    Sum

    Raises
    ------
    ClusterFault
    data.partitions.PartitionError
    """
    from distributed import as_completed  # noqa: PLC0415 (where there is no cluster it need not be installed)

    # As a task, and not scattered: it can be done again where the worker that holds it is lost.
    put = client.submit(_itself, question, pure=False)
    leaves: list[Future[Any]] = []

    def worked_on(part: Part) -> "Future[Any]":
        if part.halves is not None:
            one, other = (worked_on(half) for half in part.halves)
            return client.submit(joined, put, part.box, one, other, pure=False, retries=TRIES_AGAIN)
        leaves.append(client.submit(counted, put, part.box, pure=False, retries=TRIES_AGAIN))
        return leaves[-1]

    last = client.submit(summed, worked_on(part), pure=False)
    waiting = as_completed([*leaves, last])
    # What is done with is forgotten by the workers as well, once nobody here holds it.
    leaves.clear()
    done, seen_at = 0, monotonic()
    while not waiting.is_empty():
        for future in waiting.next_batch(block=False):
            _require(future)
            if future.key != last.key:
                done += 1
                tell(done)
        if monotonic() - seen_at > _LOOK_S:
            seen_at = _watched(client, seen_at)
        sleep(_WAIT_S)
    found: Sum = last.result()
    return found


def _itself(question: Question) -> Question:
    return question


def _require(future: "Future[Any]") -> None:
    """Raise what a task ended with, where it is no answer."""
    if future.status == "finished":
        return
    if future.status != "error":
        raise ClusterFault("The scheduler has gone. Start it again, and then the analysis.")
    error = future.exception()
    if isinstance(error, partitions.PartitionError):
        raise error
    if type(error).__name__ == "KilledWorker":
        raise ClusterFault(
            "A part was tried several times, and each time its worker was lost: most likely it ran "
            "out of memory. Give workers more, or parts fewer rows: --rows-at-once."
        ) from error
    raise ClusterFault(f"A worker failed: {type(error).__name__}: {error}") from error


def _watched(client: "Client", seen_at: float) -> float:
    """Give when a worker was last there; raise where there has been none for long."""
    if client.status not in {"running", "connecting"}:
        raise ClusterFault("The scheduler has gone. Start it again, and then the analysis.")
    if client.scheduler_info(n_workers=1)["n_workers"]:
        return monotonic()
    if monotonic() - seen_at > WORKERLESS_S:
        raise ClusterFault(
            f"There has been no worker for {WORKERLESS_S} s. Start some, and then the analysis."
        )
    return seen_at


@contextmanager
def cluster(scheduler: str | None, workers: int, folder: Path) -> "Iterator[Client]":
    """Reach a cluster, or run one on this machine for as long as it is needed.

    Parameters
    ----------
    scheduler : str or None
        Address, such as tcp://10.0.0.5:8786.
    workers : int
        Processes to start on this machine where there is no address.
    folder : Path
        Where those put what they have no memory for.

    Yields
    ------
    distributed.Client

    Raises
    ------
    ClusterFault
        Where Dask is not installed, nobody answers, or workers run other versions.
    """
    try:
        from distributed import Client, LocalCluster  # noqa: PLC0415 (it need not be installed)
    except ImportError as error:
        raise ClusterFault(
            "Dask is not installed here. Install what clusters need: .venv/bin/pip install "
            "--require-hashes --requirement requirements-cluster.lock"
        ) from error
    # Else its log, with every fault in full, would bury the sentence that says what to do.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    if scheduler is None:
        with (
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                local_directory=str(folder),
                silence_logs=logging.CRITICAL,
                security=True,  # else whoever has an account here could run code as this one
            ) as own,
            Client(own) as client,
        ):
            yield client
        return
    try:
        client = Client(scheduler, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise ClusterFault(
            f"No scheduler answers at {scheduler}. Start one (dask scheduler), or check the address: "
            "it looks like tcp://host:8786."
        ) from error
    with client:
        require_same(client)
        yield client


def versions() -> Mapping[str, str]:
    """Give the versions of all that an answer depends on."""
    code = hashlib.sha256()
    for pattern in _SOURCES:
        for path in sorted(_ROOT.glob(pattern)):
            code.update(path.read_bytes())
    return {
        "Python": ".".join(map(str, sys.version_info[:2])),
        "Porchlight": f"method {METHOD}, code {code.hexdigest()[:12]}",
        **{name: version(name) for name in _PACKAGES},
    }


def require_same(client: "Client") -> None:
    """Make sure that there are workers, and that all run what runs here.

    Raises
    ------
    ClusterFault
    """
    try:
        client.wait_for_workers(1, timeout=CONNECT_S)
    except TimeoutError as error:
        raise ClusterFault(
            "The scheduler has no workers. Start some: dask worker, on machines with Porchlight."
        ) from error
    theirs = client.run(versions, on_error="return")
    mine = versions()
    for address, found in sorted(theirs.items()):
        if fault := differing(mine, found):
            raise ClusterFault(f"The worker {address} {fault}. Install the same on all machines.")


def differing(mine: Mapping[str, str], theirs: Any) -> str:
    """Say how a worker's versions differ; nothing where they do not."""
    if not isinstance(theirs, Mapping):
        return f"can not run Porchlight: {theirs}"
    other = [
        f"{name} {theirs.get(name, 'missing')} where this machine has {wanted}"
        for name, wanted in mine.items()
        if theirs.get(name) != wanted
    ]
    return f"runs {'; '.join(other)}" if other else ""


def period(pieces: Sequence[Piece], zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """Give from when to when pieces have reports, local; None where their footers do not tell."""
    margin = partitions.MARGIN[2]
    low = min((piece.low[2] for piece in pieces), default=-np.inf) + margin
    high = max((piece.high[2] for piece in pieces), default=np.inf) - margin
    if not np.isfinite([low, high]).all():
        return None
    first, last = (
        datetime.fromtimestamp(days * 86_400, UTC).astimezone(zone) for days in (low, high)
    )
    return first, last
