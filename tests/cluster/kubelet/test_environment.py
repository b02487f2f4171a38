"""References in values, and the links to Services."""

import pytest

from shipline.cluster.api.machinery import Api
from shipline.cluster.kubelet.environment import (
    Circumstances,
    ConfigurationError,
    expand,
    field_value,
    resource_value,
)

HERE = Circumstances("10.1.0.7", "10.1.0.2", {"cpu": "2", "memory": "4Gi"})


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)-2", "1-2"),
        ("$$(A)", "$(A)"),
        ("$(NONE) $A ${A}", "$(NONE) $A ${A}"),
        ("$(A)$(A)", "11"),
        ("100%$", "100%$"),
    ],
)
def test_references_are_replaced(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1"}) == expanded


def test_fields_of_the_pod() -> None:
    metadata = {"name": "web", "namespace": "default", "uid": "u", "labels": {"b": 'q"', "a": "1"}}
    pod = {"metadata": metadata, "spec": {"nodeName": "n"}}
    assert field_value(pod, "metadata.labels", HERE) == 'a="1"\nb="q\\""'
    assert field_value(pod, "metadata.labels['a']", HERE) == "1"
    assert field_value(pod, "status.hostIP", HERE) == "10.1.0.2"
    with pytest.raises(ConfigurationError, match=r"unsupported fieldPath: spec\.volumes"):
        field_value(pod, "spec.volumes", HERE)


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ({"resource": "limits.cpu"}, "1"),
        ({"resource": "limits.cpu", "divisor": "1m"}, "500"),
        ({"resource": "limits.memory", "divisor": "1Mi"}, "4096"),
        ({"resource": "requests.memory"}, "0"),
    ],
)
def test_resources_of_a_container(reference: dict[str, str], value: str) -> None:
    container = {"name": "c", "resources": {"limits": {"cpu": "500m"}}}
    pod = {"spec": {"containers": [container]}}
    assert resource_value(pod, container, reference, HERE) == value


async def test_services_become_variables() -> None:
    from shipline.cluster.kubelet.environment import service_links

    api = Api()
    api.create("namespaces", None, {"metadata": {"name": "default"}})
    ports = [{"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}]
    made = api.create("services", "default", {"metadata": {"name": "my-web"}, "spec": {"ports": ports}})
    address = made["spec"]["clusterIP"]
    links = service_links(api, {"metadata": {"namespace": "default"}, "spec": {}})
    assert links["MY_WEB_SERVICE_HOST"] == address
    assert links["MY_WEB_SERVICE_PORT"] == links["MY_WEB_SERVICE_PORT_HTTP"] == "80"
    assert links["MY_WEB_PORT"] == links["MY_WEB_PORT_80_TCP"] == f"tcp://{address}:80"
    assert links["MY_WEB_PORT_53_UDP_PROTO"] == "udp"
    api.close()
