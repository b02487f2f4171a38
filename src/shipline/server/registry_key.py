"""What a container registry and this server have in common: the key that the registry's tokens are signed with."""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

SERVICE = "container_registry"
ISSUER = "shipline"
YEARS = 20


class RegistryKey:
    """The key that tokens are signed with, and the certificate for the registry: files of the server's home, made
    when they are first asked for."""

    def __init__(self, home: Path) -> None:
        self.path = home / "registry.key"
        self.certificate_path = home / "registry.crt"

    @cached_property
    def certificate(self) -> str:
        """The certificate as a token names it: DER in Base64."""
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import Encoding

        self.ensure()
        found = x509.load_pem_x509_certificate(self.certificate_path.read_bytes())
        return base64.b64encode(found.public_bytes(Encoding.DER)).decode()

    def sign(self, claims: dict[str, Any]) -> str:
        """A token with these claims."""
        import jwt

        return jwt.encode(claims, self._key, algorithm="RS256", headers={"x5c": [self.certificate]})

    @cached_property
    def _key(self) -> bytes:
        self.ensure()
        return self.path.read_bytes()

    def ensure(self) -> None:
        """Makes the two files, unless they are there."""
        if not self.certificate_path.exists():
            self._make()

    def _make(self) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization as s
        from cryptography.hazmat.primitives.asymmetric import rsa
        from cryptography.hazmat.primitives.hashes import SHA256

        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, ISSUER)])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=365 * YEARS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, SHA256())
        )
        _write(self.path, key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()), 0o600)
        _write(self.certificate_path, certificate.public_bytes(s.Encoding.PEM), 0o644)


def _write(path: Path, data: bytes, mode: int) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)
    part.chmod(mode)
    part.rename(path)


def configuration(url: str, certificate: str, folder: str, address: str = ":5000") -> str:
    """The CNCF registry's config.yml with which it sends its visitors to the server at `url`."""
    import yaml

    settings = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": folder}, "delete": {"enabled": True}},
        "http": {"addr": address},
        "auth": {
            "token": {
                "realm": f"{url}/jwt/auth",
                "service": SERVICE,
                "issuer": ISSUER,
                "rootcertbundle": certificate,
            }
        },
    }
    return yaml.safe_dump(settings, sort_keys=False)
