"""Which pods a Service sends requests to, as EndpointSlices and as Endpoints."""

from tests.cluster.conftest import container, pod

SLICES = "endpointslices.discovery.k8s.io"


def service(name="web", **spec):
    ports = [{"port": 80, "targetPort": 8080}]
    return {"metadata": {"name": name}, "spec": {"selector": {"app": "web"}, "ports": ports, **spec}}


def slices(world, name="web"):
    return world.api.list(SLICES, "default", f"kubernetes.io/service-name={name}")


def conditions(world, name="web"):
    """Pod name -> its conditions in the slices."""
    return {
        endpoint["targetRef"]["name"]: endpoint["conditions"]
        for slice in slices(world, name)
        for endpoint in slice.get("endpoints") or []
    }


async def add_pod(world, name="p", ready=True, **spec):
    world.api.create("pods", "default", pod(name, {"app": "web"}, **spec))
    await world.settle()
    world.run(world.api.get("pods", "default", name), ready)
    await world.settle()


async def test_a_service_without_pods_has_an_empty_slice(world):
    world.api.create("services", "default", service())
    await world.settle()
    (empty,) = slices(world)
    assert not empty.get("endpoints")
    assert empty["metadata"]["name"].startswith("web-")
    assert empty["metadata"]["labels"] == {
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "kubernetes.io/service-name": "web",
    }
    assert world.api.get("endpoints", "default", "web")["metadata"]["labels"] == {
        "endpoints.kubernetes.io/managed-by": "endpoint-controller"
    }


async def test_a_ready_pod_takes_requests_and_an_unready_one_does_not(world):
    world.api.create("services", "default", service())
    await add_pod(world, "p")
    await add_pod(world, "q", ready=False)
    assert conditions(world) == {
        "p": {"ready": True, "serving": True, "terminating": False},
        "q": {"ready": False, "serving": False, "terminating": False},
    }
    (subset,) = world.api.get("endpoints", "default", "web")["subsets"]
    assert [one["targetRef"]["name"] for one in subset["addresses"]] == ["p"]
    assert [one["targetRef"]["name"] for one in subset["notReadyAddresses"]] == ["q"]
    assert subset["ports"] == [{"port": 8080, "protocol": "TCP"}]


async def test_a_pod_that_is_told_to_go_takes_no_more_requests(world):
    world.api.create("services", "default", service())
    await add_pod(world)
    world.api.delete("pods", "default", "p", grace_period=30)
    await world.settle()
    assert conditions(world) == {"p": {"ready": False, "serving": True, "terminating": True}}
    assert not world.api.get("endpoints", "default", "web").get("subsets")
    world.end(world.api.get("pods", "default", "p"))
    await world.settle()
    assert conditions(world) == {}


async def test_who_publishes_unready_addresses_gets_all(world):
    world.api.create("services", "default", service(publishNotReadyAddresses=True))
    await add_pod(world, ready=False)
    assert conditions(world)["p"]["ready"] is True
    (subset,) = world.api.get("endpoints", "default", "web")["subsets"]
    assert len(subset["addresses"]) == 1


async def test_a_port_name_is_looked_up_in_each_pod(world):
    world.api.create("services", "default", service(ports=[{"name": "http", "port": 80, "targetPort": "web"}]))
    for name, number in (("p", 8080), ("q", 9090)):
        named = [container(ports=[{"name": "web", "containerPort": number}])]
        await add_pod(world, name, containers=named)
    assert sorted(slice["ports"][0]["port"] for slice in slices(world)) == [8080, 9090]
    assert {slice["ports"][0]["name"] for slice in slices(world)} == {"http"}


async def test_a_headless_service_is_marked_and_names_its_pods(world):
    world.api.create("services", "default", service(clusterIP="None"))
    await add_pod(world, hostname="one", subdomain="web")
    (slice,) = slices(world)
    assert slice["metadata"]["labels"]["service.kubernetes.io/headless"] == ""
    assert slice["endpoints"][0]["hostname"] == "one"


async def test_a_pod_that_changes_its_label_leaves_and_joins(world):
    world.api.create("services", "default", service())
    await add_pod(world)
    world.api.patch("pods", "default", "p", {"metadata": {"labels": {"app": "other"}}}, "merge")
    await world.settle()
    assert conditions(world) == {}
    world.api.patch("pods", "default", "p", {"metadata": {"labels": {"app": "web"}}}, "merge")
    await world.settle()
    assert list(conditions(world)) == ["p"]


async def test_a_slice_that_somebody_removes_comes_back(world):
    world.api.create("services", "default", service())
    await world.settle()
    world.api.delete(SLICES, "default", slices(world)[0]["metadata"]["name"])
    await world.settle()
    assert len(slices(world)) == 1


async def test_everything_goes_with_the_service(world):
    world.api.create("services", "default", service())
    await world.settle()
    world.api.delete("services", "default", "web")
    await world.settle()
    assert slices(world) == []
    assert not [one for one in world.api.list("endpoints", "default") if one["metadata"]["name"] == "web"]


async def test_a_hundred_pods_fill_a_slice(world):
    world.api.create("services", "default", service())
    for number in range(101):
        world.api.create("pods", "default", pod(f"p{number:03}", {"app": "web"}))
        world.run(world.api.get("pods", "default", f"p{number:03}"))
    await world.settle()
    assert sorted(len(slice["endpoints"]) for slice in slices(world)) == [1, 100]


async def test_endpoints_made_by_hand_are_mirrored(world):
    world.api.create("services", "default", {"metadata": {"name": "db"}, "spec": {"ports": [{"port": 5432}]}})
    subset = {"addresses": [{"ip": "192.0.2.9"}], "ports": [{"port": 5432}]}
    world.api.create("endpoints", "default", {"metadata": {"name": "db"}, "subsets": [subset]})
    await world.settle()
    (mirror,) = slices(world, "db")
    assert mirror["endpoints"] == [{"addresses": ["192.0.2.9"], "conditions": {"ready": True}}]
    assert mirror["ports"] == [{"name": "", "port": 5432, "protocol": "TCP"}]
    world.api.delete("endpoints", "default", "db")
    await world.settle()
    assert slices(world, "db") == []
