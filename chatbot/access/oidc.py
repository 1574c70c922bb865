"""Sign-in by OpenID Connect: authorisation code with PKCE, state and nonce.

What the browser must bring back is sealed into a short-lived cookie, so that any worker can
finish what another began. Sources: OpenID Connect Core 1.0, sections 3.1 and 5; RFC 7636.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from chatbot.access.keys import Staff
from chatbot.errors import NotAllowed, NotAuthenticated, SetupError, Unavailable
from chatbot.settings import Settings
from chatbot.storage.crypto import Vault

SIGN_IN_COOKIE = "deskgate_signin"
SIGN_IN_S = 600.0  # from the button to the way back
METADATA_S = 3600.0
LEEWAY_S = 60  # clocks of provider and server may differ by this
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
_CONTEXT = "sign-in"


@dataclass(frozen=True)
class Begun:
    """Where to send the browser, and the cookie that it must bring back."""

    url: str
    cookie: str


class OpenIdProvider:
    """One provider; its metadata and keys are fetched when needed and kept for an hour."""

    def __init__(
        self,
        settings: Settings,
        vault: Vault,
        clock: Callable[[], float] = time.time,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.issuer = (settings.oidc_issuer or "").rstrip("/")
        self._settings, self._vault, self._clock = settings, vault, clock
        self._transport = transport
        self._metadata: dict[str, Any] = {}
        self._keys = KeySet([])
        self._read_at = float("-inf")

    @property
    def name(self) -> str:
        return httpx2.URL(self.issuer).host

    async def begin(self, redirect_uri: str, next_path: str) -> Begun:
        await self._look_up()
        state, nonce = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        verifier = secrets.token_urlsafe(48)
        async with self._client(redirect_uri) as client:
            url, _ = client.create_authorization_url(
                self._metadata["authorization_endpoint"],
                state=state,
                nonce=nonce,
                code_verifier=verifier,
            )
        kept = {
            "state": state,
            "nonce": nonce,
            "verifier": verifier,
            "redirect_uri": redirect_uri,
            "next": next_path,
            "until": self._clock() + SIGN_IN_S,
        }
        return Begun(str(url), self._vault.seal_json(kept, _CONTEXT).hex())

    async def finish(self, cookie: str | None, state: str, code: str) -> tuple[Staff, str]:
        """(who it is, where to go next). Raises NotAuthenticated, NotAllowed, Unavailable."""
        kept = self._kept(cookie)
        if not hmac.compare_digest(kept["state"], state):
            raise NotAuthenticated("this sign-in does not belong to this browser; begin again")
        await self._look_up()
        try:
            async with self._client(kept["redirect_uri"]) as client:
                token = await client.fetch_token(
                    self._metadata["token_endpoint"],
                    code=code,
                    code_verifier=kept["verifier"],
                    grant_type="authorization_code",
                )
                claims = await self._claims(token["id_token"], kept["nonce"])
                if self._settings.oidc_role_claim not in claims:
                    claims = await self._with_user_info(client, claims)
        except (AuthlibBaseError, KeyError) as error:
            raise NotAuthenticated(f"the provider did not accept the sign-in: {error}") from None
        except httpx2.HTTPError as error:
            raise Unavailable(f"{self.name} does not answer: {type(error).__name__}") from None
        return self._staff(claims), kept["next"]

    def _kept(self, cookie: str | None) -> dict[str, Any]:
        try:
            kept: dict[str, Any] = self._vault.open_json(bytes.fromhex(cookie or ""), _CONTEXT)
        except (SetupError, ValueError):
            raise NotAuthenticated("this sign-in was not begun here; begin again") from None
        if kept["until"] < self._clock():
            raise NotAuthenticated(f"the sign-in took longer than {SIGN_IN_S / 60:.0f} minutes")
        return kept

    async def _claims(self, id_token: str, nonce: str) -> dict[str, Any]:
        supported = self._metadata.get("id_token_signing_alg_values_supported", ["RS256"])
        algorithms = [name for name in supported if name in ALGORITHMS]
        rules = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self._metadata["issuer"]},
            aud={"essential": True, "value": self._settings.oidc_client_id},
            exp={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            try:
                decoded = jwt.decode(id_token, self._keys, algorithms=algorithms)
            except (JoseError, ValueError):  # a key that is newer than our copy
                await self._look_up(again=True)
                decoded = jwt.decode(id_token, self._keys, algorithms=algorithms)
            rules.validate(decoded.claims)
        except (JoseError, ValueError) as error:
            raise NotAuthenticated(f"the provider's id token is not valid: {error}") from None
        return dict(decoded.claims)

    async def _with_user_info(
        self, client: AsyncOAuth2Client, claims: dict[str, Any]
    ) -> dict[str, Any]:
        endpoint = self._metadata.get("userinfo_endpoint")
        if endpoint is None:
            return claims
        found = (await client.get(endpoint)).json()
        if found.get("sub") != claims["sub"]:
            raise NotAuthenticated("the provider's user info is about somebody else")
        return {**found, **claims}

    def _staff(self, claims: dict[str, Any]) -> Staff:
        """The highest role that the claim's values are mapped to."""
        value = claims.get(self._settings.oidc_role_claim, ())
        values = {value} if isinstance(value, str) else set(map(str, value))
        name = str(claims.get("name") or claims.get("preferred_username") or claims["sub"])
        for role, wanted in (
            ("admin", self._settings.oidc_admins),
            ("reviewer", self._settings.oidc_reviewers),
            ("agent", self._settings.oidc_agents),
        ):
            if values & {entry.strip() for entry in wanted.split(",") if entry.strip()}:
                who = self._vault.digest(f"{self.issuer} {claims['sub']}")
                return Staff(f"user_{who}", name[:80], role)
        raise NotAllowed(
            f"{name} has no role here: the claim {self._settings.oidc_role_claim!r} holds none of "
            "CHATBOT_OIDC_ADMINS, CHATBOT_OIDC_REVIEWERS, CHATBOT_OIDC_AGENTS"
        )

    async def _look_up(self, *, again: bool = False) -> None:
        if not again and time.monotonic() - self._read_at < METADATA_S:
            return
        try:
            async with httpx2.AsyncClient(transport=self._transport, timeout=10) as client:
                address = f"{self.issuer}/.well-known/openid-configuration"
                metadata = (await client.get(address)).raise_for_status().json()
                keys = (await client.get(metadata["jwks_uri"])).raise_for_status().json()
        except (httpx2.HTTPError, ValueError, KeyError) as error:
            raise Unavailable(
                f"the OpenID provider {self.issuer} cannot be read: {type(error).__name__}; "
                "check CHATBOT_OIDC_ISSUER"
            ) from None
        if str(metadata["issuer"]).rstrip("/") != self.issuer:
            raise Unavailable(
                f"{self.issuer} calls itself {metadata['issuer']}; set CHATBOT_OIDC_ISSUER to that"
            )
        self._metadata, self._keys = metadata, KeySet.import_key_set(keys)
        self._read_at = time.monotonic()

    def _client(self, redirect_uri: str) -> AsyncOAuth2Client:
        secret = self._settings.oidc_client_secret
        return AsyncOAuth2Client(
            client_id=self._settings.oidc_client_id,
            client_secret=None if secret is None else secret.get_secret_value(),
            scope=self._settings.oidc_scopes,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            transport=self._transport,
            timeout=10,
        )
