import re
import subprocess
import sys

import pytest
from sqlalchemy import make_url

from data import database
from data.cluster import State


def test_the_private_database_is_started_upgraded_and_stopped(private, porchlight):
    assert "absent" in porchlight("db", "status")[1]
    assert porchlight("db", "start")[0] == 0
    behind = porchlight("db", "status")[1]
    assert re.search(r"Schema +none \(newest is \w+: porchlight db upgrade\)", behind)
    assert "the newest" in porchlight("db", "upgrade")[1]
    status = porchlight("db", "status")[1]
    assert re.search(r"State +running", status)
    assert "newest" not in status
    assert porchlight("db", "stop")[0] == 0
    assert re.search(r"State +stopped", porchlight("db", "status")[1])


def test_a_command_leaves_the_private_database_stopped_as_it_was(private, porchlight):
    assert porchlight("db", "upgrade")[0] == 0
    assert private.status().state is State.STOPPED


@pytest.mark.parametrize("verb", ["start", "stop"])
def test_a_server_of_the_operators_own_is_neither_started_nor_stopped(own, porchlight, verb):
    code, said = porchlight("db", verb)
    assert code == 0
    assert f"no private one to {verb}" in said
    assert database.revisions(own)[0] is not None


def test_a_password_is_not_shown(own, porchlight, monkeypatch):
    url = make_url(own)
    password = url.password or "hunter2"
    with_password = url.set(password=password).render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", with_password)
    status = porchlight("db", "status")[1]
    assert "URL" in status
    assert f":{password}@" not in status


def test_a_database_that_does_not_answer_is_a_sentence_not_a_traceback(porchlight, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/nothing")
    code, said = porchlight("db", "status")
    assert code == 1
    assert said.startswith("The database does not answer: ")
    assert "Traceback" not in said


def test_a_wrong_setting_is_a_sentence_not_a_traceback(porchlight, monkeypatch):
    monkeypatch.setenv("PORT", "http")
    code, said = porchlight("db", "status")
    assert code == 1
    assert said.startswith("PORT: Input should be a valid integer")
    assert "Traceback" not in said


def test_the_shell_runs_psql_on_the_database(own):
    asked = subprocess.run(
        [sys.executable, "-c", "from server.command import main; main(['db', 'shell'])"],
        input="SELECT 'schema ' || version_num FROM alembic_version;",
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"schema {database.revisions(own)[1]}" in asked.stdout
