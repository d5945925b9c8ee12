import pytest

from tests.server.api.test_health import cut_off

JSON = {"Content-Type": "application/json"}


def test_every_answer_carries_the_headers_of_safety(client):
    for path in ("/api/openapi.json", "/nowhere", "/static/theme.js"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Content-Security-Policy" in headers


def test_a_page_lets_only_scripts_with_its_own_nonce_run(client):
    first, second = (client.get("/nowhere", headers={"Accept": "text/html"}) for _ in range(2))
    policies = [answer.headers["Content-Security-Policy"] for answer in (first, second)]
    assert all("default-src 'none'" in policy and "unsafe" not in policy for policy in policies)
    assert policies[0] != policies[1]
    nonce = policies[0].split("'nonce-")[1].split("'")[0]
    assert f'nonce="{nonce}"' in first.text


def test_a_body_larger_than_allowed_is_refused_before_it_is_read(client, settings):
    answer = client.post("/api/reports", content=b"x" * (settings.max_body_bytes + 1), headers=JSON)
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == 413


def test_a_body_whose_length_is_not_declared_is_refused_as_well(client, settings):
    chunks = (b"x" * 65_536 for _ in range(settings.max_body_bytes // 65_536 + 2))
    assert client.post("/api/reports", content=chunks, headers=JSON).status_code == 413


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_what_is_not_there_is_told_in_the_form_that_was_asked_for(client, accept):
    answer = client.get("/nowhere", headers={"Accept": accept})
    assert answer.status_code == 404
    wanted = "text/html" if accept == "text/html" else "application/problem+json"
    assert answer.headers["Content-Type"].startswith(wanted)


def test_the_language_of_the_address_is_kept_for_the_next_page(client):
    page = {"Accept": "text/html"}
    assert '<html lang="es">' in client.get("/nowhere?lang=es", headers=page).text
    assert '<html lang="es">' in client.get("/nowhere", headers=page).text
    assert '<html lang="en">' in client.get("/nowhere?lang=en", headers=page).text


def test_a_head_is_that_of_the_page_without_its_body(client):
    whole, head = client.get("/api/categories"), client.head("/api/categories")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == whole.headers["Content-Length"]
    assert client.head("/nowhere").status_code == 404


def test_a_database_that_is_away_is_told_apart_from_an_empty_one(client, server, engine):
    cut_off(server, engine)
    answer = client.get("/api/versions")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
