"""One shell job and a hundred, the whole process, against git and a shell doing the same by hand.

The hundred run with their folders where the system keeps temporary files, and with these in memory, as /tmp is on
many systems.
"""

import os
import tempfile
from pathlib import Path

from measure import SHIPLINE, Case, command, compare
from repositories import hundred, one

BY_HAND = 'd=$(mktemp -d); git clone -q . "$d" && cd "$d" && sh -c "echo hello"; cd - >/dev/null; rm -rf "$d"'
MEMORY = "/dev/shm"

if __name__ == "__main__":
    where: Path = one().make()
    compare(
        "One shell job",
        [
            Case("shipline run", command(SHIPLINE, "run", cwd=where)),
            Case("git clone; sh -c", command("sh", "-c", BY_HAND, cwd=where)),
        ],
        runs=9,
    )
    where = hundred().make()
    with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as memory:
        compare(
            "A hundred shell jobs",
            [
                Case("shipline run", command(SHIPLINE, "run", cwd=where)),
                Case(
                    "shipline run, TMPDIR in memory", command("env", f"TMPDIR={memory}", SHIPLINE, "run", cwd=where)
                ),
                Case("git clone; sh -c, in turn", command("sh", "-c", f"{BY_HAND}\n" * 100, cwd=where)),
            ],
            runs=9,
        )
