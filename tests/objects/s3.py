"""A real S3 server for tests: SeaweedFS, from its Python package. Buckets appear with their first object."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ACCESS, SECRET = "cacheaccess", "cachesecret-0123456789"
PORTS = ("-s3.port", "-s3.port.grpc", "-master.port", "-master.port.grpc")
PORTS += ("-volume.port", "-volume.port.grpc", "-filer.port", "-filer.port.grpc")


PR_SET_PDEATHSIG = 1


class S3(NamedTuple):
    address: str
    access: str = ACCESS
    secret: str = SECRET

    @property
    def endpoint(self) -> str:
        return f"http://{self.address}"


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def serve(folder: Path):
    """A generator: gives the server once it answers, and ends it afterwards."""
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    identity = {"name": "ci", "credentials": [{"accessKey": ACCESS, "secretKey": SECRET}], "actions": actions}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    for _ in range(3):
        ports = free_ports(len(PORTS))  # somebody may be quicker to take one
        process = _started(folder, dict(zip(PORTS, ports, strict=True)))
        try:
            if (server := _answering(S3(f"127.0.0.1:{ports[0]}"), process)) is not None:
                yield server
                return
        finally:
            process.kill()
            process.wait()
    raise AssertionError("the S3 server ends while it starts")


def _started(folder: Path, ports: dict[str, int]) -> subprocess.Popen:
    weed = Path(sys.executable).parent / "weed"
    data = folder / f"data-{ports['-s3.port']}"
    data.mkdir()
    return subprocess.Popen(
        [
            *(str(weed), f"-logdir={folder}", "server", f"-dir={data}", "-s3", f"-s3.config={folder}/s3.json"),
            *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-volume.max=1000", "-master.volumeSizeLimitMB=64"),
            *("-master.electionTimeout=1s", "-master.heartbeatInterval=100ms"),
            *("-s3.port.iceberg=0", "-s3.port.lance=0"),
            *(f"{name}={port}" for name, port in ports.items()),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        preexec_fn=_end_with_parent,
    )


def _end_with_parent() -> None:
    """Nothing stays when the tests are killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _answering(server: S3, process: subprocess.Popen) -> S3 | None:
    """The server, once it answers; None when it has ended."""
    import obstore

    deadline = time.monotonic() + 60
    while True:
        try:
            obstore.put(store(server, "tries"), "first", b"1")
            return server
        except obstore.exceptions.BaseError as error:
            if process.poll() is not None:
                return None
            assert time.monotonic() < deadline, f"the S3 server does not answer: {error}"
            time.sleep(0.1)


def store(server: S3, bucket: str):
    """obstore's own store, to look at what is there."""
    from obstore.store import S3Store

    return S3Store(
        bucket,
        endpoint=server.endpoint,
        access_key_id=server.access,
        secret_access_key=server.secret,
        region="us-east-1",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
