"""The story of the main job in headless Chromium: widget and console side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from chatbot.review.rules import ReviewRules
from tests.support.browser import chromium, console
from tests.support.server import ADMIN_KEY, Running, serving

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("data")) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def open_chat(browser: Browser, running: Running) -> Page:
    page = browser.new_context().new_page()
    page.goto(running.url)
    page.get_by_role("button", name="chat").first.click()
    return page


def say(page: Page, text: str) -> None:
    box = page.get_by_role("textbox").last
    box.fill(text)
    box.press("Enter")


def test_an_answer_appears_with_its_article_one_click_away(
    browser: Browser, running: Running
) -> None:
    page = open_chat(browser, running)
    expect(page.get_by_text("You are talking to an AI")).to_be_visible()
    say(page, "How long do I have to return a jacket?")
    expect(page.get_by_text("You have 60 days.")).to_be_visible(timeout=10_000)
    source = page.get_by_role("link", name="How long you have to return something").first
    expect(source).to_have_attribute("target", "_blank")
    page.context.close()


def test_a_held_answer_is_edited_in_the_console_and_appears_without_a_reload(
    browser: Browser, running: Running
) -> None:
    desk = console(browser, running, ADMIN_KEY)
    page = open_chat(browser, running)
    say(page, "review my ruined trip")
    notice = running.app.state.context.office.company.texts["held_notice"]
    expect(page.get_by_text(notice).first).to_be_visible(timeout=10_000)

    desk.get_by_text("review my ruined trip").first.click(timeout=10_000)
    desk.get_by_role("button", name="Take this item").click()
    draft = desk.get_by_role("textbox", name="The answer")
    expect(draft).to_be_editable(timeout=10_000)
    draft.fill("We are sorry about your trip. A colleague looks into it.")
    desk.get_by_role("button", name="Send edit").click()
    expect(page.get_by_text("We are sorry about your trip.")).to_be_visible(timeout=5_000)
    page.context.close()
    desk.context.close()


def test_a_customer_who_waits_may_leave_and_finds_the_answer_on_return(
    browser: Browser, running: Running
) -> None:
    desk = console(browser, running, ADMIN_KEY)  # somebody is on duty, so a time is named
    page = open_chat(browser, running)
    say(page, "review my lost parcel")
    expect(page.get_by_text("A person is checking this answer")).to_be_visible(timeout=10_000)
    expect(page.get_by_text("Usually about 5 min")).to_be_visible()
    expect(page.get_by_role("button", name="Talk to a person")).to_be_visible()
    page.goto("about:blank")

    desk.get_by_text("review my lost parcel").first.click(timeout=10_000)
    desk.get_by_role("button", name="Take this item").click()
    desk.get_by_role("button", name="Approve", exact=False).click()
    expect(desk.get_by_role("heading", name="review my lost parcel")).to_be_hidden()
    page.goto(running.url)
    page.get_by_role("button", name="Chat with us, new messages").click()
    expect(page.get_by_text("You have 60 days. Returns are free.")).to_have_count(1)
    expect(page.get_by_text("A person is checking this answer")).to_have_count(0)
    page.get_by_role("button", name="Talk to a person").click()
    expect(page.get_by_text("Handed to our team")).to_be_visible()
    expect(page.get_by_text("A person will join you here")).to_be_visible()
    page.context.close()
    desk.context.close()


@pytest.mark.parametrize("rule", ["unless_refused", "only_if_given"])
def test_a_customer_decides_whether_the_chat_is_learnt_from(
    browser: Browser, running: Running, tmp_path: Path, rule: str
) -> None:
    office = running.app.state.context.office
    before, path = office.rules, tmp_path / "review.toml"
    path.write_text(f'[learning]\nconsent = "{rule}"')
    office.rules = ReviewRules(office.settings, office.company.texts, path)
    page = open_chat(browser, running)
    question = page.get_by_text("May our team use this chat to improve the assistant?")
    expect(page.get_by_text("You are talking to an AI")).to_be_visible()
    if rule == "only_if_given":
        page.get_by_role("button", name="Yes, you may").click()
    expect(question).to_be_hidden()
    page.get_by_role("button", name="Privacy").click()
    choice = page.get_by_role("checkbox", name="Use this chat to improve the assistant")
    expect(choice).to_be_checked()
    choice.uncheck()
    expect(page.get_by_text("This chat is not used to improve the assistant.")).to_be_visible()
    page.reload()
    page.get_by_role("button", name="chat").first.click()
    page.get_by_role("button", name="Privacy").click()
    expect(choice).not_to_be_checked()
    expect(question).to_be_hidden()
    page.context.close()
    office.rules = before


def test_script_in_a_message_stays_text(browser: Browser, running: Running) -> None:
    page = open_chat(browser, running)
    say(page, "<img src=x onerror=document.title='hacked'> <script>1</script>")
    expect(page.get_by_text("onerror=document.title").first).to_be_visible(timeout=10_000)
    assert page.title() != "hacked"
    page.context.close()


def test_the_pages_have_no_accessibility_violations(browser: Browser, running: Running) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = open_chat(browser, running)
    for path in ("", "/console", "/assist/panel"):
        if path:
            page.goto(running.url + path)
        page.wait_for_timeout(300)
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()
    page.context.close()
