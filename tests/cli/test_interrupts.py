"""Whatever a job does about it: five seconds after Ctrl-C nothing of it runs."""

import signal
import subprocess
import sys
import time

import pytest
from tests.cli.test_later import goes_on, nap, started, wait_for_line

__all__ = ["nap"]  # a fixture

SOON = 5.0
"""Seconds, as is promised. What nobody ends goes on for 90."""
STUBBORN = """
stubborn:
  script:
    - trap '' TERM INT HUP
    - (trap '' TERM INT HUP; NAP) &
    - setsid sh -c 'trap "" TERM INT HUP; NAP' &
    - echo ready
    - while true; do NAP; done
  after_script: ["trap '' TERM INT HUP", NAP]
next: {stage: deploy, script: [echo never]}
"""
PATIENT = "from shipline.cli import main, work; work.GRACE = 60.0; main()"
"""Shipline, but for the first Ctrl-C, which alone would let a job go on for a minute."""
POLITE = """
polite:
  script: [echo ready, NAP]
  after_script: [touch AFTER]
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_job_that_ignores_every_signal(repository, nap, number):
    repository.commit(ci=STUBBORN.replace("NAP", nap))
    process = started(repository, "run")
    wait_for_line(process, "| ready")
    begun = time.monotonic()
    process.send_signal(number)
    text, _ = process.communicate(timeout=60)
    assert time.monotonic() - begun < SOON
    assert process.returncode == 130 and "never" not in text
    assert not goes_on(nap)


def test_the_second_ctrl_c_does_not_wait_for_the_after_script(repository, nap):
    repository.commit(ci=STUBBORN.replace("NAP", nap))
    process = subprocess.Popen(
        [sys.executable, "-c", PATIENT, "run"],
        cwd=repository.directory,
        env=repository.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_for_line(process, "| ready")
    process.send_signal(signal.SIGINT)
    wait_for_line(process, "Ctrl-C again")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SOON)
    assert process.returncode == 130 and not goes_on(nap)


def test_while_nobody_reads_what_is_printed(repository, nap, tmp_path):
    repository.commit(ci=f"loud: {{script: [seq 200000, {nap}]}}\nquiet: {{script: [{nap}]}}\n")
    process = started(repository, "run")
    while not goes_on(nap):
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=SOON) == 130
    assert not goes_on(nap)


def test_while_it_cleans_up_after_a_failure(repository, nap):
    """A job that has failed already, and one whose after_script runs."""
    repository.commit(
        ci=f"failed: {{script: [exit 1]}}\nlate: {{script: ['true'], after_script: [echo ready, {nap}]}}\n"
    )
    process = started(repository, "run")
    wait_for_line(process, "| ready")
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert time.monotonic() - begun < SOON and not goes_on(nap)


def test_a_terminal_that_is_closed(repository, nap, tmp_path):
    """The kernel says SIGHUP, and writing fails from then on."""
    repository.commit(ci=POLITE.replace("NAP", nap).replace("AFTER", str(tmp_path / "after")))
    process = started(repository, "run")
    wait_for_line(process, "| ready")
    process.stdout.close()
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=SOON) == 130
    assert (tmp_path / "after").exists() and not goes_on(nap)
    done = subprocess.run(
        ["git", "status", "--short"], cwd=repository.directory, stdout=subprocess.PIPE, text=True, check=True
    )
    assert done.stdout == ""
