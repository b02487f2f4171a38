"""Bad input: one clear message that says what, where and what to do; the right exit code; nothing left behind."""

import subprocess

import pytest
from tests.cli.conftest import SHIPLINE

REFUSED = {
    "broken YAML": ("job: [\n", ".gitlab-ci.yml:"),
    "an unknown keyword": ("job: {script: [true], scirpt: [x]}\n", "scirpt"),
    "an undefined stage": ("stages: [build]\njob: {stage: tset, script: ['true']}\n", "tset"),
    "a job without script": ("job: {stage: test}\n", "script"),
    "a need of nothing": ("job: {script: ['true'], needs: [other]}\n", "other"),
    "an empty file": ("", ".gitlab-ci.yml"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_configuration(repository, name):
    text, wanted = REFUSED[name]
    repository.commit(ci=text)
    output = repository.shipline("run", code=2)
    assert wanted in output and ".gitlab-ci.yml" in output
    assert "has had no pipeline yet" in repository.shipline("pipelines")


def test_what_is_not_supported_is_refused_by_name_and_place(repository):
    repository.commit(ci="upload:\n  script: [a]\n  identity: google_cloud\n")
    output = repository.shipline("run", code=2)
    assert ".gitlab-ci.yml:3: job 'upload': `identity` is not supported" in output


def test_no_repository(shell):
    output = shell.shipline("run", code=2)
    assert "is not in a git repository" in output and "git init" in output


def test_no_commit_and_no_configuration(repository):
    assert "has no commit yet" in repository.shipline("run", code=2)
    repository.commit()
    assert "There is no .gitlab-ci.yml in" in repository.shipline("run", code=2)
    repository.write(".gitlab-ci.yml", "job: {script: ['true']}\n")
    output = repository.shipline("run", code=2)
    assert "is not in commit" in output and "--dirty" in output
    assert "Pipeline 1 success" in repository.shipline("run", "--dirty")


def test_a_file_that_is_not_utf8_has_the_place_of_the_byte(repository):
    repository.commit()
    (repository.directory / ".gitlab-ci.yml").write_bytes(b"job:\n  script: echo h\xe9llo\n")
    assert ".gitlab-ci.yml:2:17: warning: the character here is not UTF-8" in repository.shipline("lint")
    (repository.directory / ".gitlab-ci.yml").write_bytes("job: {script: x}\n".encode("utf-16"))
    assert "looks like UTF-16" in repository.shipline("lint", code=1)


def test_a_pipeline_without_jobs(repository):
    repository.commit(ci="job:\n  rules: [{if: '$NEVER'}]\n  script: ['true']\n")
    assert "nothing to run" in repository.shipline("run", code=2)


def test_no_git(repository, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "The program git is not there" in repository.shipline("run", code=3, PATH=str(tmp_path / "empty"))


def test_a_state_directory_that_cannot_be_written(repository):
    repository.commit(ci="job: {script: ['true']}\n")
    output = repository.shipline("run", code=3, SHIPLINE_HOME="/proc/no/such")
    assert "SHIPLINE_HOME" in output


def test_a_disk_that_fills_up_while_a_job_runs(repository):
    """/dev/full is what a full disk looks like to the writer of a log."""
    repository.commit(ci="job: {script: ['true']}\n")
    (repository.home / "state" / "jobs").mkdir(parents=True)
    (repository.home / "state" / "jobs" / "1.log").symlink_to("/dev/full")
    output = repository.shipline("run", code=3)
    assert "Error: no space left" in output and "SHIPLINE_HOME" in output
    assert "Nothing of it is running" in repository.shipline("cancel")


def test_a_disk_that_is_full_from_the_start(repository):
    repository.commit(ci="job: {script: ['true']}\n")
    (repository.home / "state").mkdir()
    (repository.home / "state" / "shipline.db").symlink_to("/dev/full")
    output = repository.shipline("run", code=3)
    assert "Is the disk full" in output or "no space left" in output


def test_a_runner_configuration_that_is_not_there(repository):
    repository.commit(ci="job: {script: ['true']}\n")
    output = repository.shipline("run", code=3, SHIPLINE_CONFIG="/no/such/config.toml")
    assert "/no/such/config.toml" in output


def test_a_wrong_runner_configuration(repository):
    repository.commit(ci="job: {script: ['true']}\n")
    config = repository.write("../config.toml", "concurrent = 'many'\n")
    output = repository.shipline("run", "--config", str(config), code=3)
    assert "config.toml" in output and "concurrent" in output
    assert "has had no pipeline yet" in repository.shipline("pipelines")


def test_a_repository_without_a_commit_runs_with_what_is_there(repository):
    repository.write(".gitlab-ci.yml", "show: {script: [cat file, git log --oneline]}\n")
    repository.write("file", "never committed\n")
    assert "Or use --dirty to run with what is there" in repository.shipline("run", code=2)
    text = repository.shipline("run", "--dirty")
    assert "show | never committed" in text and "main with uncommitted changes" in text
    assert "No commits yet" in repository.git("status")


def test_a_bare_repository_has_nothing_uncommitted(repository, tmp_path):
    repository.commit(ci="show: {script: [echo hello]}\n")
    repository.git("clone", "-q", "--bare", ".", str(tmp_path / "bare"))
    repository.directory = tmp_path / "bare"
    assert "show | hello" in repository.shipline("run")
    assert "is a bare repository" in repository.shipline("run", "--dirty", code=2)


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_streams_that_are_closed(repository, closed):
    repository.commit(ci="job: {script: [echo hello]}\n")
    command = ["sh", "-c", f'exec "$0" run {closed}', str(SHIPLINE)]
    done = subprocess.run(command, cwd=repository.directory, env=repository.environment, check=False, timeout=60)
    assert done.returncode == 0
    assert "Pipeline 1 success" in repository.shipline("status")


def test_a_directory_that_is_gone(repository):
    repository.commit(ci="job: {script: [echo hello]}\n")
    text = subprocess.run(
        ["sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && "$0" status 2>&1', str(SHIPLINE)],
        cwd=repository.directory,
        env=repository.environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert text.stdout == "Error: the current directory is gone: go to another one.\n" and text.returncode == 3
