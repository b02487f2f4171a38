"""What the API adds to objects, what it gives out, and what it refuses, in Kubernetes' words."""

from typing import Any

import pytest

from shipline.cluster.api.machinery import Api, ApiError


@pytest.fixture
def api() -> Api:
    api = Api(service_network="10.99.0.0/24")
    api.create("namespaces", None, {"metadata": {"name": "default"}})
    api.create(
        "serviceaccounts", "default", {"metadata": {"name": "default"}, "imagePullSecrets": [{"name": "pull"}]}
    )
    return api


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "busybox"}], **spec}}


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}


def test_a_pod_gets_account_token_pull_secret_and_tolerations(api: Api) -> None:
    spec = api.create("pods", "default", pod())["spec"]
    (mount,) = spec["containers"][0]["volumeMounts"]
    assert mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
    assert spec["volumes"][0]["name"] == mount["name"]
    assert (spec["serviceAccountName"], spec["imagePullSecrets"]) == ("default", [{"name": "pull"}])
    assert [t["key"] for t in spec["tolerations"]] == [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ]


def test_a_pod_that_wants_no_token_gets_none(api: Api) -> None:
    spec = api.create("pods", "default", pod(automountServiceAccountToken=False))["spec"]
    assert "volumes" not in spec


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"containers": []}, 'Pod "p" is invalid: spec.containers: Required value'),
        ({"restartPolicy": "Sometimes"}, 'supported values: "Always", "Never", "OnFailure"'),
        ({"volumes": [{"name": "v"}, {"name": "v"}]}, 'spec.volumes[1].name: Duplicate value: "v"'),
        (
            {"containers": [{"name": "c", "image": "i", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]},
            'spec.containers[0].volumeMounts[0].name: Not found: "v"',
        ),
        (
            {"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 99999}]}]},
            "spec.containers[0].ports[0].containerPort: Invalid value: 99999: must be between 1 and 65535",
        ),
        (
            {
                "containers": [
                    {"name": "c", "image": "i", "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}
                ]
            },
            'containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
        ),
        (
            {"initContainers": [{"name": "i", "image": "i", "livenessProbe": {"exec": {"command": ["true"]}}}]},
            "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without "
            "restartPolicy=Always",
        ),
        (
            {"containers": [{"name": "c", "image": "i", "readinessProbe": {"periodSeconds": 1}}]},
            "spec.containers[0].readinessProbe: Required value: must specify a handler type",
        ),
        (
            {"serviceAccountName": "missing"},
            'error looking up service account default/missing: serviceaccount "missing"',
        ),
    ],
)
def test_pods_that_are_refused(api: Api, spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError) as refusal:
        api.create("pods", "default", pod(**spec))
    assert message in refusal.value.message


def test_of_a_pods_spec_only_the_image_changes(api: Api) -> None:
    api.create("pods", "default", pod())
    api.patch("pods", "default", "p", {"spec": {"containers": [{"name": "c", "image": "other"}]}})
    with pytest.raises(ApiError, match="pod updates may not change fields other than"):
        api.patch("pods", "default", "p", {"spec": {"hostNetwork": True}})


def test_services_get_addresses_and_keep_them(api: Api) -> None:
    first = api.create("services", "default", service("a", type="NodePort"))["spec"]
    assert first["clusterIP"].startswith("10.99.0.") and first["clusterIPs"] == [first["clusterIP"]]
    assert 30000 <= first["ports"][0]["nodePort"] <= 32767
    again = api.patch("services", "default", "a", {"spec": {"ports": [{"port": 80, "targetPort": 8080}]}})["spec"]
    assert (again["clusterIP"], again["ports"][0]["nodePort"]) == (
        first["clusterIP"],
        first["ports"][0]["nodePort"],
    )
    with pytest.raises(ApiError, match="may not change once set"):
        api.patch("services", "default", "a", {"spec": {"clusterIP": "10.99.0.77", "clusterIPs": ["10.99.0.77"]}})


def test_addresses_run_out_and_come_back(api: Api) -> None:
    for number in range(254):
        api.create("services", "default", service(f"s{number}"))
    with pytest.raises(ApiError, match="range is full"):
        api.create("services", "default", service("one-too-many"))
    api.delete("services", "default", "s7")
    api.create("services", "default", service("fits"))


def test_a_node_port_is_given_once(api: Api) -> None:
    ports = [{"port": 80, "nodePort": 30195}]
    api.create("services", "default", service("one", type="NodePort", ports=ports))
    with pytest.raises(ApiError) as refusal:
        api.create("services", "default", service("two", type="NodePort", ports=ports))
    assert refusal.value.message == (
        'Service "two" is invalid: spec.ports[0].nodePort: Invalid value: 30195: provided port is already allocated'
    )


def test_changing_a_service_to_cluster_ip_frees_its_node_port(api: Api) -> None:
    ports = [{"port": 80, "nodePort": 30195}]
    api.create("services", "default", service("one", type="NodePort", ports=ports))
    changed = api.patch("services", "default", "one", {"spec": {"type": "ClusterIP"}}, "merge")
    assert "nodePort" not in changed["spec"]["ports"][0]
    api.create("services", "default", service("two", type="NodePort", ports=ports))


def test_a_node_port_without_its_type_is_refused(api: Api) -> None:
    with pytest.raises(ApiError, match="may not be used when `type` is 'ClusterIP'"):
        api.create("services", "default", service("one", ports=[{"port": 80, "nodePort": 30195}]))


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        (
            {"metadata": {"name": "Bad_Name"}},
            'metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain',
        ),
        (
            {"metadata": {"name": "m", "labels": {"a b": "c"}}},
            'metadata.labels: Invalid value: "a b": name part must',
        ),
        ({"metadata": {"name": "m"}, "data": {"..": ""}}, "data[..]: Invalid value: \"..\": must not be '..'"),
        ({"metadata": {}}, "metadata.name: Required value: name or generateName is required"),
        ({"metadata": {"name": "m"}, "dat": {}}, 'strict decoding error: unknown field "dat"'),
    ],
)
def test_config_maps_that_are_refused(api: Api, obj: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError) as refusal:
        api.create("configmaps", "default", obj)
    assert message in refusal.value.message


def test_what_is_immutable_stays(api: Api) -> None:
    api.create("configmaps", "default", {"metadata": {"name": "m"}, "immutable": True, "data": {"a": "1"}})
    with pytest.raises(ApiError, match="data: Forbidden: field is immutable when `immutable` is set"):
        api.patch("configmaps", "default", "m", {"data": {"a": "2"}})


def test_a_namespace_that_goes_takes_nothing_new(api: Api) -> None:
    api.create("namespaces", None, {"metadata": {"name": "team"}})
    api.delete("namespaces", None, "team")
    assert api.get("namespaces", None, "team")["status"]["phase"] == "Terminating"
    with pytest.raises(ApiError, match="because it is being terminated"):
        api.create("configmaps", "team", {"metadata": {"name": "m"}})
    with pytest.raises(ApiError, match='namespaces "nowhere" not found'):
        api.create("configmaps", "nowhere", {"metadata": {"name": "m"}})


def test_status_and_spec_change_by_their_own_paths(api: Api) -> None:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": pod()["spec"]}
    made = api.create(
        "deployments.apps",
        "default",
        {
            "metadata": {"name": "web"},
            "spec": {"selector": {"matchLabels": labels}, "template": template},
            "status": {"replicas": 7},
        },
    )
    assert (made["status"], made["metadata"]["generation"]) == ({}, 1)
    made["spec"]["replicas"], made["status"] = 5, {"replicas": 5}
    reported = api.update_status("deployments.apps", "default", made)
    assert (reported["spec"]["replicas"], reported["status"], reported["metadata"]["generation"]) == (
        1,
        {"replicas": 5},
        1,
    )
    reported["spec"]["replicas"], reported["status"] = 5, {}
    scaled = api.update("deployments.apps", "default", reported)
    assert (scaled["spec"]["replicas"], scaled["status"], scaled["metadata"]["generation"]) == (
        5,
        {"replicas": 5},
        2,
    )
