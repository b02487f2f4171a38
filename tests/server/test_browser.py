"""The pages in a real browser: what a person sees, clicks and types, with the script that follows a log."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.server.conftest import PASSWORD

expect.set_options(timeout=20_000)
QUIET = ("--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's. It refuses its sandbox to root, as whom many a CI runs."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "These tests need Debian's package chromium."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=QUIET, chromium_sandbox=os.geteuid() != 0
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, server) -> Iterator[Page]:
    """A page, signed in as root; nothing on it may have complained when the test ends."""
    server.api("PUT", "/users/1", json={"password": PASSWORD})
    context = chromium.new_context(base_url=server.url)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("/")
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()
    yield page
    assert complaints == []
    context.close()


def test_a_log_grows_before_one_s_eyes_and_run_is_pressed(page, server, project, agent):
    job = agent.job()
    first = b"\x1b[32;1m$ echo <b>\x1b[0;m\n"
    agent.trace(job, 0, first)
    page.reload()
    page.get_by_role("link", name=project.full_path).click()
    page.get_by_role("link", name=f"#{job['job_info']['pipeline_id']}").click()
    page.get_by_role("link", name="build-job").click()
    log = page.locator("#log")
    expect(log).to_have_text("$ echo <b>")
    page.evaluate("window.opened = true")
    agent.trace(job, len(first), b"<b>\n")
    expect(log).to_have_text("$ echo <b>\n<b>")
    assert page.evaluate("window.opened"), "the page is still the same"
    agent.update(job, "success")
    expect(page.locator(".status")).to_have_text("success")
    page.get_by_role("link", name="#").click()
    page.get_by_role("button", name="Run").click()
    expect(page.locator("li", has_text="deploy-job").locator(".status")).to_have_text("pending")


def test_a_pipeline_that_runs_is_looked_at_again_by_itself(page, server, project, agent):
    job = agent.job()
    page.goto(f"/{project.full_path}/-/pipelines/{job['job_info']['pipeline_id']}")
    status = page.locator("li", has_text="build-job").locator(".status")
    expect(status).to_have_text("running")
    agent.update(job, "failed")
    expect(status).to_have_text("failed")


def test_a_token_is_made_and_its_row_revokes_it(page):
    page.goto("/-/user_settings/personal_access_tokens")
    page.get_by_label("Name").fill("laptop")
    page.get_by_label("read_api").check()
    page.get_by_role("button", name="Make a token").click()
    expect(page.get_by_text("glpat-")).to_be_visible()
    page.locator("li, tr", has_text="laptop").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("laptop")).to_have_count(0)


@pytest.mark.parametrize("width", [320, 1280])
def test_nothing_is_wider_than_the_window(page, project, agent, width):
    job = agent.job()
    agent.trace(job, 0, b"a long line " * 100 + b"\n")
    page.set_viewport_size({"width": width, "height": 800})
    place = f"/{project.full_path}/-"
    for path in ("/", f"{place}/pipelines", f"{place}/pipelines/{job['job_info']['pipeline_id']}",
                 f"{place}/jobs/{job['id']}"):  # fmt: skip
        page.goto(path)
        expect(page.locator("h1")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
