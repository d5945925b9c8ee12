"""The city's own sign-in: an OpenID Connect provider that vouches for people.

Authorization code flow with PKCE, state and nonce. What the browser has to bring back is sealed in a
cookie of its own, so that nobody can end in it a sign-in that was begun elsewhere. A provider says who
somebody is, never what they may do.
"""

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode, urlsplit

from cryptography.fernet import InvalidToken

from server import keys
from server.links import root
from server.settings import Settings

BACK = "/sign-in/provider/back"
"""Where the provider sends people back to: it must know this address."""

ERRAND_LASTS_S = 10 * 60
TIMEOUT_S = 3.0
CLOCKS_DIFFER_S = 60
STALE_S = 12 * 3600
"""How long ago two factors may have been asked: as long as our own sign-in lasts after them."""

_KEPT_S = 3600.0
_PURPOSE = "sign-in by provider"
_SIGNATURES = [f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)]
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class ProviderFault(StrEnum):
    """Why a provider's word is not taken."""

    AWAY = "away"
    REFUSED = "refused"
    WRONG = "wrong"
    CLOCK = "clock"


class ProviderError(Exception):
    """A provider does not vouch for anybody this time.

    Parameters
    ----------
    fault : ProviderFault
    told : str
        For whoever runs the site.
    """

    def __init__(self, fault: ProviderFault, told: str) -> None:
        super().__init__(told)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Errand:
    """What a browser takes along to the provider and has to bring back.

    Attributes
    ----------
    state, nonce, verifier : str
        By chance: for the address, for the provider's word, and for PKCE.
    onward : str
        Path of ours to go on to.
    begun_s : float
        By the database's clock.
    """

    state: str
    nonce: str
    verifier: str
    onward: str
    begun_s: float

    @classmethod
    def new(cls, onward: str, now_s: float) -> "Errand":
        """Begin one."""
        state, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(3))
        return cls(state, nonce, verifier, onward, now_s)

    def sealed(self, secret: bytes) -> str:
        """Encrypt it for the browser's cookie."""
        return keys.sealing(secret, _PURPOSE).encrypt(json.dumps(asdict(self)).encode()).decode()


def opened(secret: bytes, sealed: str, state: str, now_s: float) -> Errand | None:
    """Give the errand that a browser brings back; None where it is of another sign-in, or too old.

    Parameters
    ----------
    secret : bytes
    sealed : str
        From the cookie.
    state : str
        From the address.
    now_s : float
        By the database's clock.
    """
    try:
        errand = Errand(**json.loads(keys.sealing(secret, _PURPOSE).decrypt(sealed.encode())))
    except InvalidToken:
        return None
    fits = secrets.compare_digest(errand.state.encode(), state.encode())
    return errand if fits and now_s - errand.begun_s <= ERRAND_LASTS_S else None


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom a provider vouches for.

    Attributes
    ----------
    issuer, subject : str
        Name them for good.
    email : str or None
        Only one that the provider has verified.
    strong : bool
        Whether two factors were asked.
    """

    issuer: str
    subject: str
    email: str | None
    strong: bool


class IdentityProvider:
    """One provider, whose addresses and keys are asked for when they are needed, and kept an hour.

    Parameters
    ----------
    settings : Settings
        With an issuer and a client.
    """

    def __init__(self, settings: Settings) -> None:
        assert settings.oidc_issuer is not None
        assert settings.oidc_client_id is not None
        self.name = settings.oidc_name
        self._settings = settings
        self._issuer = settings.oidc_issuer
        self._client_id = settings.oidc_client_id
        self._back = root(settings) + BACK
        self._kept: dict[str, tuple[float, Mapping[str, Any]]] = {}

    def _asked(self, address: str, *, anew: bool = False) -> Mapping[str, Any]:
        """Get a JSON document of the provider, once an hour."""
        import httpx2  # noqa: PLC0415 (25 MB with what it needs, only where a provider is set)

        at, kept = self._kept.get(address, (0.0, {}))
        if kept and not anew and time.monotonic() - at < _KEPT_S:
            return kept
        try:
            document = httpx2.get(address, timeout=TIMEOUT_S).raise_for_status().json()
        except httpx2.HTTPError as error:
            raise ProviderError(ProviderFault.AWAY, f"{address}: {error}") from error
        except ValueError as error:
            raise ProviderError(ProviderFault.WRONG, f"{address} is no JSON") from error
        if not isinstance(document, dict):
            raise ProviderError(ProviderFault.WRONG, f"{address} is no JSON object")
        self._kept[address] = time.monotonic(), document
        return document

    def described(self) -> Mapping[str, Any]:
        """Give the provider's discovery document.

        Raises
        ------
        ProviderError
            Where it is away, is of another issuer, or names an address that is not safe.
        """
        address = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        found = self._asked(address)
        if found.get("issuer") != self._issuer:
            raise ProviderError(
                ProviderFault.WRONG,
                f"{address} is of the issuer {found.get('issuer')!r}, not {self._issuer!r}",
            )
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not _is_safe(found.get(name)):
                raise ProviderError(ProviderFault.WRONG, f"{address} has no safe {name}")
        return found

    def address(self, errand: Errand, language: str) -> str:
        """Give where to send a browser.

        Parameters
        ----------
        errand : Errand
        language : str
            Code of the language that the provider may speak.

        Raises
        ------
        ProviderError
        """
        described = self.described()
        more = {"acr_values": self._settings.oidc_acr} if self._settings.oidc_acr else {}
        with self._client(described) as client:
            address, _state = client.create_authorization_url(
                described["authorization_endpoint"],
                state=errand.state,
                nonce=errand.nonce,
                code_verifier=errand.verifier,
                max_age=STALE_S,
                ui_locales=language,
                **more,
            )
        return str(address)

    def _client(self, described: Mapping[str, Any]) -> Any:
        from authlib.integrations.httpx_client import OAuth2Client  # noqa: PLC0415 (as above)

        secret = self._settings.oidc_client_secret
        ways = described.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        way = "client_secret_basic" if "client_secret_basic" in ways else "client_secret_post"
        return OAuth2Client(
            self._client_id,
            secret.get_secret_value() if secret else None,
            token_endpoint_auth_method=way if secret else "none",
            code_challenge_method="S256",
            scope="openid email",
            redirect_uri=self._back,
            timeout=TIMEOUT_S,
        )

    def vouched(self, errand: Errand, code: str, now_s: float) -> Vouched:
        """Trade a code for the provider's word, and check it.

        Parameters
        ----------
        errand : Errand
            With which the browser was sent.
        code : str
            Which it brought back.
        now_s : float
            By the database's clock.

        Returns
        -------
        Vouched

        Raises
        ------
        ProviderError
        """
        import httpx2  # noqa: PLC0415 (as above)
        from authlib.integrations.base_client import OAuthError  # noqa: PLC0415 (as above)

        described = self.described()
        with self._client(described) as client:
            try:
                token = client.fetch_token(
                    described["token_endpoint"],
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=errand.verifier,
                )
            except httpx2.HTTPError as error:
                raise ProviderError(ProviderFault.AWAY, str(error)) from error
            except OAuthError as error:
                # Else it is about this site: its secret, or the address to come back to.
                spent = error.error == "invalid_grant"
                fault = ProviderFault.REFUSED if spent else ProviderFault.WRONG
                raise ProviderError(fault, str(error)) from error
            except ValueError as error:
                raise ProviderError(ProviderFault.WRONG, "the token is no JSON") from error
        claims = self._believed(token, described, errand, now_s)
        email = claims.get("email")
        verified = claims.get("email_verified") is True or (
            "email_verified" not in claims and self._settings.oidc_emails_are_verified
        )
        return Vouched(
            issuer=self._issuer,
            subject=str(claims["sub"]),
            email=email if isinstance(email, str) and verified else None,
            strong=self._is_strong(claims, now_s),
        )

    def _believed(
        self,
        token: Mapping[str, Any],
        described: Mapping[str, Any],
        errand: Errand,
        now_s: float,
    ) -> Mapping[str, Any]:
        from authlib.oidc.core import CodeIDToken  # noqa: PLC0415 (as above)
        from joserfc import errors, jwt  # noqa: PLC0415 (as above)
        from joserfc.jwk import KeySet  # noqa: PLC0415 (as above)

        def read(*, anew: bool) -> Any:
            known = KeySet.import_key_set(self._asked(described["jwks_uri"], anew=anew))  # type: ignore[arg-type]  # its shape is checked there
            return jwt.decode(str(token.get("id_token")), known, algorithms=_SIGNATURES)

        try:
            try:
                read_token = read(anew=False)
            except (errors.JoseError, ValueError):
                read_token = read(anew=True)  # the provider may have taken new keys
            claims = CodeIDToken(
                read_token.claims,
                read_token.header,
                {
                    "iss": {"essential": True, "value": self._issuer},
                    "aud": {"essential": True, "value": self._client_id},
                    "sub": {"essential": True},
                },
                {
                    "nonce": errand.nonce,
                    "client_id": self._client_id,
                    "access_token": token.get("access_token"),
                },
            )
            claims.validate(now=int(now_s), leeway=CLOCKS_DIFFER_S)
        except errors.ClaimError as error:
            of_time = error.claim in {"iat", "nbf", "exp"} and error.claim in claims
            fault = ProviderFault.CLOCK if of_time else ProviderFault.WRONG
            raise ProviderError(fault, str(error)) from error
        except (errors.JoseError, ValueError, TypeError) as error:
            raise ProviderError(ProviderFault.WRONG, str(error)) from error
        return claims  # type: ignore[no-any-return]  # authlib publishes no types

    def _is_strong(self, claims: Mapping[str, Any], now_s: float) -> bool:
        """Tell whether two factors were asked, and not too long ago where that is told."""
        asked_at = claims.get("auth_time", now_s)
        if now_s - asked_at > STALE_S + CLOCKS_DIFFER_S:
            return False
        acr = self._settings.oidc_acr
        return (
            self._settings.oidc_two_factors == "always"
            or "mfa" in (claims.get("amr") or ())
            or (acr is not None and claims.get("acr") == acr)
        )

    def sign_out_address(self) -> str | None:
        """Give where people sign out at the provider itself; None where it tells of no such page."""
        try:
            address = self.described().get("end_session_endpoint")
        except ProviderError:
            return None
        if not isinstance(address, str) or not _is_safe(address):
            return None
        asked = {
            "client_id": self._client_id,
            "post_logout_redirect_uri": f"{root(self._settings)}/",
        }
        return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"


def _is_safe(address: object) -> bool:
    parts = urlsplit(str(address))
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def of(settings: Settings) -> IdentityProvider | None:
    """Give the provider of an installation, where one is set."""
    return None if settings.oidc_issuer is None else IdentityProvider(settings)
