"""Fields that the node does not honour are named."""

from shipline.cluster.kubelet.unhonoured import unhonoured


def test_an_ordinary_pod_is_honoured_as_a_whole() -> None:
    sidecar = {"name": "s", "image": "x", "restartPolicy": "Always"}
    mount = {"name": "v", "mountPath": "/v", "readOnly": True, "recursiveReadOnly": "Disabled"}
    container = {"name": "c", "image": "x", "volumeMounts": [mount]}
    assert unhonoured({"spec": {"initContainers": [sidecar], "containers": [container], "hostUsers": True}}) == []


def test_what_is_ignored_is_named_by_its_path() -> None:
    container = {"name": "c", "restartPolicy": "Never", "volumeDevices": [{"name": "d", "devicePath": "/dev/x"}]}
    spec = {"containers": [container], "hostUsers": False, "resources": {"limits": {"cpu": "1"}}}
    assert unhonoured({"spec": spec}) == [
        "spec.containers[c].restartPolicy",
        "spec.containers[c].volumeDevices",
        "spec.hostUsers",
        "spec.resources",
    ]
