"""What an operator may choose, read from the environment and checked at start.

Every field stands in docs/settings.md, which a test compares with this module.
"""

import contextlib
import difflib
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "PORCHLIGHT_"
_SECRET_CHARACTERS = 32
_PHONE = r"^\+?[0-9][0-9 ().-]{1,19}$"


class SettingsError(ValueError):
    """A setting is wrong; the message names it and says what it should be."""


def _require_time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("no such time zone; write it like America/Chicago") from error
    return name


def _require_address(text: str) -> str:
    name, address = parseaddr(text)
    user, _, host = address.rpartition("@")
    if not (user and host and text.isprintable() and text in {address, f"{name} <{address}>"}):
        raise ValueError("write it like Porchlight <porchlight@example.org>")
    return text


_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def _require_safe(address: str | None) -> str | None:
    if address is None:
        return None
    parts = urlsplit(address)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not safe or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("write it like https://host.example.org")
    return address


class Settings(BaseSettings):
    """The choices of one installation, fixed while it runs."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,  # a wrong DATABASE_URL holds a password
    )

    database_url: str | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        repr=False,
        description="PostgreSQL database with PostGIS, as postgresql://user:password@host/name. "
        "Without it a private server runs in the run-time folder.",
    )
    host: str = Field(
        default="127.0.0.1",
        description="Network address to listen on. Leave it as it is behind a proxy on the same "
        "machine.",
    )
    port: int = Field(
        default=8000, ge=0, le=65535, validation_alias="PORT", description="Port to listen on."
    )
    public_url: HttpUrl | None = Field(
        default=None,
        description="Address under which people reach the site, for links in share buttons and "
        "files, such as https://porchlight.example.org. Without it links use the address of the "
        "request.",
    )
    trusted_proxies: str = Field(
        default="127.0.0.1",
        description="Addresses of proxies, split by commas, whose X-Forwarded-For and "
        "X-Forwarded-Proto headers are believed.",
    )
    var: Annotated[Path, AfterValidator(Path.absolute)] = Field(
        default=Path("var"),
        validate_default=True,
        description="Run-time folder: the private database, photos and the position secret. Relative to "
        "the folder in which the program starts.",
    )
    city_name: str = Field(
        default="Kansas City",
        min_length=1,
        max_length=60,
        description="Name of the city, as pages and titles show it.",
    )
    city_phone: str = Field(
        default="311",
        pattern=_PHONE,
        description="Number at which the city takes calls about damage, shown to whoever reports a "
        "dangerous pole or wire.",
    )
    utility_name: str = Field(
        default="Evergy",
        min_length=1,
        max_length=60,
        description="Company that keeps the wires of street lights.",
    )
    utility_phone: str = Field(
        default="1-888-544-4852",
        pattern=_PHONE,
        description="Number of that company for wires that are down, at any hour.",
    )
    time_zone: Annotated[str, AfterValidator(_require_time_zone)] = Field(
        default="America/Chicago",
        description="Time zone of the city: dates on pages and in filters are local dates there.",
    )
    language: Literal["en", "es"] = Field(
        default="en",
        description="Language of pages for people whose browser asks for none that we have.",
    )
    tile_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s'\"<>]+$",
        description="URL template of raster tiles for the base map, with {z}, {x} and {y}. Without "
        "it the base map is drawn from imported geometry and no other host is asked.",
    )
    tile_attribution: str | None = Field(
        default=None,
        description="Credit that the owner of the raster tiles asks for, as plain text. Needed "
        "with PORCHLIGHT_TILE_URL.",
    )
    pool_size: int = Field(
        default=10,
        ge=1,
        le=100,
        description="Connections to the database that one server process may hold.",
    )
    pool_timeout_s: float = Field(
        default=1.5,
        gt=0,
        le=60,
        description="Seconds a request waits for a free connection before it is answered 503.",
    )
    statement_timeout_ms: int = Field(
        default=3000,
        ge=100,
        description="Milliseconds after which the database gives up a statement of a request.",
    )
    max_body_bytes: int = Field(
        default=1_048_576,
        ge=65_536,
        description="Largest request body that is accepted, in bytes.",
    )
    reports_per_hour: int = Field(
        default=30,
        ge=0,
        description="Reports that are taken from one network address within an hour; 0 for no limit.",
    )
    supports_per_hour: int = Field(
        default=120,
        ge=0,
        description="Times that “affects me too” is taken from one network address within an hour; "
        "0 for no limit.",
    )
    contact_days: int = Field(
        default=90,
        ge=0,
        le=36_500,
        description="Days after a report is closed until name, e-mail address and phone number of "
        "its reporter are erased.",
    )
    position_secret: SecretStr | None = Field(
        default=None,
        description="Secret behind the public positions of places at homes, at least 32 "
        "characters. Without it one is made at the first start and kept in the run-time folder as "
        "position.secret. Processes on several machines need the same one.",
    )
    worker: bool = Field(
        default=True,
        description="Whether `porchlight serve` also sends mail and does other jobs. Where `porchlight "
        "work` does them, set it to false.",
    )
    smtp_host: str | None = Field(
        default=None,
        description="Mail server that takes outgoing mail. Without it mail is put into the folder "
        "outbox of the run-time folder, one .eml file each, and reaches nobody.",
    )
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Port of the mail server.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="How the connection to the mail server is protected: starttls (usually port "
        "587), tls (usually port 465) or none, for a mail server on the same machine.",
    )
    smtp_user: str | None = Field(
        default=None, description="Account at the mail server, where it asks for one."
    )
    smtp_password: SecretStr | None = Field(
        default=None, description="Password of that account. Needed with PORCHLIGHT_SMTP_USER."
    )
    mail_from: Annotated[str, AfterValidator(_require_address)] = Field(
        default="Porchlight <porchlight@localhost>",
        description="Sender of mail, such as Porchlight <porchlight@example.org>. Needed with "
        "PORCHLIGHT_SMTP_HOST.",
    )
    oidc_issuer: Annotated[str | None, AfterValidator(_require_safe)] = Field(
        default=None,
        description="OpenID Connect provider by which people of the city may sign in: its issuer, "
        "exactly as its discovery document says, such as https://login.example.gov/realms/city.",
    )
    oidc_client_id: str | None = Field(
        default=None,
        description="Name of this site at that provider. Needed with PORCHLIGHT_OIDC_ISSUER.",
    )
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="Secret of this site at that provider, where it gives one."
    )
    oidc_name: str = Field(
        default="your city account",
        min_length=1,
        max_length=60,
        description="What people call that provider; the button says “Sign in with …”.",
    )
    oidc_two_factors: Literal["told", "always"] = Field(
        default="told",
        description="When a sign-in by that provider opens the roles of the city: told, where it says "
        "that two factors were asked (“mfa” in amr, or the acr below); always, where it asks two of "
        "everybody and you vouch for that.",
    )
    oidc_acr: str | None = Field(
        default=None,
        description="Value of acr by which that provider says that two factors were asked. It is "
        "asked for, too.",
    )
    oidc_emails_are_verified: bool = Field(
        default=False,
        description="Whether e-mail addresses of that provider count as verified where it does not "
        "say so. Only for a provider at which nobody can choose their own address.",
    )
    s3_bucket: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        description="Bucket of an S3-compatible store that keeps the photos. Without it they lie in "
        "the run-time folder.",
    )
    s3_endpoint: Annotated[str | None, AfterValidator(_require_safe)] = Field(
        default=None,
        description="Address of that store, such as https://s3.example.org. Without it Amazon's of "
        "the region.",
    )
    s3_region: str = Field(default="us-east-1", description="Region of that store.")
    s3_access_key: str | None = Field(
        default=None,
        description="Access key of that store. Needed with PORCHLIGHT_S3_BUCKET.",
    )
    s3_secret_key: SecretStr | None = Field(
        default=None,
        description="Secret key of that store. Needed with PORCHLIGHT_S3_BUCKET.",
    )
    s3_path_style: bool = Field(
        default=True,
        description="Whether the bucket stands in the path of addresses. Set it to false where it "
        "stands in the host, as Amazon asks of new buckets.",
    )

    @property
    def zone(self) -> ZoneInfo:
        """The city's time zone."""
        return ZoneInfo(self.time_zone)

    def today(self) -> date:
        """Give the day it is in the city."""
        return datetime.now(self.zone).date()

    @property
    def tile_origin(self) -> str:
        """Where the operator's raster tiles come from, for the page's policy; empty without."""
        if self.tile_url is None:
            return ""
        parts = urlsplit(self.tile_url.replace("{s}", "*"))
        return f"{parts.scheme}://{parts.netloc}"

    @field_validator("database_url")
    @classmethod
    def _require_postgresql(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(
            ("postgresql://", "postgres://", "postgresql+psycopg://")
        ):
            raise ValueError("write it as postgresql://user:password@host:port/database")
        return url

    @field_validator("tile_url")
    @classmethod
    def _require_places(cls, template: str | None) -> str | None:
        missing = [place for place in ("{z}", "{x}", "{y}") if template and place not in template]
        if missing:
            raise ValueError(f"the template lacks {', '.join(missing)}")
        return template

    @field_validator("tile_attribution")
    @classmethod
    def _require_plain(cls, text: str | None) -> str | None:
        if text is not None and set(text) & set("<>"):
            raise ValueError("write it as plain text, without tags")
        return text

    @field_validator("position_secret")
    @classmethod
    def _require_length(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret) < _SECRET_CHARACTERS:
            raise ValueError(f"at least {_SECRET_CHARACTERS} characters, chosen by chance")
        return secret

    @model_validator(mode="after")
    def _require_credit(self) -> Self:
        if self.tile_url is not None and self.tile_attribution is None:
            raise ValueError(
                f"{PREFIX}TILE_URL needs {PREFIX}TILE_ATTRIBUTION: say whose the tiles are, such "
                "as © OpenStreetMap contributors"
            )
        return self

    @model_validator(mode="after")
    def _require_sender(self) -> Self:
        if self.smtp_host is not None and "mail_from" not in self.model_fields_set:
            raise ValueError(
                f"{PREFIX}SMTP_HOST needs {PREFIX}MAIL_FROM: the sender that your mail server takes, "
                "such as Porchlight <porchlight@example.org>"
            )
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError(f"set {PREFIX}SMTP_USER and {PREFIX}SMTP_PASSWORD both, or neither")
        return self

    @model_validator(mode="after")
    def _require_client(self) -> Self:
        if (self.oidc_issuer is None) != (self.oidc_client_id is None):
            raise ValueError(f"set {PREFIX}OIDC_ISSUER and {PREFIX}OIDC_CLIENT_ID both, or neither")
        if self.oidc_issuer is not None and self.public_url is None:
            raise ValueError(
                f"{PREFIX}OIDC_ISSUER needs {PREFIX}PUBLIC_URL: the provider sends people back there"
            )
        return self

    @model_validator(mode="after")
    def _require_keys(self) -> Self:
        if self.s3_bucket is not None and None in {self.s3_access_key, self.s3_secret_key}:
            raise ValueError(
                f"{PREFIX}S3_BUCKET needs {PREFIX}S3_ACCESS_KEY and {PREFIX}S3_SECRET_KEY"
            )
        return self


def variable(field: str) -> str:
    """Give the environment variable of a field."""
    alias = Settings.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else f"{PREFIX}{field.upper()}"


def load() -> Settings:
    """Read and check the settings of this process.

    Returns
    -------
    Settings

    Raises
    ------
    SettingsError
        Names every wrong setting in one message.
    """
    problems = list(_unknown(os.environ))
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_context=False):
            name = str(problem["loc"][0]) if problem["loc"] else ""
            shown = variable(name) if name in Settings.model_fields else name
            message = problem["msg"].removeprefix("Value error, ")
            problems.append(f"{shown}: {message}" if shown else message)
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def _unknown(environment: Iterable[str]) -> Iterator[str]:
    known = [variable(field) for field in Settings.model_fields]
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else " See docs/settings.md."
            yield f"{name} is not a setting.{hint}"


def position_secret(settings: Settings) -> bytes:
    """Give the secret behind public positions, made at the first call where none is set.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    bytes
        The same on every later call.

    Raises
    ------
    OSError
        Where the run-time folder can not be written.
    """
    if settings.position_secret is not None:
        return settings.position_secret.get_secret_value().encode()
    path = settings.var / "position.secret"
    if not path.exists():
        settings.var.mkdir(mode=0o755, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=settings.var) as draft:  # of mode 0600
            draft.write(secrets.token_hex(32).encode())
            draft.flush()
            with contextlib.suppress(FileExistsError):  # another was first: its secret holds
                path.hardlink_to(draft.name)
    return path.read_bytes()
