"""What the cluster, the runner and the guide's jobs rely on in the images."""

import json
import subprocess
import time

import pytest
from tests.images.conftest import docker

from shipline.images import ensure

pytestmark = pytest.mark.engine


@pytest.fixture
async def made(engine):
    return lambda *names: ensure(engine, names)


def output(image, script, *options):
    return docker("run", "--rm", "--entrypoint", "sh", *options, image, "-c", script)


@pytest.mark.parametrize("name", ["pause", "node"])
async def test_the_waiting_images_end_at_once_when_asked(made, run, name):
    image = (await made(name))[name]
    container = run(image)
    began = time.monotonic()
    docker("stop", "--time", "10", container)
    assert time.monotonic() - began < 3
    assert docker("inspect", "--format", "{{.State.ExitCode}}", container) == "0"


async def test_pause_writes_the_resolver_settings_it_is_given(made, run):
    image = (await made("pause"))["pause"]
    settings = "nameserver 10.1.2.3\noptions ndots:5\n"
    container = run("--env", f"RESOLV_CONF={settings}", image)
    written = "for n in 1 2 3 4 5 6 7 8 9; do grep -q ndots /etc/resolv.conf && break; sleep 0.2; done"
    docker("exec", container, "sh", "-c", written)
    assert docker("exec", container, "cat", "/etc/resolv.conf") == settings.strip()


async def test_node_has_what_services_are_made_of(made):
    image = (await made("node"))["node"]
    rule = "iptables -t nat -A PREROUTING -p tcp -d 10.1.0.1 --dport 80 -j DNAT --to 10.2.0.2:8080"
    assert "10.2.0.2:8080" in output(image, f"{rule}; iptables -t nat -S", "--cap-add", "NET_ADMIN")
    assert "dnsmasq" in output(image, "command -v dnsmasq; command -v socat; command -v conntrack")


async def test_every_image_trusts_whom_the_host_trusts(made):
    from shipline.images import authorities

    certificates = [pem.decode().splitlines()[1] for pem in authorities.of_host().values()]
    for image in (await made("helper", "python-3.9-slim")).values():
        bundle = output(image, "cat /etc/ssl/certs/ca-certificates.crt")
        assert all(line in bundle for line in certificates)


async def test_the_job_images_have_the_guides_programs(made):
    images = await made("docker", "kubectl", "python-3.9-slim", "helper")
    for program in ("docker", "nc", "git"):
        assert output(images["docker"], f"command -v {program}")
    told = output(images["kubectl"], "X=seen; export X; kubectl version --client; echo '${X}' | envsubst")
    assert "Client Version: v1.37" in told and told.endswith("seen")
    assert output(images["python-3.9-slim"], "python --version; python -m pip --version").startswith("Python 3.9")
    assert "git-lfs" in output(images["helper"], "git lfs version")


CAPABILITIES = [
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
]
# As good as privileged, for machines that refuse that because they lack CAP_SYS_RESOURCE themselves.
NEARLY_PRIVILEGED = [
    *(word for name in CAPABILITIES for word in ("--cap-add", name)),
    *("--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"),
    *("--security-opt", "systempaths=unconfined", "--device-cgroup-rule", "a *:* rwm"),
    *("--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"),
]


def answers(container, *client):
    """Waits for the daemon in the container, as a client in the same container sees it."""
    for _ in range(150):
        done = subprocess.run(
            ["docker", "exec", container, "docker", *client, "info", "--format", "{{.Driver}}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0 and done.stdout.strip():
            return done.stdout.strip()
        time.sleep(0.2)
    raise AssertionError(docker("logs", container))


async def test_dind_without_certificates_and_without_being_privileged(made, run):
    image = (await made("dind"))["dind"]
    container = run(*NEARLY_PRIVILEGED, "--env", "DOCKER_TLS_CERTDIR=", image, "--tls=false")
    assert answers(container, "-H", "tcp://127.0.0.1:2375") == "overlay2"
    # An image from nothing but the container's own shell, built and run by the daemon inside.
    script = """
    mkdir /tmp/context && cd /tmp/context
    libraries=usr/lib/x86_64-linux-gnu
    tar -C / -cf base.tar bin lib lib64 usr/bin/sh usr/bin/dash usr/lib64 $libraries/libc.so.6 \\
        $libraries/ld-linux-x86-64.so.2
    printf '%s\\n' 'FROM scratch' 'ADD base.tar /' 'RUN echo built >/word' >Dockerfile
    docker build -q -t inner . >/dev/null
    docker run --rm inner sh -c 'read word </word; echo $word'
    """
    assert docker("exec", container, "sh", "-ec", script) == "built"
    began = time.monotonic()
    docker("stop", "--time", "20", container)
    assert time.monotonic() - began < 15


async def test_dind_makes_its_certificates(made, run):
    image = (await made("dind"))["dind"]
    container = run(*NEARLY_PRIVILEGED, image)
    secure = ["-H", "tcp://localhost:2376", "--tlsverify", "--tlscacert", "/certs/client/ca.pem"]
    secure += ["--tlscert", "/certs/client/cert.pem", "--tlskey", "/certs/client/key.pem"]
    assert answers(container, *secure) == "overlay2"
    refused = docker("exec", container, "docker", "-H", "tcp://localhost:2376", "info", check=False)
    assert "HTTP request to an HTTPS server" in refused


async def test_configurations_are_the_official_images_own(made):
    images = await made("dind", "docker", "python-3.9-slim")

    def config(name):
        return json.loads(docker("image", "inspect", "--format", "{{json .Config}}", images[name]))

    assert config("dind")["Entrypoint"] == ["dockerd-entrypoint.sh"]
    assert list(config("dind")["Volumes"]) == ["/var/lib/docker"], "overlay upon overlay does not mount"
    assert config("docker")["Entrypoint"] == ["docker-entrypoint.sh"] and config("docker")["Cmd"] == ["sh"]
    assert "LANG=C.UTF-8" in config("python-3.9-slim")["Env"]
