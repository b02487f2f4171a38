"""Server-side apply and managedFields: owners, conflicts, what goes when nobody wants it."""

from typing import Any

import pytest

from shipline.cluster.api.call import Call
from shipline.cluster.api.machinery import Api, ApiError


@pytest.fixture
def api() -> Api:
    api = Api()
    api.create("namespaces", None, {"metadata": {"name": "default"}})
    return api


def apply(
    api: Api, obj: dict[str, Any], manager: str, force: bool = False, kind: str = "configmaps"
) -> dict[str, Any]:
    call = Call(manager=manager, force=force)
    return api.patch(kind, "default", obj["metadata"]["name"], obj, "apply", call=call)


def config_map(**data: str) -> dict[str, Any]:
    return {"metadata": {"name": "m"}, "data": data}


def deployment(**container: Any) -> dict[str, Any]:
    labels = {"app": "web"}
    spec = {"containers": [{"name": "c", "image": "busybox:1.36", **container}]}
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": labels}, "template": template}}


def test_a_field_of_another_manager_is_a_conflict(api: Api) -> None:
    apply(api, config_map(a="1"), "first")
    with pytest.raises(ApiError) as refusal:
        apply(api, config_map(a="2"), "second")
    assert refusal.value.message == 'Apply failed with 1 conflict: conflict with "first": .data.a'
    assert apply(api, config_map(a="2"), "second", force=True)["data"] == {"a": "2"}


def test_what_is_no_longer_said_goes_unless_another_says_it(api: Api) -> None:
    apply(api, config_map(a="1", b="2"), "first")
    apply(api, config_map(b="2", c="3"), "second")
    assert apply(api, config_map(), "first").get("data") == {"b": "2", "c": "3"}


def test_the_same_again_changes_nothing(api: Api) -> None:
    once = apply(api, deployment(), "first", kind="deployments.apps")
    assert apply(api, deployment(), "first", kind="deployments.apps") == once


def test_items_of_keyed_lists_have_their_own_owners(api: Api) -> None:
    apply(api, deployment(env=[{"name": "A", "value": "1"}]), "first", kind="deployments.apps")
    other = deployment(env=[{"name": "B", "value": "2"}])
    del other["spec"]["template"]["spec"]["containers"][0]["image"]
    both = apply(api, other, "second", kind="deployments.apps")
    container = both["spec"]["template"]["spec"]["containers"][0]
    assert [variable["name"] for variable in container["env"]] == ["A", "B"]
    without = apply(api, deployment(), "first", kind="deployments.apps")
    container = without["spec"]["template"]["spec"]["containers"][0]
    assert container["env"] == [{"name": "B", "value": "2"}]


def test_an_update_takes_over_what_it_changes(api: Api) -> None:
    apply(api, config_map(a="1", b="2"), "applier")
    api.patch("configmaps", "default", "m", {"data": {"b": "3"}}, "merge", call=Call(manager="editor"))
    entries = api.get("configmaps", "default", "m")["metadata"]["managedFields"]
    assert [(e["manager"], e["operation"], e["fieldsV1"]) for e in entries] == [
        ("applier", "Apply", {"f:data": {"f:a": {}}}),
        ("editor", "Update", {"f:data": {"f:b": {}}}),
    ]


def test_kubectl_takes_over_what_its_older_apply_wrote_and_nobody_changed(api: Api) -> None:
    last = {"kubectl.kubernetes.io/last-applied-configuration": '{"data": {"a": "1", "b": "1"}}'}
    written = {"metadata": {"name": "m", "annotations": last}, "data": {"a": "1", "b": "1"}}
    api.create("configmaps", "default", written, call=Call(manager="kubectl-client-side-apply"))
    with pytest.raises(ApiError, match="conflict with"):
        apply(api, config_map(a="2"), "another")
    assert apply(api, config_map(a="2"), "kubectl")["data"] == {"a": "2", "b": "1"}
    api.patch("configmaps", "default", "m", {"data": {"b": "by hand"}}, "merge", call=Call(manager="somebody"))
    with pytest.raises(ApiError, match=r'conflict with "somebody".*: \.data\.b'):
        apply(api, config_map(a="2", b="3"), "kubectl")
