"""A server whose certificate no authority of this machine has signed, and one that wants to know who asks."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.runner.desk import job
from tests.runner.gitlab_peer import TOKEN, Peer, gitlab_job
from tests.runner.test_sources_http import git_server, ran

from shipline.runner.config import ConfigFile
from shipline.runner.errors import RunnerError
from shipline.runner.http_coordinator import HttpCoordinator
from shipline.runner.tls import Tls


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a company's server")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=2))
    place = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = made.add_extension(place, critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    signed = made.sign(key, hashes.SHA256())
    (folder / "ca.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))
    return folder / "ca.pem", folder / "key.pem"


@pytest.fixture
async def peer(own):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*own)
    context.load_verify_locations(own[0])
    context.verify_mode = ssl.CERT_OPTIONAL
    made = Peer()
    await made.start(context)
    yield made
    await made.close()


def tls(own: tuple[Path, Path], url: str, *keys: str) -> Tls:
    lines = {"tls-ca-file": own[0], "tls-cert-file": own[0], "tls-key-file": own[1]}
    text = f'[[runners]]\nurl = "{url}"\n' + "".join(f'{key} = "{lines[key]}"\n' for key in keys)
    config = ConfigFile.parse(text)
    assert not config.warnings
    return Tls.of(config.runners[0])


async def test_a_server_with_an_authority_of_its_own(peer, own, source):
    peer.add(gitlab_job(source, "echo a"))
    coordinator = HttpCoordinator(peer.url, TOKEN, "s_0123456789ab", tls=tls(own, peer.url, "tls-ca-file"))
    assert await coordinator.verify()
    payload = await coordinator.ask(hold=False)
    await coordinator.close()
    assert payload is not None
    [given] = [variable for variable in payload.variables if variable.key.startswith("CI_SERVER_TLS")]
    assert (given.key, given.file) == ("CI_SERVER_TLS_CA_FILE", True)
    assert given.value == own[0].read_text()


async def test_without_it_the_server_is_not_believed(peer, monkeypatch):
    monkeypatch.setattr("shipline.runner.http_coordinator.ATTEMPTS", 1)
    coordinator = HttpCoordinator(peer.url, TOKEN, "s_0123456789ab")
    with pytest.raises(OSError, match="certificate verify failed"):
        await coordinator._call("POST", "/runners/verify", attempts=1, json={"token": TOKEN})
    await coordinator.close()


async def test_a_certificate_of_the_runners_own(peer, own):
    given = tls(own, peer.url, "tls-ca-file", "tls-cert-file", "tls-key-file")
    coordinator = HttpCoordinator(peer.url, TOKEN, "s_0123456789ab", tls=given)
    assert await coordinator.verify()
    await coordinator.close()
    assert peer.shown == [((("commonName", "a company's server"),),)]
    assert [each.key for each in given.variables()][1:] == ["CI_SERVER_TLS_CERT_FILE", "CI_SERVER_TLS_KEY_FILE"]


@pytest.mark.parametrize("keys", [("tls-ca-file", "tls-cert-file", "tls-key-file"), ("tls-ca-file",), ()])
async def test_git_believes_the_server_as_the_runner_does(own, shells, source, keys):
    """The server wants a certificate, and git shows it the runner's."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(own[0]))
    context.load_cert_chain(*own)
    context.verify_mode = ssl.CERT_REQUIRED if len(keys) > 1 else ssl.CERT_NONE
    folder = Path(source[0].removeprefix("file://")).parent
    async with git_server(folder, context) as url:
        given = tls(own, url, *keys).variables()
        log, result = await ran(shells, job((url, source[1]), "cat hello.txt", variables=given))
    assert (result.state == "success") == bool(keys), log
    assert ("hello from the commit" if keys else "certificate") in log


def test_a_file_that_is_none_is_named(tmp_path):
    with pytest.raises(RunnerError, match=r"nothing\.pem: not read as a PEM file: No such file"):
        Tls(str(tmp_path / "nothing.pem")).context()
    (tmp_path / "text.pem").write_text("no certificate")
    with pytest.raises(RunnerError, match=r"text\.pem: not read as a PEM file"):
        Tls(str(tmp_path / "text.pem")).context()
    assert Tls().context() is None and Tls().variables() == []
