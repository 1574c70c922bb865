"""Sign-in by OpenID Connect: who may come in, what a session may do, and when it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from chatbot.access.directory import Directory
from chatbot.access.oidc import OpenIdProvider
from chatbot.access.sessions import Sessions
from chatbot.errors import NotAllowed, NotAuthenticated, SetupError
from chatbot.settings import load_settings
from tests.support.office import Clock, House, open_house
from tests.support.provider import CLIENT_ID, CLIENT_SECRET, ISSUER, Provider

SETTINGS: dict[str, Any] = {
    "oidc_issuer": ISSUER,
    "oidc_client_id": CLIENT_ID,
    "oidc_client_secret": CLIENT_SECRET,
    "oidc_reviewers": "support, claims",
    "oidc_admins": "support-leads",
}
KIM = {"sub": "kim-1", "name": "Kim", "groups": ["staff", "support"]}
BACK = "https://help.example/auth/callback"


def oidc(house: House, provider: Provider) -> OpenIdProvider:
    return OpenIdProvider(
        house.office.settings, house.office.vault, house.clock, provider.transport
    )


async def come_in(house: House, provider: Provider, claims: dict[str, Any]) -> Any:
    client = oidc(house, provider)
    begun = await client.begin(BACK, "/console")
    query = provider.sign_in(begun.url, claims)
    return await client.finish(begun.cookie, query["state"], query["code"])


async def test_a_person_comes_in_with_the_role_of_the_claim(tmp_path: Path) -> None:
    async with open_house(tmp_path, **SETTINGS) as house:
        provider = Provider()
        staff, path = await come_in(house, provider, KIM)
        assert (staff.name, staff.role, path) == ("Kim", "reviewer", "/console")
        again, _ = await come_in(house, provider, {**KIM, "groups": ["support-leads"]})
        assert (again.id, again.role) == (staff.id, "admin")
        with pytest.raises(NotAllowed, match="has no role here"):
            await come_in(house, provider, {**KIM, "groups": ["marketing"]})


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "somebody-else"},
        {"iss": "https://evil.example"},
        {"exp": 1_000_000_000},
        {"nonce": "another"},
    ],
)
async def test_an_id_token_for_somebody_else_is_refused(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    async with open_house(tmp_path, **SETTINGS) as house:
        provider = Provider()
        provider.changes = changes
        with pytest.raises(NotAuthenticated, match="not valid"):
            await come_in(house, provider, KIM)


async def test_a_token_under_a_foreign_key_is_refused(tmp_path: Path) -> None:
    async with open_house(tmp_path, **SETTINGS) as house:
        provider = Provider()
        client = oidc(house, provider)
        begun = await client.begin(BACK, "/console")
        query = provider.sign_in(begun.url, KIM)
        public = provider.key.as_dict(private=False)
        provider.key = RSAKey.generate_key(2048, {"kid": "one"})
        provider.key.as_dict = lambda **_: public  # type: ignore[method-assign]
        with pytest.raises(NotAuthenticated, match="not valid"):
            await client.finish(begun.cookie, query["state"], query["code"])


async def test_a_sign_in_belongs_to_the_browser_that_began_it(tmp_path: Path) -> None:
    async with open_house(tmp_path, **SETTINGS) as house:
        provider = Provider()
        client = oidc(house, provider)
        mine, other = await client.begin(BACK, "/a"), await client.begin(BACK, "/b")
        query = provider.sign_in(mine.url, KIM)
        for cookie in (other.cookie, None, "00", "no hex"):
            with pytest.raises(NotAuthenticated):
                await client.finish(cookie, query["state"], query["code"])
        house.clock.pass_s(601)
        with pytest.raises(NotAuthenticated, match="longer"):
            await client.finish(mine.cookie, query["state"], query["code"])


async def test_a_session_ends_by_time_by_idleness_and_by_signing_out(tmp_path: Path) -> None:
    async with open_house(tmp_path, session_hours=2, session_idle_minutes=30, **SETTINGS) as house:
        staff, _ = await come_in(house, Provider(), KIM)
        sessions, clock = Sessions(house.office), house.clock
        token, expires_at = await sessions.start(staff)
        assert (await sessions.recognise(token)).staff == staff
        assert (await Directory(house.office).find(staff.id)) == (staff.id, "Kim")
        for _ in range(4):
            clock.pass_s(25 * 60)
            await sessions.recognise(token)  # active: not idle
        clock.pass_s(25 * 60)
        assert clock() > expires_at
        with pytest.raises(NotAuthenticated, match="expired"):
            await sessions.recognise(token)
        token, _ = await sessions.start(staff)
        clock.pass_s(31 * 60)
        with pytest.raises(NotAuthenticated, match="expired"):
            await sessions.recognise(token)
        token, _ = await sessions.start(staff)
        await sessions.end(token)
        with pytest.raises(NotAuthenticated, match="ended"):
            await sessions.recognise(token)
        with pytest.raises(NotAuthenticated):
            await sessions.recognise("guessed")


async def test_a_changing_request_needs_what_only_our_page_can_read(tmp_path: Path) -> None:
    async with open_house(tmp_path, clock=Clock(), **SETTINGS) as house:
        staff, _ = await come_in(house, Provider(), KIM)
        sessions = Sessions(house.office)
        token, _ = await sessions.start(staff)
        sessions.check_csrf(token, "GET", None)
        sessions.check_csrf(token, "POST", sessions.csrf_token(token))
        for wrong in (None, "", sessions.csrf_token("another")):
            with pytest.raises(NotAllowed, match="X-CSRF-Token"):
                sessions.check_csrf(token, "POST", wrong)


def test_a_provider_without_its_secret_stops_the_start() -> None:
    with pytest.raises(SetupError, match="CHATBOT_OIDC_CLIENT_SECRET"):
        load_settings({}, oidc_issuer=ISSUER)
