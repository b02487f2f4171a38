"""Gives the commands of a recording to a cluster of ours and compares the answers.

By hand: `.venv/bin/python -m tests.cluster.recordings.replay 04` (`--keep` leaves the cluster, `--kubeconfig
FILE` takes one that runs, `--only 3-7` gives some steps alone, `--show` prints every answer).
"""

from __future__ import annotations

import asyncio
import difflib
import os
import re
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.recordings import differences
from tests.cluster.recordings.normalise import RECORDED, Place, lines
from tests.cluster.recordings.recording import Recording, Step

ROOT = Path(__file__).parents[3]
STEP_TIMEOUT = 120.0
LATER = 8
"""How often a step is given again, a second apart, whose answer may come later."""


PATIENCE = (
    ("(timeout 5 ", "(timeout 9 "),
    ("&) ; sleep 2;", "&) ; sleep 4;"),
    ("activeDeadlineSeconds: 2", "activeDeadlineSeconds: 6"),
    ("sleep 6; kubectl get pod deadline", "sleep 10; kubectl get pod deadline"),
)
"""Times that suffice where nothing else ran, and times that suffice on a busy machine."""


@dataclass(frozen=True)
class Stage:
    """Where commands run: the cluster by its kubeconfig, a directory to work in, and what the place is called."""

    kubeconfig: Path
    directory: Path
    place: Place

    def environment(self) -> dict[str, str]:
        """As in the recordings: UTC, no colours, the kubectl of the test's environment first."""
        return {
            **os.environ,
            "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}:{self.directory / 'bin'}",
            "KUBECONFIG": str(self.kubeconfig),
            "HOME": str(self.directory),
            "TZ": "UTC",
            "LC_ALL": "C.UTF-8",
        }

    def command(self, recorded: str) -> str:
        """A recorded command with this place's names."""
        command = recorded.replace("https://127.0.0.1:16443", self.place.servers[0])
        command = command.replace("http://192.0.2.2:", f"http://{self.place.node_address}:")
        for quick, patient in PATIENCE:
            command = command.replace(quick, patient)
        if "kubectl --" in command:  # with a server of its own: nothing of ours may be known of it
            command = "export KUBECONFIG=/dev/null HOME=$PWD/nowhere; " + command
        return command.replace("describe node vm", f"describe node {self.place.node}")


@dataclass(frozen=True)
class Answer:
    """What a command answered, and how long it took in seconds."""

    stdout: str
    stderr: str
    status: int
    seconds: float


async def give(command: str, stage: Stage) -> Answer:
    """Run one command in a shell."""
    begin = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        command,
        cwd=stage.directory,
        env=stage.environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), STEP_TIMEOUT)
        status = process.returncode or 0
    except TimeoutError:
        os.killpg(process.pid, 9)
        await process.wait()
        out, err, status = b"", f"no end after {STEP_TIMEOUT:.0f} s\n".encode(), -1
    text = out.decode(errors="replace"), err.decode(errors="replace")
    return Answer(*text, status, time.monotonic() - begin)


def compare(recording: str, step: Step, answer: Answer, place: Place) -> str:
    """How an answer differs from the recorded one, as a unified diff; "" if it doesn't."""
    mode = differences.mode(recording, step.command)
    if mode == "ignored":
        return ""
    result = ""
    if mode != "status":
        for name, recorded, ours in (("output", step.stdout, answer.stdout), ("error", step.stderr, answer.stderr)):
            without = differences.without(recording, step.command)
            left = differences.prepare(recording, step.command, lines(step.command, recorded, RECORDED, without))
            right = differences.prepare(recording, step.command, lines(step.command, ours, place, without))
            if mode == "unordered":
                left, right = sorted(left), sorted(right)
            if mode == "more":
                right = [line for line in right if line in left]
            if mode == "fewer":
                left = [line for line in left if line in right]
            found = difflib.unified_diff(left, right, f"recorded {name}", f"our {name}", lineterm="", n=2)
            result += "".join(f"{line}\n" for line in found)
    if step.status != answer.status:
        result += f"recorded exit {step.status}, ours {answer.status}\n"
        if mode == "status":
            result += answer.stderr
    return result


async def replay(
    recording: Recording, stage: Stage, only: range | None = None
) -> AsyncIterator[tuple[Step, Answer, str]]:
    """Each step with our answer and its difference ("" for none), as they are given."""
    for step in recording.steps:
        if only is not None and step.number not in only:
            continue
        command = stage.command(step.command)
        answer = await give(command, stage)
        difference = compare(recording.name, step, answer, stage.place)
        for _ in range(LATER if differences.may_come_later(recording.name, step.command) else 0):
            if difference:
                await asyncio.sleep(1)
                answer = await give(re.sub(r"^sleep \d+; ", "", command), stage)
                difference = compare(recording.name, step, answer, stage.place)
        yield step, answer, difference


async def main(arguments: list[str]) -> int:
    """The command line."""
    import argparse
    import contextlib

    from tests.cluster.recordings.recording import load
    from tests.cluster.recordings.stage import existing, fresh, images, registry

    parser = argparse.ArgumentParser(prog="replay", description="Replay recordings of a real Kubernetes.")
    parser.add_argument("recordings", nargs="+", help="their numbers, in order, on one cluster: 02 03 04")
    parser.add_argument("--kubeconfig", type=Path, help="a cluster that runs; a fresh one is started without")
    parser.add_argument("--keep", action="store_true", help="leave the fresh cluster")
    parser.add_argument("--only", default="", help="steps of the last recording: 3-7 or 5")
    parser.add_argument("--show", action="store_true", help="print our answers too")
    options = parser.parse_args(arguments)
    only = None
    if options.only:
        first, _, last = options.only.partition("-")
        only = range(int(first), int(last or first) + 1)
    task = asyncio.current_task()
    if task is not None:  # what was put up is taken down also when somebody loses patience
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    different = 0
    async with contextlib.AsyncExitStack() as stack:
        if options.kubeconfig:
            stage = await stack.enter_async_context(existing(options.kubeconfig))
        else:
            await images()
            needed = {"03", "04", "05"} & set(options.recordings)
            address = await stack.enter_async_context(registry()) if needed else ""
            stage = await stack.enter_async_context(fresh(address, options.keep))
        for name in options.recordings:
            recording = load(name)
            print(f"== {recording.name}", flush=True)
            chosen = only if name == options.recordings[-1] else None
            async for step, answer, difference in replay(recording, stage, chosen):
                different += bool(difference)
                print(f"{'DIFF' if difference else 'ok  '} {answer.seconds:5.1f}s {step.label}", flush=True)
                if difference:
                    print(difference, flush=True)
                if options.show:
                    print(answer.stdout + answer.stderr, flush=True)
    print(f"{different} steps differ")
    return 1 if different else 0


if __name__ == "__main__":
    import sys

    sys.exit(asyncio.run(main(sys.argv[1:])))
