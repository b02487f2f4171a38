"""Many runners at once, and a server that is killed: no job twice, nothing lost that was acknowledged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from tests.server.conftest import Repository, Running, free_port, until
from tests.server.postgresql import new_database

from shipline.server.settings import Settings

SHIPLINE = [sys.executable, "-c", "from shipline.cli import main; raise SystemExit(main())"]


def test_no_job_is_handed_out_twice(server, project, repository):
    jobs = "\n".join(f"job-{n}:\n  script: [echo {n}]" for n in range(40))
    repository.commit({".gitlab-ci.yml": jobs})
    repository.push()
    agents = [server.runner(kind="project_type", projects=[project.id]) for _ in range(8)]

    def work(agent):
        got = []
        while (answer := agent.request()).status_code == 201:
            got.append(answer.json()["id"])
        return got

    with ThreadPoolExecutor(len(agents)) as pool:
        got = [number for numbers in pool.map(work, agents) for number in numbers]
    assert len(got) == len(set(got)) == 40


def test_two_servers_on_one_postgresql_share_the_work(postgresql, tmp_path):
    database = new_database(postgresql)
    servers = [Running(Settings(home=tmp_path / "home", port=free_port(), database=database)) for _ in range(2)]
    clone = Repository(tmp_path / "clone", servers[0].remote("root/app"))
    clone.commit({".gitlab-ci.yml": "\n".join(f"job-{n}:\n  script: [echo {n}]" for n in range(30))})
    clone.push()
    agents = [servers[n % 2].runner() for n in range(6)]

    def work(agent):
        got = []
        while (answer := agent.request()).status_code == 201:
            job = answer.json()
            got.append(job["id"])
            assert agent.update(job, "success").status_code == 200
        return got

    with ThreadPoolExecutor(len(agents)) as pool:
        got = [number for numbers in pool.map(work, agents) for number in numbers]
    assert len(got) == len(set(got)) == 30
    seen = [server.inside(lambda i: i.pipelines.live(1).record.status) for server in servers]
    assert seen == ["success", "success"]
    for server in servers:
        server.stop()


def serve(home: Path, port: int) -> tuple[subprocess.Popen[str], str]:
    """A server as a process of its own; gives what it printed first."""
    command = [*SHIPLINE, "serve", "--home", str(home), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process, process.stdout.readline() if not (home / "seen").exists() else ""


def test_a_killed_server_goes_on_where_it_was(tmp_path):
    home, port = tmp_path / "home", free_port()
    url = f"http://127.0.0.1:{port}"
    process, first = serve(home, port)
    try:
        password = first.split("Password: ")[1].split()[0]
        clone = Repository(tmp_path / "clone", f"http://root:{password}@127.0.0.1:{port}/root/app")
        clone.commit({".gitlab-ci.yml": "one:\n  script: [echo 1]\ntwo:\n  stage: deploy\n  script: [echo 2]\n"})
        clone.push()
        token = register(home)
        ask = lambda: requests.post(f"{url}/api/v4/jobs/request", json={"token": token}, timeout=20)  # noqa: E731
        job = ask().json()
        headers = {"JOB-TOKEN": job["token"], "Content-Range": "0-5"}
        trace = f"{url}/api/v4/jobs/{job['id']}/trace"
        assert requests.patch(trace, data=b"before", headers=headers, timeout=20).status_code == 202
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        (home / "seen").touch()
        process, _ = serve(home, port)
        told = until(lambda: patch(trace, job["token"]), 20)
        assert (told.status_code, told.headers["Range"]) == (202, "0-11")
        ended = {"token": job["token"], "state": "success"}
        assert requests.put(f"{url}/api/v4/jobs/{job['id']}", json=ended, timeout=20).status_code == 200
        assert ask().json()["job_info"]["name"] == "two"
    finally:
        process.kill()
        process.wait()


def patch(trace: str, token: str) -> requests.Response | None:
    try:
        headers = {"JOB-TOKEN": token, "Content-Range": "6-10"}
        return requests.patch(trace, data=b"after", headers=headers, timeout=20)
    except requests.ConnectionError:
        return None


def register(home: Path) -> str:
    """A runner, made beside the server: several processes may use one database."""
    import asyncio

    from shipline.server.instance import Instance
    from shipline.server.settings import Settings

    async def make() -> str:
        instance = Instance(Settings(home=home))
        try:
            return instance.runners.create()[1]
        finally:
            instance.close()

    return asyncio.run(make())
