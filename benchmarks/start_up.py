"""Start-up: `shipline --version` against an interpreter that does nothing."""

import sys

from measure import SHIPLINE, Case, command, compare

if __name__ == "__main__":
    compare(
        "Start-up",
        [
            Case("shipline --version", command(SHIPLINE, "--version")),
            Case("shipline run --help", command(SHIPLINE, "run", "--help")),
            Case("python -c pass", command(sys.executable, "-c", "pass")),
        ],
        runs=15,
    )
