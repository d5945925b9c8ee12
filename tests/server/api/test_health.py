"""Whoever watches over the server learns in time whether it lives, and whether it can answer."""

import psycopg


def cut_off(server, engine):
    """Take the database away from whoever is connected, and let nobody connect."""
    name = engine.url.database
    server.execute("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false", name)
    plain = server.url.set(drivername="postgresql", database="postgres")
    with psycopg.connect(plain.render_as_string(False), autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )


def test_a_server_without_its_database_lives_but_is_not_ready(client, server, engine):
    assert client.get("/api/health/live").json() == {"status": "live"}
    assert client.get("/api/health/ready").json() == {"status": "ready"}
    cut_off(server, engine)
    assert client.get("/api/health/live").status_code == 200
    answer = client.get("/api/health/ready")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    server.execute("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true", engine.url.database)
    assert client.get("/api/health/ready").status_code == 200
