"""The cluster's keys: its authority, the server's certificate, the administrator's, the token key.

All lie as PEM in one directory (0700, keys 0600) and are made once; only a server certificate that lacks a
name or address it now needs is made anew. Clients' kubeconfigs carry them inline.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from shipline.cluster.errors import ClusterError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_YEARS = timedelta(days=3650)
SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "127.0.0.1",
)


class Pki:
    """The keys in `directory`. `ensure` makes what is missing; the paths are good afterwards."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = directory / "ca.crt"
        self.server_certificate = directory / "server.crt"
        self.server_key = directory / "server.key"
        self.token_key = directory / "service-account.key"

    def ensure(self, names: Iterable[str] = ()) -> None:
        """Make what is missing. `names` are host names and addresses beyond SERVER_NAMES that the server is
        reached by. ClusterError when the directory cannot be written."""
        wanted = sorted({*SERVER_NAMES, *names})
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self.authority.exists():
                self._make_authority()
            if not self.token_key.exists():
                _write_key(self.token_key, _new_key())
            if not (self.directory / "admin.crt").exists():
                self._issue("admin", "admin", ["system:masters"], [])
            listed = self.directory / "server.names"
            if not self.server_certificate.exists() or listed.read_text().split() != wanted:
                self._issue("server", "kube-apiserver", [], wanted)
                listed.write_text("\n".join(wanted) + "\n")
        except OSError as error:
            raise ClusterError(f"cannot write the cluster's keys in {self.directory}: {error.strerror}") from error

    def authority_pem(self) -> str:
        """The authority's certificate, for pods and kubeconfigs."""
        return self.authority.read_text()

    def server_context(self) -> ssl.SSLContext:
        """TLS for the server: clients may bring a certificate of our authority, and need not."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.server_certificate, self.server_key)
        context.load_verify_locations(self.authority)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def write_kubeconfig(self, path: Path, server: str, cluster: str) -> None:
        """The administrator's kubeconfig (0600). `server` is the URL, `cluster` names context and user too."""

        def inline(file: str) -> str:
            return base64.b64encode((self.directory / file).read_bytes()).decode()

        text = f"""apiVersion: v1
kind: Config
clusters:
- name: {cluster}
  cluster:
    server: {server}
    certificate-authority-data: {inline("ca.crt")}
users:
- name: {cluster}
  user:
    client-certificate-data: {inline("admin.crt")}
    client-key-data: {inline("admin.key")}
contexts:
- name: {cluster}
  context:
    cluster: {cluster}
    user: {cluster}
    namespace: default
current-context: {cluster}
"""
        _write_private(path, text.encode())

    def _make_authority(self) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        key = _new_key()
        name = _name("shipline-ca", [])
        certificate = (
            _builder(name, name, key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        _write_key(self.directory / "ca.key", key)
        self.authority.write_bytes(_pem(certificate))

    def _issue(self, file: str, common_name: str, groups: list[str], names: list[str]) -> None:
        """A certificate: for a server when it has `names`, else for a client in `groups`."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
        from cryptography.x509.oid import ExtendedKeyUsageOID

        authority = x509.load_pem_x509_certificate(self.authority.read_bytes())
        signer = load_pem_private_key((self.directory / "ca.key").read_bytes(), None)
        key = _new_key()
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if names else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = (
            _builder(_name(common_name, groups), authority.subject, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()),  # type: ignore[arg-type]
                critical=False,
            )
        )
        if names:
            alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        certificate = builder.sign(signer, hashes.SHA256())  # type: ignore[arg-type]
        _write_key(self.directory / f"{file}.key", key)
        (self.directory / f"{file}.crt").write_bytes(_pem(certificate))


def _new_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _builder(subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    from cryptography import x509

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _YEARS)
    )


def _name(common_name: str, organizations: list[str]) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in organizations]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _write_key(path: Path, key: EllipticCurvePrivateKey) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    _write_private(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _write_private(path: Path, content: bytes) -> None:
    """Write a file that no one else can read at any moment, and never half."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    fresh.rename(path)
