"""Child pipelines and pipelines of other projects on the server, as runners and python-gitlab see them."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import gitlab
import pytest
from tests.server.conftest import Agent, Repository, Running, until

from shipline.server.permissions import DEVELOPER

PARENT = """\
stages: [test, deploy]
variables: {TOP: from the top}
child:
  stage: test
  trigger: {include: child.yml, strategy: depend}
deploy:
  stage: deploy
  script: [echo deploying]
"""
CHILD = "unit: {script: [echo unit], tags: [a]}\n"


@pytest.fixture
def client(server: Running) -> gitlab.Gitlab:
    return gitlab.Gitlab(server.url, private_token=server.token)


@pytest.fixture
def runner(server: Running, name: str) -> Agent:
    """A runner for the projects of this test."""

    class Mine(Agent):
        def job(self) -> dict[str, Any]:
            while not (job := super().job())["job_info"]["project_full_path"].startswith(f"root/{name}"):
                self.update(job, "success")
            return job

    agent = server.runner(kind="instance_type", tags=["a"], run_untagged=True)
    return Mine(server, agent.number, agent.token)


class Pushed:
    """A project with one pushed commit of these files."""

    def __init__(
        self, server: Running, client: gitlab.Gitlab, folder: Any, name: str, files: dict[str, str]
    ) -> None:
        self.clone = Repository(folder / name, server.remote(f"root/{name}"))
        self.clone.commit(files)
        self.shown = self.clone.push()
        self.remote = client.projects.get(f"root/{name}")

    @property
    def pipeline(self) -> Any:
        return self.remote.pipelines.list(get_all=True)[0]

    def bridge(self, name: str = "child") -> Any:
        return next(each for each in self.pipeline.bridges.list(get_all=True) if each.name == name)


@pytest.fixture
def pushed(server, client, tmp_path, name):
    def push(files: dict[str, str], suffix: str = "") -> Pushed:
        return Pushed(server, client, tmp_path, name + suffix, files)

    return push


def triggered(project: Pushed, name: str = "child") -> Any:
    """The bridge, once it has its pipeline."""
    return until(lambda: (b := project.bridge(name)).downstream_pipeline and b)


def ended(project: Pushed, status: str) -> bool:
    return until(lambda: project.pipeline.status == status)


def test_a_child_is_made_and_followed(pushed, runner):
    project = pushed({".gitlab-ci.yml": PARENT, "child.yml": CHILD})
    bridge = triggered(project)
    assert bridge.status == "running"
    assert "tag_list" not in bridge.attributes
    child = project.remote.pipelines.get(bridge.downstream_pipeline["id"])
    assert (child.source, child.sha, child.ref) == ("parent_pipeline", project.pipeline.sha, "main")
    assert child.user["username"] == "root"
    assert [job.name for job in child.jobs.list(get_all=True)] == ["unit"]
    assert [job.name for job in project.pipeline.jobs.list(get_all=True)] == ["deploy"]
    assert [each.id for each in project.remote.pipelines.list(get_all=True)] == [project.pipeline.id]
    listed = project.remote.pipelines.list(source="parent_pipeline", get_all=True)
    assert [each.id for each in listed] == [child.id]
    with pytest.raises(gitlab.exceptions.GitlabGetError):
        project.remote.jobs.get(bridge.id)
    job = runner.job()
    variables = {each["key"]: each["value"] for each in job["variables"]}
    assert job["job_info"]["name"] == "unit"
    assert variables["TOP"] == "from the top"
    assert variables["CI_PIPELINE_SOURCE"] == "parent_pipeline"
    assert variables["CI_UPSTREAM_PIPELINE_ID"] == str(project.pipeline.id)
    assert job["git_info"]["refspecs"][0] == f"+refs/pipelines/{child.id}:refs/pipelines/{child.id}"
    runner.update(job, "success")
    deploy = runner.job()
    assert deploy["job_info"]["name"] == "deploy"
    runner.update(deploy, "success")
    ended(project, "success")
    assert project.bridge().status == "success"


def test_cancel_goes_down_and_retry_goes_up(pushed, runner):
    project = pushed({".gitlab-ci.yml": PARENT, "child.yml": CHILD})
    number = triggered(project).downstream_pipeline["id"]
    project.pipeline.cancel()
    child = project.remote.pipelines.get(number)
    assert (child.status, project.bridge().status, project.pipeline.status) == ("canceled",) * 3
    child.retry()
    assert project.bridge().status == "running"
    assert project.pipeline.status == "running"
    job = runner.job()
    runner.update(job, "failed", failure_reason="script_failure", exit_code=1)
    ended(project, "failed")
    first = project.bridge()
    assert first.failure_reason == "unknown_failure"
    again = project.remote.jobs.get(first.id, lazy=True).retry()
    assert again["id"] != first.id and again["name"] == "child"
    second = until(lambda: (b := project.bridge()).id == again["id"] and b.downstream_pipeline and b)
    assert second.downstream_pipeline["id"] != number
    project.remote.jobs.get(second.id, lazy=True).cancel()
    assert project.remote.pipelines.get(second.downstream_pipeline["id"]).status == "canceled"


def test_a_manual_trigger_job_is_played(pushed):
    ci = "child: {when: manual, trigger: {include: child.yml}}\n"
    project = pushed({".gitlab-ci.yml": ci, "child.yml": CHILD})
    bridge = project.bridge()
    assert (bridge.status, bridge.downstream_pipeline) == ("manual", None)
    project.remote.jobs.get(bridge.id, lazy=True).play()
    assert triggered(project).status == "success"


def test_a_wrong_child_is_told_in_the_trigger_job(pushed, server):
    project = pushed({".gitlab-ci.yml": PARENT, "child.yml": "unit: {script: [a], bad: 1}\n"})
    bridge = until(lambda: (b := project.bridge()).status == "failed" and b)
    assert bridge.failure_reason == "downstream_pipeline_creation_failed"
    log = server.api("GET", f"/projects/{project.remote.id}/jobs/{bridge.id}/trace").text
    assert "child.yml:1:21: jobs:unit config contains unknown keys: bad" in log


def test_another_project(pushed, runner):
    other = pushed(
        {".gitlab-ci.yml": "spec: {inputs: {who: }}\n---\nsay: {tags: [a], script: ['$[[ inputs.who ]]']}\n"},
        "-other",
    )
    other.clone.git("checkout", "-q", "-b", "next")
    other.clone.push("-o", "ci.skip", "origin", "next")
    path = other.remote.path_with_namespace
    asks = f"{{project: {path}, branch: $B, strategy: mirror, inputs: {{who: you}}}}"
    ci = f"child: {{trigger: {asks}, variables: {{B: next}}}}\n"
    project = pushed({".gitlab-ci.yml": ci})
    bridge = triggered(project)
    below = other.remote.pipelines.get(bridge.downstream_pipeline["id"])
    assert (below.source, below.ref, below.project_id) == ("pipeline", "next", other.remote.id)
    job = runner.job()
    assert job["steps"][0]["script"] == ["you"]
    assert {each["key"]: each["value"] for each in job["variables"]}["B"] == "next"
    runner.update(job, "failed", failure_reason="script_failure")
    ended(project, "failed")


@pytest.mark.parametrize(
    ("level", "branch", "reason"),
    [
        (None, "main", "downstream_bridge_project_not_found"),
        (20, "main", "insufficient_bridge_permissions"),
        (DEVELOPER, "main", "insufficient_bridge_permissions"),
        (DEVELOPER, "free", None),
    ],
)
def test_what_the_user_may(server, client, pushed, tmp_path, name, level, branch, reason):
    other = pushed({".gitlab-ci.yml": CHILD}, "-other")
    other.clone.git("checkout", "-q", "-b", "free")
    other.clone.push("-o", "ci.skip", "origin", "free")
    who = f"user-{level}-{branch}"

    def user(instance: Any) -> tuple[int, str]:
        number = instance.accounts.create(who, None, admin=False)
        return number, instance.accounts.create_token(number, "t", ("api", "write_repository"))[1]

    number, token = server.inside(user)
    if level:
        other.remote.members.create({"user_id": number, "access_level": level})
    scheme, _, place = server.url.partition("://")
    mine = Repository(tmp_path / "mine", f"{scheme}://{who}:{token}@{place}/{who}/{name}.git")
    path = other.remote.path_with_namespace
    mine.commit({".gitlab-ci.yml": f"child: {{trigger: {{project: {path}, branch: {branch}}}}}\n"})
    mine.push()
    project = gitlab.Gitlab(server.url, private_token=token).projects.get(f"{who}/{name}")
    pipeline = project.pipelines.list(get_all=True)[0]
    bridge = until(lambda: (b := pipeline.bridges.list(get_all=True)[0]).status in ("failed", "success") and b)
    assert getattr(bridge, "failure_reason", None) == reason


def upload(server: Running, job: dict[str, Any], files: dict[str, str]) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    answer = server.call(
        "POST",
        f"/jobs/{job['id']}/artifacts",
        headers={"JOB-TOKEN": job["token"]},
        files={"file": ("artifacts.zip", content.getvalue())},
        data={"artifact_type": "archive", "artifact_format": "zip"},
    )
    assert answer.status_code == 201, answer.text


def test_a_child_made_of_an_artifact(pushed, runner, server):
    ci = """\
    stages: [build, test]
    make: {stage: build, script: [./make], artifacts: {paths: [made]}}
    child:
      stage: test
      trigger:
        strategy: depend
        include: [{artifact: made/child.yml, job: make}]
    """
    project = pushed({".gitlab-ci.yml": ci})
    job = runner.job()
    upload(server, job, {"made/child.yml": "generated: {script: [echo generated], tags: [a]}\n"})
    runner.update(job, "success")
    triggered(project)
    assert runner.job()["job_info"]["name"] == "generated"


def test_what_a_process_that_died_has_left_is_begun_again(pushed, server):
    project = pushed(
        {".gitlab-ci.yml": PARENT.replace("  stage: test\n", "  stage: test\n  when: manual\n"), "child.yml": CHILD}
    )
    number = project.bridge().id

    def half(instance: Any) -> None:
        job = instance.store.job(number)
        instance.pipelines.listeners.remove(instance.downstream._changed)
        instance.pipelines.play(job.pipeline_id, job.name)
        assert instance.pipelines.started(instance.store.job(number), None)
        instance.pipelines.listeners.append(instance.downstream._changed)
        with instance.pipelines.changing(job.pipeline_id) as change:
            change.set(job.name, started_at=instance.pipelines.clock() - 1000)
        instance.downstream.round()

    server.inside(half)
    assert triggered(project).status == "running"


def test_a_bridge_mirrors_another_project(pushed, runner, server):
    other = pushed({".gitlab-ci.yml": CHILD}, "-other")
    project = pushed({".gitlab-ci.yml": f"mirror: {{needs: {{pipeline: {other.remote.path_with_namespace}}}}}\n"})
    until(lambda: project.bridge("mirror").status == "running")
    job = runner.job()
    runner.update(job, "success")
    server.inside(lambda instance: instance.downstream.round())
    assert project.bridge("mirror").status == "success"


def test_files_of_another_project(pushed, runner, server):
    other = pushed({".gitlab-ci.yml": "make: {script: [./make], artifacts: {paths: [made]}}\n"}, "-other")
    made = runner.job()
    upload(server, made, {"made": "theirs"})
    runner.update(made, "success")
    path = other.remote.path_with_namespace
    use = f"{{needs: [{{project: {path}, job: make, ref: main}}], script: [cat made]}}"
    pushed({".gitlab-ci.yml": f"use: {use}\nnone: {use.replace('main', 'next')}\nplain: {{script: [a]}}\n"})
    jobs = {job["job_info"]["name"]: job for job in (runner.job(), runner.job())}
    assert set(jobs) == {"use", "plain"}
    assert [each["id"] for each in jobs["use"]["dependencies"]] == [made["id"]]

    def fetched(job: dict[str, Any]) -> Any:
        return server.call("GET", f"/jobs/{made['id']}/artifacts", headers={"JOB-TOKEN": job["token"]})

    answer = fetched(jobs["use"])
    assert zipfile.ZipFile(io.BytesIO(answer.content)).read("made") == b"theirs"
    assert fetched(jobs["plain"]).status_code == 403


def test_a_trigger_job_acts_for_whoever_plays_it(pushed, server):
    other = pushed({".gitlab-ci.yml": CHILD}, "-other")
    path = other.remote.path_with_namespace
    project = pushed({".gitlab-ci.yml": f"child: {{when: manual, trigger: {{project: {path}}}}}\n"})

    def user(instance: Any) -> tuple[int, str]:
        number = instance.accounts.create("player", None, admin=False)
        return number, instance.accounts.create_token(number, "t", ("api",))[1]

    number, token = server.inside(user)
    project.remote.members.create({"user_id": number, "access_level": 40})
    mine = gitlab.Gitlab(server.url, private_token=token).projects.get(project.remote.id)
    bridge = project.bridge()
    mine.jobs.get(bridge.id, lazy=True).play()
    refused = until(lambda: (b := project.bridge()).status == "failed" and b)
    assert refused.failure_reason == "downstream_bridge_project_not_found"
    project.remote.jobs.get(bridge.id, lazy=True).retry()
    assert triggered(project).status == "success"
    seen = mine.pipelines.get(project.pipeline.id).bridges.list(get_all=True)[0]
    assert seen.downstream_pipeline is None
