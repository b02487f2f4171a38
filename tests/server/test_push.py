"""`git push` against the running server, with the real git."""

import subprocess

REFUSED = "build:\n  script: [make]\n  identity: google_cloud\n"


def test_a_push_makes_project_and_pipeline_and_tells_the_pipelines_address(server, repository, name):
    shown = repository.push()
    project = server.inside(lambda instance: instance.projects.find(f"root/{name}"))
    record = server.inside(lambda instance: instance.store.pipelines(project.id)[0])
    assert f"remote:   {server.url}/root/{name}/-/pipelines/{record.id}" in shown
    jobs = server.inside(lambda instance: instance.store.jobs(record.id))
    assert [(job.name, job.status) for job in jobs] == [("build-job", "pending"), ("deploy-job", "created")]


def test_a_wrong_configuration_is_shown_with_file_line_and_column(repository):
    repository.commit({".gitlab-ci.yml": "build:\n  scripts: [true]\n"})
    shown = repository.push()
    assert "The pipeline for main could not be created:" in shown
    assert ".gitlab-ci.yml:2:3: " in shown or ".gitlab-ci.yml:1:1: " in shown, shown
    assert "scripts: [true]" in shown or "build:" in shown


def test_what_was_pushed_can_be_cloned(server, project, repository, tmp_path):
    repository.commit({"big.bin": "x" * 3_000_000})
    repository.push()
    subprocess.run(["git", "clone", "-q", server.remote(project.full_path), str(tmp_path / "copy")], check=True)
    assert (tmp_path / "copy" / "big.bin").stat().st_size == 3_000_000


def test_tags_and_branches_each_get_a_pipeline(server, project, repository):
    repository.git("tag", "v1")
    repository.git("branch", "feature")
    shown = repository.push("origin", "v1", "feature")
    assert "for v1:" in shown and "for feature:" in shown
    records = server.inside(lambda instance: instance.store.pipelines(project.id))
    assert [(r.commit.ref, r.commit.is_tag, r.commit.protected) for r in records][:2] == [
        ("feature", False, False),
        ("v1", True, False),
    ] or [r.commit.ref for r in records][:2] == ["v1", "feature"]


def test_ci_skip_and_variables_as_push_options(server, project, repository):
    repository.commit({}, "Nothing [skip ci]")
    assert "its commit message says so" in repository.push()
    repository.commit({}, "More")
    assert "ci.skip was asked for" in repository.push("-o", "ci.skip", "origin", "HEAD")
    repository.commit({}, "Even more")
    repository.push("-o", "ci.variable=COLOUR=blue", "origin", "HEAD")
    records = server.inside(lambda instance: instance.store.pipelines(project.id))
    assert [(v.key, v.value) for v in records[0].variables] == [("COLOUR", "blue")]
    assert [record.status for record in records[1:3]] == ["skipped", "skipped"]


def test_inputs_as_push_options(server, project, repository):
    header = "spec: {inputs: {times: {type: number}, where: {default: here}}}\n---\n"
    jobs = "build:\n  script: make $[[ inputs.where ]]\n  parallel: $[[ inputs.times ]]\n"
    repository.commit({".gitlab-ci.yml": header + jobs})
    repository.push("-o", "ci.input=times=2", "-o", "ci.input=where=there", "origin", "HEAD")
    record = server.inside(lambda instance: instance.store.pipelines(project.id)[0])
    live = server.inside(lambda instance: instance.pipelines.live(record.id))
    assert sorted(live.jobs) == ["build 1/2", "build 2/2"]
    assert live.definitions["build 1/2"].script == ["make there"]
    repository.commit({}, "Again")
    assert "an input is written ci.input=NAME=VALUE" in repository.push("-o", "ci.input=times", "origin", "HEAD")


def test_a_push_of_many_refs_makes_few_pipelines(server, project, repository):
    names = [f"b{number}" for number in range(6)]
    for name in names:
        repository.git("branch", name)
    shown = repository.push("origin", *names)
    assert "at most 4 pipelines" in shown
    assert len(server.inside(lambda instance: instance.store.pipelines(project.id))) == 1 + 4


def test_a_wrong_configuration_leaves_a_failed_pipeline(server, project, repository):
    for text, why in (
        ("build:\n  scripts: [true]\n", ".gitlab-ci.yml:1"),
        (REFUSED, "`identity` is not supported"),
    ):
        repository.commit({".gitlab-ci.yml": text})
        shown = repository.push()
        [listed, *_] = server.api("GET", f"/projects/{project.id}/pipelines?yaml_errors=true").json()
        assert f"/-/pipelines/{listed['id']}" in shown and listed["status"] == "failed"
        assert why in server.api("GET", f"/projects/{project.id}/pipelines/{listed['id']}").json()["yaml_errors"]


def test_what_has_no_effect_is_told(server, project, repository):
    text = "build:\n  script: [make]\n  environment: {name: prod, kubernetes: {namespace: a}}\n"
    repository.commit({".gitlab-ci.yml": text})
    assert "`environment:kubernetes` has no effect" in repository.push()
    [newest, *_] = server.api("GET", f"/projects/{project.id}/pipelines").json()
    [warning] = server.api("GET", f"/projects/{project.id}/pipelines/{newest['id']}").json()["warnings"]
    assert warning.startswith(".gitlab-ci.yml:3:") and "has no effect" in warning
    linted = server.api("GET", f"/projects/{project.id}/ci/lint").json()
    assert linted["valid"] and [warning] == linted["warnings"]


def test_history_of_a_protected_branch_is_not_rewritten(project, repository):
    repository.git("commit", "-q", "--amend", "-m", "Another")
    shown = repository.push("--force", "origin", "HEAD", check=False)
    assert "non-fast-forward" in shown


def test_strangers_neither_read_nor_write(server, project, repository):
    url = f"{server.url}/{project.full_path}.git"
    wrong = url.replace("://", "://root:glpat-wrong@")
    for address, expected in ((url, "could not read Username"), (wrong, "Authentication failed")):
        run = subprocess.run(
            ["git", "ls-remote", address],
            capture_output=True,
            text=True,
            env={"GIT_TERMINAL_PROMPT": "0", "PATH": "/usr/bin:/bin", "GIT_ASKPASS": ""},
        )
        assert run.returncode != 0 and expected in run.stderr


def test_a_password_works_as_well_as_a_token(server, project):
    server.inside(lambda instance: instance.accounts.create("ada", "correct horse battery", admin=True))
    url = server.remote(project.full_path)
    with_password = url.replace(f"root:{server.token}", "ada:correct%20horse%20battery")
    assert (
        "refs/heads/main"
        in subprocess.run(["git", "ls-remote", with_password], capture_output=True, text=True, check=True).stdout
    )


def test_git_shows_why_a_repository_is_not_for_it(server, name, tmp_path):
    shown = subprocess.run(["git", "ls-remote", server.remote(f"root/no-{name}")], capture_output=True, text=True)
    assert (
        "remote: The project you were looking for could not be found or you don't have permission" in shown.stderr
    )


def test_a_job_that_clones_another_project_hears_that_its_token_is_not_let_in(server, project, agent, name):
    assert server.api("POST", "/projects", json={"name": f"library-{name}"}).status_code == 201
    job = agent.job()
    address = server.remote(f"root/library-{name}").replace(
        f"root:{server.token}", f"gitlab-ci-token:{job['token']}"
    )
    shown = subprocess.run(["git", "ls-remote", address], capture_output=True, text=True).stderr
    told = f"Authentication by CI/CD job token not allowed from {project.full_path} to root/library-{name}."
    assert f"remote: 403 Forbidden - {told}" in shown
