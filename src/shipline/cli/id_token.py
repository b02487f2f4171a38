"""`shipline id-token`: the key that this machine's own pipelines sign their ID tokens with, for who checks them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shipline.cli.state import home

if TYPE_CHECKING:
    from shipline.engine.id_tokens import Issuer

ISSUER_FILE = "id-token-issuer"
USUAL = "http://127.0.0.1:8930"
"""The issuer that tokens name, where nobody has said another."""


def local_issuer() -> Issuer:
    """The issuer of this machine's own pipelines."""
    from shipline.engine.id_tokens import Issuer

    try:
        url = (home() / ISSUER_FILE).read_text().strip()
    except OSError:
        url = USUAL
    return Issuer(home(), url)


@click.group("id-token")
def id_token() -> None:
    """Show who checks ID tokens (`id_tokens:` of a job) what they are signed with.

    \b
    A Vault on this machine, given the public key itself:
      shipline id-token pem > key.pem
      vault write auth/jwt/config jwt_validation_pubkeys=@key.pem bound_issuer=http://127.0.0.1:8930
    or an address to ask for it, while `shipline id-token serve` runs:
      vault write auth/jwt/config oidc_discovery_url=http://127.0.0.1:8930
    """


@id_token.command("jwks")
def jwks() -> None:
    """Print the public key as a JSON Web Key Set."""
    import json

    click.echo(json.dumps(local_issuer().jwks(), indent=2))


@id_token.command("pem")
def pem() -> None:
    """Print the public key as PEM."""
    click.echo(local_issuer().pem(), nl=False)


@id_token.command("issuer")
@click.argument("url", required=False)
def issuer(url: str | None) -> None:
    """Print the issuer that tokens name; with URL, make it that one."""
    if url is None:
        click.echo(local_issuer().url)
        return
    if not url.startswith(("http://", "https://")):
        raise click.UsageError(f"{url}: an issuer is an address with http:// or https://.")
    home().mkdir(parents=True, exist_ok=True, mode=0o700)
    (home() / ISSUER_FILE).write_text(url.rstrip("/") + "\n")


@id_token.command("serve")
@click.option("--port", type=click.IntRange(0, 65535), help="By default the issuer's, else any that is free.")
def serve(port: int | None) -> None:
    """Answer on loopback with the public key, as an issuer does, until Ctrl-C."""
    import json
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from urllib.parse import urlsplit

    from shipline.engine.errors import EngineError

    found = local_issuer()
    answers = {"/.well-known/openid-configuration": found.discovery(), "/oauth/discovery/keys": found.jwks()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers.get(self.path)
            body = json.dumps(answer or {"error": "404 Not Found"}).encode()
            self.send_response(200 if answer else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is logged."""

    own = urlsplit(found.url)
    here = own.port if own.hostname in ("127.0.0.1", "localhost") and own.port else 0
    try:
        server = ThreadingHTTPServer(("127.0.0.1", here if port is None else port), Handler)
    except OSError as error:
        raise EngineError(f"The port {here if port is None else port} cannot be used: {error.strerror}.") from None
    click.echo(f"Answering as {found.url} at http://127.0.0.1:{server.server_port}")
    with server:
        server.serve_forever()
