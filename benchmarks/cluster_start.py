"""The embedded cluster from nothing to a node that is Ready, and again over what a stop has left."""

import subprocess

import embedded
from measure import SHIPLINE, Case, command, compare

if __name__ == "__main__":
    with embedded.state():

        def stop() -> None:
            subprocess.run([SHIPLINE, "cluster", "stop", embedded.NAME], check=True, capture_output=True)

        compare(
            "Cluster start, until the API answers and the node is Ready",
            [
                Case("a new cluster", embedded.start, prepare=embedded.delete),
                Case("a stopped cluster", embedded.start, prepare=stop),
                Case("docker run --rm", command("docker", "run", "--rm", embedded.IMAGE, "true")),
            ],
            runs=3,
        )
