import stat
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from server.settings import Settings, SettingsError, load, position_secret, variable

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch):
    for field in Settings.model_fields:
        monkeypatch.delenv(variable(field), raising=False)


def row(field: str) -> str:
    info = Settings.model_fields[field]
    default = "" if info.default is None else f"`{info.default}`"
    return f"| `{variable(field)}` | {default} | {info.description} |"


def test_every_setting_stands_in_the_table_of_the_manual_and_no_other():
    table = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    assert table == [row(field) for field in Settings.model_fields]


def test_all_settings_have_a_default():
    assert load().port == 8000


def test_settings_come_from_the_environment_and_stay(monkeypatch):
    monkeypatch.setenv("PORT", "8080")
    monkeypatch.setenv("DATABASE_URL", "postgresql://localhost/watch")
    monkeypatch.setenv("PORCHLIGHT_CITY_NAME", "Springfield")
    settings = load()
    assert (settings.port, settings.city_name) == (8080, "Springfield")
    assert settings.database_url == "postgresql://localhost/watch"
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 80


def test_an_empty_variable_is_as_good_as_none(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "")
    assert load().database_url is None


def test_the_run_time_folder_does_not_move_with_the_working_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert load().var == tmp_path / "var"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "http", "PORT: Input should be a valid integer"),
        ("PORT", "70000", "PORT: Input should be less than or equal to 65535"),
        ("DATABASE_URL", "mysql://localhost/x", "DATABASE_URL: write it as postgresql://"),
        ("PORCHLIGHT_TIME_ZONE", "Kansas", "PORCHLIGHT_TIME_ZONE: no such time zone"),
        ("PORCHLIGHT_LANGUAGE", "de", "PORCHLIGHT_LANGUAGE: Input should be 'en' or 'es'"),
        ("PORCHLIGHT_TILE_URL", "https://tiles.example/{z}/{x}", "the template lacks {y}"),
        ("PORCHLIGHT_TILE_URL", "https://t.example/{z}/{x}/{y}", "needs PORCHLIGHT_TILE_ATTRIB"),
        ("PORCHLIGHT_TILE_ATTRIBUTION", "<a href=x>", "write it as plain text"),
        ("PORCHLIGHT_SMTP_HOST", "mail.example.org", "needs PORCHLIGHT_MAIL_FROM"),
        ("PORCHLIGHT_SMTP_USER", "porchlight", "PORCHLIGHT_SMTP_PASSWORD both, or neither"),
        ("PORCHLIGHT_OIDC_ISSUER", "http://login.example.gov", "write it like https://"),
        ("PORCHLIGHT_OIDC_ISSUER", "https://a.example", "PORCHLIGHT_OIDC_CLIENT_ID both"),
        ("PORCHLIGHT_S3_BUCKET", "photos", "needs PORCHLIGHT_S3_ACCESS_KEY"),
        ("PORCHLIGHT_S3_ENDPOINT", "http://s3.example.org", "write it like https://"),
        ("PORCHLIGHT_MAIL_FROM", "Porchlight", "write it like Porchlight <porchlight@example"),
        (
            "PORCHLIGHT_MAIL_FROM",
            "a@b.org\nBcc: c@d.org",
            "write it like Porchlight <porchlight@ex",
        ),
        ("PORCHLIGHT_POSITION_SECRET", "short", "at least 32 characters"),
        (
            "PORCHLIGHT_PUBLIC_URL",
            "porchlight",
            "PORCHLIGHT_PUBLIC_URL: Input should be a valid URL",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_should_be(monkeypatch, name, value, said):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load()
    assert said in str(caught.value)


def test_all_wrong_settings_are_named_at_once(monkeypatch):
    monkeypatch.setenv("PORT", "http")
    monkeypatch.setenv("PORCHLIGHT_POOL_SIZE", "0")
    with pytest.raises(SettingsError, match=r"(?s)PORT: .*PORCHLIGHT_POOL_SIZE: "):
        load()


def test_a_misspelt_setting_is_not_passed_over(monkeypatch):
    monkeypatch.setenv("PORCHLIGHT_CITY", "Springfield")
    with pytest.raises(
        SettingsError, match=r"PORCHLIGHT_CITY is not a setting. Did you mean PORCHLIGHT_CITY_NAME"
    ):
        load()


def test_passwords_and_secrets_show_in_no_message(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "mysql://me:hunter2@localhost/x")
    with pytest.raises(SettingsError) as caught:
        load()
    assert "hunter2" not in str(caught.value)
    kept = Settings(database_url="postgresql://me:hunter2@db/x", position_secret="s3cret" * 9)
    assert "hunter2" not in repr(kept)
    assert "s3cret" not in repr(kept)


def test_the_tile_origin_is_what_the_page_policy_may_allow():
    credit = "© somebody"
    settings = Settings(
        tile_url="https://t.example:8443/a/{z}/{x}/{y}.png", tile_attribution=credit
    )
    assert settings.tile_origin == "https://t.example:8443"
    assert Settings().tile_origin == ""


def test_the_position_secret_is_made_once_and_for_the_owner_alone(tmp_path):
    settings = Settings(var=tmp_path / "var")
    made: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: made.append(position_secret(settings))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert set(made) == {position_secret(settings)}
    assert len(made[0]) >= 32
    kept = list(settings.var.iterdir())
    assert [path.name for path in kept] == ["position.secret"]
    assert stat.S_IMODE(kept[0].stat().st_mode) == 0o600


def test_a_position_secret_of_the_operator_is_used_and_not_written(tmp_path):
    settings = Settings(var=tmp_path, position_secret="x" * 40)
    assert position_secret(settings) == b"x" * 40
    assert list(tmp_path.iterdir()) == []
