"""What jobs publish through a server: releases with their tags, sites, environments; and resource groups."""

import gzip
import io
import zipfile

import gitlab
import pytest
import requests
from tests.server.conftest import until

RELEASE = """
release:
  tags: [kubernetes]
  script: [echo]
  rules: [{if: $CI_COMMIT_BRANCH}]
  release:
    tag_name: v1.0
    tag_message: The first
    description: NOTES.md
    assets: {links: [{name: Image, url: "https://example.com/image", link_type: image}]}
"""
SITE = """
pages: {tags: [kubernetes], script: [echo], artifacts: {paths: [public]}}
"""
GROUPED = "deploy: {tags: [kubernetes], script: [echo], resource_group: production}\n"
STOPPING = """
review:
  tags: [kubernetes]
  script: [echo]
  environment: {name: review/app, on_stop: stop, auto_stop_in: %s, url: "https://$HOST.example.com"}
stop: {tags: [kubernetes], script: [echo], when: manual, environment: {name: review/app, action: stop}}
"""


@pytest.fixture
def remote(server, project):
    return gitlab.Gitlab(server.url, private_token=server.token).projects.get(project.id)


@pytest.fixture
def pushed(repository, agent):
    """Pushes a configuration, with the first pipeline's job out of the way."""
    agent.update(agent.job(), "success")

    def push(ci: str, **files: str) -> None:
        repository.commit({".gitlab-ci.yml": ci, **files})
        repository.push()

    return push


def upload(server, job, **files: str) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    url, headers = f"{server.url}/api/v4/jobs/{job['id']}/artifacts", {"JOB-TOKEN": job["token"]}
    form = {"file": ("artifacts.zip", body.getvalue())}
    answer = requests.post(url, headers=headers, files=form, params={"artifact_type": "archive"}, timeout=30)
    assert answer.status_code == 201, answer.text


def test_a_job_makes_a_release_and_its_tag(server, remote, agent, pushed):
    pushed(RELEASE, **{"NOTES.md": "What is new"})
    job = agent.job()
    assert [step["name"] for step in job["steps"]] == ["script"]
    assert remote.releases.list(get_all=True) == []
    agent.update(job, "success")
    (release,) = remote.releases.list(get_all=True)
    assert (release.tag_name, release.description) == ("v1.0", "What is new")
    assert release.commit["id"] == job["git_info"]["sha"] and release.author["username"] == "root"
    assert [link["name"] for link in release.assets["links"]] == ["Image"]
    assert remote.tags.get("v1.0").message == "The first"
    assert remote.jobs.get(job["id"]).status == "success"
    again = remote.jobs.get(job["id"]).retry()
    agent.update(agent.job(), "success")
    assert remote.jobs.get(again["id"]).status == "failed"
    assert b"Release already exists: v1.0" in remote.jobs.get(again["id"]).trace()


def test_releases_over_the_api(server, remote, project):
    made = remote.releases.create({"tag_name": "v2", "ref": "main", "name": "Two", "description": "Notes"})
    assert made.name == "Two" and remote.tags.get("v2").commit["id"] == made.commit["id"]
    with pytest.raises(gitlab.GitlabCreateError, match="409: Release already exists"):
        remote.releases.create({"tag_name": "v2", "description": "Notes"})
    with pytest.raises(gitlab.GitlabCreateError, match="422: Ref is not specified"):
        remote.releases.create({"tag_name": "v3", "description": "Notes"})
    link = made.links.create({"name": "Image", "url": "https://example.com/i", "direct_asset_path": "/bin/i"})
    assert link.direct_asset_url.endswith("/releases/v2/downloads/bin/i")
    answer = server.api("GET", f"/projects/{project.id}/releases/v2/downloads/bin/i", allow_redirects=False)
    assert answer.headers["location"] == "https://example.com/i"
    with pytest.raises(gitlab.GitlabCreateError, match="duplicate values"):
        made.links.create({"name": "Image", "url": "https://example.com/other"})
    link.link_type = "image"
    link.save()
    assert made.links.get(link.id).link_type == "image"
    made.links.delete(link.id)
    made.description = "Better notes"
    made.save()
    assert remote.releases.get("v2").description == "Better notes"
    latest = server.api("GET", f"/projects/{project.id}/releases/permalink/latest")
    assert latest.json()["tag_name"] == "v2"
    remote.releases.delete("v2")
    assert remote.releases.list(get_all=True) == [] and remote.tags.get("v2")


def test_a_job_may_release_with_its_own_token(server, remote, agent, pushed):
    pushed(SITE)
    job = agent.job()
    body, headers = {"tag_name": "v9", "ref": "main", "description": "By hand"}, {"JOB-TOKEN": job["token"]}
    made = server.call("POST", f"/projects/{remote.id}/releases", body, headers=headers)
    assert made.status_code == 201 and made.json()["author"]["username"] == "root"
    assert (
        server.call("POST", f"/projects/{remote.id}/pipeline", {"ref": "main"}, headers=headers).status_code == 401
    )


def test_a_site_is_for_those_who_may_read_the_project(server, remote, agent, pushed):
    pushed(SITE)
    job = agent.job()
    upload(server, job, **{"public/index.html": "<h1>Here</h1>", "public/a.css": "a {}", "other.html": "hidden"})
    agent.update(job, "success")
    url = f"{server.url}/-/pages/{remote.path_with_namespace}"
    headers = {"PRIVATE-TOKEN": server.token}
    answer = requests.get(url, headers=headers, timeout=10)
    assert answer.text == "<h1>Here</h1>" and answer.url == f"{url}/"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    assert requests.get(f"{url}/a.css", headers=headers, timeout=10).headers["Content-Type"].startswith("text/css")
    assert requests.get(f"{url}/../other.html", headers=headers, timeout=10).status_code == 404
    assert requests.get(f"{url}/", timeout=10).status_code == 404


def test_a_group_s_jobs_run_in_the_order_that_is_set(remote, agent, pushed):
    pushed(GROUPED)
    first = agent.job()
    (group,) = remote.resource_groups.list(get_all=True)
    assert (group.key, group.process_mode) == ("production", "unordered")
    group.process_mode = "newest_first"
    group.save()
    with pytest.raises(gitlab.GitlabUpdateError, match="400"):
        remote.resource_groups.update("production", {"process_mode": "random"})
    pipelines = [remote.pipelines.create({"ref": "main"}) for _ in range(2)]
    assert agent.request().status_code == 204
    waiting = [job.pipeline["id"] for job in group.upcoming_jobs.list(get_all=True)]
    assert waiting == [pipelines[1].id, pipelines[0].id]
    agent.update(first, "success")
    newest = until(lambda: (answer := agent.request()).status_code == 201 and answer.json())
    assert newest["job_info"]["pipeline_id"] == pipelines[1].id


def test_an_environment_stops_when_its_time_has_come(server, remote, agent, pushed):
    pushed(STOPPING % "1 second")
    job = agent.job()
    agent.update(job, "success")
    (environment,) = remote.environments.list(get_all=True)
    assert environment.auto_stop_at is not None
    stopping = until(lambda: (answer := agent.request()).status_code == 201 and answer.json(), 15)
    assert stopping["job_info"]["name"] == "stop"
    assert remote.environments.get(environment.id).state == "stopping"
    agent.update(stopping, "success")
    stopped = remote.environments.get(environment.id)
    assert (stopped.state, stopped.auto_stop_at) == ("stopped", None)
    environment.delete()


def test_a_deployment_url_takes_what_the_job_reports(server, remote, agent, pushed):
    pushed(STOPPING % "1 day")
    job = agent.job()
    url, headers = f"{server.url}/api/v4/jobs/{job['id']}/artifacts", {"JOB-TOKEN": job["token"]}
    form = {"file": ("dotenv", gzip.compress(b"HOST=abc\n"))}
    data = {"artifact_type": "dotenv", "artifact_format": "gzip"}
    assert requests.post(url, headers=headers, files=form, params=data, timeout=30).status_code == 201
    agent.update(job, "success")
    (environment,) = remote.environments.list(get_all=True)
    assert environment.external_url == "https://abc.example.com"


def test_environments_and_deployments_over_the_api(remote, project):
    made = remote.environments.create({"name": "staging/eu", "external_url": "https://eu.example.com"})
    assert (made.tier, made.state, made.slug[:10]) == ("staging", "available", "staging-eu")
    with pytest.raises(gitlab.GitlabCreateError, match="has already been taken"):
        remote.environments.create({"name": "staging/eu"})
    made.tier, made.description = "testing", "In Europe"
    made.save()
    assert remote.environments.get(made.id).tier == "testing"
    sha = remote.commits.list(get_all=True)[0].id
    what = {"environment": "staging/eu", "sha": sha, "ref": "main", "tag": False, "status": "running"}
    deployment = remote.deployments.create(what)
    path = f"/projects/{project.id}/deployments/{deployment.id}"
    with pytest.raises(gitlab.GitlabHttpError, match="Cannot destroy running deployment"):
        remote.manager.gitlab.http_delete(path)
    deployment.status = "success"
    deployment.save()
    assert remote.environments.get(made.id).last_deployment["id"] == deployment.id
    with pytest.raises(gitlab.GitlabHttpError, match="Deployment currently deployed to environment"):
        remote.manager.gitlab.http_delete(path)
    assert [d.id for d in remote.deployments.list(environment="staging/eu", status="success", get_all=True)]
    with pytest.raises(gitlab.GitlabCreateError, match="The branch or tag does not exist"):
        remote.deployments.create(what | {"ref": "nowhere"})
    with pytest.raises(gitlab.GitlabDeleteError, match="403"):
        made.delete()
    made.stop()
    assert remote.environments.list(states="stopped", get_all=True)[0].id == made.id
    made.delete()
    assert remote.environments.list(get_all=True) == []


def test_a_manual_job_takes_inputs_over_the_api(remote, agent, pushed):
    inputs = "inputs: {n: {type: number, default: 1}}"
    pushed(f"deploy: {{tags: [kubernetes], when: manual, {inputs}, script: [echo]}}")
    (job,) = remote.pipelines.list(get_all=True)[0].jobs.list(get_all=True)
    path = f"/projects/{remote.id}/jobs/{job.id}/play"
    with pytest.raises(gitlab.GitlabHttpError, match="provided value is not a number"):
        remote.manager.gitlab.http_post(path, post_data={"job_inputs": {"n": "many"}})
    remote.manager.gitlab.http_post(path, post_data={"job_inputs": {"n": 5}})
    (given,) = agent.job()["inputs"]
    assert given == {"key": "n", "value": {"type": "number", "content": 5, "sensitive": False}}


def test_a_deleted_branch_takes_its_environment_with_it(remote, agent, pushed, repository):
    repository.git("checkout", "-qb", "feature")
    repository.commit({".gitlab-ci.yml": STOPPING % "1 day"})
    repository.push("origin", "feature")
    agent.update(agent.job(), "success")
    repository.push("origin", "--delete", "feature")
    stopping = agent.job()
    assert stopping["job_info"]["name"] == "stop"
    agent.update(stopping, "success")
    assert remote.environments.list(get_all=True)[0].state == "stopped"


def test_outdated_deployments_are_prevented_as_the_project_says(remote, agent, pushed):
    ci = "deploy: {tags: [kubernetes], script: [echo], environment: production, when: manual}"
    pushed(ci)
    pushed(ci + "\n")
    newer, older = (each.jobs.list(get_all=True)[0].id for each in remote.pipelines.list(get_all=True)[:2])
    remote.jobs.get(newer).play()
    agent.update(agent.job(), "success")
    remote.jobs.get(older).play()
    assert agent.request().status_code == 204
    assert remote.jobs.get(older).failure_reason == "failed_outdated_deployment_job"
    remote.ci_forward_deployment_enabled = False
    remote.save()
    pipeline = remote.pipelines.create({"ref": "main"})
    remote.jobs.get(remote.jobs.get(older).retry()["id"])
    agent.update(agent.job(), "success")
    assert pipeline.id and remote.environments.list(get_all=True)[0].state == "available"
