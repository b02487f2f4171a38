"""`shipline run` keeps caches in the state directory; `shipline cache` lists and clears them."""

import re

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
