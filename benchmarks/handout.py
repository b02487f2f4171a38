"""Hand-outs of the server: runners that ask for all queued jobs at once, with a short and a long queue.

    .venv/bin/python benchmarks/handout.py [jobs] [runners] [sqlite|postgresql]

The askers share the machine with the server. No job may be given out twice; that is checked, too. PostgreSQL is
Debian's, started for this alone; what it computes itself is not in the server's processor time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from measure import SHIPLINE

from shipline.engine.creation import lean
from shipline.engine.records import Commit, Project
from shipline.language import Context, compile
from shipline.server.instance import Instance
from shipline.server.settings import Settings

JOBS_OF_A_PIPELINE = 100
COMMIT = Commit(
    "a" * 40, "0" * 40, "main", False, "A commit", "Ada <a@example.com>", "2026-01-01T00:00:00Z", "main"
)


async def fill(settings: Settings, jobs: int) -> list[str]:
    """Pipelines with so many pending jobs in all; gives the tokens of a hundred runners."""
    instance = Instance(settings)
    instance.accounts.first_password()
    namespace = instance.projects.namespace("root")
    project = instance.projects.create(namespace, "app", 1)
    text = "\n".join(f"job-{n}:\n  script: [echo {n}]\n  tags: [any]" for n in range(JOBS_OF_A_PIPELINE))
    context = Context(project_path="root/app", project_name="app", sha=COMMIT.sha)
    compiled = lean(compile(text, context))
    for _ in range(jobs // JOBS_OF_A_PIPELINE):
        instance.pipelines.create(Project(project.id, project.path), COMMIT, compiled)
    tokens = [instance.runners.create(tags=["any"])[1] for _ in range(100)]
    instance.close()
    return tokens


async def ask(port: int, token: str, got: list[int]) -> None:
    """One runner: asks on one connection until there is nothing left."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps({"token": token, "system_id": "s_bench"}).encode()
    fields = ("POST /api/v4/jobs/request HTTP/1.1", "Host: x", "Content-Type: application/json")
    head = "\r\n".join([*fields, f"Content-Length: {len(body)}", "", ""])
    while True:
        writer.write(head.encode() + body)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        length = next((int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length")), 0)
        text = await reader.readexactly(length)
        status = int(lines[0].split()[1])
        if status != 201:
            writer.close()
            return
        got.append(int(text[6 : text.index(b",")]))


def memory(process: subprocess.Popen[str]) -> int:
    """Resident MB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) // 1024


def processor_seconds(process: subprocess.Popen[str]) -> float:
    """What the process has computed so far: what a busy machine does not change."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def database(kind: str, port: int) -> Iterator[str]:
    """The URL of an empty database; nothing for SQLite."""
    if kind == "sqlite":
        yield ""
        return
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from tests.server.postgresql import new_database, postgresql

    with postgresql(port) as url:
        yield new_database(url)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure(jobs: int, runners: int, kind: str) -> None:
    with tempfile.TemporaryDirectory(prefix="shipline-handout-") as folder, database(kind, free_port()) as url:
        port = free_port()
        tokens = asyncio.run(fill(Settings(home=Path(folder), port=port, database=url), jobs))[:runners]
        command = [SHIPLINE, "serve", "--home", folder, "--port", str(port), "--database", url]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        server.stdout.readline()
        idle, before = memory(server), processor_seconds(server)
        try:
            rate = asyncio.run(all_of(port, tokens, jobs))
            each = (processor_seconds(server) - before) / jobs
            print(
                f"{kind:10} {jobs:6} queued  {rate:6.0f} a second, {each * 1000:.2f} ms of the server's processor "
                f"each; {idle} MB when idle, {memory(server)} MB afterwards",
                flush=True,
            )
        finally:
            server.terminate()
            server.wait()


async def all_of(port: int, tokens: list[str], jobs: int) -> float:
    """Hand-outs a second."""
    got: list[int] = []
    start = time.perf_counter()
    await asyncio.gather(*(ask(port, token, got) for token in tokens))
    seconds = time.perf_counter() - start
    assert len(got) == len(set(got)) == jobs, f"{len(got)} hand-outs of {len(set(got))} jobs"
    return len(got) / seconds


if __name__ == "__main__":
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    askers = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    where = sys.argv[3] if len(sys.argv) > 3 else "sqlite"
    for queued in (most // 10, most):
        measure(queued, askers, where)
