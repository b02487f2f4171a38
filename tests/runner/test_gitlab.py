"""The runner at a GitLab: everything between the two, with the shell executor."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.runner.gitlab_peer import TOKEN, Peer, PeerJob, gitlab_job, zipped

from shipline.runner import Runner, RunnerConfig
from shipline.runner.http_coordinator import HttpCoordinator


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    made = Peer()
    await made.start()
    yield made
    await made.close()


@pytest.fixture
def commit(source: tuple[str, str]) -> tuple[str, str]:
    """A commit that only the pipeline's own reference names."""
    folder = source[0].removeprefix("file://")
    subprocess.run(["git", "update-ref", "refs/pipelines/77", source[1]], cwd=folder, check=True)
    return source


@asynccontextmanager
async def serving(peer: Peer) -> AsyncIterator[HttpCoordinator]:
    """A runner at work for the peer; at the end it stops as it does when it is told to."""
    coordinator = HttpCoordinator(peer.url, TOKEN, "s_0123456789ab", executor="shell")
    stop = asyncio.Event()
    running = asyncio.create_task(Runner(RunnerConfig(executor="shell"), coordinator).run(until=stop))
    try:
        yield coordinator
    finally:
        stop.set()
        await running
        await coordinator.close()


async def ends(job: PeerJob, *within: str) -> None:
    async with asyncio.timeout(60):
        await job.over.wait()
    for text in within:
        assert text in job.text, job.text


def step(name: str, *script: str, when: str = "on_success") -> dict[str, Any]:
    return {"name": name, "script": list(script), "timeout": 3600, "when": when, "allow_failure": when == "always"}


async def test_a_whole_job(peer, commit):
    peer.stored["500.zip"] = zipped(**{"earlier.txt": "from an earlier job\n"})
    job = peer.add(
        gitlab_job(
            commit,
            "cat hello.txt earlier.txt",
            'echo "masked: $SECRET, file: $(cat "$SETTINGS"), raw: $RAW, none: <$CI_OPEN_MERGE_REQUESTS>"',
            "mkdir out; echo result > out/result.txt; echo left > out/left.txt",
            "echo '<testsuites/>' > junit.xml; echo A=1 > build.env; git log --oneline | wc -l",
            variables=[
                {"key": "SECRET", "value": "hunter2-hunter2", "public": False, "masked": True},
                {"key": "SETTINGS", "value": "seven", "public": False, "masked": False, "file": True},
                {"key": "RAW", "value": "$HOME", "public": True, "masked": False, "raw": True},
            ],
            steps=[step("after_script", 'echo "after as $CI_JOB_STATUS"', when="always")],
            hooks=[{"name": "pre_get_sources_script", "script": ["echo before the sources"]}],
            dependencies=[
                {
                    "id": 500,
                    "name": "earlier",
                    "token": "",
                    "artifacts_file": {"filename": "artifacts.zip", "size": len(peer.stored["500.zip"])},
                },
                {"id": 501, "name": "without files", "token": "glcbt-x"},
            ],
            artifacts=[
                {
                    "name": None,
                    "untracked": None,
                    "paths": ["out"],
                    "exclude": ["out/left.txt"],
                    "when": None,
                    "expire_in": "7d",
                    "artifact_type": "archive",
                    "artifact_format": "zip",
                },
                {
                    "name": "junit.xml",
                    "paths": ["junit.xml"],
                    "when": "always",
                    "artifact_type": "junit",
                    "artifact_format": "gzip",
                },
                {
                    "name": ".env",
                    "paths": ["build.env"],
                    "when": "always",
                    "artifact_type": "dotenv",
                    "artifact_format": "gzip",
                },
            ],
        )
    )
    job.payload["dependencies"][0]["token"] = job.token
    job.accepted = 1
    async with serving(peer):
        await ends(
            job,
            "before the sources",
            "hello from the commit",
            "from an earlier job",
            "masked: [MASKED], file: seven, raw: $HOME, none: <>",
            "after as success",
            "Job succeeded",
        )
    assert (job.status, job.reason, job.checked) == ("success", None, True)
    assert {kind: name for kind, (name, _) in job.files.items()} == {
        "archive": "artifacts.zip",
        "junit": "junit.xml.gz",
        "dotenv": ".env.gz",
    }
    assert job.queries["archive"]["expire_in"] == "7d"
    assert all(headers["User-Agent"].startswith("shipline ") for headers in job.headers)


async def test_a_release_is_a_step_of_its_own(peer, commit):
    """GitLab fails such a job at once where the runner does not say that it knows of more steps."""
    job = peer.add(
        gitlab_job(
            commit, "echo script", steps=[step("release", "echo released"), step("after_script", "echo after")]
        )
    )
    async with serving(peer):
        await ends(job, "Job succeeded")
    at = [job.text.index(f"\n{word}\n") for word in ("script", "released", "after")]
    assert at == sorted(at)


async def test_fallback_keys_of_a_cache(peer, commit):
    cache = {
        "key": "main-protected",
        "untracked": None,
        "paths": ["kept"],
        "policy": "pull-push",
        "when": "on_success",
        "fallback_keys": ["old-protected"],
    }
    job = peer.add(gitlab_job(commit, "mkdir -p kept; date > kept/when", cache=[cache]))
    async with serving(peer):
        await ends(job, "Restoring cache", "Job succeeded")


async def test_a_cancel_lets_the_after_script_run(peer, commit):
    job = peer.add(
        gitlab_job(
            commit, "echo started", "sleep 60", steps=[step("after_script", "echo cleaned up", when="always")]
        )
    )
    async with serving(peer):
        await job.says("\nstarted")
        job.cancel()
        await ends(job, "cleaned up")
    assert (job.status, job.reason) == ("canceled", "job_canceled")


async def test_a_job_that_the_server_has_ended_stops(peer, commit):
    job = peer.add(gitlab_job(commit, "echo started", "sleep 2; echo more", "sleep 60"))
    async with serving(peer):
        await job.says("\nstarted")
        job.end("failed", "stuck_or_timeout_failure")
    assert "\nmore" not in job.text


async def test_a_log_that_is_too_long_for_the_server_ends_the_job(peer, commit):
    peer.log_limit = 50_000
    job = peer.add(gitlab_job(commit, "echo started", "seq 20000", "sleep 60"))
    async with serving(peer):
        await ends(job)
    assert (job.status, job.reason) == ("failed", "trace_size_exceeded")


async def test_a_log_survives_what_is_between_the_two(peer, commit, tmp_path):
    peer.troubles = [409, 502, 429, 503]
    job = peer.add(
        gitlab_job(commit, "echo first", f"until test -e {tmp_path}/go; do sleep 0.05; done", "seq 5000")
    )
    async with serving(peer):
        await job.says("\nfirst")
        del job.log[-20:]  # the server has lost something
        (tmp_path / "go").touch()
        await ends(job, "first", "\n4999\n5000\n", "Job succeeded")
    assert job.checked is True


async def test_the_log_comes_as_often_as_the_server_wants_it(peer, commit):
    peer.interval = 60
    job = peer.add(gitlab_job(commit, "for each in 1 2 3 4 5 6 7 8; do echo line $each; sleep 0.2; done"))
    async with serving(peer):
        await ends(job, "line 8")
    assert job.patches <= 3  # the first lines, and all that came until the end


@pytest.mark.parametrize(
    ("field", "value"),
    [("git_info", {"sha": ["not", "text"]}), ("steps", [{"name": "script", "script": ["a"], "when": "sometimes"}])],
)
async def test_a_job_that_cannot_be_read_fails_and_the_next_one_runs(peer, commit, field, value):
    unreadable = peer.add(gitlab_job(commit, "echo a") | {field: value})
    good = peer.add(gitlab_job(commit, "echo fine"))
    async with serving(peer):
        await ends(unreadable, "this runner cannot read what the server says of it", f"$.{field}")
        await ends(good, "fine")
    assert (unreadable.status, unreadable.reason) == ("failed", "runner_system_failure")
    assert good.status == "success"


async def test_a_job_that_was_given_to_somebody_else_meanwhile_is_not_run(peer, commit):
    job = peer.add(gitlab_job(commit, "echo never"))
    job.lost = True
    async with serving(peer):
        await ends(job)
    assert (job.status, job.log) == ("canceled", b"")


async def test_an_exit_code_and_a_reason(peer, commit):
    job = peer.add(gitlab_job(commit, "exit 137"))
    async with serving(peer):
        await ends(job, "exit status 137")
    assert (job.status, job.reason, job.exit_code) == ("failed", "script_failure", 137)


async def test_tokens_are_verified_with_servers_of_every_age(peer):
    for token, known in ((TOKEN, True), ("glrt-nobody", False)):
        coordinator = HttpCoordinator(peer.url, token, "s_0123456789ab")
        assert await coordinator.verify() is known
        await coordinator.close()


async def test_a_server_that_is_busy_says_for_how_long(peer, commit):
    peer.busy = ["60", "soon"]
    job = peer.add(gitlab_job(commit, "echo a"))
    coordinator = HttpCoordinator(peer.url, TOKEN, "s_0123456789ab")
    waits = []
    for _ in range(3):
        payload = await coordinator.ask(hold=True)
        waits.append(coordinator.told_to_wait)
    await coordinator.close()
    assert waits == [60.0, 0.0, 0.0]
    assert payload is not None and payload.id == job.id


async def test_what_a_runner_says_of_itself(peer, commit):
    """And the value that lets the server hold a question comes back as it was given."""
    coordinator = HttpCoordinator(peer.url, TOKEN, "s_0123456789ab", executor="shell")
    for _ in range(2):
        assert await coordinator.ask(hold=True) is None
    await coordinator.close()
    assert peer.asked == [None, "tick-0"]
    info = peer.infos[0]
    assert (info["name"], info["executor"]) == ("shipline", "shell")
    needed = ["multi_build_steps", "fallback_cache_keys", "refspecs", "return_exit_code", "artifacts_exclude"]
    needed += [
        "upload_multiple_artifacts",
        "vault_secrets",
        "cancel_gracefully",
        "two_phase_job_commit",
        "job_inputs",
    ]
    assert all(info["features"][name] is True for name in needed)
