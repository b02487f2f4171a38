"""The pod that a job becomes."""

import base64
import json

import msgspec
import pytest
from tests.runner.desk import job

from shipline.protocol.payload import Credentials, Image, Variable
from shipline.runner import ConfigFile, KubernetesConfig, RunnerConfig
from shipline.runner.errors import JobFailed
from shipline.runner.job import Job
from shipline.runner.pod.labels import Identity
from shipline.runner.pod.services import aliases
from shipline.runner.pod.spec import plan

SOURCE = ("file:///nowhere", "a" * 40)
ME = Identity("machine12345", "17-4711")


def planned(payload, **kubernetes):
    config = RunnerConfig(kubernetes=KubernetesConfig(**kubernetes))
    return plan(Job(payload, config, builds="/builds"), ME, "ci", "abcdefgh")


def container(made, name):
    return next(each for each in made.pod["spec"]["containers"] if each["name"] == name)


def test_containers_and_names():
    payload = job(SOURCE, "true", image="alpine", services=[Image("docker:dind", alias="docker"), Image("redis:7")])
    made = planned(payload)
    assert [each["name"] for each in made.pod["spec"]["containers"]] == ["build", "helper", "svc-0", "svc-1"]
    assert made.name == "runner-machine1-project-7-concurrent-0-abcdefgh"
    assert made.pod["spec"]["restartPolicy"] == "Never"
    assert made.pod["spec"]["activeDeadlineSeconds"] == 601
    assert made.pod["metadata"]["labels"]["project.runner.gitlab.com/namespace"] == "group"


@pytest.mark.parametrize(
    "image", ["$NOWHERE/tool:1", "registry.example.com/$NOWHERE/tool", "tool:${NOWHERE}", "$NOWHERE"]
)
def test_an_image_whose_variable_has_no_value_is_refused_by_the_variables_name(image):
    with pytest.raises(JobFailed, match="NOWHERE has no value here"):
        planned(job(SOURCE, "true", image=image))
    with pytest.raises(JobFailed, match="NOWHERE has no value here"):
        planned(job(SOURCE, "true", image="alpine", services=[Image(image)]))


@pytest.mark.parametrize(
    "image",
    [
        "$R/a/tool_x:1.2-3$NOWHERE",
        "$R/tool@sha256:" + "ab" * 32,
        "localhost:5000/$T",
        "[::1]:5000/$T",
        "$T$NOWHERE",
    ],
)
def test_a_variable_without_a_value_that_is_not_missed(image):
    variables = [Variable("R", "registry.example.com:5000"), Variable("T", "group/tool-x")]
    made = planned(job(SOURCE, "true", image=image, variables=variables))
    assert "$" not in container(made, "build")["image"]


def test_every_name_of_a_service_leads_to_the_pod_itself():
    made = planned(job(SOURCE, "true", image="alpine", services=[Image("my/redis:7", alias="cache, db")]))
    assert made.pod["spec"]["hostAliases"] == [{"ip": "127.0.0.1", "hostnames": ["cache", "db", "my-redis"]}]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("docker:dind", ["docker"]),
        ("registry.example.com:5000/group/pg:12", ["registry.example.com-group-pg"]),
        ("tutum/wordpress@sha256:0123", ["tutum-wordpress"]),
        ("UPPER/Case", []),
    ],
)
def test_host_names_made_of_an_image(image, expected):
    assert aliases(image, []) == expected


def test_variables_are_expanded_in_image_and_service():
    payload = job(SOURCE, "true", image="$IMAGE:$TAG", services=[Image("svc:${TAG}", alias="$ALIAS")],
                  variables=[Variable("IMAGE", "base"), Variable("TAG", "3"), Variable("ALIAS", "db")])  # fmt: skip
    made = planned(payload)
    assert container(made, "build")["image"] == "base:3"
    assert container(made, "svc-0")["image"] == "svc:3"
    assert "db" in made.pod["spec"]["hostAliases"][0]["hostnames"]


def test_a_service_gets_public_variables_and_its_own_and_secrets_through_the_secret():
    service = Image("db", variables=[Variable("PASSWORD", "pw-$TOKEN"), Variable("PLAIN", "cost $$5")])
    variables = [
        Variable("TOKEN", "s3cret", masked=True),
        Variable("KUBE", "private-text"),
        Variable("LEVEL", "7", public=True),
    ]
    made = planned(job(SOURCE, "true", image="a", services=[service], variables=variables))
    environment = {entry["name"]: entry for entry in container(made, "svc-0")["env"]}
    assert environment["LEVEL"]["value"] == "7"
    assert environment["PLAIN"]["value"] == "cost $$5"
    assert "KUBE" not in environment
    reference = environment["PASSWORD"]["valueFrom"]["secretKeyRef"]
    assert base64.b64decode(made.secret["data"][reference["key"]]) == b"pw-s3cret"
    assert "s3cret" not in json.dumps(made.pod)


def test_logins_become_one_pull_secret_and_docker_auth_config_wins():
    given = {"auths": {"r.example.com": {"auth": "b3RoZXI6cHc="}}}
    payload = job(
        SOURCE,
        "true",
        image="r.example.com/a",
        credentials=[
            Credentials("registry", "r.example.com", "u", "p"),
            Credentials("registry", "s.example.com", "u", "p"),
        ],
        variables=[Variable("DOCKER_AUTH_CONFIG", json.dumps(given), file=True)],
    )
    made = planned(payload, image_pull_secrets=["own"])
    assert [each["name"] for each in made.pod["spec"]["imagePullSecrets"]] == [
        "own",
        made.secret["metadata"]["name"],
    ]
    auths = json.loads(base64.b64decode(made.secret["data"][".dockerconfigjson"]))["auths"]
    assert auths["r.example.com"] == {"auth": "b3RoZXI6cHc="}
    assert base64.b64decode(auths["s.example.com"]["auth"]) == b"u:p"


def test_without_anything_secret_there_is_no_secret():
    assert planned(job(SOURCE, "true", image="a")).secret is None


def test_limits_and_privileges_are_the_configurations():
    payload = job(SOURCE, "true", image="a", services=[Image("b")])
    made = planned(payload, privileged=True, memory_limit="2Gi", cpu_request="500m", service_memory_limit="1Gi")
    build = container(made, "build")
    assert build["resources"] == {"limits": {"memory": "2Gi"}, "requests": {"cpu": "500m"}}
    assert build["securityContext"] == {"privileged": True}
    assert container(made, "svc-0")["resources"] == {"limits": {"memory": "1Gi"}}
    assert "securityContext" not in container(made, "helper")


def test_volumes_are_mounted_in_every_container():
    text = """
    [[runners]]
      [[runners.kubernetes.volumes.config_map]]
        name = "daemon"
        mount_path = "/etc/docker/daemon.json"
        sub_path = "daemon.json"
      [[runners.kubernetes.volumes.pvc]]
        name = "builds"
        mount_path = "/builds"
    """
    (config,) = ConfigFile.parse(text).runners
    made = plan(Job(job(SOURCE, "true", image="a", services=[Image("b")]), config, builds="/builds"), ME, "ci", "x")
    names = [volume["name"] for volume in made.pod["spec"]["volumes"]]
    assert names == ["daemon", "builds", "scripts", "logs"]
    for each in made.pod["spec"]["containers"]:
        places = [mount["mountPath"] for mount in each["volumeMounts"]]
        assert "/etc/docker/daemon.json" in places
        assert places.count("/builds") == 1


def test_services_do_not_see_the_scripts():
    made = planned(job(SOURCE, "true", image="a", services=[Image("b")]))
    assert [mount["name"] for mount in container(made, "svc-0")["volumeMounts"]] == ["repo"]


@pytest.mark.parametrize(
    ("entrypoint", "command", "arguments"),
    [
        (["/bin/sh", "-c"], ["/bin/sh", "-c"], 1),
        (["/usr/bin/env", "bash", "-ec"], ["/usr/bin/env", "bash", "-ec"], 1),
        (["bash", "-c", 'prepare; exec "$@"', "--"], ["bash", "-c", 'prepare; exec "$@"', "--"], 3),
        (["/bin/bash", "-c", "ln -snf /bin/bash /bin/sh && /bin/bash -c $0"], None, 0),
        (["ionice", "-c", "3"], ["ionice", "-c", "3"], 3),
    ],
)
def test_an_entrypoint_that_is_a_shell_gets_a_text(entrypoint, command, arguments):
    build = container(planned(job(SOURCE, "true", image=Image("a", entrypoint=entrypoint))), "build")
    assert build["command"] == (command or ["sh", "-c", build["command"][-1]])
    assert len(build.get("args", [])) == arguments


def test_an_entrypoint_is_given_the_shell_as_its_arguments():
    made = planned(job(SOURCE, "true", image=Image("a", entrypoint=["/init", "--"])))
    build = container(made, "build")
    assert build["command"] == ["/init", "--"]
    assert build["args"][:2] == ["sh", "-c"]
    assert container(planned(job(SOURCE, "true", image=Image("a", entrypoint=[""]))), "build")["command"][0] == "sh"


def test_the_user_of_an_image():
    image = Image("a", executor_opts={"kubernetes": {"user": "1000:2000"}})
    context = container(planned(job(SOURCE, "true", image=image)), "build")["securityContext"]
    assert context == {"runAsUser": 1000, "runAsGroup": 2000}


@pytest.mark.parametrize(
    ("kubernetes", "image", "words"),
    [
        ({}, None, "names no image"),
        ({"allowed_images": ["ruby:*"]}, "alpine", "allowed_images"),
        ({"pull_policy": "always"}, Image("a", pull_policy=["never"]), "allowed_pull_policies"),
        ({"pull_policy": "sometimes"}, "a", "unknown pull policy 'sometimes'"),
        ({}, Image("a", executor_opts={"kubernetes": {"user": "root"}}), "is not uid"),
    ],
)
def test_what_is_not_allowed_is_refused(kubernetes, image, words):
    with pytest.raises(JobFailed, match=words) as caught:
        planned(job(SOURCE, "true", image=image), **kubernetes)
    assert caught.value.reason == "runner_configuration_error"


def test_the_pod_is_plain_json():
    json.dumps(msgspec.to_builtins(planned(job(SOURCE, "true", image="a")).pod))
