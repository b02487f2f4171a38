"""`shipline run` keeps caches in the state directory; `shipline cache` lists and clears them."""

import json
import re
from pathlib import Path

from tests.objects.s3 import store

CI = """
install:
  script:
    - test -e vendor/made && echo found it || (mkdir -p vendor && echo $CI_PIPELINE_ID > vendor/made)
  cache:
    - key: {files: [lock], prefix: $CI_JOB_NAME}
      paths: [vendor/]
    - key: other
      paths: [none/]
"""


def archives(repository):
    return sorted(path for path in (repository.home / "state" / "cache").rglob("*") if path.is_file())


def test_kept_from_run_to_run_and_cleared(repository):
    repository.commit(ci=CI, lock="1\n")
    assert "No cache" in repository.shipline("cache", "list")
    assert "found it\n" not in repository.shipline("run")
    assert "found it\n" in repository.shipline("run")
    listed = repository.shipline("cache", "list")
    assert re.fullmatch(r"install-[0-9a-f]{40}-protected  +\d+ B  \d seconds ago\n", listed)
    [row] = json.loads(repository.shipline("cache", "list", "--json"))
    assert row["key"] == listed.split()[0] and row["size"] > 0
    assert archives(repository) == [Path(row["place"])]
    repository.commit(lock="2\n")
    assert "found it\n" not in repository.shipline("run")
    first, second = (line.split()[0] for line in repository.shipline("cache", "list").splitlines())
    assert "There is no cache nothing" in repository.shipline("cache", "clear", "nothing", code=2)
    assert "Removed 1 cache" in repository.shipline("cache", "clear", first)
    assert repository.shipline("cache", "list").startswith(second)
    assert "Removed 1 cache" in repository.shipline("cache", "clear")
    assert archives(repository) == []


def test_branches_do_not_take_in_what_the_default_branch_trusts(repository):
    repository.commit(ci=CI, lock="1\n")
    repository.git("checkout", "-q", "-b", "feature")
    repository.shipline("run")
    repository.git("checkout", "-q", "main")
    assert "found it\n" not in repository.shipline("run")
    suffixes = {path.name.rpartition("-")[2] for path in archives(repository)}
    assert suffixes == {"non_protected.zip", "protected.zip"}


def test_a_folder_with_a_limit_as_config_toml_says(repository, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text(
        f'[[runners]]\ncache_dir = "{tmp_path}/kept"\n[runners.cache]\nLocalSizeLimit = 200000\n'
        "MaxUploadedArchiveSize = 10\n"
    )
    fill = "fill: {script: ['head -c 90000 /dev/urandom > data'], cache: {key: $KEY, paths: [data]}}\n"
    repository.commit(ci=fill)
    for key in ("one", "two", "three"):
        repository.shipline("run", "--config", str(config), "--variable", f"KEY={key}")
    listed = repository.shipline("cache", "list", "--config", str(config))
    assert [line.split()[0] for line in listed.splitlines()] == ["three-protected", "two-protected"]
    assert archives(repository) == []


def test_caches_in_a_bucket(repository, tmp_path, s3):
    store(s3, "laptops").put("tries", b"")
    config = tmp_path / "config.toml"
    config.write_text(
        f"""
[[runners]]
  url = "https://gitlab.example.com"
  token = "glrt-abcdefghijkl"
  [runners.cache]
    Type = "s3"
    [runners.cache.s3]
      ServerAddress = "{s3.address}"
      AccessKey = "{s3.access}"
      SecretKey = "{s3.secret}"
      BucketName = "laptops"
      Insecure = true
"""
    )
    repository.commit(ci="a: {script: ['cat data || echo 1 > data'], cache: {key: 'x\\y', paths: [data]}}\n")
    for _ in range(2):
        log = repository.shipline("run", "--config", str(config))
    assert "Successfully extracted cache" in log
    assert s3.secret not in log
    assert repository.shipline("cache", "list", "--config", str(config)).startswith("x/y-protected ")
    assert "Removed 1 cache" in repository.shipline("cache", "clear", "x/y-protected", "--config", str(config))
    assert "No cache" in repository.shipline("cache", "list", "--config", str(config))
    assert archives(repository) == []
