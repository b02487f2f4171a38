"""The pages of merge requests, as a browser sees them."""

from __future__ import annotations

import re

import pytest
from tests.server.conftest import until
from tests.server.test_pages_for_people import Browser, browser

__all__ = ["browser"]


@pytest.fixture
def place(server, project, repository):
    """Where the page of a merge request is; its pipeline waits for a runner."""
    repository.git("checkout", "-q", "-b", "feature")
    repository.commit({"src/<b>a": "1\n"}, "What is new")
    repository.push("origin", "feature")
    body = {"source_branch": "feature", "target_branch": "main", "title": "Some <b>news</b>", "labels": "one"}
    made = server.api("POST", f"/projects/{project.id}/merge_requests", json=body)
    assert made.status_code == 201, made.text
    return f"/{project.full_path}/-/merge_requests/{made.json()['iid']}"


def test_it_is_found_looked_at_and_merged(server, project, browser, place):
    browser.open(f"/{project.full_path}/-/pipelines")
    (listed,) = re.findall(r'href="(\S+/-/merge_requests)"', browser.page)
    assert "Some &lt;b&gt;news&lt;/b&gt;" in browser.open(listed) and "<b>news" not in browser.page
    assert f'href="{place}"' in browser.page
    browser.open(place)
    assert "src/&lt;b&gt;a" in browser.page and "+1" in browser.page
    (pipeline,) = re.findall(r'href="(\S+/-/pipelines/\d+)"', browser.page)
    assert pipeline.startswith(f"/{project.full_path}/")
    (sha,) = set(re.findall(r'name="sha" value="(\w+)"', browser.page))
    browser.send(f"{place}/merge", sha=sha)
    assert browser.path == place and "The branch is merged" in browser.page
    assert f'href="{place}"' not in browser.open(listed)
    assert f'href="{place}"' in browser.open(f"{listed}?state=merged")


def test_it_waits_for_its_pipeline(server, project, browser, place):
    browser.open(place)
    (sha,) = set(re.findall(r'name="sha" value="(\w+)"', browser.page))
    browser.send(f"{place}/merge_later", sha=sha)
    assert "when its pipeline has succeeded" in browser.page
    browser.send(f"{place}/cancel_merge")
    browser.send(f"{place}/merge_later", sha=sha)
    agent = server.runner(kind="project_type", projects=[project.id], tags=["kubernetes"], run_untagged=True)
    while (answer := agent.request()).status_code == 201:
        agent.update(answer.json(), "success")
    until(lambda: "merged" in re.findall(r'class="status (\w+)"', browser.open(place)))


def test_people_approve_talk_close_and_reopen(server, browser, place):
    browser.open(place)
    browser.send(f"{place}/approve")
    assert "Approved by root" in browser.page
    browser.send(f"{place}/unapprove")
    browser.send(f"{place}/notes", body="Why <i>so</i>?")
    assert "Why &lt;i&gt;so&lt;/i&gt;?" in browser.page
    browser.send(f"{place}/close")
    assert 'class="status closed"' in browser.page
    browser.send(f"{place}/reopen")
    assert 'class="status opened"' in browser.page
    browser.send(f"{place}/run")
    assert browser.status == 400 or "/-/pipelines/" in browser.path


def test_strangers_are_asked_to_sign_in_and_forms_are_ours(server, browser, place):
    stranger = Browser(server)
    stranger.open(place)
    assert stranger.path == "/users/sign_in"
    answer = browser.session.post(f"{server.url}{place}/close", data={"authenticity_token": "x"}, timeout=20)
    assert answer.status_code == 422
    assert browser.session.post(f"{server.url}{place}/nothing", timeout=20).status_code == 422
