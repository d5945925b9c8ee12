"""Faults and abuses that take a real server process and a real PostgreSQL cluster, or a clock.

    nice .venv/bin/python bench/faults.py [NUMBER ...]

Each is of the table "twenty faults and abuses" by its number: what is done, when it passes, what was
seen. The server is `porchlight serve` with a pool of 5 connections; the cluster is its own and durable,
under PORCHLIGHT_VAR (or a temporary folder), and is stopped and started as the faults want.
"""

import argparse
import asyncio
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import httpx2  # noqa: E402 (the path comes first)
import psycopg  # noqa: E402
from PIL import Image  # noqa: E402
from sqlalchemy import make_url, text  # noqa: E402
from sqlalchemy.orm import Session  # noqa: E402

from data import database  # noqa: E402
from data.cluster import Cluster  # noqa: E402
from server.mail import post  # noqa: E402
from tests.data.queries.test_status_machine import walk  # noqa: E402
from tests.mailbox import Mailbox, open_mailbox  # noqa: E402
from tests.places import IN_EASTSIDE, found_city  # noqa: E402

# One for all: making one takes a tenth of a second, which would count as the server's.
CLIENT = httpx2.Client(timeout=60, limits=httpx2.Limits(max_connections=200, keepalive_expiry=0))

POOL = 5
DOWN_S = 30
UPLOADS = 50
KILLS = 20
MAILS = 50
CONTACTS = 20_000
STEPS = 2_000

# Puts every clock of a process forward; the database is another process.
CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long ahead(void) { const char *s = getenv("AHEAD_S"); return s ? atol(s) : 0; }
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, at);
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) at->tv_sec += ahead();
    return result;
}
int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""


@dataclass
class House:
    """The cluster, a folder for what servers write, and the URL of the database."""

    cluster: Cluster
    folder: Path
    url: str

    def connect(self) -> psycopg.Connection:
        plain = make_url(self.url).set(drivername="postgresql")
        return psycopg.connect(plain.render_as_string(hide_password=False), autocommit=True)

    def one(self, query: str) -> object:
        with self.connect() as own:
            return own.execute(query).fetchone()[0]


@contextmanager
def house() -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        cluster = Cluster(folder / "cluster")
        url = str(cluster.start())
        try:
            database.upgrade(url)
            engine = database.engine(url)
            with Session(engine) as session:
                found_city(session)
                session.commit()
            engine.dispose()
            yield House(cluster, folder, url)
        finally:
            cluster.stop()


@contextmanager
def serving(own: House, **environment: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """A server process of its own; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    settings = {
        "DATABASE_URL": own.url,
        "PORT": str(port),
        "PORCHLIGHT_VAR": str(own.folder / "var"),
        "PORCHLIGHT_POOL_SIZE": str(POOL),
        "PORCHLIGHT_POSITION_SECRET": "s" * 32,
        "PORCHLIGHT_REPORTS_PER_HOUR": "10000",
    }
    process = subprocess.Popen(
        [ROOT / ".venv/bin/porchlight", "serve"],
        env=os.environ | settings | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: got(f"{address}/api/health/live")[0] == 200, 60)
        yield address, process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(40)


def until(holds: Callable[[], bool], seconds: float) -> float:
    """Wait for something, and give how long it took."""
    start = time.monotonic()
    while not holds():
        if time.monotonic() - start > seconds:
            raise TimeoutError
        time.sleep(0.05)
    return time.monotonic() - start


def got(url: str, **options) -> tuple[int, float, dict]:
    """Give the status (0 for none), the seconds it took, and the headers of an answer."""
    start = time.monotonic()
    try:
        answer = CLIENT.request(options.pop("method", "GET"), url, **options)
    except httpx2.TransportError:
        return 0, time.monotonic() - start, {}
    return answer.status_code, time.monotonic() - start, dict(answer.headers)


def sent(address: str, key: str) -> tuple[int, float, dict]:
    lon, lat = IN_EASTSIDE
    return got(
        f"{address}/api/reports",
        method="POST",
        headers={"Idempotency-Key": f"fault-{key}-{os.getpid()}"},
        json={"category": "light_out", "lat": lat, "lon": lon},
    )


def database_down(own: House) -> tuple[str, bool]:
    with serving(own) as (address, _):
        assert sent(address, "before")[0] == 201
        own.cluster.stop()
        live, ready, submit = [], [], []
        start = time.monotonic()
        while time.monotonic() - start < DOWN_S:
            n = len(live)
            live.append(got(f"{address}/api/health/live"))
            ready.append(got(f"{address}/api/health/ready"))
            submit.append(sent(address, f"down-{n}"))
            time.sleep(0.5)
        own.cluster.start()
        back = until(
            lambda: (
                got(f"{address}/api/health/ready")[0] == 200
                and sent(address, f"back-{time.monotonic()}")[0] == 201
            ),
            30,
        )
    slowest = [max(took for _, took, _ in tried) for tried in (live, ready, submit)]
    told = all("retry-after" in headers for _, _, headers in submit)
    statuses = [Counter(status for status, _, _ in tried) for tried in (live, ready, submit)]
    seen = (
        f"live {dict(statuses[0])}, {slowest[0]:.2f} s at most; ready {dict(statuses[1])}, "
        f"{slowest[1]:.2f} s; submit {dict(statuses[2])}, {slowest[2]:.2f} s, Retry-After "
        f"{'always' if told else 'missing'}; healthy {back:.1f} s after"
    )
    passes = (
        [set(found) for found in statuses] == [{200}, {503}, {503}]
        and told
        and slowest[1] <= 2
        and slowest[2] <= 3
        and back <= 5
    )
    return seen, passes


class SlowMailbox(Mailbox):
    """Says when a mail is coming in, and takes it only after a while."""

    def __init__(self) -> None:
        super().__init__()
        self.coming = threading.Event()

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 (aiosmtpd's name)
        self.coming.set()
        await asyncio.sleep(1)
        return await super().handle_DATA(server, session, envelope)


def worker_killed(own: House) -> tuple[str, bool]:
    """Killed while the mail server takes a mail, before it says that it has.

    Between that word and its record nothing can tell whether it was sent; such a mail goes out again
    under the same Message-ID, and counts as one here as it does in mailboxes.
    """
    engine, mailbox, chance = database.engine(own.url), SlowMailbox(), random.Random(1)
    unfinished = "SELECT count(*) FROM mail WHERE sent_at IS NULL"
    with Session(engine) as session:
        for number in range(MAILS):
            post(session, "ann@example.org", f"Mail {number}", "Good day.")
        session.commit()
    with open_mailbox(mailbox) as port:
        environment = os.environ | {
            "DATABASE_URL": own.url,
            "PORCHLIGHT_VAR": str(own.folder / "var"),
            "PORCHLIGHT_SMTP_HOST": "127.0.0.1",
            "PORCHLIGHT_SMTP_PORT": str(port),
            "PORCHLIGHT_SMTP_SECURITY": "none",
            "PORCHLIGHT_MAIL_FROM": "porchlight@example.org",
        }
        command = [ROOT / ".venv/bin/porchlight", "work"]
        over = 0
        for _ in range(KILLS):
            mailbox.coming.clear()
            with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
                mailbox.coming.wait(60)
                time.sleep(chance.uniform(0, 0.5))
                process.kill()
            over += own.one("SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'") > 0
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
            took = until(lambda: own.one(unfinished) == 0, 120)
            process.terminate()
    engine.dispose()
    taken = [(message["Subject"], message["Message-ID"]) for _, message in mailbox.taken]
    lost = MAILS - len({subject for subject, _ in taken})
    twice = len(set(taken)) - MAILS + lost
    seen = (
        f"killed {KILLS} times, {over} of them over jobs under way; of {MAILS} mails {lost} lost, "
        f"{twice} sent twice, {len(taken) - len(set(taken))} copies under the same Message-ID; all "
        f"done {took:.0f} s after the last"
    )
    return seen, lost == 0 and twice == 0 and over == KILLS and took <= 60


def slow_queries(own: House) -> tuple[str, bool]:
    """All that ask of reports wait for a lock, until the statement's time is over."""
    with serving(own) as (address, _), own.connect() as blocker:
        blocker.autocommit = False
        blocker.execute("LOCK TABLE report IN ACCESS EXCLUSIVE MODE")
        with ThreadPoolExecutor(50) as pool:
            waiting = [pool.submit(got, f"{address}/api/reports?limit=5") for _ in range(50)]
            time.sleep(0.5)
            health = []
            while not all(one.done() for one in waiting):
                health.append(got(f"{address}/api/health/live"))
                health.append(got(f"{address}/api/health/ready"))
                time.sleep(0.2)
            answers = [one.result() for one in waiting]
        blocker.rollback()
        after = until(lambda: got(f"{address}/api/reports?limit=5")[0] == 200, 10)
    took = sorted(took for _, took, _ in answers)
    rest = took[: 50 - POOL]
    seen = (
        f"{dict(Counter(status for status, _, _ in answers))}; the rest after {rest[-1]:.2f} s at "
        f"most, the {POOL} after {took[-1]:.2f} s; health {dict(Counter(h[0] for h in health))}, "
        f"{max(h[1] for h in health):.2f} s at most; pages again {after:.1f} s after"
    )
    passes = (
        {status for status, _, _ in answers} == {503}
        and rest[-1] <= 2
        and {h[0] for h in health} == {200}
    )
    return seen, passes


def clocks_apart(own: House) -> tuple[str, bool]:
    """One server by the true clock, one an hour ahead and one a day; all on one database."""
    shim = own.folder / "clock.so"
    source = own.folder / "clock.c"
    source.write_text(CLOCK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)
    seen, passes = [], True
    for name, ahead_s in (("1 h", 3_600), ("1 d", 86_400)):
        with (
            serving(own) as (true, _),
            serving(own, LD_PRELOAD=str(shim), AHEAD_S=str(ahead_s)) as (ahead, _),
        ):
            status, _, _ = sent(ahead, f"clock-{ahead_s}")
            stored = own.one(
                "SELECT abs(extract(epoch FROM now() - max(reported_at))) < 60 FROM report"
            )
            # A link that the true server sent is good at the other, and its sign-in at both.
            email = f"ann{ahead_s}@example.org"
            got(f"{true}/sign-in", method="POST", data={"email": email})
            asked = f"SELECT text FROM mail WHERE recipient = '{email}'"
            letter = own.one(asked)
            token = {"token": re.search(r"token=([\w-]+)", letter)[1]}
            used = CLIENT.post(f"{ahead}/sign-in/link", data=token, follow_redirects=False)
            cookie = used.headers.get("set-cookie", "").partition(";")[0]
            CLIENT.cookies.clear()
            pages = [
                got(f"{server}/account", headers={"Cookie": cookie})[0] for server in (true, ahead)
            ]
            again = got(f"{true}/sign-in/link", method="POST", data=token)[0]
        seen.append(
            f"{name}: report {status} at the database's time: {stored}; link of one used at the "
            f"other {used.status_code}, signed in at both {pages}, used again {again}"
        )
        passes &= (
            status == 201 and stored and pages == [200, 200] and used.status_code == 303
            and again >= 400
        )  # fmt: skip
    return "; ".join(seen), bool(passes)


def photo_of_a_phone() -> bytes:
    """More in it than in most, so that it takes longer."""
    image = BytesIO()
    Image.effect_noise((1_600, 1_200), 80).convert("RGB").save(image, "JPEG", quality=95)
    return image.getvalue()


@contextmanager
def crowd(address: str) -> Iterator[list[tuple[int, float, dict]]]:
    """People who all send a report with a photo at once; their answers are there at the end."""
    photo, gate, forms = photo_of_a_phone(), threading.Barrier(UPLOADS + 1), []
    while len(forms) < UPLOADS:  # one after another: this is not the fault of a small pool
        page = CLIENT.get(f"{address}/report").text
        found = {
            name: re.search(f'name="{name}" value="([^"]*)"', page)[1]
            for name in ("token", "album")
        }
        forms.append(found)
    answers: list[tuple[int, float, dict]] = []

    def upload(n: int) -> None:
        lon, lat = IN_EASTSIDE
        place = {"lat": str(lat + n / 1e4), "lon": str(lon)}
        gate.wait()
        answers.append(
            got(
                f"{address}/report",
                method="POST",
                data={**forms[n], **place, "category": "light_out", "new": "1"},
                files=[("photos", (f"{n}.jpg", photo))],
                headers={"Sec-Fetch-Site": "same-origin"},
                follow_redirects=False,
            )
        )

    threads = [threading.Thread(target=upload, args=(n,)) for n in range(UPLOADS)]
    for thread in threads:
        thread.start()
    gate.wait()
    yield answers
    for thread in threads:
        thread.join()


def most_memory(process: subprocess.Popen, stop: threading.Event, found: list[float]) -> None:
    """Watch how many MB a server and its decoders hold together."""
    while not stop.wait(0.05):
        held = 0.0
        for status in Path("/proc").glob("[0-9]*/status"):
            with suppress(OSError):
                told = dict(
                    re.findall(r"^(PPid|Pid|VmRSS):\s+(\d+)", status.read_text(), re.MULTILINE)
                )
                if str(process.pid) in {told["Pid"], told["PPid"]} and "VmRSS" in told:
                    held += int(told["VmRSS"]) / 1024
        found.append(held)


def uploads_of_a_crowd(own: House) -> tuple[str, bool]:
    watched: list[float] = []
    stop = threading.Event()
    with serving(own) as (address, process):
        watch = threading.Thread(target=most_memory, args=(process, stop, watched))
        start = time.monotonic()
        with crowd(address) as answers:
            watch.start()
            pages = []
            for _ in range(20):
                pages.append(got(f"{address}/report")[:2])
                time.sleep(0.5)
        took = time.monotonic() - start
        stop.set()
        watch.join()
    taken = [seconds for status, seconds, _ in answers if status == 303]
    stored = own.one("SELECT count(*) FROM photo WHERE report_id IS NOT NULL")
    seen = (
        f"{dict(Counter(status for status, _, _ in answers))} in {took:.1f} s, the slowest after "
        f"{max(taken, default=0):.1f} s; {stored} photos stored; other pages meanwhile "
        f"{dict(Counter(status for status, _ in pages))}, {max(s for _, s in pages):.2f} s at most; "
        f"{max(watched) - watched[0]:.0f} MB more at the most"
    )
    passes = (
        len(taken) == stored == UPLOADS
        and {status for status, _ in pages} == {200}
        and max(watched) - watched[0] <= 150
    )
    return seen, passes


def ended_over_uploads(own: House) -> tuple[str, bool]:
    before = own.one("SELECT count(*) FROM report")
    with serving(own) as (address, process), crowd(address) as answers:
        time.sleep(1.0)
        start = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
        took = time.monotonic() - start
    said = [
        int(re.search(r"/reports/(\d+)", headers["location"])[1])
        for status, _, headers in answers
        if status == 303
    ]
    with own.connect() as asked:
        there = asked.execute(
            "SELECT count(*) FROM report WHERE id = ANY (%s) "
            "AND EXISTS (SELECT FROM photo WHERE report_id = report.id)",
            [said],
        ).fetchone()[0]
    false = len(said) - there
    stored = own.one("SELECT count(*) FROM report") - before
    seen = (
        f"{dict(Counter(status for status, _, _ in answers))} (0: cut off); {stored} stored, false "
        f"2xx or 3xx: {false}; exit {code} after {took:.1f} s"
    )
    return seen, false == 0 and took <= 30


def thousands_of_steps(own: House) -> tuple[str, bool]:
    engine = database.engine(own.url)
    with engine.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            session.execute(text("DELETE FROM area"))  # each run founds a city of its own
            session.execute(text("DELETE FROM block_watch"))
            taken = walk(session, STEPS // 50, 50)
        outer.rollback()
    engine.dispose()
    seen = f"{STEPS} steps at the most, {taken} changes taken, the others refused; all agreed"
    return seen, taken > STEPS / 20


def retention_killed(own: House) -> tuple[str, bool]:
    """Contacts and refused photos whose time is over, erased by processes that are killed."""
    with own.connect() as made:
        made.execute(
            "INSERT INTO report (kind, category_code, status, exact_geom, public_geom, occurred_at, "
            "reported_at, closed_at) SELECT 'lighting', 'light_out', 'done', place, place, at, at, at "
            "FROM generate_series(1, %s), ST_SetSRID(ST_MakePoint(%s, %s), 4326) AS place, "
            "CAST(now() - interval '400 days' AS timestamptz) AS at",
            [CONTACTS, *IN_EASTSIDE],
        )
        made.execute("INSERT INTO report_contact (report_id, name) SELECT id, 'canary' FROM report")
    forget = (
        "import sys; from data import database; from server.upkeep import forget; "
        "forget(database.engine(sys.argv[1]), 90)"
    )
    at_work = (
        "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
        "AND state <> 'idle' AND query LIKE 'DELETE FROM report_contact%'"
    )
    left, killed = [], 0
    with own.connect() as asked:
        for n in range(12):
            process = subprocess.Popen([sys.executable, "-c", forget, own.url], cwd=ROOT)
            while process.poll() is None and not asked.execute(at_work).fetchone()[0]:
                time.sleep(0.002)
            time.sleep(n * 0.01)
            if process.poll() is None:
                process.kill()
                killed += 1
            process.wait()
            left.append(own.one("SELECT count(*) FROM report_contact"))
    subprocess.run([sys.executable, "-c", forget, own.url], cwd=ROOT, check=True)
    after = own.one("SELECT count(*) FROM report_contact WHERE name LIKE '%canary%'")
    seen = (
        f"{CONTACTS} contacts: killed {killed} times over the erasing, left meanwhile {sorted(set(left))}; "
        f"canaries after the next run {after}"
    )
    return seen, after == 0 and killed > 0


FAULTS: dict[int, tuple[str, str, Callable[[House], tuple[str, bool]]]] = {
    3: (
        f"worker kill -9, {KILLS} times mid-job",
        "0 jobs lost, none doing > 60 s, 0 double e-mails",
        worker_killed,
    ),
    4: (
        f"PostgreSQL down {DOWN_S} s",
        "live 200, ready 503 in 2 s, submit 503 + Retry-After in 3 s, healthy 5 s after",
        database_down,
    ),
    5: (
        f"50 slow queries on a pool of {POOL}",
        "the rest 503 in 2 s; health answers",
        slow_queries,
    ),
    8: ("clocks 1 h and 1 d apart", "the database's clock decides", clocks_apart),
    9: (
        f"SIGTERM with {UPLOADS} uploads under way",
        "0 false 2xx, exit in 30 s",
        ended_over_uploads,
    ),
    16: (
        f"{UPLOADS} photos at once (of 16)",
        "all are taken, other pages answer, memory +150 MB at most",
        uploads_of_a_crowd,
    ),
    20: ("retention killed midway", "0 canaries after the next run", retention_killed),
    21: (
        f"{STEPS} steps over the workflow (of 20)",
        "status, timeline, tallies, duplicates agree",
        thousands_of_steps,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("numbers", nargs="*", type=int, choices=[*FAULTS, []])
    chosen = parser.parse_args().numbers or [*FAULTS]
    failed = False
    print("| # | fault | passes when | seen | verdict |\n|---|---|---|---|---|")
    for number in chosen:
        title, when, run = FAULTS[number]
        with house() as own:
            seen, passes = run(own)
        failed |= not passes
        print(
            f"| {number} | {title} | {when} | {seen} | {'passes' if passes else 'FAILS'} |",
            flush=True,
        )
    sys.exit(failed)


if __name__ == "__main__":
    main()
