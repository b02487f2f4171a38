"""Every recorded command, given to a cluster of ours by the real kubectl, is answered as it was recorded.

Each chain has a cluster of its own, and all run at once: what takes time is mostly the recorded waiting. A
chain names recordings in their order, `=` before those that only prepare the next, and commands between them.
"""

from __future__ import annotations

import asyncio
import os

import pytest
from tests.cluster.recordings.recording import load
from tests.cluster.recordings.replay import give, replay
from tests.cluster.recordings.stage import fresh, images, registry

CHAINS = (
    ("=02", "=03", "kubectl delete deploy,svc calculator; kubectl delete pods --all --grace-period=1", "05"),
    ("01", "02", "03", "04"),
    ("06",),
    ("08",),
)


async def run(chain: tuple[str, ...], registry: str, turn: asyncio.Semaphore) -> dict[str, list[str]]:
    """The differences of each recording in a chain, one text a step."""
    found: dict[str, list[str]] = {}
    async with turn, fresh(registry) as stage:
        for link in chain:
            if " " in link:
                answer = await give(link, stage)
                assert answer.status == 0, answer.stderr
                continue
            recording = load(link.removeprefix("="))
            results = [(step, difference) async for step, _, difference in replay(recording, stage)]
            if not link.startswith("="):
                found[recording.name] = [f"{step.label}\n{text}" for step, text in results if text]
    return found


@pytest.fixture(scope="module")
def differences() -> dict[str, list[str]]:
    async def all_at_once() -> dict[str, list[str]]:
        await images()
        async with registry() as address, asyncio.TaskGroup() as group:
            turn = asyncio.Semaphore(os.cpu_count() or 2)
            chains = [group.create_task(run(chain, address, turn)) for chain in CHAINS]
        return {name: texts for chain in chains for name, texts in chain.result().items()}

    return asyncio.run(all_at_once())


@pytest.mark.engine
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "name", ["01-discovery", "02-secrets", "03-deploy", "04-rollout", "05-faults", "06-pods", "08-streams"]
)
def test_a_recording_is_answered_alike(differences, name):
    assert not differences[name], "\n".join(differences[name])
