"""Caches of jobs in shells: in a folder, and in a bucket of a real S3 server."""

import asyncio
import os
import random
import shutil
import socket
import zipfile

import msgspec
import pytest
from tests.objects.s3 import free_ports, store
from tests.runner.desk import Desk, job, repository, run

from shipline.protocol.payload import Cache, Variable
from shipline.runner.cache.config import CacheConfig, S3Config
from shipline.runner.cache.seal import is_damaged, seal

FILL = (
    "mkdir -p vendor/deep; echo one > vendor/a; echo run > vendor/deep/b; chmod 755 vendor/deep/b; ln -s a vendor/l"
)


@pytest.fixture
def folder(shells, tmp_path):
    """A runner that keeps caches in `tmp_path / "cache"`."""
    return msgspec.structs.replace(shells, cache_dir=str(tmp_path / "cache"))


def archives(config):
    from pathlib import Path

    return sorted(path for path in Path(config.cache_dir).rglob("*") if path.is_file())


async def ran(config, payload, *, failing=False):
    """The job's log."""
    desk = Desk(payload)
    await asyncio.wait_for(run(config, desk), 60)
    assert desk.results[payload.id].state == ("failed" if failing else "success"), desk.log(payload)
    return desk.log(payload)


def cached(source, *script, paths=("vendor/",), key="k-protected", variables=None, caches=None, **settings):
    given = [Variable(name, value) for name, value in (variables or {}).items()]
    caches = caches or [Cache(key, list(paths) if paths else None, **settings)]
    return job(source, *script, cache=caches, variables=given)


async def test_what_a_job_leaves_the_next_takes_in(folder, source):
    log = await ran(folder, cached(source, FILL))
    for words in (
        "Restoring cache",
        "Checking cache for k-protected...",
        "WARNING: Cache file does not exist",
        "Failed to extract cache",
        "Saving cache for successful job",
        "Creating cache k-protected...",
        "vendor/: found 5 matching artifact files and directories",
        "Created cache",
    ):
        assert words in log
    look = 'cat vendor/a; test -x vendor/deep/b && test ! -x vendor/a && readlink vendor/l; echo "[$(ls vendor)]"'
    log = await ran(folder, cached(source, look))
    assert "Successfully extracted cache" in log
    assert "\none\na\n[a\ndeep\nl]\n" in log
    assert "section_start:" in log and ":restore_cache\r" in log and ":archive_cache\r" in log


async def test_an_unchanged_cache_is_not_saved_again(folder, source):
    await ran(folder, cached(source, FILL))
    (archive,) = archives(folder)
    before = archive.stat().st_ino
    log = await ran(folder, cached(source, "cat vendor/a; touch other"))
    assert "Archive is up to date!" in log and "Created cache" in log
    assert archive.stat().st_ino == before


@pytest.mark.parametrize(
    "change",
    [
        "echo two > vendor/a",
        "touch -r vendor/a ref; echo two > vendor/a; touch -r ref vendor/a",
        "rm vendor/a",
        "echo new > vendor/new",
        "ln -sfn deep vendor/l",
        "chmod 700 vendor/a",
        "mkdir vendor/empty",
        "mv vendor/deep vendor/deeper",
    ],
)
async def test_a_changed_cache_is_saved_again(folder, source, change):
    await ran(folder, cached(source, FILL))
    (archive,) = archives(folder)
    before = archive.stat().st_ino
    log = await ran(folder, cached(source, change))
    assert "Archive is up to date!" not in log
    assert archive.stat().st_ino != before


async def test_what_matches_nothing_replaces_nothing(folder, source):
    await ran(folder, cached(source, FILL))
    log = await ran(folder, cached(source, "rm -r vendor"))
    assert "WARNING: vendor/: no matching files" in log
    assert "\none\n" in await ran(folder, cached(source, "cat vendor/a"))


async def test_policies(folder, source):
    log = await ran(folder, cached(source, FILL, policy="pull"))
    assert "Not uploading cache k-protected due to policy" in log
    assert archives(folder) == []
    log = await ran(folder, cached(source, FILL, policy="$P", variables={"P": "push"}))
    assert "Not downloading cache k-protected due to policy" in log and "Created cache" in log
    log = await ran(folder, cached(source, "test ! -e vendor", policy="push"))
    log = await ran(folder, cached(source, "cat vendor/a; echo two > vendor/a", policy="pull"))
    assert "\none\n" in log
    assert "\none\n" in await ran(folder, cached(source, "cat vendor/a"))
    log = await ran(folder, cached(source, "true", policy="$P", variables={"P": "sometimes"}))
    assert "unknown cache policy sometimes" in log


async def test_when(folder, source):
    log = await ran(folder, cached(source, FILL, "exit 3"), failing=True)
    assert "Saving cache" not in log
    log = await ran(folder, cached(source, FILL, when="on_failure"))
    assert "Saving cache" not in log and archives(folder) == []
    log = await ran(folder, cached(source, FILL, "exit 3", when="on_failure"), failing=True)
    assert "Saving cache for failed job" in log and ":archive_cache_on_failure\r" in log
    assert len(archives(folder)) == 1
    for script, failing in (("true", False), ("exit 1", True)):
        await ran(folder, cached(source, f"echo {script} > vendor/a", script, when="always"), failing=failing)
        assert f"\n{script}\n" in await ran(folder, cached(source, "cat vendor/a", policy="pull"))


async def test_fallback_keys_in_their_order(folder, source):
    await ran(folder, cached(source, "mkdir vendor; echo third > vendor/a", key="third-protected"))
    await ran(folder, cached(source, "mkdir vendor; echo last > vendor/a", key="last"))
    second = cached(source, "cat vendor/a", key="first", fallback_keys=["second", "$N-protected"])
    second.variables += [Variable("N", "third"), Variable("CACHE_FALLBACK_KEY", "last")]
    log = await ran(folder, second)
    assert [line for line in ("first", "second", "third-protected", "last") if f"cache for {line}..." in log] == [
        "first",
        "second",
        "third-protected",
    ]
    assert "\nthird\n" in log
    assert "Archive is up to date" not in log, "what came from another key is saved under the job's own"
    assert "\nthird\n" in await ran(folder, cached(source, "cat vendor/a", key="first"))
    variables = {"CACHE_FALLBACK_KEY": "la$X", "X": "st"}
    assert "\nlast\n" in await ran(folder, cached(source, "cat vendor/a", key="none", variables=variables))


async def test_the_global_fallback_key_reaches_no_protected_cache(folder, source):
    await ran(folder, cached(source, FILL, key="k-protected"))
    for key in ("k-protected", "k-protected/", "./k-protected "):
        stolen = cached(source, "ls vendor || true", key="own", variables={"CACHE_FALLBACK_KEY": key})
        log = await ran(folder, stolen)
        assert 'not allowed to end in "-protected"' in log
        assert "Successfully extracted" not in log


async def test_several_caches(folder, source):
    two = [Cache("one", ["one.txt"]), Cache("two", ["two/*.txt"], when="always"), Cache("none")]
    await ran(folder, cached(source, "echo 1 > one.txt; mkdir two; echo 2 > two/2.txt; echo 3 > two/3", caches=two))
    assert len(archives(folder)) == 2
    log = await ran(folder, cached(source, "cat one.txt two/2.txt; test ! -e two/3", caches=two))
    assert "\n1\n2\n" in log
    assert log.count("Successfully extracted cache") == 2


async def test_untracked_files_and_paths_with_variables(folder, source):
    await ran(folder, cached(source, "echo x > $NAME.txt; echo y > other", paths=None, untracked=True))
    assert "hello.txt" in await ran(folder, cached(source, "ls; cat other", paths=None, untracked=True))
    named = {"NAME": "made"}
    await ran(folder, cached(source, "echo z > made.txt", paths=["$NAME.txt"], key="named", variables=named))
    log = await ran(folder, cached(source, "cat made.txt", paths=["${NAME}.txt"], key="named", variables=named))
    assert "\nz\n" in log


async def test_projects_and_keys_do_not_mix(folder, source):
    await ran(folder, cached(source, FILL))
    other = cached(source, "test ! -e vendor")
    other.job_info.project_id = 8
    await ran(folder, other)
    log = await ran(folder, cached(source, "test ! -e vendor", key="../7/k-protected"))
    assert 'cache key "../7/k-protected" sanitized to "7/k-protected"' in log


def damage(path, kind):
    data = bytearray(path.read_bytes())
    if kind == "empty":
        data.clear()
    elif kind == "cut off":
        del data[len(data) // 2 :]
    elif kind == "not a zip":
        data[:] = b"<html>not found</html>" * 100
    elif kind == "a byte of a file":
        data[data.index(b"one\n")] ^= 0xFF
    elif kind == "noise":
        noise = random.Random(7)
        for _ in range(20):
            data[noise.randrange(len(data))] = noise.randrange(256)
    path.write_bytes(data)


@pytest.mark.parametrize("kind", ["empty", "cut off", "not a zip", "a byte of a file", "noise"])
async def test_a_damaged_archive_leaves_nothing_in_the_project(folder, source, kind):
    level = {"CACHE_COMPRESSION_LEVEL": "fastest"}
    await ran(folder, cached(source, FILL, variables=level))
    damage(*archives(folder), kind)
    log = await ran(folder, cached(source, "test ! -e vendor", "mkdir vendor; echo again > vendor/a"))
    assert "WARNING: the archive" in log and "Failed to extract cache" in log
    assert "\nagain\n" in await ran(folder, cached(source, "cat vendor/a"))


def hostile(path, *members, links=()):
    """Puts an archive of our own in the place of a job's, with a seal."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, target in links:
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, 0o120777 << 16
            archive.writestr(info, target)
        for name in members:
            archive.writestr(name, "evil\n")
    seal(path)


@pytest.mark.parametrize("way", ["absolute", "parent", "link", "checked out link", "device"])
async def test_no_archive_writes_outside_of_the_project(folder, source, tmp_path, way):
    outside = tmp_path / "outside"
    outside.mkdir()
    if way == "checked out link":
        made = tmp_path / "linked"
        made.mkdir()
        (made / "vendor").symlink_to(outside)
        source = repository(made, {"x": "1"})
    await ran(folder, cached(source, "echo 1 > kept", paths=["kept"]))
    (archive,) = archives(folder)
    if way == "absolute":
        hostile(archive, f"{outside}/evil")
    elif way == "parent":
        hostile(archive, *[f"{'../' * depth}outside/evil" for depth in range(1, 12)])
    elif way == "link":
        hostile(archive, "way/evil", links=[("way", str(outside))])
    elif way == "device":
        hostile(archive, "kept", links=[("null", "/dev/null")])
    else:
        hostile(archive, "vendor/evil")
    log = await ran(folder, cached(source, "true"))
    assert list(outside.iterdir()) == []
    if way != "device":
        assert "Failed to extract cache" in log


async def test_an_archive_that_unpacks_to_more_than_the_disk_holds(folder, source):
    await ran(folder, cached(source, FILL))
    (archive,) = archives(folder)
    huge = shutil.disk_usage("/").total * 2
    with zipfile.ZipFile(archive, "w") as made:
        info = zipfile.ZipInfo("vendor/huge")
        made.writestr(info, "x")
        info.file_size = huge
    assert "are free" in await ran(folder, cached(source, "test ! -e vendor"))


async def test_jobs_at_once_with_one_key(folder, source):
    jobs = [
        cached(source, f"mkdir -p vendor; rm -f vendor/*; for i in 1 2 3 4 5; do echo {n} > vendor/$i; done")
        for n in range(6)
    ]
    desk = Desk(*jobs)
    await asyncio.wait_for(run(folder, desk, len(jobs)), 60)
    assert [desk.results[each.id].state for each in jobs] == ["success"] * 6
    assert len(archives(folder)) == 1
    log = await ran(folder, cached(source, 'echo "kinds: $(cat vendor/* | sort -u | wc -l)"', policy="pull"))
    assert "\nkinds: 1\n" in log


async def test_what_a_killed_runner_left_half_done_is_removed(folder, source, tmp_path):
    dead = await asyncio.create_subprocess_exec("true")
    await dead.wait()
    (tmp_path / "cache").mkdir()
    half, own = (tmp_path / "cache" / f".part-{number}-abc" for number in (dead.pid, os.getpid()))
    half.write_bytes(b"half")
    own.write_bytes(b"on its way")
    await ran(folder, cached(source, "true", policy="pull"))
    assert archives(folder) == [own]


async def test_a_folder_that_cannot_be_written_fails_no_job(folder, source, tmp_path):
    (tmp_path / "cache").write_text("a file")
    log = await ran(folder, cached(source, FILL))
    assert "WARNING" in log and "Failed to create cache" in log


async def test_no_place_for_caches(shells, source):
    assert "WARNING: no cache is configured" in await ran(shells, cached(source, "true"))


async def test_a_cancelled_job_saves_what_is_always_saved(folder, source):
    payload = cached(source, FILL, "exit 1", when="always")
    payload.steps[0].script[-1] = "sleep 60"
    desk = Desk(payload)
    running = asyncio.create_task(run(folder, desk))
    await desk.says(payload, "$ sleep 60")
    desk.order(payload).set_result("canceling")
    await asyncio.wait_for(running, 30)
    assert "Saving cache for failed job" in desk.log(payload)
    assert len(archives(folder)) == 1


def test_a_seal_notices_every_changed_byte(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "content")
    with path.open("rb") as file:
        assert not is_damaged(file), "what others made has no seal"
    seal(path)
    sealed = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert archive.read("a") == b"content"
    for place in range(len(sealed) - 60):
        path.write_bytes(sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :])
        with path.open("rb") as file:
            assert is_damaged(file)


def bucket(config, server, name, **settings):
    keys = {"access_key": server.access, "secret_key": server.secret, "server_address": server.address}
    s3 = S3Config(bucket_name=name, insecure=True, **(keys | settings))
    return msgspec.structs.replace(config, cache=CacheConfig(type="s3", path="ci", shared=True, s3=s3))


async def test_a_bucket(shells, source, s3):
    config = bucket(shells, s3, "jobs")
    store(s3, "jobs").put("tries", b"")
    log = await ran(config, cached(source, FILL))
    assert "WARNING: file does not exist" in log
    assert f"Uploading cache.zip to {s3.endpoint}/jobs/ci/local/group/app/k-protected" in log
    log = await ran(config, cached(source, "cat vendor/a"))
    assert f"Downloading cache from {s3.endpoint}/jobs/ci/local/group/app/k-protected" in log
    assert "\none\n" in log and "Archive is up to date!" in log
    assert s3.secret not in log and s3.access not in log
    await ran(config, cached(source, "echo two > vendor/a"))
    log = await ran(config, cached(source, "cat vendor/a", key="other", fallback_keys=["k-protected"]))
    assert "\ntwo\n" in log
    names = {meta["path"] for found in store(s3, "jobs").list("ci") for meta in found}
    assert names == {"ci/local/group/app/k-protected", "ci/local/group/app/other"}


async def test_an_archive_of_another_runner_in_the_bucket(shells, source, s3, tmp_path):
    with zipfile.ZipFile(tmp_path / "theirs.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("vendor/a", "theirs\n")
    store(s3, "theirs").put("ci/local/group/app/k-protected", tmp_path / "theirs.zip")
    assert "\ntheirs\n" in await ran(bucket(shells, s3, "theirs"), cached(source, "cat vendor/a"))


async def test_a_limit_on_what_is_uploaded(shells, source, s3):
    config = bucket(shells, s3, "limited")
    store(s3, "limited").put("tries", b"")
    config.cache.max_uploaded_archive_size = 100
    log = await ran(config, cached(source, FILL))
    assert "is too big (Limit is set to 100)" in log and "Failed to create cache" in log


async def test_a_wrong_key_fails_no_job(shells, source, s3):
    store(s3, "closed").put("ci/local/group/app/k-protected", b"x")
    log = await ran(bucket(shells, s3, "closed", secret_key="wrong"), cached(source, FILL))
    assert log.count("SignatureDoesNotMatch") == 2
    assert "Failed to extract cache" in log and "Failed to create cache" in log


async def test_a_server_that_is_away_fails_no_job(shells, source, s3):
    (port,) = free_ports(1)
    config = bucket(shells, s3, "away", server_address=f"127.0.0.1:{port}")
    log = await ran(config, cached(source, FILL))
    assert log.count(f"http://127.0.0.1:{port} cannot be reached") == 2


async def test_a_server_that_says_nothing_is_waited_for_as_long_as_the_job_says(shells, source, s3, monkeypatch):
    monkeypatch.setattr("shipline.runner.cache.caches.MINUTE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = bucket(shells, s3, "slow", server_address=f"127.0.0.1:{silent.getsockname()[1]}")
        payload = cached(source, FILL, variables={"CACHE_REQUEST_TIMEOUT": "1"})
        log = await ran(config, payload)
    assert "no answer within 1 minutes" in log and "not stored within 1 minutes" in log
