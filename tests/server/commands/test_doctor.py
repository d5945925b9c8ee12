from importlib import metadata

import psycopg
from sqlalchemy import make_url

from data.cluster import State
from server import sheets
from tests.identity_provider import open_provider
from tests.photo_bucket import open_store


def execute(url: str, statement: str) -> None:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection:
        connection.execute(statement)


def test_all_is_well_where_it_is(own, porchlight):
    code, said = porchlight("doctor")
    assert code == 0
    assert "FAIL" not in said
    assert "All is well." in said


def test_a_private_database_is_looked_at_and_left_as_it_was(private, porchlight):
    code, said = porchlight("doctor")
    assert code == 0
    assert "Private database: absent" in said
    assert not private.directory.exists()

    porchlight("db", "upgrade")
    code, said = porchlight("doctor")
    assert code == 0
    assert "Schema: at" in said
    assert private.status().state is State.STOPPED


def test_an_old_schema_is_found_with_the_command_that_mends_it(own, porchlight):
    execute(own, "UPDATE alembic_version SET version_num = '0001'")
    code, said = porchlight("doctor")
    assert code == 1
    assert "FAIL Schema: at 0001, the newest is" in said
    assert "porchlight db upgrade" in said
    assert "1 check failed." in said


def test_a_missing_extension_is_found_with_the_statement_that_mends_it(own, porchlight):
    execute(own, "DROP EXTENSION fuzzystrmatch CASCADE")
    code, said = porchlight("doctor")
    assert code == 1
    assert "FAIL Extensions: fuzzystrmatch not installed" in said
    assert "CREATE EXTENSION fuzzystrmatch;" in said


def test_a_server_that_does_not_answer_is_found(porchlight, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/nothing")
    code, said = porchlight("doctor")
    assert code == 1
    assert "FAIL Connection: postgresql://127.0.0.1:1/nothing does not answer" in said


def test_a_run_time_folder_that_can_not_be_written_is_found(own, porchlight, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("PORCHLIGHT_VAR", str(tmp_path / "file" / "var"))
    code, said = porchlight("doctor")
    assert code == 1
    assert "FAIL Run-time folder: " in said
    assert "PORCHLIGHT_VAR" in said


def test_a_private_database_that_can_not_be_used_is_found(private, porchlight):
    porchlight("db", "upgrade")
    lock = private.directory / "porchlight.lock"
    lock.unlink()
    code, said = porchlight("doctor")
    lock.touch()
    assert code == 1
    assert "FAIL Private database: can not be used" in said
    assert f"touch {lock}" in said


def test_wrong_settings_are_found(porchlight, monkeypatch):
    monkeypatch.setenv("PORCHLIGHT_POOL_SIZE", "none")
    code, said = porchlight("doctor")
    assert code == 1
    assert "FAIL Settings: PORCHLIGHT_POOL_SIZE: Input should be a valid integer" in said


def test_packages_that_are_missing_or_too_old_are_found(own, porchlight, monkeypatch):
    monkeypatch.setattr(metadata, "requires", lambda name: ["folium<0.1", "atlantis>=2"])
    code, said = porchlight("doctor")
    assert code == 1
    assert "FAIL Packages: folium is 0." in said
    assert "atlantis is missing" in said
    assert "--require-hashes -r requirements.lock" in said


def test_mail_that_waits_is_found_with_what_its_server_said(own, porchlight):
    execute(
        own,
        "INSERT INTO mail (recipient, subject, text, created_at, attempts, last_error) "
        "VALUES ('ann@example.org', 'Hello', '', now() - interval '1 hour', 4, '451 try later')",
    )
    code, said = porchlight("doctor")
    assert code == 1
    assert "FAIL Mail: kept in" in said
    assert "1 waiting since" in said
    assert "last error: 451 try later" in said
    assert "Nothing is lost" in said


def test_mail_that_nothing_sends_is_found(own, porchlight):
    execute(
        own,
        "INSERT INTO mail (recipient, subject, text, created_at) "
        "VALUES ('ann@example.org', 'Hello', '', now() - interval '1 hour')",
    )
    code, said = porchlight("doctor")
    assert code == 1
    assert "Start what sends it: porchlight serve or porchlight work." in said


def test_a_server_that_cannot_write_pdf_is_found(own, porchlight, monkeypatch, tmp_path):
    (tmp_path / "program.py").write_text("raise SystemExit('a library is missing: libpango')")
    monkeypatch.setattr(sheets, "PROGRAM", tmp_path / "program.py")
    code, said = porchlight("doctor")
    assert code == 1
    assert "FAIL Sheets on paper: no PDF can be written: a library is missing: libpango" in said
    assert "apt-get install libpango-1.0-0" in said


def test_a_photo_bucket_is_tried_and_whether_it_is_private(own, porchlight, monkeypatch, tmp_path):
    with open_store(tmp_path / "s3") as store:
        bucket = store.bucket
        for name, value in (
            ("BUCKET", bucket.name),
            ("ENDPOINT", bucket.endpoint),
            ("ACCESS_KEY", bucket.access_key),
            ("SECRET_KEY", bucket.secret_key),
        ):
            monkeypatch.setenv(f"PORCHLIGHT_S3_{name}", value)
        code, said = porchlight("doctor")
        assert code == 0
        assert "Photo bucket: porchlight, which only this program reads" in said
        assert store.files() == []
    code, said = porchlight("doctor")
    assert code == 1
    assert "FAIL Photo bucket: porchlight can not be used" in said


def test_a_sign_in_provider_is_asked_for_its_description(own, porchlight, monkeypatch):
    monkeypatch.setenv("PORCHLIGHT_PUBLIC_URL", "https://porchlight.example.org")
    monkeypatch.setenv("PORCHLIGHT_OIDC_CLIENT_ID", "porchlight")
    with open_provider() as provider:
        monkeypatch.setenv("PORCHLIGHT_OIDC_ISSUER", provider.issuer)
        code, said = porchlight("doctor")
        assert code == 0
        assert "come back to https://porchlight.example.org/sign-in/provider/back" in said
        monkeypatch.setenv("PORCHLIGHT_OIDC_ISSUER", f"{provider.issuer}/another")
        code, said = porchlight("doctor")
    assert code == 1
    assert "FAIL Sign-in provider: " in said
