from shipline.images import authorities

ONE, TWO = (f"-----BEGIN CERTIFICATE-----\n{name}\n-----END CERTIFICATE-----\n".encode() for name in ("AAA", "BBB"))


def test_certificates_of_a_bundle():
    bundle = b"# the first\n" + ONE + b"junk\n" + TWO.replace(b"\n", b"\r\n")
    assert authorities.certificates(bundle) == [ONE, TWO]


def test_only_what_the_host_trusts_beyond_debians_list(tmp_path, monkeypatch):
    (tmp_path / "bundle.crt").write_bytes(ONE + TWO)
    (tmp_path / "mozilla").mkdir()
    (tmp_path / "mozilla" / "one.crt").write_bytes(ONE)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "bundle.crt"))
    monkeypatch.setattr(authorities, "DEBIAN_LIST", tmp_path / "mozilla")
    assert list(authorities.of_host().values()) == [TWO]
    (name,) = authorities.of_host()
    assert name.endswith(".crt"), "what update-ca-certificates looks for"
