"""Services: addresses, names and node ports that lead to pods."""

import socket
import urllib.request

import pytest
from tests.cluster.live import Live, pod

pytestmark = pytest.mark.engine

SERVE = "mkdir /w; hostname >/w/index.html; exec httpd -f -p 8080 -h /w"


def service(name: str, **spec: object) -> dict[str, object]:
    spec = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]} | spec
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def ask(live: Live, pod: str, host: str, port: int = 80) -> str:
    """The answer to a request from inside a pod; "" when there is none."""
    script = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 {host} {port} | tail -n 1"
    return live.attempt("exec", pod, "--", "sh", "-c", script).stdout


@pytest.fixture(scope="module")
def client(live: Live) -> str:
    return live.run(pod(), "client")


@pytest.fixture(scope="module")
def web(live: Live) -> list[str]:
    ready = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    names = [live.start(pod(SERVE, readinessProbe=ready), f"web-{i}", labels={"app": "web"}) for i in range(2)]
    live.apply(service("web", type="NodePort"))
    for name in names:
        live.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=30s")
    return names


def test_a_service_s_address_leads_to_all_its_pods(live: Live, client: str, web: list[str]) -> None:
    address = live.get("service", "web")["spec"]["clusterIP"]
    live.until(lambda: ask(live, client, address))
    assert live.until(lambda: {ask(live, client, address).strip() for _ in range(8)} == set(web))
    # A pod reaches itself by its own Service, too.
    assert {ask(live, web[0], address).strip() for _ in range(8)} == set(web)


def test_services_have_names(live: Live, client: str, web: list[str]) -> None:
    address = live.get("service", "web")["spec"]["clusterIP"]
    for name in ("web.default.svc.cluster.local", "kubernetes.default.svc.cluster.local"):
        assert "can't" not in live.sh(client, f"nslookup {name}")
    assert address in live.sh(client, "nslookup web.default.svc.cluster.local")
    unknown = live.attempt("exec", client, "--", "nslookup", "nothing.default.svc.cluster.local")
    assert "NXDOMAIN" in unknown.stdout + unknown.stderr


def test_a_node_port_answers_on_this_machine_and_on_the_node(live: Live, client: str, web: list[str]) -> None:
    port = live.get("service", "web")["spec"]["ports"][0]["nodePort"]

    def here() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return answer.read().decode().strip()

    assert {here() for _ in range(4)} == set(web)
    node = live.get("node", live.name)["status"]["addresses"][0]["address"]
    assert ask(live, client, node, port).strip() in web


def test_a_backend_that_refuses_is_passed_over(live: Live) -> None:
    """A pod without a readiness probe counts as ready before it listens."""
    live.run(pod(SERVE, ports=[{"containerPort": 8080}]), "good", labels={"app": "mixed"})
    live.run(pod(), "deaf", labels={"app": "mixed"})
    live.apply(service("mixed", type="NodePort"))
    port = live.get("service", "mixed")["spec"]["ports"][0]["nodePort"]

    def good() -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return answer.read() == b"good\n"

    def opened() -> bool:
        try:
            return good()
        except OSError:
            return False

    live.until(opened)
    assert all(good() for _ in range(6))


def test_a_service_without_pods_refuses_at_once(live: Live, client: str) -> None:
    live.apply(service("nobody"))
    address = live.get("service", "nobody")["spec"]["clusterIP"]
    script = f"nc -w 5 {address} 80 </dev/null"
    live.until(lambda: "refused" in live.attempt("exec", client, "--", "sh", "-c", script).stderr)


def test_a_client_stays_with_its_pod_where_the_service_says_so(live: Live, client: str, web: list[str]) -> None:
    live.apply(service("sticky", selector={"app": "web"}, sessionAffinity="ClientIP"))
    address = live.get("service", "sticky")["spec"]["clusterIP"]
    live.until(lambda: ask(live, client, address))
    assert len({ask(live, client, address) for _ in range(8)}) == 1


def test_a_headless_service_names_its_pods(live: Live, client: str) -> None:
    live.apply(service("sites", clusterIP="None"))
    one = live.run(pod() | {"hostname": "one", "subdomain": "sites"}, labels={"app": "sites"})
    address = live.get("pod", one)["status"]["podIP"]
    for name in ("sites.default.svc.cluster.local", "one.sites.default.svc.cluster.local"):
        live.until(lambda name=name: address in live.attempt("exec", client, "--", "nslookup", name).stdout)


def test_pods_reach_the_api_with_their_token(live: Live) -> None:
    script = (
        "cd /var/run/secrets/kubernetes.io/serviceaccount; "
        "(printf 'GET /version HTTP/1.0\\r\\nAuthorization: Bearer %s\\r\\n\\r\\n' $(cat token); sleep 1) | "
        "socat - OPENSSL:kubernetes.default.svc.cluster.local:443,cafile=ca.crt"
    )
    spec = pod()
    spec["containers"][0]["image"] = "shipline/node"
    assert "gitVersion" in live.sh(live.run(spec), script)


def test_a_node_port_that_is_taken_is_told(live: Live) -> None:
    for port in range(30500, 30600):
        try:
            taken = socket.create_server(("127.0.0.1", port))
            break
        except OSError:
            continue
    with taken:
        live.apply(service("late", type="NodePort", ports=[{"port": 80, "nodePort": port}]))
        text = f"NodePortUnavailable: node port {port} cannot be opened on 127.0.0.1: "
        live.until(lambda: any(event.startswith(text) for event in live.events("late")))


def test_what_is_not_supported_of_a_service_is_told(live: Live) -> None:
    live.apply(service("outside", externalIPs=["192.0.2.7"]))
    text = "NotSupported: externalIPs is not supported by this cluster"
    live.until(lambda: text in live.events("outside"))


def test_a_port_of_the_host_leads_to_its_pod(live: Live) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    live.run(pod(SERVE, ports=[{"containerPort": 8080, "hostPort": port}]), "by-host-port")

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                return answer.read() == b"by-host-port\n"
        except OSError:
            return False

    live.until(answers)
