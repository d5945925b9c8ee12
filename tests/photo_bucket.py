"""A real S3-compatible store on loopback, which checks signatures, in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data.photo_bucket import Bucket
from tests.mailbox import free_port

KEYS = ("porchlight", "the secret key of the store")


class Store:
    """A store that runs, with a bucket in it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder / "porchlight"
        self.folder.mkdir(parents=True)
        self.endpoint = f"http://127.0.0.1:{port}"
        self.bucket = Bucket("porchlight", *KEYS, "us-east-1", self.endpoint)
        self.port = port
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [Path(sys.executable).with_name("nanio"), "serve", "--data-dir", self.folder.parent,
             "--host", "127.0.0.1", "--port", str(self.port), "--no-access-log"],
            env={**os.environ, "NANIO_ACCESS_KEY": KEYS[0], "NANIO_SECRET_KEY": KEYS[1]},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise TimeoutError("the store did not start")

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        """Have it take connections and answer none."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.rglob("*.webp"))


@contextmanager
def open_store(folder: Path) -> Iterator[Store]:
    """Serve a store."""
    store = Store(folder, free_port())
    store.start()
    yield store
    store.stop()
