"""Volumes: what containers find in them, and what happens when it changes."""

import pytest
from tests.cluster.live import Live, container, pod

pytestmark = pytest.mark.engine


def test_containers_share_an_empty_directory_that_everybody_may_write_to(live: Live) -> None:
    mount = {"name": "shared", "mountPath": "/shared"}
    spec = {
        "volumes": [{"name": "shared", "emptyDir": {}}],
        "initContainers": [container("echo from-init >/shared/f", volumeMounts=[mount]) | {"name": "init"}],
        "containers": [container(volumeMounts=[mount], securityContext={"runAsUser": 1000})],
    }
    name = live.run(spec)
    assert live.sh(name, "cat /shared/f; echo mine >/shared/g; stat -c %a /shared") == "from-init\n777\n"


def test_an_empty_directory_in_memory_has_its_size(live: Live) -> None:
    spec = pod(volumeMounts=[{"name": "m", "mountPath": "/m"}])
    spec["volumes"] = [{"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}]
    name = live.run(spec)
    assert "tmpfs" in live.sh(name, "grep ' /m ' /proc/mounts")
    assert (
        "No space left"
        in live.attempt("exec", name, "--", "dd", "if=/dev/zero", "of=/m/f", "bs=1M", "count=2").stderr
    )


def test_config_maps_and_secrets_appear_as_files_and_follow_their_objects(live: Live) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"a": "1", "b": "2"}}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "key"},
        "stringData": {"password": "s3cret"},
    }
    live.apply(config, secret)
    mounts = [
        {"name": "web", "mountPath": "/web"},
        {"name": "key", "mountPath": "/key", "readOnly": True},
        {"name": "web", "mountPath": "/etc/one.conf", "subPath": "b"},
        {"name": "some", "mountPath": "/some"},
    ]
    spec = pod(volumeMounts=mounts)
    spec["volumes"] = [
        {"name": "web", "configMap": {"name": "web"}},
        {"name": "key", "secret": {"secretName": "key", "defaultMode": 0o400}},
        {"name": "some", "configMap": {"name": "web", "items": [{"key": "a", "path": "deep/er", "mode": 0o600}]}},
    ]
    name = live.run(spec)
    assert (
        live.sh(name, "cat /web/a /web/b /key/password /etc/one.conf /some/deep/er; ls /some") == "12s3cret21deep\n"
    )
    assert (
        live.sh(name, "stat -L -c %a /key/password; grep ' /key ' /proc/mounts | cut -d' ' -f3") == "400\ntmpfs\n"
    )
    assert "Read-only" in live.attempt("exec", name, "--", "touch", "/key/x").stderr
    live.apply(config | {"data": {"a": "new"}})
    live.until(lambda: live.sh(name, "cat /web/a; ls /web") == "newa\n")
    assert live.sh(name, "cat /etc/one.conf") == "2"


def test_a_missing_config_map_is_told_and_waited_for(live: Live) -> None:
    spec = pod(volumeMounts=[{"name": "v", "mountPath": "/v"}])
    spec["volumes"] = [{"name": "v", "configMap": {"name": "late"}}]
    name = live.start(spec)
    message = 'FailedMount: MountVolume.SetUp failed for volume "v" : configmap "late" not found'
    live.until(lambda: message in live.events(name))
    assert live.state(name)["state"] == {"waiting": {"reason": "ContainerCreating"}}
    live.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}, "data": {"a": "1"}})
    live.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=20s")


def test_volumes_that_the_cluster_does_not_have_are_refused_by_name(live: Live) -> None:
    spec = pod(volumeMounts=[{"name": "v", "mountPath": "/v"}])
    spec["volumes"] = [{"name": "v", "persistentVolumeClaim": {"claimName": "disk"}}]
    name = live.start(spec)
    live.until(
        lambda: any("volumes of type persistentVolumeClaim are not supported" in e for e in live.events(name))
    )
    live.kubectl("delete", "pod", name)


def test_a_path_of_the_host_is_bound_and_its_type_checked(live: Live, tmp_path) -> None:
    (tmp_path / "f").write_text("from the host")
    mounts = [{"name": "h", "mountPath": "/h", "readOnly": True}, {"name": "l", "mountPath": "/etc/localtime"}]
    spec = pod(volumeMounts=mounts)
    spec["volumes"] = [
        {"name": "h", "hostPath": {"path": str(tmp_path), "type": "Directory"}},
        {"name": "l", "hostPath": {"path": "/etc/localtime"}},
    ]
    assert live.sh(live.run(spec), "cat /h/f") == "from the host"
    spec["volumes"][0]["hostPath"]["type"] = "File"
    name = live.start(spec)
    live.until(lambda: any(f"hostPath type check failed: {tmp_path} is not a file" in e for e in live.events(name)))


def test_parts_of_an_empty_directory_are_mounted_by_sub_path(live: Live) -> None:
    mounts = [
        {"name": "d", "mountPath": "/a", "subPath": "logs"},
        {"name": "d", "mountPath": "/b", "subPathExpr": "$(POD)"},
        {"name": "d", "mountPath": "/all"},
    ]
    env = [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    spec = pod(volumeMounts=mounts, env=env, securityContext={"runAsUser": 1000})
    spec["volumes"] = [{"name": "d", "emptyDir": {}}]
    name = live.run(spec)
    assert live.sh(name, "touch /a/x /b/y; cd /all; find . -type f | sort") == f"./logs/x\n./{name}/y\n"


def test_a_group_of_the_pod_owns_its_volumes(live: Live) -> None:
    spec = pod(volumeMounts=[{"name": "d", "mountPath": "/d"}])
    spec |= {"volumes": [{"name": "d", "emptyDir": {}}], "securityContext": {"fsGroup": 2000, "runAsUser": 1000}}
    name = live.run(spec)
    assert live.sh(name, "touch /d/f; stat -c '%g %a' /d; stat -c %g /d/f; id -G") == "2000 2777\n2000\n0 2000\n"
    assert live.sh(name, "cat /var/run/secrets/kubernetes.io/serviceaccount/namespace") == "default"


def test_the_pod_reads_about_itself(live: Live) -> None:
    items = [
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {"path": "cpu", "resourceFieldRef": {"containerName": "c", "resource": "limits.cpu", "divisor": "1m"}},
    ]
    spec = pod(volumeMounts=[{"name": "i", "mountPath": "/i"}], resources={"limits": {"cpu": "250m"}})
    spec["volumes"] = [{"name": "i", "downwardAPI": {"items": items}}]
    name = live.run(spec, labels={"app": "web"})
    assert live.sh(name, "cat /i/labels; echo; cat /i/cpu") == 'app="web"\n250'
    live.kubectl("label", "pod", name, "tier=front")
    live.until(lambda: 'tier="front"' in live.sh(name, "cat /i/labels"))


def test_an_empty_directory_that_outgrows_its_limit_ends_the_pod(live: Live) -> None:
    spec = pod("dd if=/dev/zero of=/d/f bs=1M count=3; sleep 1000", volumeMounts=[{"name": "d", "mountPath": "/d"}])
    name = live.start(spec | {"volumes": [{"name": "d", "emptyDir": {"sizeLimit": "1Mi"}}]})
    live.kubectl("wait", "--for=jsonpath={.status.phase}=Failed", f"pod/{name}", "--timeout=30s")
    status = live.get("pod", name)["status"]
    assert (status["reason"], status["message"]) == (
        "Evicted",
        'Usage of EmptyDir volume "d" exceeds the limit "1Mi". ',
    )
