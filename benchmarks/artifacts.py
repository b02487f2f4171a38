"""Files from one job to the next: 1,000 small ones, one of 200 MB, and one of 500 MB of zeros for the memory that
it takes; against `zip` and `unzip` of the same files, and for the large one against `cp`.

With `--pods`, the jobs run in pods of the embedded cluster, through whose API the files go.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import SHIPLINE, Case, command, compare, repository

MANY = "mkdir many && i=0; while [ $i -lt 1000 ]; do i=$((i+1)); echo $i$i$i$i > many/file-$i; done"
LARGE = "head -c 200000000 /dev/urandom > many"
ZEROS = "truncate -s 500000000 many"
PODS = "--pods" in sys.argv


def pipeline(make: str) -> Path:
    image = "image: shipline/debian\n" if PODS else ""
    return repository(
        f"{image}stages: [a, b]\n"
        f"a:\n  stage: a\n  script: ['{make}']\n  artifacts: {{paths: [many]}}\n"
        "b: {stage: b, script: [test -e many]}\n"
    )


def zipped(make: str, folder: Path) -> str:
    """What the two jobs do, without anybody between them."""
    there_and_back = "zip -qr a.zip many && rm -r many && unzip -q a.zip && rm -r many a.zip"
    return f"cd {folder} && {make} && {there_and_back}"


def side_by_side(title: str, make: str, runs: int, *more: Case) -> None:
    where = pipeline(make)
    folder = Path(tempfile.mkdtemp())
    cases = [
        Case("shipline run, two jobs", command(SHIPLINE, "run", "-q", cwd=where)),
        *more,
        Case("the same, zip and unzip", command("sh", "-ec", zipped(make, folder))),
    ]
    compare(title, cases, runs)


def memory(make: str) -> float:
    """MiB that the whole process took at most while the two jobs ran."""
    where = pipeline(make)
    script = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, SHIPLINE, "run", "-q"], cwd=where, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ.setdefault("SHIPLINE_HOME", home)
        side_by_side("1,000 files", MANY, 5)
        copied = f"cd {tempfile.mkdtemp()} && {LARGE} && cp many copy && cp copy again && rm *"
        side_by_side("One file of 200 MB", LARGE, 3, Case("the same, cp twice", command("sh", "-ec", copied)))
        small, large = memory("echo x > many"), memory(ZEROS)
        print(f"\nMemory: {small:.0f} MiB for one byte, {large:.0f} MiB for 500 MB of zeros")
