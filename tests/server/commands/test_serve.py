import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from data.cluster import State

# Whoever starts the tests in the background has signals ignored, which processes inherit.
HEARING = "from signal import *; signal(SIGINT, default_int_handler); signal(SIGHUP, SIG_DFL)"
COMMAND = [sys.executable, "-c", f"{HEARING}; from server.command import main; main(['serve'])"]


@pytest.fixture
def serving(monkeypatch):
    """Start the server on a free port; gives the process and its address."""
    monkeypatch.setenv("PORT", "0")
    started = []

    def serve():
        process = subprocess.Popen(
            COMMAND, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        started.append(process)
        said = ""
        assert process.stdout is not None
        for line in process.stdout:
            said += line
            if found := re.search(r"serves Kansas City on (http://\S+)", line):
                return process, found[1]
        raise AssertionError(said)

    yield serve
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_serving_takes_no_preparation_and_leaves_nothing_running(private, serving, ending):
    process, address = serving()
    with urllib.request.urlopen(f"{address}/api/versions") as answer:
        assert answer.status == 200
    assert private.status().state is State.RUNNING
    os.kill(process.pid, ending)
    assert process.wait(timeout=30) == (130 if ending == signal.SIGINT else 0)
    assert private.status().state is State.STOPPED


def test_a_killed_server_leaves_a_database_that_the_next_one_takes_up(private, serving):
    process, _ = serving()
    process.kill()
    process.wait()
    assert private.status().state is State.RUNNING
    _, address = serving()
    with urllib.request.urlopen(f"{address}/api/versions") as answer:
        assert answer.status == 200


def test_a_taken_port_is_known_before_anything_is_made(private, porchlight, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("PORT", str(taken.getsockname()[1]))
        code, said = porchlight("serve")
    assert code == 1
    assert "Address already in use" in said
    assert "PORT=8001" in said
    assert private.status().state is State.ABSENT
