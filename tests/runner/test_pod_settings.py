"""gitlab-runner's settings for a job's pod: security contexts, what jobs may overwrite, patches of the spec."""

import msgspec
import pytest
from tests.runner.desk import job

from shipline.protocol.payload import Image, Variable
from shipline.runner import ConfigFile, KubernetesConfig, RunnerConfig
from shipline.runner.errors import JobFailed
from shipline.runner.job import Job
from shipline.runner.pod.labels import Identity
from shipline.runner.pod.overwrites import overwritten
from shipline.runner.pod.quantity import quantity
from shipline.runner.pod.spec import plan

SOURCE = ("file:///nowhere", "a" * 40)


def settings(text):
    return ConfigFile.parse("[[runners]]\n[runners.kubernetes]\n" + text).runners[0].kubernetes


def spec_of(kubernetes, payload=None):
    payload = payload or job(SOURCE, "true", image="alpine", services=[Image("redis")])
    config = RunnerConfig(kubernetes=kubernetes)
    return plan(Job(payload, config, builds="/builds"), Identity("machine12345", "17-1"), "ci", "abcdefgh").pod[
        "spec"
    ]


def contexts(spec):
    return {each["name"]: each.get("securityContext") for each in spec["containers"]}


RESTRICTED = """
allow_privilege_escalation = false
cap_drop = ["ALL"]
[runners.kubernetes.pod_security_context]
run_as_non_root = true
run_as_user = 1000
fs_group = 1000
seccomp_profile = {type = "RuntimeDefault"}
"""


def test_a_pod_that_a_restricted_namespace_takes():
    spec = spec_of(settings(RESTRICTED))
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "fsGroup": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    each = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert contexts(spec) == {"build": each, "helper": each, "svc-0": each}


def test_each_container_has_a_context_of_its_own():
    found = contexts(
        spec_of(
            settings("""
privileged = true
[runners.kubernetes.build_container_security_context]
privileged = false
run_as_user = 5
capabilities = {add = ["NET_ADMIN"]}
[runners.kubernetes.helper_container_security_context]
read_only_root_filesystem = true
""")
        )
    )
    assert found["build"] == {"privileged": False, "runAsUser": 5, "capabilities": {"add": ["NET_ADMIN"]}}
    assert found["helper"] == {"readOnlyRootFilesystem": True}  # which never needs to be privileged
    assert found["svc-0"] == {"privileged": True}


def test_the_jobs_user_comes_before_the_configurations():
    image = Image("alpine", executor_opts={"kubernetes": {"user": "7"}})
    kubernetes = settings("[runners.kubernetes.build_container_security_context]\nrun_as_user = 5\n")
    assert contexts(spec_of(kubernetes, msgspec.structs.replace(job(SOURCE, "true"), image=image)))["build"] == {
        "runAsUser": 7
    }


def test_affinity_has_kubernetes_names_but_for_labels():
    spec = spec_of(
        settings("""
[runners.kubernetes.affinity.pod_anti_affinity]
[[runners.kubernetes.affinity.pod_anti_affinity.required_during_scheduling_ignored_during_execution]]
topology_key = "kubernetes.io/hostname"
label_selector = {match_labels = {job_kind = "big_one"}}
""")
    )
    (term,) = spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term == {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": {"job_kind": "big_one"}},
    }


OVERWRITES = """
namespace = "ci"
memory_limit = "1Gi"
memory_limit_overwrite_max_allowed = "4Gi"
service_cpu_request_overwrite_max_allowed = "2"
namespace_overwrite_allowed = "^ci-"
pod_labels_overwrite_allowed = "^team="
node_tolerations_overwrite_allowed = ".*"
"""


def test_a_job_overwrites_what_it_may():
    variables = {
        "KUBERNETES_MEMORY_LIMIT": "4096Mi",
        "KUBERNETES_CPU_LIMIT": "64",  # which no setting allows
        "KUBERNETES_NAMESPACE_OVERWRITE": "ci-web",
        "KUBERNETES_SERVICE_ACCOUNT_OVERWRITE": "admin",
        "KUBERNETES_POD_LABELS_1": "team=web",
        "KUBERNETES_NODE_TOLERATIONS_1": "gpu=yes:NoSchedule",
    }
    found, said = overwritten(settings(OVERWRITES), variables)
    assert (found.memory_limit, found.cpu_limit, found.namespace, found.service_account) == (
        "4096Mi",
        "",
        "ci-web",
        "",
    )
    assert (found.pod_labels, found.node_tolerations) == ({"team": "web"}, {"gpu=yes": "NoSchedule"})
    assert said[0] == '"memory_limit" overwritten with "4096Mi"'
    assert len(said) == 4


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("KUBERNETES_MEMORY_LIMIT", "5Gi", "memory_limit_overwrite_max_allowed is 4Gi"),
        ("KUBERNETES_MEMORY_LIMIT", "much", "is no quantity"),
        ("KUBERNETES_NAMESPACE_OVERWRITE", "kube-system", "does not match what this runner allows"),
        ("KUBERNETES_POD_LABELS_X", "role=root", "does not match"),
    ],
)
def test_what_a_job_may_not_overwrite_fails_it(name, value, words):
    with pytest.raises(JobFailed, match=words):
        overwritten(settings(OVERWRITES), {name: value})


def test_a_service_has_requests_of_its_own():
    services = [Image("redis", variables=[Variable("KUBERNETES_SERVICE_CPU_REQUEST", "1500m")]), Image("mysql")]
    spec = spec_of(settings(OVERWRITES), job(SOURCE, "true", image="alpine", services=services))
    assert [each.get("resources") for each in spec["containers"][2:]] == [{"requests": {"cpu": "1500m"}}, None]


@pytest.mark.parametrize(
    ("less", "more"),
    [("500m", "1"), ("999Mi", "1Gi"), ("1G", "1Gi"), ("1e3", "1001"), ("0.5", "600m"), ("1", "1k")],
)
def test_quantities_are_compared_as_numbers(less, more):
    assert quantity(less) < quantity(more)


PATCHES = {
    "strategic": """
hostNetwork: true
containers:
- name: build
  env: [{name: MODE, value: fast}]
- name: svc-0
  $patch: delete
""",
    "merge": '{"hostNetwork": true, "restartPolicy": null}',
    "json": '[{"op": "add", "path": "/hostNetwork", "value": true}]',
}


@pytest.mark.parametrize("kind", PATCHES)
def test_patches_of_the_spec(kind):
    text = (
        f"[[runners.kubernetes.pod_spec]]\nname = \"p\"\npatch_type = \"{kind}\"\npatch = '''{PATCHES[kind]}'''\n"
    )
    payload = job(SOURCE, "true", image="alpine", services=[Image("redis")])
    before, spec = spec_of(KubernetesConfig(), payload), spec_of(settings(text), payload)
    assert spec["hostNetwork"] is True
    assert ("restartPolicy" in spec) == (kind != "merge")
    if kind == "strategic":
        assert [each["name"] for each in spec["containers"]] == ["build", "helper"]
        assert spec["containers"][0] == before["containers"][0] | {"env": [{"name": "MODE", "value": "fast"}]}
    else:
        assert spec["containers"] == before["containers"]


def test_a_patch_in_a_file_and_one_that_does_not_fit(tmp_path):
    (tmp_path / "patch.yml").write_text("hostIPC: true\n")
    assert spec_of(settings(f'[[runners.kubernetes.pod_spec]]\npatch_path = "{tmp_path}/patch.yml"\n'))["hostIPC"]
    for patch in ("[1", "- 1", "{containers: [1]}"):
        text = f"[[runners.kubernetes.pod_spec]]\nname = \"odd\"\npatch = '''{patch}'''\n"
        with pytest.raises(JobFailed, match="pod_spec 'odd'"):
            spec_of(settings(text))
