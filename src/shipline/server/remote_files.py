"""Files from elsewhere by HTTP, for `include: remote`: small, soon, and never from this machine or its network
unless that is allowed. Whoever may push writes a configuration, and must not see what only the server can."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from urllib.parse import urljoin, urlsplit

from shipline.language.loader import NotLoaded, NotThere

LARGEST = 2 << 20
SECONDS = 10.0
REDIRECTS = 3
MOVED = (301, 302, 303, 307, 308)


class RemoteFiles:
    """`local`: whether addresses of this machine and of private networks may be asked."""

    def __init__(self, *, local: bool = False) -> None:
        self.local = local

    def fetch(self, url: str) -> bytes:
        """The content. Blocks: for a thread. Raises NotLoaded, NotThere."""
        for _ in range(REDIRECTS + 1):
            connection, target = self._connection(url)
            try:
                connection.request("GET", target, headers={"User-Agent": "shipline", "Accept": "*/*"})
                answer = connection.getresponse()
                if answer.status in MOVED and (place := answer.getheader("Location")):
                    url = urljoin(url, place)
                    continue
                if answer.status == 404:
                    raise NotThere(f"Remote file `{url}` could not be fetched because of HTTP code `404` error!")
                if answer.status != 200:
                    code = f"HTTP code `{answer.status}`"
                    raise NotLoaded(f"Remote file `{url}` could not be fetched because of {code} error!")
                content = answer.read(LARGEST + 1)
            except TimeoutError:
                raise NotLoaded(f"Remote file `{url}` could not be fetched because of a timeout error!") from None
            except (OSError, http.client.HTTPException) as error:
                raise NotLoaded(f"Remote file `{url}` could not be fetched: {error}") from None
            finally:
                connection.close()
            if len(content) > LARGEST:
                raise NotLoaded(f"Remote file `{url}` is larger than {LARGEST >> 20} MiB")
            return content
        raise NotLoaded(f"Remote file `{url}` could not be fetched: it is redirected too often")

    def _connection(self, url: str) -> tuple[http.client.HTTPConnection, str]:
        parts = urlsplit(url)
        try:
            port = parts.port if parts.port is not None else 443 if parts.scheme == "https" else 80
        except ValueError:
            port = 0
        if parts.scheme not in ("http", "https") or not parts.hostname or not port:
            raise NotLoaded(f"Remote file `{url}` does not have a valid address!")
        address = self._address(url, parts.hostname, port)
        kind = _Encrypted if parts.scheme == "https" else _Plain
        made = kind(parts.hostname, port, timeout=SECONDS)
        made.address = address
        return made, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def _address(self, url: str, host: str, port: int) -> str:
        """One of the host's addresses, which is then the one that is asked: a name may mean another by then."""
        try:
            found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except OSError:
            raise NotLoaded(f"Remote file `{url}` could not be fetched: there is no host {host}") from None
        for address in found:
            if not self.local and not _is_public(address):
                raise NotLoaded(f"Remote file `{url}`: requests to the local network are not allowed")
        return found[0]


def _is_public(address: str) -> bool:
    known = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(known, "ipv4_mapped", None) or getattr(known, "sixtofour", None)
    return (inner or known).is_global and not known.is_multicast


class _Plain(http.client.HTTPConnection):
    address = ""

    def connect(self) -> None:
        self.sock = socket.create_connection((self.address, self.port), SECONDS)


class _Encrypted(_Plain):
    def connect(self) -> None:
        super().connect()
        self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)
