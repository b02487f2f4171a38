"""Caches of jobs in pods: through the helper, in a folder of this machine or in a bucket."""

import msgspec
import pytest
from tests.objects.s3 import store
from tests.runner.test_caches import FILL, archives, bucket, cached, hostile, ran

pytestmark = pytest.mark.engine


@pytest.fixture
def folder(pods, tmp_path):
    return msgspec.structs.replace(pods, cache_dir=str(tmp_path / "cache"))


async def test_what_a_pod_leaves_pods_and_shells_take_in(folder, shells, source):
    log = await ran(folder, cached(source, FILL))
    assert "Failed to extract cache" in log and "Created cache" in log
    look = 'cat vendor/a; test -x vendor/deep/b && test ! -x vendor/a && readlink vendor/l; echo "[$(ls vendor)]"'
    log = await ran(folder, cached(source, look))
    assert "\none\na\n[a\ndeep\nl]\n" in log
    assert "Archive is up to date!" in log
    here = msgspec.structs.replace(shells, cache_dir=folder.cache_dir)
    assert "\none\na\n[a\ndeep\nl]\n" in await ran(here, cached(source, look))


async def test_changes_are_noticed(folder, source):
    await ran(folder, cached(source, FILL))
    hidden = "touch -r vendor/a ref; echo two > vendor/a; touch -r ref vendor/a"
    assert "Archive is up to date!" not in await ran(folder, cached(source, hidden))
    assert "\ntwo\n" in await ran(folder, cached(source, "cat vendor/a"))


async def test_files_with_odd_names(folder, source):
    odd = r"""printf 1 > 'v/a b/'"$(printf 'new\nline')" """
    make = ("mkdir -p 'v/a b'", odd, "printf 2 > v/ü; printf 3 > v/-rf; ln v/ü v/hard")
    await ran(folder, cached(source, *make, paths=["v"]))
    log = await ran(folder, cached(source, "cat v/a*/* v/ü v/-rf v/hard; echo", paths=["v"]))
    assert "\n1232\n" in log


async def test_no_archive_writes_outside_of_the_project(folder, source):
    await ran(folder, cached(source, "echo 1 > kept", paths=["kept"]))
    (archive,) = archives(folder)
    for members, links in ((("../evil", "../../evil"), ()), (("/evil",), ()), (("way/evil",), [("way", "/")])):
        hostile(archive, *members, links=links)
        log = await ran(folder, cached(source, "ls / .. ../..", policy="pull"))
        assert "Failed to extract cache" in log
        assert "evil" not in log.partition("$ ls")[2]


async def test_a_bucket(pods, source, s3):
    config = bucket(pods, s3, "pods")
    store(s3, "pods").put("tries", b"")
    await ran(config, cached(source, FILL))
    assert "\none\n" in await ran(config, cached(source, "cat vendor/a"))
