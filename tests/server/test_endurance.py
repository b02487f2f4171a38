"""Many runners at once, and a server that is killed: no job twice, nothing lost that was acknowledged."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests
from tests.server.conftest import Repository, Running, free_port, until
from tests.server.postgresql import new_database

from shipline.server.instance import Instance
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


class Acknowledged:
    """What the server has said yes to. Everything of it must be there in the end."""

    def __init__(self) -> None:
        self.pipelines: set[int] = set()
        self.taken: list[int] = []
        self.logs: dict[int, bytes] = {}
        self.archives: dict[int, bytes] = {}
        self.ended: dict[int, str] = {}


def test_what_is_acknowledged_survives_any_moment(tmp_path):
    home, port = tmp_path / "home", free_port()
    url = f"http://127.0.0.1:{port}/api/v4"
    process, first = serve(home, port)
    (home / "seen").touch()
    said, stop = Acknowledged(), threading.Event()
    try:
        password = first.split("Password: ")[1].split()[0]
        clone = Repository(tmp_path / "clone", f"http://root:{password}@127.0.0.1:{port}/root/app")
        clone.commit({".gitlab-ci.yml": "\n".join(f"job-{n}:\n  script: [echo {n}]" for n in range(6))})
        clone.push()
        said.pipelines.add(1)
        owner = {"PRIVATE-TOKEN": personal_token(home)}
        runners = [register(home) for _ in range(3)]
        workers = [threading.Thread(target=work, args=(url, token, said, stop)) for token in runners]
        workers.append(threading.Thread(target=order, args=(url, owner, said, stop)))
        for worker in workers:
            worker.start()
        moments = random.Random(4)
        for _ in range(4):
            time.sleep(moments.uniform(0.3, 1.2))
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            process, _ = serve(home, port)
        until(lambda: len(said.ended) > 5, 40)
        stop.set()
        for worker in workers:
            worker.join(60)
        for number in said.pipelines:
            assert requests.get(f"{url}/projects/1/pipelines/{number}", headers=owner, timeout=20).ok
        assert len(said.taken) == len(set(said.taken)), "no job was handed out twice"
        for number, text in said.logs.items():
            log = requests.get(f"{url}/projects/1/jobs/{number}/trace", headers=owner, timeout=20).content
            assert log.startswith(text), (number, len(text), len(log))
        for number, archive in said.archives.items():
            kept = requests.get(f"{url}/projects/1/jobs/{number}/artifacts", headers=owner, timeout=20)
            assert kept.content == archive
        for number, status in said.ended.items():
            found = requests.get(f"{url}/projects/1/jobs/{number}", headers=owner, timeout=20).json()
            assert found["status"] == status
    finally:
        stop.set()
        process.kill()
        process.wait()


def asked(method: str, url: str, **options: Any) -> requests.Response | None:
    """An answer; None when the server was not there to give one."""
    try:
        return requests.request(method, url, timeout=20, **options)
    except requests.RequestException:
        time.sleep(0.05)
        return None


def order(url: str, owner: dict[str, str], said: Acknowledged, stop: threading.Event) -> None:
    while not stop.is_set():
        answer = asked("POST", f"{url}/projects/1/pipeline", json={"ref": "main"}, headers=owner)
        if answer is not None and answer.status_code == 201:
            said.pipelines.add(answer.json()["id"])
        time.sleep(0.2)


def work(url: str, token: str, said: Acknowledged, stop: threading.Event) -> None:
    """A runner that goes on with its job whatever becomes of the server meanwhile."""
    while not stop.is_set():
        answer = asked("POST", f"{url}/jobs/request", json={"token": token})
        if answer is None or answer.status_code != 201:
            time.sleep(0.05)
            continue
        job = answer.json()
        number, key = job["id"], {"JOB-TOKEN": job["token"]}
        said.taken.append(number)
        sent = b""
        while len(sent) < 5000 and not stop.is_set():
            text = f"{number}: line {len(sent)}\n".encode() * 50
            place = {"Content-Range": f"{len(sent)}-{len(sent) + len(text) - 1}"}
            answer = asked("PATCH", f"{url}/jobs/{number}/trace", data=text, headers=key | place)
            if answer is not None and answer.status_code == 416:
                text = text[: int(answer.headers["Range"].partition("-")[2]) - len(sent)]
            elif answer is None or answer.status_code != 202:
                continue
            sent += text
            said.logs[number] = sent
        archive = f"the archive of {number}".encode() * 100
        answer = asked("POST", f"{url}/jobs/{number}/artifacts", files={"file": ("a.zip", archive)}, headers=key)
        if answer is not None and answer.status_code == 201:
            said.archives[number] = archive
        while not stop.is_set():
            answer = asked("PUT", f"{url}/jobs/{number}", json={"token": job["token"], "state": "success"})
            if answer is not None and answer.status_code in (200, 403):
                said.ended[number] = "success"
                break


def test_a_long_log_takes_no_memory(tmp_path):
    home, port = tmp_path / "home", free_port()
    url = f"http://127.0.0.1:{port}/api/v4"
    process, first = serve(home, port)
    try:
        password = first.split("Password: ")[1].split()[0]
        clone = Repository(tmp_path / "clone", f"http://root:{password}@127.0.0.1:{port}/root/app")
        clone.commit({".gitlab-ci.yml": "one:\n  script: [echo 1]\n"})
        clone.push()
        owner, token = {"PRIVATE-TOKEN": personal_token(home)}, register(home)
        job = requests.post(f"{url}/jobs/request", json={"token": token}, timeout=20).json()
        before, size, block = memory(process.pid), 100 << 20, b"x" * (1 << 20)
        assert before < 150 << 20, "an idle server is small"
        headers = {"JOB-TOKEN": job["token"], "Content-Range": f"0-{size - 1}"}
        long = tmp_path / "long.log"
        long.write_bytes(block * (size // len(block)))
        with long.open("rb") as file:
            sent = requests.patch(f"{url}/jobs/{job['id']}/trace", data=file, headers=headers, timeout=120)
        assert (sent.status_code, sent.headers["Range"]) == (202, f"0-{size}")
        log = requests.get(f"{url}/projects/1/jobs/{job['id']}/trace", headers=owner, stream=True, timeout=120)
        assert sum(len(piece) for piece in log.iter_content(1 << 20)) == size
        assert memory(process.pid) - before < 24 << 20
    finally:
        process.kill()
        process.wait()


def memory(number: int) -> int:
    """The most bytes that a process has had in memory."""
    text = Path(f"/proc/{number}/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) * 1024


def patch(trace: str, token: str) -> requests.Response | None:
    try:
        headers = {"JOB-TOKEN": token, "Content-Range": "6-10"}
        return requests.patch(trace, data=b"after", headers=headers, timeout=20)
    except requests.ConnectionError:
        return None


def register(home: Path) -> str:
    """A runner, made beside the server: several processes may use one database."""
    return beside(home, lambda instance: instance.runners.create()[1])


def personal_token(home: Path) -> str:
    return beside(home, lambda instance: instance.accounts.create_token(1, "t", ["api"])[1])


def beside(home: Path, work: Callable[[Instance], str]) -> str:
    async def make() -> str:
        instance = Instance(Settings(home=home))
        try:
            return work(instance)
        finally:
            instance.close()

    return asyncio.run(make())
