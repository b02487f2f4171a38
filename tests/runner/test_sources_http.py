"""Sources from a git server over HTTP that wants a login: a real one, git's own, behind a small gate."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from tests.runner.desk import Desk, job, run

from shipline.protocol.payload import Hook, Variable

LOGIN = "gitlab-ci-token", "job-token-secret"


@pytest.fixture
async def server(tmp_path, source):
    """The repository of `source`: its URL and commit."""
    async with git_server(tmp_path) as url:
        yield url, source[1]


@asynccontextmanager
async def git_server(folder: Path, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The folder `repository` in this one, for LOGIN only; gives its URL with the login."""
    core = subprocess.check_output(["git", "--exec-path"], text=True).strip() + "/git-http-backend"  # noqa: ASYNC221
    wanted = "Basic " + base64.b64encode(":".join(LOGIN).encode()).decode()

    async def handle(request):
        if request.headers.get("Authorization") != wanted:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="git"'})
        environment = os.environ | {
            "GIT_PROJECT_ROOT": str(folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": request.path,
            "QUERY_STRING": request.query_string,
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "REMOTE_USER": LOGIN[0],
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "uploadpack.allowAnySHA1InWant",
            "GIT_CONFIG_VALUE_0": "true",
            "GIT_CONFIG_KEY_1": "safe.directory",
            "GIT_CONFIG_VALUE_1": "*",
        }
        backend = await asyncio.create_subprocess_exec(core, stdin=-1, stdout=-1, env=environment)
        out, _ = await backend.communicate(await request.read())
        head, _, body = out.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        status = int(headers.pop("Status", "200 OK").split()[0])
        return web.Response(status=status, headers=headers, body=body)

    app = web.Application(client_max_size=1 << 26, handler_args={"auto_decompress": False})
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    scheme, port = "https" if tls else "http", runner.addresses[0][1]
    yield f"{scheme}://{LOGIN[0]}:{LOGIN[1]}@127.0.0.1:{port}/repository"
    await runner.cleanup()


async def ran(config, payload):
    desk = Desk(payload)
    await asyncio.wait_for(run(config, desk), 60)
    return desk.log(payload), desk.results[payload.id]


async def test_the_commit_is_fetched_and_no_password_stays(shells, server):
    script = ["cat hello.txt", "git remote -v", "grep -rl job-token-secret . .git ../app.tmp || echo nowhere"]
    log, result = await ran(shells, job(server, *script))
    assert result.state == "success", log
    assert "hello from the commit" in log
    assert "origin\thttp://127.0.0.1:" in log
    assert "\nnowhere\n" in log
    assert "Fetching changes with git depth set to 20..." in log


async def test_a_wrong_password_says_so(shells, server):
    url = server[0].replace("secret", "wrong")
    log, result = await ran(shells, job((url, server[1]), "true"))
    assert result.failure_reason == "runner_system_failure"
    assert "Authentication failed" in log or "could not read Username" in log


@pytest.mark.parametrize("depth", ["0", "1"])
async def test_depth(shells, server, tmp_path, depth):
    who = ["-c", "user.name=T", "-c", "user.email=t@example.com"]
    folder = tmp_path / "repository"
    commit = " ".join(["git", *who, "commit -q --allow-empty -m more"])
    script = f"{commit}; {commit}; {commit}; git rev-parse HEAD"
    sha = subprocess.check_output(script, shell=True, cwd=folder, text=True).strip()  # noqa: ASYNC221
    log, _ = await ran(
        shells, job((server[0], sha), "git rev-list --count HEAD", variables=[Variable("GIT_DEPTH", depth)])
    )
    assert f"\n{'4' if depth == '0' else '1'}\n" in log


async def test_hooks_run_before_and_after(shells, server):
    hooks = [Hook("pre_get_sources_script", ["echo before"]), Hook("post_get_sources_script", ["ls hello.txt"])]
    log, _ = await ran(shells, job(server, "true", hooks=hooks))
    assert log.index("\nbefore\n") < log.index("Fetching changes") < log.index("$ ls hello.txt")


async def test_submodules(shells, server, tmp_path):
    folder = Path(tmp_path / "repository")
    who = ["-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "protocol.file.allow=always"]

    def git(*words, cwd=folder):
        return subprocess.run(
            ["git", *who, *words], cwd=cwd, check=True, capture_output=True, text=True
        ).stdout.strip()

    module = tmp_path / "module"
    module.mkdir()
    git("init", "-q", "-b", "main", cwd=module)
    (module / "part.txt").write_text("from the module\n")
    git("add", "-A", cwd=module)
    git("commit", "-q", "-m", "m", cwd=module)
    git("submodule", "add", "-q", str(module), "part")
    git("config", "-f", ".gitmodules", "submodule.part.url", "../module")
    git("commit", "-qam", "with a module")
    payload = job((server[0], git("rev-parse", "HEAD")), "cat part/part.txt",
                  variables=[Variable("GIT_SUBMODULE_STRATEGY", "recursive")])  # fmt: skip
    log, result = await ran(shells, payload)
    assert result.state == "success", log
    assert "Updating/initializing submodules recursively with git depth set to 20..." in log
    assert "\nfrom the module\n" in log


async def test_sources_are_asked_for_again(shells, server):
    payload = job((server[0].replace("repository", "missing"), server[1]), "true",
                  variables=[Variable("GET_SOURCES_ATTEMPTS", "2")])  # fmt: skip
    log, result = await ran(shells, payload)
    assert result.state == "failed"
    assert log.count("Created fresh repository.") == 1
    assert "getting the sources failed (exit status 128); trying again" in log


async def test_a_function_of_a_repository_that_wants_a_login(shells, server, source, tmp_path):
    folder = tmp_path / "repository"
    (folder / "steps").mkdir()
    (folder / "steps" / "func.yml").write_text(
        "spec:\n---\nexec: {command: [cat, '${{ func_dir }}/../hello.txt']}\n"
    )
    for words in (["add", "-A"], ["-c", "user.name=T", "-c", "user.email=t@t", "commit", "-qm", "a function"]):
        subprocess.run(["git", "-C", folder, *words], check=True)  # noqa: ASYNC221
    payload = job(source, run=json.dumps([{"name": "a", "func": "${{ vars.ADDRESS }}@main"}]))
    payload.variables.append(Variable("ADDRESS", server[0]))
    payload.steps = []
    log, result = await ran(shells, payload)
    assert result.state == "success" and "hello from the commit\n" in log, log
    assert LOGIN[1] not in log
