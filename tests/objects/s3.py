"""A real S3 server for tests: SeaweedFS, from its Python package. Buckets appear with their first object."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ACCESS, SECRET = "cacheaccess", "cachesecret-0123456789"
PORTS = ("-s3.port", "-s3.port.grpc", "-master.port", "-master.port.grpc")
PORTS += ("-volume.port", "-volume.port.grpc", "-filer.port", "-filer.port.grpc")


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
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": [identity]}))
    (folder / "data").mkdir()
    ports = free_ports(len(PORTS))
    weed = Path(sys.executable).parent / "weed"
    process = subprocess.Popen(
        [
            *(str(weed), f"-logdir={folder}", "server", f"-dir={folder}/data", "-s3", f"-s3.config={config}"),
            *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-volume.max=1000", "-master.volumeSizeLimitMB=64"),
            *("-master.electionTimeout=1s", "-master.heartbeatInterval=100ms"),
            *(f"{name}={port}" for name, port in zip(PORTS, ports, strict=True)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
    )
    try:
        yield _answering(S3(f"127.0.0.1:{ports[0]}"), process)
    finally:
        process.kill()
        process.wait()


def _answering(server: S3, process: subprocess.Popen) -> S3:
    import obstore

    deadline = time.monotonic() + 60
    while True:
        try:
            obstore.put(store(server, "tries"), "first", b"1")
            return server
        except obstore.exceptions.BaseError as error:
            assert process.poll() is None, "the S3 server has ended"
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
