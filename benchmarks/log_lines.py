"""A job that prints a million lines, with masking on, against the same loop into a file."""

import subprocess
from pathlib import Path

from measure import SHIPLINE, Case, command, compare, repository

LOOP = "seq 1 1000000"

if __name__ == "__main__":
    where: Path = repository(f"job:\n  script: {LOOP}\n")
    secret = ["variable", "set", "SECRET", "--masked"]
    subprocess.run([SHIPLINE, *secret], cwd=where, input="correct-horse-battery", text=True, check=True)
    compare(
        "A million log lines",
        [
            Case("shipline run, one secret masked", command(SHIPLINE, "run", cwd=where)),
            Case("the loop into a file", command("sh", "-c", f"{LOOP} > /dev/null", cwd=where)),
        ],
        runs=5,
    )
