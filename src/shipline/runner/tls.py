"""Whom a runner trusts to be its server, and who it says it is itself: `tls-ca-file`, `tls-cert-file` and
`tls-key-file` of config.toml. Jobs get the same as file variables, by GitLab's names, and git fetches their sources
with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shipline.protocol.payload import Variable
from shipline.runner.config import RunnerConfig
from shipline.runner.errors import RunnerError

if TYPE_CHECKING:
    import ssl

INSTALLED = "/etc/gitlab-runner/certs"
"""Where gitlab-runner finds a server's authority that no key names: `<host>.crt`."""


class Tls:
    """The files of one `[[runners]]` entry. All are read when they are needed; RunnerError names the one that
    cannot be."""

    def __init__(self, authority: str = "", certificate: str = "", key: str = "") -> None:
        self.authority = authority
        self.certificate = certificate
        self.key = key

    @classmethod
    def of(cls, entry: RunnerConfig) -> Tls:
        authority = entry.tls_ca_file
        if not authority and entry.url.startswith("https://"):
            from urllib.parse import urlsplit

            usual = Path(INSTALLED) / f"{urlsplit(entry.url).hostname}.crt"
            authority = str(usual) if usual.is_file() else ""
        return cls(authority, entry.tls_cert_file, entry.tls_key_file)

    def context(self) -> ssl.SSLContext | None:
        """What connections are made with: this machine's authorities and the server's own. None without files."""
        if not (self.authority or self.certificate):
            return None
        import ssl

        made = ssl.create_default_context()
        named = self.authority
        try:
            if self.authority:
                made.load_verify_locations(self.authority)
            named = self.certificate
            if self.certificate:
                made.load_cert_chain(self.certificate, self.key or None)
        except OSError as error:  # ssl.SSLError is one
            raise RunnerError(f"{named}: not read as a PEM file: {error.strerror or error}") from None
        return made

    def variables(self) -> list[Variable]:
        """What jobs get of it."""
        files = {
            "CI_SERVER_TLS_CA_FILE": self.authority,
            "CI_SERVER_TLS_CERT_FILE": self.certificate,
            "CI_SERVER_TLS_KEY_FILE": self.key,
        }
        return [Variable(key, _text(path), public=True, file=True) for key, path in files.items() if path]


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise RunnerError(f"{path}: cannot be read: {error}") from None
