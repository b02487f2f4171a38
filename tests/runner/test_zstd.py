"""Archives packed with Zstandard: round, read and written by others' programs, damaged, and hostile."""

from __future__ import annotations

import io
import os
import random
import subprocess
import tarfile
from pathlib import Path

import msgspec
import pytest
import zstandard
from tests.runner.test_caches import FILL, archives, cached, ran

from shipline.runner.cache.seal import is_damaged, seal
from shipline.runner.files.archive import pack
from shipline.runner.files.extraction import unpack
from shipline.runner.files.members import FilesError
from shipline.runner.files.selection import select
from shipline.runner.local.files import ShellFiles

FORMS = ("zipzstd", "tarzstd")


@pytest.fixture
def tree(tmp_path):
    """Files of all kinds and sizes."""
    folder = tmp_path / "tree"
    (folder / "deep" / "empty folder").mkdir(parents=True)
    (folder / "a").write_text("text\n" * 100)
    (folder / "nothing").touch()
    (folder / "deep" / "run").write_text("#!/bin/sh\n")
    (folder / "deep" / "run").chmod(0o755)
    (folder / "deep" / "link").symlink_to("../a")
    (folder / "large").write_bytes(b"x" * 3_000_000 + random.Random(1).randbytes(3_000_000))
    Path(os.fsdecode(bytes(folder) + b"/odd \xff name")).write_text("odd")
    os.utime(folder / "a", (1_600_000_000, 1_600_000_000))
    return folder


async def packed(tree: Path, form: str, level: str = "default") -> Path:
    files = ShellFiles(str(tree))
    found = await select(files, str(tree), ["**"], [], untracked=False)
    archive = tree.parent / f"archive-{level}"
    await pack(files, found.entries, archive, form, level)
    return archive


def shown(folder: Path) -> dict[str, tuple[int, object]]:
    """Every path below a folder: mode, and what is there."""
    paths = list(folder.rglob("*"))
    return {
        os.fsdecode(bytes(path.relative_to(folder))): (
            path.lstat().st_mode,
            path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None,
        )
        for path in paths
    }


@pytest.mark.parametrize("form", FORMS)
async def test_what_is_packed_comes_out_as_it_was(tree, tmp_path, form):
    archive = await packed(tree, form)
    assert archive.stat().st_size < 3_100_000
    seal(archive)
    with archive.open("rb") as file:
        assert not is_damaged(file)
    out = tmp_path / "out"
    out.mkdir()
    await unpack(ShellFiles(str(out)), archive)
    assert shown(out) == shown(tree)
    assert (out / "a").stat().st_mtime == 1_600_000_000


async def test_levels(tree):
    sizes = [(await packed(tree, "tarzstd", level)).stat().st_size for level in ("fastest", "slowest")]
    assert sizes[0] > sizes[1]


async def test_other_programs_read_it_and_are_read(tree, tmp_path):
    archive = await packed(tree, "tarzstd")
    seal(archive)
    listed = subprocess.check_output(["tar", "--zstd", "-tf", archive]).split(b"\n")  # noqa: ASYNC221
    assert b"deep/run" in listed and b"deep/link" in listed
    theirs = tmp_path / "theirs.tar.zst"
    subprocess.run(["tar", "--zstd", "-cf", theirs, "-C", tree, "."], check=True)  # noqa: ASYNC221
    out = tmp_path / "out"
    out.mkdir()
    await unpack(ShellFiles(str(out)), theirs)
    assert shown(out) == shown(tree)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", ["cut off", "changed"])
async def test_damage_is_seen_with_a_seal_and_without(tree, tmp_path, form, place):
    archive = await packed(tree, form)
    bare = archive.read_bytes()
    seal(archive)
    for sealed, data in ((False, bytearray(bare)), (True, bytearray(archive.read_bytes()))):
        if place == "cut off":
            del data[len(data) // 2 :]
        else:
            data[len(data) // 2] ^= 0xFF
        archive.write_bytes(data)
        if sealed and place == "changed":
            with archive.open("rb") as file:
                assert is_damaged(file)
        out = tmp_path / f"out-{sealed}"
        out.mkdir()
        with pytest.raises(FilesError):
            await unpack(ShellFiles(str(out)), archive)


HOSTILE = {
    "leads out": [("../out", tarfile.REGTYPE, "")],
    "leads out of": [("/etc/evil", tarfile.REGTYPE, "")],
    "lies behind the link": [("link", tarfile.SYMTYPE, "/tmp"), ("link/evil", tarfile.REGTYPE, "")],
    "a further name": [("hard", tarfile.LNKTYPE, "/etc/passwd")],
}


@pytest.mark.parametrize("why", HOSTILE)
async def test_nothing_of_a_hostile_archive_is_unpacked(tmp_path, why):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, kind, target in HOSTILE[why]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    (tmp_path / "evil.tar.zst").write_bytes(zstandard.compress(stream.getvalue()))
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(FilesError, match=why):
        await unpack(ShellFiles(str(out)), tmp_path / "evil.tar.zst")
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("form", FORMS)
async def test_caches_are_packed_as_the_job_says(shells, source, tmp_path, form):
    folder = msgspec.structs.replace(shells, cache_dir=str(tmp_path / "cache"))
    await ran(folder, cached(source, FILL, variables={"CACHE_COMPRESSION_FORMAT": form}))
    (archive,) = archives(folder)
    assert (archive.read_bytes()[:4] == b"\x28\xb5\x2f\xfd") == (form == "tarzstd")
    log = await ran(folder, cached(source, "cat vendor/a; test -x vendor/deep/b; readlink vendor/l"))
    assert "\none\na\n" in log and "Archive is up to date!" in log
