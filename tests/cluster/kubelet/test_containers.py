"""What a container is given: command, environment, user, privileges, resources."""

import pytest
from tests.cluster.live import IMAGE, Live, container, pod

pytestmark = pytest.mark.engine


def test_the_environment_comes_from_everywhere(live: Live) -> None:
    live.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"COLOR": "red"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "codes"}, "stringData": {"CODE": "x=1"}},
    )
    env = [
        {"name": "PLAIN", "value": "1"},
        {"name": "REF", "value": "$(PLAIN)-2 $$(X) $(NONE) $(KUBERNETES_SERVICE_PORT)"},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "SHADE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "COLOR"}}},
        {"name": "NOTHING", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "k", "optional": True}}},
        {"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
    ]
    sources = [{"configMapRef": {"name": "settings"}}, {"prefix": "S_", "secretRef": {"name": "codes"}}]
    name = live.run(pod(env=env, envFrom=sources, resources={"limits": {"memory": "64Mi"}}))
    seen = dict(line.split("=", 1) for line in live.sh(name, "env").splitlines())
    assert seen["REF"] == "1-2 $(X) $(NONE) 443"
    assert seen["POD"] == seen["HOSTNAME"] == name
    assert seen["IP"] == live.get("pod", name)["status"]["podIP"]
    assert (seen["SHADE"], seen["COLOR"], seen["S_CODE"], seen["MEMORY"]) == ("red", "red", "x=1", "64")
    assert "NOTHING" not in seen


def test_a_missing_secret_is_told_and_waited_for(live: Live) -> None:
    reference = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "later", "key": "k"}}}
    name = live.start(pod(env=[reference]))
    waiting = {"reason": "CreateContainerConfigError", "message": 'secret "later" not found'}
    live.until(lambda: live.state(name)["state"] == {"waiting": waiting})
    assert 'Failed: Error: secret "later" not found' in live.events(name)


def test_command_and_arguments_replace_the_image_s(live: Live) -> None:
    plain = {"name": "c", "image": IMAGE, "imagePullPolicy": "IfNotPresent", "workingDir": "/tmp"}
    env = [{"name": "WHAT", "value": "world"}]
    spec = {
        "restartPolicy": "Never",
        "containers": [plain | {"env": env, "command": ["sh", "-c", "pwd; echo $0 $1"]}],
    }
    spec["containers"][0]["args"] = ["hello", "$(WHAT)"]
    name = live.start(spec)
    live.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", f"pod/{name}", "--timeout=20s")
    assert live.kubectl("logs", name) == "/tmp\nhello world\n"


def test_users_groups_and_privileges(live: Live) -> None:
    context = {
        "runAsUser": 1000,
        "runAsGroup": 3000,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
    }
    name = live.run(pod(securityContext=context) | {"securityContext": {"supplementalGroups": [4000]}})
    assert live.sh(name, "id -u; id -g; id -G") == "1000\n3000\n3000 4000\n"
    assert live.sh(name, "grep -E 'NoNewPrivs|CapBnd' /proc/self/status | cut -f2") == "0000000000000400\n1\n"
    assert "Read-only file system" in live.attempt("exec", name, "--", "touch", "/x").stderr


def test_a_container_that_must_not_be_root_is_refused_when_its_image_is(live: Live) -> None:
    name = live.start(pod(securityContext={"runAsNonRoot": True}))
    live.until(lambda: any("container has runAsNonRoot and image will run as root" in e for e in live.events(name)))


def test_a_privileged_container_may_mount(live: Live) -> None:
    """Also where the engine cannot give all capabilities: then it gets all the others."""
    name = live.run(pod(securityContext={"privileged": True}))
    assert (
        live.sh(name, "mkdir -p /tmp/m && mount -t tmpfs none /tmp/m && grep -c ' /tmp/m ' /proc/mounts") == "1\n"
    )


def test_memory_is_limited_and_running_out_is_told(live: Live) -> None:
    spec = pod("x=a; while true; do x=$x$x; done", resources={"limits": {"memory": "20Mi"}})
    name = live.start(spec | {"restartPolicy": "Never"})
    live.kubectl("wait", "--for=jsonpath={.status.phase}=Failed", f"pod/{name}", "--timeout=20s")
    ended = live.state(name)["state"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_processor_time_is_shared_and_limited(live: Live) -> None:
    name = live.run(pod(resources={"limits": {"cpu": "500m"}, "requests": {"cpu": "250m"}}))
    here = "cd /sys/fs/cgroup; cat cpu/cpu.cfs_quota_us cpu/cpu.shares 2>/dev/null || cat cpu.max"
    assert live.sh(name, here).split() in (["50000", "1280"], ["50000", "100000"])
    assert live.get("pod", name)["status"]["qosClass"] == "Burstable"


def test_processes_are_shared_where_the_pod_asks_for_it(live: Live) -> None:
    spec = {"shareProcessNamespace": True, "containers": [container("sleep 4321"), container() | {"name": "other"}]}
    name = live.run(spec)
    assert "sleep 4321" in live.sh(name, "ps", container="other")


def test_host_names_hosts_and_resolver(live: Live) -> None:
    spec = pod() | {
        "hostname": "web",
        "subdomain": "sites",
        "hostAliases": [{"ip": "10.9.8.7", "hostnames": ["docker", "db"]}],
        "dnsConfig": {"searches": ["example.com"], "options": [{"name": "timeout", "value": "1"}]},
    }
    name = live.run(spec)
    hosts = live.sh(name, "cat /etc/hosts")
    assert hosts.startswith("# Kubernetes-managed hosts file.\n")
    assert "\tweb.sites.default.svc.cluster.local\tweb\n" in hosts
    assert "\n# Entries added by HostAliases.\n10.9.8.7\tdocker\tdb\n" in hosts
    resolver = live.sh(name, "cat /etc/resolv.conf; hostname")
    assert "search default.svc.cluster.local svc.cluster.local cluster.local" in resolver
    assert " example.com\n" in resolver
    assert resolver.endswith("options ndots:5 timeout:1\nweb\n")


def test_names_are_asked_of_the_cluster_or_of_the_engine_as_the_policy_says(live: Live) -> None:
    ours = live.run(pod())
    assert live.get("service", "kubernetes")["spec"]["clusterIP"] in live.sh(
        ours, "nslookup kubernetes.default.svc.cluster.local"
    )
    engines = live.run(pod() | {"dnsPolicy": "Default"})
    node = live.get("pod", engines)["status"]["hostIP"]
    assert node in live.sh(engines, f"nslookup shipline-{live.name}-node")


def test_a_pod_on_the_node_s_network_has_the_node_s_address(live: Live) -> None:
    name = live.run(pod() | {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"})
    status = live.get("pod", name)["status"]
    assert status["podIP"] == status["hostIP"]
    assert live.sh(name, "hostname; grep -c ^nameserver /etc/resolv.conf") == f"{live.name}\n1\n"
