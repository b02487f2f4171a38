"""What a user does with kubectl, against a real server."""

import json

from tests.cluster.api.conftest import Cluster


async def test_a_new_cluster_answers(cluster: Cluster) -> None:
    assert (await cluster.kubectl("kubectl version"))[1].splitlines()[-1] == "Server Version: v1.36.2"
    _, output, _ = await cluster.kubectl("kubectl get ns,svc --no-headers | cut -d' ' -f1")
    assert output.split() == [
        "namespace/default",
        "namespace/kube-node-lease",
        "namespace/kube-public",
        "namespace/kube-system",
        "service/kubernetes",
    ]


async def test_the_idempotent_pull_secret(cluster: Cluster) -> None:
    make = (
        "kubectl create secret docker-registry acr-secret --docker-server=private-registry.example.com "
        "--docker-username=robot --docker-password={} --dry-run=client -o yaml | kubectl apply -f -"
    )
    said = [(await cluster.kubectl(make.format(p)))[1] for p in ("one", "one", "two")]
    assert said == [f"secret/acr-secret {word}\n" for word in ("created", "unchanged", "configured")]


async def test_objects_sent_as_protobuf(cluster: Cluster) -> None:
    made = await cluster.kubectl("kubectl create configmap settings --from-literal=mode=fast")
    assert made == (0, "configmap/settings created\n", "")
    assert cluster.api.get("configmaps", "default", "settings")["data"] == {"mode": "fast"}
    _, output, errors = await cluster.kubectl("kubectl describe configmap settings")
    assert errors == "" and "mode:\n----\nfast" in output


async def test_a_deployment_reads_back_with_defaults(cluster: Cluster) -> None:
    assert (await cluster.kubectl("kubectl create deployment web --image=busybox:1.36 --replicas=2"))[2] == ""
    _, output, _ = await cluster.kubectl("kubectl get deployment web -o json")
    spec = json.loads(output)["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": "25%", "maxUnavailable": "25%"}
    assert (await cluster.kubectl("kubectl scale deployment web --replicas=3"))[1] == "deployment.apps/web scaled\n"
    assert (await cluster.kubectl("kubectl get deployment web --no-headers"))[1].split()[:2] == ["web", "0/3"]


async def test_waiting_for_a_deletion(cluster: Cluster) -> None:
    await cluster.kubectl("kubectl create configmap gone; kubectl run p --image=busybox")
    deleted = await cluster.kubectl("kubectl delete configmap/gone pod/p")
    assert deleted == (
        0,
        'configmap "gone" deleted from default namespace\npod "p" deleted from default namespace\n',
        "",
    )


async def test_events_by_both_names(cluster: Cluster) -> None:
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "reason": "Started",
        "message": "the container has started",
        "type": "Normal",
    }
    cluster.api.create("events", "default", event)
    for name in ("events", "events.events.k8s.io"):
        _, output, errors = await cluster.kubectl(f"kubectl get {name} --no-headers")
        assert errors == "" and output.split()[1:4] == ["Normal", "Started", "pod/p"]
    note = "kubectl get events.events.k8s.io e -o jsonpath={.note}"
    assert (await cluster.kubectl(note))[1] == "the container has started"


async def test_a_watching_kubectl_sees_changes(cluster: Cluster) -> None:
    command = (
        "kubectl get configmaps -w > seen & pid=$!; "
        "for i in $(seq 50); do test -s seen && break; sleep 0.1; done; "
        "kubectl create configmap a --from-literal=x=y; "
        "for i in $(seq 50); do grep -q ^a seen && break; sleep 0.1; done; kill $pid; cat seen"
    )
    await cluster.kubectl("kubectl create configmap first")
    _, output, _ = await cluster.kubectl(command)
    assert [line.split()[:2] for line in output.splitlines()[1:]] == [["NAME", "DATA"], ["first", "0"], ["a", "1"]]


async def test_rights_cannot_be_given_by_those_who_have_none(cluster: Cluster) -> None:
    await cluster.kubectl("kubectl create serviceaccount limited")
    await cluster.kubectl("kubectl create role maker --verb=create --resource=roles,rolebindings")
    await cluster.kubectl("kubectl create rolebinding makes --role=maker --serviceaccount=default:limited")
    attempt = "kubectl create role greedy --verb=get --resource=secrets --as=system:serviceaccount:default:limited"
    code, _, errors = await cluster.kubectl(attempt)
    assert code == 1
    assert "is attempting to grant RBAC permissions not currently held" in errors


async def test_a_patch_that_makes_nonsense_is_refused(cluster: Cluster) -> None:
    await cluster.kubectl("kubectl create deployment web --image=busybox:1.36")
    code, _, errors = await cluster.kubectl('kubectl patch deployment web -p \'{"spec":{"replicas":"two"}}\'')
    assert code == 1
    assert "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32" in errors


async def test_draining_a_node_evicts_its_pods(cluster: Cluster) -> None:
    cluster.api.create("nodes", None, {"metadata": {"name": "n"}})
    await cluster.kubectl("kubectl run p --image=busybox")
    cluster.api.bind("default", "p", "n")
    code, _, _ = await cluster.kubectl("kubectl drain n --force --timeout=1s")
    assert code == 1  # No kubelet ends the pod here.
    assert cluster.api.get("nodes", None, "n")["spec"]["unschedulable"] is True
    assert "deletionTimestamp" in cluster.api.get("pods", "default", "p")["metadata"]


async def test_a_scale_as_a_row(cluster: Cluster) -> None:
    await cluster.kubectl("kubectl create deployment web --image=busybox:1.36 --replicas=2")
    _, output, _ = await cluster.kubectl("kubectl get deployment web --subresource=scale --no-headers")
    assert output.split()[:3] == ["web", "2", "0"]
