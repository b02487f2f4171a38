"""The container registry lets in whom the server names: a real registry, a real `docker`."""

from __future__ import annotations

import subprocess

import jwt
import pytest
import requests
from cryptography import x509
from tests.server.conftest import until

from shipline.server.registry_key import configuration

DOCKERFILE = "FROM scratch\nCOPY README /README\n"


def access(server, scope: str, *login: str) -> list[dict]:
    """What the token allows that the server gives for `scope`."""
    answer = requests.get(
        f"{server.url}/jwt/auth", {"service": "container_registry", "scope": scope}, auth=login or None, timeout=10
    )
    assert answer.status_code == 200, answer.text
    certificate = x509.load_pem_x509_certificate((server.settings.home / "registry.crt").read_bytes())
    token = answer.json()["token"]
    claims = jwt.decode(token, certificate.public_key(), ["RS256"], audience="container_registry")
    return claims["access"]


def member(server, project, name: str, level: int) -> str:
    """A user of that level in the project; gives a token for registries."""
    user = server.person(name, "correct horse")
    server.api("POST", f"/projects/{project.id}/members", json={"user_id": user, "access_level": level})
    scopes = {"name": "registry", "scopes": ["write_registry"]}
    return server.api("POST", f"/users/{user}/personal_access_tokens", json=scopes).json()["token"]


def test_who_may_pull_and_push(server, project):
    path = project.full_path
    everything = f"repository:{path}/image:pull,push,delete,*"
    allowed = lambda *login: [action for each in access(server, everything, *login) for action in each["actions"]]  # noqa: E731
    assert allowed() == []
    assert allowed("root", server.token) == ["*", "delete", "pull", "push"]
    for name, level, may in (("rep", 20, ["pull"]), ("dev", 30, ["delete", "pull", "push"]), ("guest", 10, [])):
        name = f"{name}-{project.id}"
        assert allowed(name, member(server, project, name, level)) == may
    made = {"name": "machine", "scopes": ["read_registry"], "username": f"machine-{project.id}"}
    deploy_token = server.api("POST", f"/projects/{project.id}/deploy_tokens", json=made).json()["token"]
    assert allowed(f"machine-{project.id}", deploy_token) == ["pull"]
    server.api("PUT", f"/projects/{project.id}", json={"visibility": "public"})
    assert allowed() == ["pull"]
    assert access(server, "repository:nobody/nothing:pull", "root", server.token) == []
    wrong = requests.get(f"{server.url}/jwt/auth", auth=("root", "wrong"), timeout=10)
    assert wrong.status_code == 401


def test_a_job_pushes_to_its_project_alone_and_only_while_it_runs(server, project, repository):
    repository.push()
    agent = server.runner(kind="project_type", projects=[project.id], tags=["kubernetes"])
    job = agent.job()
    asked = f"repository:{project.full_path}:pull,push"
    assert access(server, asked, "gitlab-ci-token", job["token"])[0]["actions"] == ["pull", "push"]
    other = server.api("POST", "/projects", json={"name": f"other-{project.id}"}).json()["path_with_namespace"]
    assert access(server, f"repository:{other}:pull", "gitlab-ci-token", job["token"]) == []
    agent.update(job, "success")
    over = requests.get(f"{server.url}/jwt/auth", {"scope": asked}, auth=("x", job["token"]), timeout=10)
    assert over.status_code == 401


@pytest.fixture
def registry(server, tmp_path):
    """A registry that sends its visitors to the server; gives its address."""
    server.inside(lambda i: i.registry_key.ensure())
    (tmp_path / "config.yml").write_text(configuration(server.url, "/config/registry.crt", "/tmp/registry"))
    (tmp_path / "registry.crt").write_bytes((server.settings.home / "registry.crt").read_bytes())
    tmp_path.chmod(0o755)
    words = ["run", "-d", "--rm", "-p", "127.0.0.1::5000", "-v", f"{tmp_path}:/config:ro", "shipline/registry"]
    name = docker(*words, "serve", "/config/config.yml")
    address = docker("port", name, "5000/tcp").splitlines()[0]
    until(lambda: _answers(address), 20)
    yield address
    docker("rm", "-f", name)


def _answers(address: str) -> bool:
    try:
        return requests.get(f"http://{address}/v2/", timeout=2).status_code == 401
    except requests.RequestException:
        return False


def docker(*words: str, check: bool = True, text: str = "") -> str:
    done = subprocess.run(["docker", *words], input=text, capture_output=True, text=True, timeout=120)
    assert not check or done.returncode == 0, done.stderr
    return (done.stdout if check else done.stderr).strip()


@pytest.mark.engine
def test_docker_logs_in_pushes_and_pulls_with_a_jobs_token(server, project, repository, registry, tmp_path):
    repository.push()
    job = server.runner(kind="project_type", projects=[project.id], tags=["kubernetes"]).job()
    mine, others = f"{registry}/{project.full_path}/app:1", f"{registry}/somebody/else:1"
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "README").write_text("hello\n")
    docker("build", "-q", "-t", mine, "-t", others, str(tmp_path))
    login = ["--config", str(tmp_path / "docker")]
    try:
        refused = docker(*login, "login", "-u", "x", "--password-stdin", registry, check=False, text="wrong")
        assert "Access denied" in refused or "401" in refused or "unauthorized" in refused, refused
        docker(*login, "login", "-u", "gitlab-ci-token", "--password-stdin", registry, text=job["token"])
        docker(*login, "push", "-q", mine)
        assert "denied" in docker(*login, "push", "-q", others, check=False)
        docker("rmi", "-f", mine)
        docker(*login, "pull", "-q", mine)
    finally:
        subprocess.run(["docker", "rmi", "-f", mine, others], capture_output=True)
