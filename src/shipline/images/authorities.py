"""The certificate authorities that the host trusts beyond Debian's own list.

Behind a company's proxy, and wherever TLS is inspected, a container without them can reach no package registry:
every system image carries them, and the fingerprint of an image covers them.
"""

import hashlib
import os
import re
from pathlib import Path

BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
DEBIAN_LIST = Path("/usr/share/ca-certificates/mozilla")
CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def certificates(text: bytes) -> list[bytes]:
    """The PEM certificates in a bundle, each without the text around it and with one line end form."""
    return [found.replace(b"\r\n", b"\n") + b"\n" for found in CERTIFICATE.findall(text)]


def of_host() -> dict[str, bytes]:
    """File name -> PEM of each authority that the host trusts and Debian's own list does not have.

    On a host without that list everything in the bundle counts as the host's own.
    """
    named = os.environ.get("SSL_CERT_FILE", "")
    bundle = next((Path(path) for path in (named, *BUNDLES) if path and Path(path).is_file()), None)
    if bundle is None:
        return {}
    known = {pem for path in DEBIAN_LIST.glob("*.crt") for pem in certificates(path.read_bytes())}
    own = [pem for pem in certificates(bundle.read_bytes()) if pem not in known]
    return {f"host-{hashlib.sha256(pem).hexdigest()[:16]}.crt": pem for pem in own}
