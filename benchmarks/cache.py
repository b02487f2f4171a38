"""A cache of 20,000 small files, as node_modules is: a pipeline that restores it, changes one file and saves it
again, the whole process, against zip and tar doing only the unpacking and packing.

In memory where the system has such a folder (/dev/shm), since a disk's own pace would drown the rest.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

from measure import SHIPLINE, Case, command, compare, repository

FILES = 20_000
PIPELINE = """
job:
  script: [date > node_modules/changed]
  cache: {paths: [node_modules/]}
idle:
  script: ["true"]
  cache: {paths: [node_modules/]}
first:
  script: [cp -r "$FILES_FROM" node_modules]
  cache: {paths: [node_modules/]}
plain: {script: ["true"]}
"""
ZIP = "rm -rf out && mkdir out && unzip -q kept.zip -d out && cd out && rm -f ../new.zip && zip -qr ../new.zip ."
TAR = "rm -rf out && mkdir out && tar -xzf kept.tgz -C out && tar -czf new.tgz -C out ."


def fill(folder: Path) -> None:
    """Packages of some folders with files of words, 2 KB each in the middle."""
    chance = random.Random(1)
    words = [f"{chance.getrandbits(chance.choice((8, 16, 24, 32))):x}" for _ in range(3000)]
    words += ["function", "return", "const", "require", "=>", "if", "this"] * 40
    made = 0
    while made < FILES:
        for part in ("", "lib", "dist", "node_modules/dep/lib"):
            below = folder / f"package-{made}" / part
            below.mkdir(parents=True, exist_ok=True)
            for number in range(min(chance.randint(2, 12), FILES - made)):
                size = int(min(200_000, chance.lognormvariate(7.3, 1.2)))
                (below / f"file-{number}.js").write_text(" ".join(chance.choices(words, k=size // 6 + 1)))
                made += 1


def main() -> None:
    memory = Path("/dev/shm")
    root = Path(tempfile.mkdtemp(prefix="shipline-cache-", dir=memory if memory.is_dir() else None))
    os.environ |= {"TMPDIR": str(root), "SHIPLINE_HOME": str(root / "home")}
    tempfile.tempdir = str(root)
    try:
        files = root / "node_modules"
        fill(files)
        where = repository(PIPELINE)
        command(SHIPLINE, "run", "-q", "--job", "first", "--variable", f"FILES_FROM={files}", cwd=where)()
        shell = ("sh", "-c")
        command(*shell, "zip -qr kept.zip node_modules && tar -czf kept.tgz node_modules", cwd=root)()

        def run(job: str) -> Case:
            return Case(f"shipline run --job {job}", command(SHIPLINE, "run", "-q", "--job", job, cwd=where))

        compare(
            f"{FILES} files restored, and saved again after a change (idle: not changed; plain: no cache)",
            [
                run("plain"),
                run("idle"),
                run("job"),
                Case("tar -xzf; tar -czf", command(*shell, TAR, cwd=root)),
                Case("unzip; zip", command(*shell, ZIP, cwd=root)),
            ],
            runs=int(sys.argv[1]) if len(sys.argv) > 1 else 3,
        )
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
