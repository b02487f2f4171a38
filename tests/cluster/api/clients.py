"""An HTTP client for the cluster of a test, as the administrator, with a token, or as nobody."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from tests.cluster.api.conftest import Cluster


@asynccontextmanager
async def client(
    cluster: Cluster, token: str = "", anonymous: bool = False
) -> AsyncIterator[aiohttp.ClientSession]:
    """A session whose base is the API."""
    tls = ssl.create_default_context(cafile=cluster.pki.authority)
    if not token and not anonymous:
        tls.load_cert_chain(cluster.pki.directory / "admin.crt", cluster.pki.directory / "admin.key")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connector = aiohttp.TCPConnector(ssl=tls)
    async with aiohttp.ClientSession(cluster.url, connector=connector, headers=headers) as session:
        yield session
