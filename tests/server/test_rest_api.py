"""The REST API with python-gitlab as it comes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gitlab
import pytest
from tests.server.conftest import Agent, Running

from shipline.server.permissions import DEVELOPER, GUEST


@pytest.fixture
def client(server: Running) -> gitlab.Gitlab:
    return gitlab.Gitlab(server.url, private_token=server.token)


@pytest.fixture
def remote(client: gitlab.Gitlab, project: Any) -> Any:
    """The test's project, as the client sees it."""
    return client.projects.get(project.full_path)


def as_user(server: Running, name: str, scopes: tuple[str, ...] = ("api",)) -> gitlab.Gitlab:
    """A client of a new user who is nobody in particular."""

    def make(instance: Any) -> str:
        number = instance.accounts.create(name, None, admin=False)
        return instance.accounts.create_token(number, "t", scopes)[1]

    return gitlab.Gitlab(server.url, private_token=server.inside(make))


def test_who_am_i_and_what_is_this(client):
    client.auth()
    assert client.user.username == "root"
    assert client.version()[0].startswith("18.")


def test_an_administrator_acts_as_somebody_else(server, client):
    ada = as_user(server, "sudo-ada", ("api", "sudo"))
    ada.auth()
    assert client.http_get("/user", sudo="sudo-ada")["id"] == ada.user.id
    made = client.projects.create({"name": "hers"}, sudo=ada.user.id)
    assert made.path_with_namespace == "sudo-ada/hers" and made.creator_id == ada.user.id
    answer = server.api("GET", "/user", headers={"Sudo": "Sudo-Ada"})
    assert answer.json()["username"] == "sudo-ada"
    for who, sudo, status, text in (
        (ada, "root", 403, "403 Forbidden - Must be admin to use sudo"),
        (client, "nobody", 404, "404 User with ID or username 'nobody' Not Found"),
    ):
        with pytest.raises(gitlab.exceptions.GitlabHttpError) as error:
            who.http_get("/user", sudo=sudo)
        assert (error.value.response_code, error.value.error_message) == (status, text)
    without = server.inside(lambda i: i.accounts.create_token(1, "no sudo", ["api"])[1])
    answer = server.api("GET", "/user", token=without, params={"sudo": "sudo-ada"})
    assert (answer.status_code, answer.json()["scope"]) == (403, "sudo")


def test_what_one_has_already_is_not_sent_again(server, project):
    path = f"/projects/{project.id}/pipelines"
    first = server.api("GET", path)
    again = server.api("GET", path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert again.headers["x-total"] == first.headers["x-total"] == "1"
    server.api("POST", f"/projects/{project.id}/pipeline", json={"ref": "main"})
    newer = server.api("GET", path, headers={"If-None-Match": first.headers["etag"]})
    assert newer.status_code == 200 and newer.headers["etag"] != first.headers["etag"]


def test_a_manual_job_waits_and_is_started_over_the_api(remote, agent: Agent):
    pipeline = remote.pipelines.list(get_all=True)[0]
    job = agent.job()
    agent.trace(job, 0, b"built\n")
    agent.update(job, "success")
    pipeline.refresh()
    assert pipeline.status == "success", "a manual job is optional"
    assert pipeline.duration == 0, "the seconds that jobs ran, whole ones"
    assert pipeline.queued_duration is None, "it began within a second"
    jobs = {job.name: job for job in pipeline.jobs.list(get_all=True)}
    assert jobs["build-job"].status == "success"
    deploy = remote.jobs.get(jobs["deploy-job"].id)
    deploy.play()
    assert deploy.status == "pending"
    with pytest.raises(gitlab.exceptions.GitlabJobPlayError) as error:
        deploy.play()
    assert (error.value.response_code, error.value.error_message) == (400, "400 Bad request - Unplayable Job")
    assert remote.jobs.get(jobs["build-job"].id).trace() == b"built\n"
    assert deploy.trace() == b""


def test_retry_and_cancel(remote, agent):
    agent.update(agent.job(), "failed", failure_reason="script_failure", exit_code=3)
    failed = remote.jobs.list(scope="failed", get_all=True)[0]
    assert failed.failure_reason == "script_failure"
    again = failed.retry()
    assert again["id"] > failed.id and again["status"] == "pending"
    pipeline = remote.pipelines.list(get_all=True)[0]
    pipeline.cancel()
    pipeline.refresh()
    assert pipeline.status == "canceled" and pipeline.finished_at
    pipeline.retry()
    assert {job.name: job.status for job in pipeline.jobs.list(get_all=True)}["build-job"] == "pending"


def test_a_cancel_ends_a_job_at_once_whose_runner_cannot_do_it_step_by_step(remote, agent):
    agent.info = {}
    job = agent.job()
    remote.jobs.get(job["id"]).cancel()
    assert remote.jobs.get(job["id"]).status == "canceled"
    assert agent.update(job, "running").headers["Job-Status"] == "canceled"


def test_pipelines_are_created_with_variables(remote, agent):
    agent.update(agent.job(), "success")
    pipeline = remote.pipelines.create({"ref": "main", "variables": [{"key": "COLOUR", "value": "blue"}]})
    assert (pipeline.source, pipeline.status) == ("api", "pending")
    assert {v["key"]: v["value"] for v in agent.job()["variables"]}["COLOUR"] == "blue"
    with pytest.raises(gitlab.exceptions.GitlabCreateError) as error:
        remote.pipelines.create({"ref": "nowhere"})
    assert error.value.error_message == {"base": ["Reference not found"]}


def test_pipelines_that_are_made_at_once_have_the_number_that_their_rules_saw(server, remote, repository):
    rules = "rules: [{if: '$CI_PIPELINE_IID =~ /[02468]$/'}]"
    text = f"workflow: {{name: number $CI_PIPELINE_IID}}\nall: {{script: x}}\neven: {{script: x, {rules}}}\n"
    repository.commit({".gitlab-ci.yml": text})
    repository.push()
    newest = remote.pipelines.list(get_all=True)[0].iid
    with ThreadPoolExecutor() as threads:
        path = f"/projects/{remote.id}/pipeline"
        made = [threads.submit(server.api, "POST", path, json={"ref": "main"}) for _ in range(4)]
    numbers = [answer.result().json()["iid"] for answer in made]
    assert sorted(numbers) == [newest + 1, newest + 2, newest + 3, newest + 4]
    for pipeline in remote.pipelines.list(get_all=True)[:5]:
        jobs = {job.name for job in pipeline.jobs.list(get_all=True)}
        assert (pipeline.name, "even" in jobs) == (f"number {pipeline.iid}", pipeline.iid % 2 == 0)


def test_rules_see_the_environments_variables_and_the_release_of_their_tag(remote, repository):
    rules = "rules: [{if: $WHERE == 'prod' && $CI_RELEASE_DESCRIPTION == 'First'}]"
    texts = [f"{name}: {{script: x, environment: {name}, {rules}}}" for name in ("prod", "staging")]
    repository.commit({".gitlab-ci.yml": "\n".join([*texts, "other: {script: x}"])})
    repository.push()
    remote.variables.create({"key": "WHERE", "value": "prod", "environment_scope": "prod"})
    remote.releases.create({"tag_name": "v1", "ref": "main", "description": "First"})
    made = remote.pipelines.create({"ref": "v1"})
    assert {job.name for job in made.jobs.list(get_all=True)} == {"prod", "other"}


def test_pages_and_their_links(remote):
    for _ in range(4):
        remote.pipelines.create({"ref": "main"})
    first = remote.pipelines.list(per_page=2, iterator=True)
    assert (first.total, first.total_pages, first.next_page) == (5, 3, 2)
    assert len(list(first)) == 5
    assert len(remote.pipelines.list(page=3, per_page=2)) == 1
    with pytest.raises(gitlab.exceptions.GitlabHttpError) as error:
        remote.manager.gitlab.http_list(f"/projects/{remote.id}/pipelines", per_page=0)
    assert error.value.error_message == "per_page has a value not allowed"


def test_variables_of_a_project(remote, agent):
    remote.variables.create({"key": "TOKEN", "value": "secret-value", "masked": True})
    remote.variables.create({"key": "FILE", "value": "text", "variable_type": "file"})
    remote.variables.create({"key": "HOST", "value": "prod", "environment_scope": "production"})
    remote.variables.create({"key": "HOST", "value": "stage", "environment_scope": "staging"})
    hidden = {"key": "HIDDEN", "value": "secret-value", "masked_and_hidden": True}
    assert remote.variables.create(hidden).value is None
    assert remote.variables.get("TOKEN").masked
    with pytest.raises(gitlab.exceptions.GitlabGetError) as error:
        remote.variables.get("HOST")
    assert error.value.response_code == 409
    found = remote.variables.get("HOST", filter={"environment_scope": "staging"})
    assert found.value == "stage"
    found.value = "other"
    found.save(filter={"environment_scope": "staging"})
    assert remote.variables.get("HOST", filter={"environment_scope": "staging"}).value == "other"
    sent = {v["key"]: v for v in agent.job()["variables"]}
    assert sent["TOKEN"]["masked"] and sent["FILE"]["file"] and sent["HIDDEN"]["value"] == "secret-value"
    assert "HOST" not in sent
    with pytest.raises(gitlab.exceptions.GitlabCreateError) as taken:
        remote.variables.create({"key": "TOKEN", "value": "other"})
    assert taken.value.error_message == {"key": ["(TOKEN) has already been taken"]}
    remote.variables.delete("TOKEN")
    with pytest.raises(gitlab.exceptions.GitlabGetError):
        remote.variables.get("TOKEN")


def test_a_protected_variable_reaches_protected_refs_only(client, remote, agent, repository):
    remote.variables.create({"key": "SECRET", "value": "protected", "protected": True})
    client.variables.create({"key": "EVERYWHERE", "value": "instance"})
    on_main = {v["key"] for v in agent.job()["variables"]}
    repository.push("origin", "HEAD:refs/heads/feature")
    on_feature = {v["key"] for v in agent.job()["variables"]}
    assert "SECRET" in on_main and "SECRET" not in on_feature
    assert "EVERYWHERE" in on_main & on_feature
    remote.protectedbranches.create({"name": "feat*"})
    repository.commit({})
    repository.push("origin", "HEAD:refs/heads/feature")
    assert "SECRET" in {v["key"] for v in agent.job()["variables"]}


def test_runners_are_made_paused_and_deleted(client, remote):
    client.auth()
    made = client.user.runners.create({"runner_type": "project_type", "project_id": remote.id, "tag_list": ["a"]})
    assert made.token.startswith("glrt-")
    runner = client.runners.get(made.id)
    assert (runner.tag_list, runner.status, runner.projects[0]["id"]) == (["a"], "never_contacted", remote.id)
    runner.paused = True
    runner.save()
    assert client.runners.get(made.id).paused
    assert made.id in [runner.id for runner in remote.runners.list(get_all=True)]
    runner.delete()
    with pytest.raises(gitlab.exceptions.GitlabGetError):
        client.runners.get(made.id)


def test_branches_tags_and_commits(remote, repository):
    sha = repository.git("rev-parse", "HEAD").stdout.strip()
    remote.branches.create({"branch": "feat/x.y", "ref": "main"})
    branch = remote.branches.get("feat/x.y")
    assert (branch.commit["id"], branch.protected, branch.default) == (sha, False, False)
    tag = remote.tags.create({"tag_name": "v1.0", "ref": "main", "message": "First"})
    assert (tag.commit["id"], tag.message) == (sha, "First")
    commit = remote.commits.get("main")
    assert (commit.id, commit.author_name, commit.last_pipeline["ref"]) == (sha, "Ada", "v1.0")
    assert [c.id for c in remote.commits.list(get_all=True)] == [sha]
    branch.delete()
    assert [branch.name for branch in remote.branches.list(get_all=True)] == ["main"]
    with pytest.raises(gitlab.exceptions.GitlabGetError) as error:
        remote.branches.get("feat/x.y")
    assert error.value.error_message == "404 Branch Not Found"


def test_lint(remote):
    good = remote.ci_lint.get(include_jobs=True)
    assert good.valid and [job["name"] for job in good.jobs] == ["build-job", "deploy-job"]
    bad = remote.ci_lint.create({"content": "job:\n  scripts: [a]\n"})
    assert not bad.valid and bad.errors


def test_lint_tells_what_was_included_and_simulates_a_pipeline(server, remote, repository):
    parts = {"part.yml": "other:\n  script: [b]\n  rules: [{if: $CI_COMMIT_TAG}]\n"}
    sha = repository.commit({".gitlab-ci.yml": "include: part.yml\nbuild:\n  script: [a]\n", **parts})
    repository.push()
    static = remote.ci_lint.get(include_jobs=True)
    [included] = static.includes
    assert (included["type"], included["location"], included["context_sha"]) == ("local", "part.yml", sha)
    assert included["context_project"] == remote.path_with_namespace
    raw = server.api("GET", included["raw"].partition("/api/v4")[2])
    assert raw.text == parts["part.yml"]
    assert [job["name"] for job in static.jobs] == ["other", "build"]
    assert static.jobs[1]["only"] == {"refs": ["branches", "tags"]} and static.jobs[0]["only"] is None
    simulated = remote.ci_lint.get(include_jobs=True, dry_run=True, dry_run_ref="main")
    assert [job["name"] for job in simulated.jobs] == ["build"] and "other" in simulated.merged_yaml
    nothing = remote.ci_lint.create({"content": parts["part.yml"], "dry_run": True})
    assert not nothing.valid and "prevented any jobs" in nothing.errors[0]
    assert remote.ci_lint.create({"content": parts["part.yml"]}).valid
    assert remote.ci_lint.get(content_ref=f"{sha}~1").includes == []
    assert remote.ci_lint.get(dry_run=True, dry_run_ref="none").errors == ["Reference not found"]


def test_triggers_start_pipelines_without_a_user(server, remote, agent):
    trigger = remote.triggers.create({"description": "from outside"})
    anonymous = gitlab.Gitlab(server.url).projects.get(remote.id, lazy=True)
    pipeline = anonymous.trigger_pipeline("main", trigger.token, variables={"FROM": "outside"})
    assert (pipeline.source, pipeline.ref) == ("trigger", "main")
    with pytest.raises(gitlab.exceptions.GitlabCreateError) as error:
        anonymous.trigger_pipeline("main", "glptt-wrong")
    assert error.value.response_code == 404


def test_schedules_run_when_they_are_due(server, remote):
    from shipline.server.schedules import run_due

    values = {"description": "nightly", "ref": "main", "cron": "0 3 * * *", "cron_timezone": "Europe/Berlin"}
    schedule = remote.pipelineschedules.create(values)
    schedule.variables.create({"key": "NIGHT", "value": "yes"})
    done = []
    server.inside(lambda i: done.append(i.loop.create_task(run_due(i, time.time() + 86400))))
    deadline = time.monotonic() + 10
    while not remote.pipelineschedules.get(schedule.id).last_pipeline:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    pipeline = remote.pipelineschedules.get(schedule.id).last_pipeline
    assert pipeline["source"] == "schedule"
    kept = remote.pipelines.get(pipeline["id"]).variables.list(get_all=True)
    assert [(v.key, v.value) for v in kept] == [("NIGHT", "yes")]
    with pytest.raises(gitlab.exceptions.GitlabCreateError) as error:
        remote.pipelineschedules.create(values | {"cron": "never"})
    assert error.value.error_message == {"cron": ["is invalid syntax"]}


def test_roles_decide(server, client, remote, name):
    stranger = as_user(server, f"s{abs(hash(name)) % 10**8}")
    with pytest.raises(gitlab.exceptions.GitlabGetError) as hidden:
        stranger.projects.get(remote.id)
    assert (hidden.value.response_code, hidden.value.error_message) == (404, "404 Project Not Found")
    stranger.auth()
    member = remote.members.create({"user_id": stranger.user.id, "access_level": GUEST})
    seen = stranger.projects.get(remote.id)
    assert seen.pipelines.list(get_all=True), "a member sees pipelines, unless they are for reporters only"
    remote.public_jobs = False
    remote.save()
    with pytest.raises(gitlab.exceptions.GitlabListError) as denied:
        seen.pipelines.list(get_all=True)
    assert denied.value.response_code == 403
    member.access_level = DEVELOPER
    member.save()
    job = seen.jobs.get(seen.pipelines.list(get_all=True)[0].jobs.list(get_all=True)[0].id)
    with pytest.raises(gitlab.exceptions.GitlabJobCancelError) as protected:
        job.cancel()
    assert protected.value.response_code == 403, "a developer may neither push to main nor run there"
    remote.protectedbranches.delete("main")
    assert job.cancel()
    with pytest.raises(gitlab.exceptions.GitlabListError):
        seen.variables.list(get_all=True)


def test_scopes_limit_a_token(server, name):
    reader = as_user(server, f"r{abs(hash(name)) % 10**8}", scopes=("read_api",))
    reader.auth()
    with pytest.raises(gitlab.exceptions.GitlabCreateError) as error:
        reader.projects.create({"name": "mine"})
    assert (error.value.response_code, error.value.error_message) == (403, "insufficient_scope")
    with pytest.raises(gitlab.exceptions.GitlabAuthenticationError):
        gitlab.Gitlab(server.url, private_token="glpat-wrong").auth()


def test_tokens_are_rotated_and_revoked(server, client):
    client.auth()
    made = client.users.get(1).personal_access_tokens.create({"name": "bot", "scopes": ["api"]})
    bot = gitlab.Gitlab(server.url, private_token=made.token)
    fresh = bot.personal_access_tokens.rotate("self")["token"]
    with pytest.raises(gitlab.exceptions.GitlabAuthenticationError):
        bot.auth()
    gitlab.Gitlab(server.url, private_token=fresh).auth()


def test_projects_are_made_changed_and_deleted(client, name):
    made = client.projects.create({"name": f"{name} x", "visibility": "public"})
    assert made.path_with_namespace == f"root/{name}-x"
    made.description = "What it is for"
    made.save()
    assert client.projects.get(made.path_with_namespace).description == "What it is for"
    with pytest.raises(gitlab.exceptions.GitlabCreateError) as error:
        client.projects.create({"name": f"{name} x"})
    assert error.value.error_message["path"] == ["has already been taken"]
    made.delete()
    with pytest.raises(gitlab.exceptions.GitlabGetError):
        client.projects.get(made.id)


def test_unknown_routes_and_anonymous_callers(server, project):
    unknown = server.api("GET", "/nothing/here")
    assert (unknown.status_code, unknown.json()) == (404, {"error": "404 Not Found"})
    anonymous = server.api("POST", f"/projects/{project.id}/pipeline", token="")
    assert (anonymous.status_code, anonymous.json()) == (401, {"message": "401 Unauthorized"})
    assert server.api("GET", f"/projects/{project.id}", token="").status_code in (401, 404)


def test_a_job_token_reads_its_own_project_while_the_job_runs(server, project, agent):
    job = agent.job()
    client = gitlab.Gitlab(server.url, job_token=job["token"])
    assert client.http_get("/job")["id"] == job["id"]
    assert client.projects.get(project.id, lazy=True).pipelines.list(get_all=True)
    with pytest.raises(gitlab.exceptions.GitlabError):
        client.projects.get(project.id, lazy=True).variables.list(get_all=True)
    agent.update(job, "success")
    with pytest.raises(gitlab.exceptions.GitlabError):
        client.http_get("/job")


def test_environments_and_deployments(remote, agent, repository):
    repository.commit(
        {
            ".gitlab-ci.yml": "deploy:\n  tags: [kubernetes]\n  script: [echo]\n"
            "  environment: {name: production, url: 'http://app.example.com', on_stop: stop}\n"
            "stop:\n  tags: [kubernetes]\n  script: [echo]\n  when: manual\n"
            "  environment: {name: production, action: stop}\n"
        }
    )
    agent.update(agent.job(), "success")
    repository.push()
    job = agent.job()
    assert remote.deployments.list(get_all=True)[0].status == "running"
    agent.update(job, "success")
    (environment,) = remote.environments.list(get_all=True)
    assert (environment.name, environment.state, environment.tier) == ("production", "available", "production")
    assert environment.external_url == "http://app.example.com"
    found = remote.environments.get(environment.id)
    assert found.last_deployment["deployable"]["id"] == job["id"]
    found.stop()
    assert remote.environments.get(environment.id).state == "stopping"
    agent.update(agent.job(), "success")
    assert remote.environments.get(environment.id).state == "stopped"


def test_a_log_is_read_whole_while_it_grows(server, project, agent):
    job = agent.job()
    line = b"a line of a log that is long enough to be noticed\n" * 2000
    sent = 0
    for _ in range(40):
        agent.trace(job, sent, line)
        sent += len(line)
        answer = server.api("GET", f"/projects/{project.id}/jobs/{job['id']}/trace")
        assert answer.status_code == 200 and len(answer.content) == sent
