"""A pipeline of one shell job, the whole process, against git and a shell doing the same by hand."""

from pathlib import Path

from measure import SHIPLINE, Case, command, compare, repository

BY_HAND = 'd=$(mktemp -d); git clone -q . "$d" && cd "$d" && sh -c "echo hello"; rm -rf "$d"'

if __name__ == "__main__":
    where: Path = repository("job:\n  script: echo hello\n")
    compare(
        "One shell job",
        [
            Case("shipline run", command(SHIPLINE, "run", cwd=where)),
            Case("git clone; sh -c", command("sh", "-c", BY_HAND, cwd=where)),
        ],
        runs=9,
    )
