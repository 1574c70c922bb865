"""The console in headless Chromium: who sees what, decisions, a long queue, sign-in, colours."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from typer.testing import CliRunner

from chatbot.__main__ import app as commands
from chatbot.access.oidc import OpenIdProvider
from tests.support.browser import chromium, console, multiply
from tests.support.desk import HOSTILE
from tests.support.office import SECRET
from tests.support.provider import CLIENT_ID, CLIENT_SECRET, ISSUER, Provider
from tests.support.server import ADMIN_KEY, Running, admin, serving

pytestmark = pytest.mark.browser

WAITING = 5_000
FIRST_PAINT_MS = 1_000
PATIENCE_S = 20
KIM = {"sub": "kim-1", "name": "Kim", "groups": ["support"]}
FIRST_ROW = """
new MutationObserver((_, observer) => {
  if (!document.querySelector(".option")) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => (window.firstRow = performance.now())));
}).observe(document, { childList: true, subtree: true });
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    settings: dict[str, Any] = {
        "oidc_issuer": ISSUER,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
        "oidc_reviewers": "support",
    }
    with serving(tmp_path_factory.mktemp("data"), **settings) as server:
        yield server


@pytest.fixture(scope="module")
def keys(running: Running) -> dict[str, str]:
    data_dir = running.app.state.context.office.settings.data_dir
    made = {"admin": ADMIN_KEY}
    for role in ("agent", "reviewer"):
        arguments = ["keys", "create", "--role", role, "--data-dir", str(data_dir)]
        result = CliRunner().invoke(commands, arguments, env={"CHATBOT_SECRET_KEY": SECRET})
        assert result.exit_code == 0, result.output
        made[role] = result.stdout.split()[-1]
    return made


@pytest.fixture(scope="module")
def browser(keys: dict[str, str]) -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


class Held:
    """A customer whose answer waits for a person."""

    def __init__(self, running: Running, text: str) -> None:
        self.url = running.url
        key = {"Authorization": f"Bearer {running.widget_key}"}
        begun = httpx.post(
            f"{self.url}/v1/conversations", json={}, headers=key, timeout=PATIENCE_S
        ).json()
        self.id: str = begun["id"]
        self.headers = {"Authorization": f"Bearer {begun['token']}"}
        self.say(text)
        self.item: str = self.wait_for(self._held)

    def say(self, text: str) -> None:
        path = f"{self.url}/v1/conversations/{self.id}/messages"
        httpx.post(
            path, json={"text": text}, headers=self.headers, timeout=PATIENCE_S
        ).raise_for_status()

    def _held(self) -> str | None:
        path = f"{self.url}/v1/review/items?limit=100"
        items = httpx.get(path, headers=admin(), timeout=PATIENCE_S).json()["items"]
        return next((i["id"] for i in items if i["conversation_id"] == self.id), None)

    @staticmethod
    def wait_for(look: Any) -> Any:
        deadline = time.monotonic() + 10
        while (found := look()) is None:
            assert time.monotonic() < deadline, "it did not come"
            time.sleep(0.05)
        return found

    @property
    def heard(self) -> str:
        path = f"{self.url}/v1/conversations/{self.id}/messages"
        return httpx.get(path, headers=self.headers, timeout=PATIENCE_S).text


def assert_accessible(page: Page) -> None:
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize(
    ("role", "areas"),
    [
        ("agent", ["Conversations"]),
        ("reviewer", ["Review queue", "Conversations"]),
        ("admin", ["Review queue", "Conversations", "Overview"]),
    ],
)
def test_each_role_sees_its_areas(
    browser: Browser, running: Running, keys: dict[str, str], role: str, areas: list[str]
) -> None:
    page = console(browser, running, keys[role])
    shown = page.get_by_role("navigation", name="Areas").get_by_role("link").all_inner_texts()
    assert [text.split("\n")[0].rstrip("0123456789 ") for text in shown] == areas
    page.context.close()


def test_the_next_item_is_there_at_once_by_keyboard_alone(
    browser: Browser, running: Running, keys: dict[str, str]
) -> None:
    first, second = Held(running, "review my first"), Held(running, "review my second")
    page = console(browser, running, keys["reviewer"])
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(page.get_by_role("heading", name="review my first")).to_be_visible()
    page.keyboard.press("a")
    expect(page.get_by_role("heading", name="review my second")).to_be_visible()
    assert "You have 60 days." in first.heard
    page.keyboard.press("a")
    expect(page.get_by_text("Nobody is waiting")).to_be_visible()
    assert "You have 60 days." in second.heard
    page.context.close()


def test_a_stale_draft_leaves_only_on_the_reviewers_word(
    browser: Browser, running: Running, keys: dict[str, str]
) -> None:
    customer = Held(running, "review my hat")
    page = console(browser, running, keys["reviewer"])
    page.keyboard.press("n")
    expect(page.get_by_role("button", name="Approve", exact=False)).to_be_enabled()
    customer.say("and my gloves?")
    expect(page.get_by_text("The customer wrote again after this draft.")).to_be_visible()
    page.get_by_role("button", name="Approve as it is").click()
    dialog = page.get_by_role("dialog", name="Approve a stale draft")
    dialog.get_by_role("button", name="Cancel").click()
    assert "You have 60 days." not in customer.heard
    page.get_by_role("button", name="Approve as it is").click()
    dialog.get_by_role("button", name="Approve as it is").click()
    expect(page.get_by_role("heading", name="review my hat")).to_be_hidden()
    assert "You have 60 days." in customer.heard
    page.context.close()


def test_only_a_role_that_may_override_can_send_what_the_gate_refuses(
    browser: Browser, running: Running, keys: dict[str, str]
) -> None:
    Held(running, "review my coat")
    page = console(browser, running, keys["reviewer"])
    page.keyboard.press("n")
    answer = page.get_by_role("textbox", name="The answer")
    expect(answer).to_be_editable()
    answer.fill(f"You {HOSTILE}.")
    answer.press("Control+Enter")
    expect(page.get_by_text("The gate refuses this text.")).to_be_visible()
    page.get_by_label("Reason for sending it anyway").fill("The customer's own word.")
    page.get_by_role("button", name="Send anyway").click()
    expect(page.get_by_role("heading", name="review my coat")).to_be_hidden()
    page.context.close()

    customer = Held(running, "review my scarf")
    page = console(browser, running, keys["agent"])
    page.goto(f"{running.url}/console#/conversations/{customer.id}")
    page.get_by_role("button", name="Take over").click()
    reply = page.get_by_role("textbox", name="Reply as")
    reply.fill(f"You {HOSTILE}.")
    reply.press("Control+Enter")
    expect(page.get_by_text("The gate refuses this text.")).to_be_visible()
    expect(page.get_by_role("button", name="Send anyway")).to_have_count(0)
    assert HOSTILE not in customer.heard
    page.context.close()


def test_an_item_is_kept_for_a_colleague_and_the_lead_reads_its_trail(
    browser: Browser, running: Running, keys: dict[str, str]
) -> None:
    customer = Held(running, "review my tent")
    page = console(browser, running, keys["admin"])
    page.goto(f"{running.url}/console#/queue/{customer.item}")
    expect(page.get_by_role("heading", name="review my tent")).to_be_visible()
    page.keyboard.press("s")
    dialog = page.get_by_role("dialog", name="Keep it for")
    dialog.get_by_role("radio", name="first admin").check()
    assert_accessible(page)
    dialog.get_by_role("button", name="Assign").click()
    expect(
        page.get_by_role("region", name="Item", exact=True).get_by_text("For you")
    ).to_be_visible()
    page.keyboard.press("h")
    trail = page.get_by_role("dialog", name="Audit trail")
    expect(trail.get_by_text("Whole: ")).to_be_visible()
    expect(trail.get_by_role("row", name="kept the held answer for")).to_contain_text("first admin")
    assert_accessible(page)
    trail.get_by_role("button", name="Close").click()
    expect(trail).to_be_hidden()
    page.get_by_role("button", name="Take this item").click()
    expect(page.get_by_role("button", name="Give back")).to_be_visible()
    page.keyboard.press("a")
    expect(page.get_by_role("heading", name="review my tent")).to_be_hidden()
    page.context.close()


def test_the_lead_sees_the_rules_and_does_what_a_customer_wishes(
    browser: Browser, running: Running, keys: dict[str, str]
) -> None:
    customer = Held(running, "review my marmalade")
    page = console(browser, running, keys["admin"])
    page.keyboard.press("3")
    expect(page.get_by_text("an answer within 5 min, urgent ones within 1 min")).to_be_visible()
    page.get_by_role("button", name="Check every chain").click()
    expect(page.get_by_text("Every chain is whole")).to_be_visible()
    page.get_by_label("Customer's e-mail or id").fill(customer.id)
    page.get_by_role("button", name="Do not learn from it").click()
    expect(page.get_by_text("Noted: 1 conversation will not be learnt from.").first).to_be_visible()
    page.get_by_role("button", name="Erase …").click()
    dialog = page.get_by_role("dialog", name="Erase for good")
    dialog.get_by_role("button", name="Erase", exact=True).click()
    expect(page.get_by_text("Erased: 1 conversation.").first).to_be_visible()
    detail = httpx.get(f"{running.url}/v1/conversations/{customer.id}", headers=admin()).json()
    assert detail["conversation"]["erased"] is True
    assert detail["conversation"]["training_consent"] is False
    page.context.close()


def test_a_handover_is_assigned_to_a_colleague(
    browser: Browser, running: Running, keys: dict[str, str]
) -> None:
    customer = Held(running, "review my canoe")
    path = f"{running.url}/v1/conversations/{customer.id}"
    httpx.post(f"{path}/request-person", headers=customer.headers).raise_for_status()
    page = console(browser, running, keys["agent"])
    page.goto(f"{running.url}/console#/conversations/{customer.id}")
    page.get_by_role("button", name="Assign").click()
    dialog = page.get_by_role("dialog", name="Keep it for")
    dialog.get_by_role("radio", name="first admin").check()
    dialog.get_by_role("button", name="Assign").click()
    expect(page.get_by_text("For first admin").first).to_be_visible()
    page.context.close()
    httpx.post(f"{path}/close", headers=customer.headers).raise_for_status()


def test_identical_drafts_are_decided_in_one_act(
    browser: Browser, running: Running, keys: dict[str, str]
) -> None:
    customers = [Held(running, f"review number {n}") for n in range(3)]
    page = console(browser, running, keys["reviewer"])
    page.keyboard.press("n")
    page.get_by_role("button", name="3 alike").click()
    dialog = page.get_by_role("dialog", name="Identical drafts")
    dialog.get_by_role("checkbox", name="review number 2").uncheck()
    dialog.get_by_role("button", name="Approve the chosen").click()
    expect(page.get_by_role("heading", name="review number 2")).to_be_visible()
    assert ["You have 60 days." in customer.heard for customer in customers] == [True, True, False]
    page.keyboard.press("a")
    expect(page.get_by_text("Nobody is waiting")).to_be_visible()
    page.context.close()


def test_a_person_signs_in_with_the_provider_until_the_session_ends(
    browser: Browser, running: Running
) -> None:
    context = running.app.state.context
    office, provider = context.office, Provider()
    oidc = OpenIdProvider(office.settings, office.vault, office.clock, provider.transport)
    running.app.state.context = replace(context, oidc=oidc)

    def authorize(route: Route) -> None:
        query = httpx.QueryParams(provider.sign_in(route.request.url, KIM))
        back = f"{running.url}/auth/callback?{query}"
        html = f'<meta http-equiv="refresh" content="0;url={back.replace("&", "&amp;")}">'
        route.fulfill(body=html, content_type="text/html")

    page = browser.new_context().new_page()
    page.route(f"{ISSUER}/authorize**", authorize)
    page.goto(f"{running.url}/console#/conversations")
    page.get_by_role("link", name="Continue with").click()
    expect(page.get_by_text("Kim")).to_be_visible()
    expect(page.get_by_role("link", name="Conversations")).to_have_attribute("aria-current", "page")
    with sqlite3.connect(Path(office.settings.data_dir) / "chatbot.db", timeout=10) as rows:
        rows.execute("DELETE FROM staff_sessions")
    with suppress(PlaywrightTimeout):  # where the page has noticed by itself there is no button
        page.get_by_role("button", name="Closed").click(timeout=5_000)
    expect(page.get_by_role("alert")).to_contain_text("You were signed out.")
    page.context.close()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_the_signed_in_pages_have_no_accessibility_violations(
    browser: Browser, running: Running, keys: dict[str, str], colours: str
) -> None:
    Held(running, f"review my {colours} boots")
    page = console(browser, running, keys["admin"], color_scheme=colours)

    page.keyboard.press("n")
    expect(page.get_by_role("button", name="Give back")).to_be_visible()
    assert_accessible(page)
    page.keyboard.press("r")
    assert_accessible(page)
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    expect(page.get_by_text("Nobody is waiting for a person")).to_be_visible()
    assert_accessible(page)
    page.keyboard.press("3")
    expect(page.get_by_text("Volume a day")).to_be_visible()
    page.get_by_text("Figures").first.click()
    assert_accessible(page)
    page.context.close()


def test_the_chosen_colours_stay(browser: Browser, running: Running, keys: dict[str, str]) -> None:
    page = console(browser, running, keys["agent"], color_scheme="light")
    page.get_by_role("button", name="Colours: system").click()
    page.get_by_role("button", name="Colours: light").click()
    page.reload()
    expect(page.get_by_role("button", name="Colours: dark")).to_be_visible()
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(15, 21, 19)"
    page.context.close()


def test_five_thousand_items_are_painted_within_a_second_and_found(
    browser: Browser, running: Running, keys: dict[str, str]
) -> None:
    customer = Held(running, "review my journey")
    opened = httpx.get(f"{running.url}/v1/review/items", headers=admin(), timeout=PATIENCE_S).json()
    multiply(running, customer.item, WAITING - opened["total"] + 1)
    page = console(browser, running, keys["reviewer"])
    expect(page.get_by_text("5,000 waiting")).to_be_visible(timeout=10_000)
    page.add_init_script(FIRST_ROW)
    times = []
    for _ in range(3):
        page.reload()
        expect(page.locator(".option").first).to_be_visible()
        page.wait_for_timeout(50)  # the frame after the one that drew it
        times.append(page.evaluate("window.firstRow"))
    print("first row painted after", [round(ms) for ms in times], "ms")
    assert min(times) <= FIRST_PAINT_MS

    page.get_by_role("listbox", name="Waiting items").press("End")
    expect(page.locator('[aria-posinset="5000"]')).to_be_visible()
    page.get_by_label("Search the queue").fill("Question number 4321")
    expect(page.get_by_text("1 found")).to_be_visible(timeout=10_000)
    expect(page.locator(".option")).to_contain_text("Question number 4321")
    page.context.close()
