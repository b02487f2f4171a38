"""The caches in a runner's payload: keys from files, and the suffixes that keep apart what must not be shared."""

import hashlib
import os
import subprocess

import msgspec
import pytest
from tests.engine.examples import COMMIT, compiled

from shipline.engine.caches import caches, with_keys
from shipline.engine.payload import Origin, make_payload
from shipline.engine.repository import Repository
from shipline.language import Context, compile

FACTS = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
IDENTITY = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")


@pytest.fixture
def commit(tmp_path):
    """Makes a commit of files (None: remove) and gives its id; `commit.path` is the repository."""

    def git(*arguments):
        done = subprocess.run(
            ["git", *IDENTITY, *arguments], cwd=tmp_path, env=os.environ | FACTS, stdout=subprocess.PIPE, check=True
        )
        return done.stdout.decode().strip()

    def made(files):
        for name, text in files.items():
            path = tmp_path / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        git("add", "-A")
        git("commit", "-q", "--allow-empty", "-m", "change")
        return git("rev-parse", "HEAD")

    git("init", "-q", "-b", "main")
    made.path, made.git = tmp_path, git
    return made


def keys(commit, sha, *written):
    """The keys of a job's caches, as they are kept."""
    text = msgspec.json.encode({"job": {"script": ["a"], "cache": [{"paths": ["x"], "key": w} for w in written]}})
    repository = Repository.find(commit.path)
    try:
        (job,) = with_keys(compile(text.decode(), Context()), repository, sha).jobs
    finally:
        repository.close()
    return [cache["key"] for cache in job.cache]


def digest(*found):
    return hashlib.sha1("-".join(sorted(found)).encode()).hexdigest()


def test_a_text_stays_as_written(commit):
    sha = commit({"a": "1"})
    assert keys(commit, sha, "$CI_COMMIT_REF_SLUG", "other") == ["$CI_COMMIT_REF_SLUG", "other"]


def test_the_key_of_files_is_the_digest_of_their_contents(commit):
    sha = commit({"Gemfile.lock": "1\n", "package.json": "{}\n"})
    blobs = [commit.git("rev-parse", f"{sha}:{name}") for name in ("Gemfile.lock", "package.json")]
    written = {"files": ["package.json", "Gemfile.lock"]}
    assert keys(commit, sha, written, {**written, "prefix": "$CI_JOB_NAME"}, {**written, "prefix": ""}) == [
        f"0-{digest(*blobs)}",
        f"$CI_JOB_NAME-{digest(*blobs)}",
        digest(*blobs),
    ]


def test_the_same_content_on_another_commit_is_the_same_key(commit):
    written = {"files": ["lock"]}
    first = keys(commit, commit({"lock": "1\n"}), written)
    assert keys(commit, commit({"other": "1\n"}), written) == first
    changed = keys(commit, commit({"lock": "2\n"}), written)
    assert changed != first
    assert keys(commit, commit({"lock": "1\n"}), written) == first


def test_wildcards_stand_for_the_files_of_the_commit(commit):
    sha = commit({"a/lock": "1\n", "a/b/lock": "2\n", "lock": "3\n"})
    blob = {name: commit.git("rev-parse", f"{sha}:{name}") for name in ("a/lock", "a/b/lock", "lock")}
    assert keys(commit, sha, {"files": ["**/lock"], "prefix": ""}, {"files": ["*/lock"], "prefix": ""}) == [
        digest(blob["a/lock"], blob["a/b/lock"]),
        digest(blob["a/lock"]),
    ]


def test_files_that_are_not_there(commit):
    sha = commit({"a": "1"})
    assert keys(
        commit, sha, {"files": ["none"]}, {"files": ["no*"], "prefix": "p"}, {"files_commits": ["none"]}
    ) == [
        "0-default",
        "p-default",
        "2-default",
    ]
    known = commit.git("rev-parse", f"{sha}:a")
    for more in ("none", "../x", "/../..", ":(glob)**", ":", "-x", "a b", "a\nb"):
        assert keys(commit, sha, {"files": ["a", more], "prefix": ""}) == [digest(known)]
        assert keys(commit, sha, {"files_commits": ["a", more], "prefix": ""})[0] in (digest(sha), digest(sha, sha))


def test_files_commits_names_the_commits_that_last_changed_them(commit):
    first = commit({"lock": "1\n", "other": "1\n"})
    second = commit({"other": "2\n"})
    third = commit({"third": "3\n"})
    assert keys(commit, third, {"files_commits": ["lock", "other"], "prefix": ""}) == [digest(first, second)]
    assert keys(commit, third, {"files_commits": ["lock"]}) == [f"0-{digest(first)}"]


def test_a_key_may_be_of_a_folder(commit):
    written = {"files": ["locks"], "prefix": ""}
    first = keys(commit, commit({"locks/a": "1\n"}), written)
    assert first != ["default"]
    assert keys(commit, commit({"locks/a": "2\n"}), written) != first


def made(text, *, ref="main", **origin):
    live = compiled(text, msgspec.structs.replace(COMMIT, ref=ref))
    return make_payload(live, live.jobs["job"], Origin("file:///project", "group/app", "app", **origin), []).cache


CACHE = """
job:
  script: [a]
  cache:
    - key: one
      paths: [a/, b]
      policy: pull
      when: always
      fallback_keys: [two, $THREE]
    - paths: [c]
      untracked: true
"""


def test_protected_and_other_refs_share_nothing():
    one, other = made(CACHE)
    assert (one.key, one.fallback_keys) == ("one-protected", ["two-protected", "$THREE-protected"])
    assert (one.paths, one.policy, one.when, one.untracked) == (["a/", "b"], "pull", "always", None)
    assert (other.key, other.policy, other.when, other.untracked) == (
        "default-protected",
        "pull-push",
        "on_success",
        True,
    )
    one, other = made(CACHE, ref="feature")
    assert (one.key, other.key) == ("one-non_protected", "default-non_protected")
    assert one.fallback_keys == ["two-non_protected", "$THREE-non_protected"]


def test_unprotect_shares_with_every_ref():
    text = "job: {script: [a], cache: {key: k, paths: [x], unprotect: true, fallback_keys: [f]}}\n"
    for ref in ("main", "feature"):
        (cache,) = made(text, ref=ref)
        assert (cache.key, cache.fallback_keys) == ("k-non_protected", ["f-non_protected"])


def test_a_project_that_separates_nothing_or_has_cleared_its_caches():
    (cache,) = made("job: {script: [a], cache: {key: k, paths: [x]}}\n", separated_caches=False)
    assert cache.key == "k"
    (cache,) = made("job: {script: [a], cache: {key: k, paths: [x], fallback_keys: [f]}}\n", cache_index=3)
    assert (cache.key, cache.fallback_keys) == ("k-3-protected", ["f-3-protected"])


def test_no_cache():
    assert made("job: {script: [a]}\n") == []
    assert made("job: {script: [a], cache: []}\n") == []
    assert caches([{"key": "k"}], protected=False)[0].paths is None
