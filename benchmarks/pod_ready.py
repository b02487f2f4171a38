"""A pod from create to Ready on the embedded cluster, through kubectl and over a bare container."""

import subprocess

import embedded
from measure import Case, command, compare

RUN = ["run", "measured", f"--image={embedded.IMAGE}", "--image-pull-policy=IfNotPresent", "--restart=Never"]
WAIT = ["wait", "--for=condition=Ready", "pod/measured", "--timeout=60s"]


def pod() -> None:
    for argv in ([*RUN, "--", "sleep", "600"], WAIT):
        subprocess.run([embedded.KUBECTL, *argv], check=True, capture_output=True)


def clear() -> None:
    gone = ["delete", "pod", "measured", "--grace-period=0", "--force", "--ignore-not-found"]
    subprocess.run([embedded.KUBECTL, *gone], check=True, capture_output=True)


if __name__ == "__main__":
    with embedded.state():
        embedded.start()
        compare(
            "A pod from create to Ready",
            [
                Case("kubectl run; kubectl wait", pod, prepare=clear),
                Case("kubectl get pods, twice", lambda: [command(embedded.KUBECTL, "get", "pods")() for _ in "12"]),
                Case("docker run --rm", command("docker", "run", "--rm", embedded.IMAGE, "true")),
            ],
            runs=5,
        )
