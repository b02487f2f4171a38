"""Where the cluster is and who we are there: a kubeconfig's context, or the service account of the pod we run in.

What cannot be honoured (an auth provider of a kind that Kubernetes itself has dropped) is refused by its name.
"""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from shipline.runner.errors import RunnerError

IN_CLUSTER = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class Access(msgspec.Struct, kw_only=True):
    """One way into one cluster. `token` is asked for anew before it may have changed (`token_file`, `command`)."""

    server: str
    namespace: str = "default"
    authority: str = ""  # PEM text
    insecure: bool = False
    server_name: str = ""
    certificate: str = ""  # PEM text
    key: str = ""  # PEM text
    token: str = ""
    token_file: str = ""
    username: str = ""
    password: str = ""
    proxy: str = ""
    command: dict[str, Any] | None = None
    source: str = ""  # what errors call it

    def tls(self) -> ssl.SSLContext | None:
        """How the connection is secured; None for plain HTTP."""
        if not self.server.startswith("https:"):
            return None
        context = ssl.create_default_context(cadata=self.authority or None)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate and self.key:
            # ssl reads certificates from files only: one that nobody else can read, gone right after
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
                file.write(self.certificate.rstrip() + "\n" + self.key)
                file.flush()
                context.load_cert_chain(file.name)
        return context


def load(path: str = "", context: str = "") -> Access:
    """Reads the kubeconfig at `path`; without one: $KUBECONFIG, ~/.kube/config, then the pod we run in.

    RunnerError says what is missing and where.
    """
    files = [Path(path).expanduser()] if path else _default_paths()
    if not files:
        if IN_CLUSTER.joinpath("token").exists():
            return in_cluster()
        raise RunnerError(
            "no Kubernetes cluster is known: there is neither a kubeconfig ($KUBECONFIG, "
            "~/.kube/config) nor a pod's "
            "service account. Set `kubeconfig` in the runner's configuration."
        )
    return _Kubeconfig(files).access(context)


def _default_paths() -> list[Path]:
    named = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return [path for path in named or [Path.home() / ".kube" / "config"] if path.exists()]


def in_cluster() -> Access:
    """The service account that Kubernetes mounts into every pod."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    return Access(
        server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        namespace=IN_CLUSTER.joinpath("namespace").read_text().strip(),
        authority=IN_CLUSTER.joinpath("ca.crt").read_text(),
        token_file=str(IN_CLUSTER / "token"),
        source="the service account of this pod",
    )


class _Kubeconfig:
    """One or several files, merged as kubectl does: of two entries with one name, the first counts."""

    def __init__(self, files: list[Path]) -> None:
        import yaml

        self.source = os.pathsep.join(map(str, files))
        self.current = ""
        self.entries: dict[str, dict[str, tuple[dict[str, Any], Path]]] = {
            "clusters": {},
            "contexts": {},
            "users": {},
        }
        for file in files:
            try:
                data = yaml.load(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}
            except OSError as error:
                raise RunnerError(f"kubeconfig {file}: cannot be read: {error.strerror}") from None
            except yaml.YAMLError as error:
                raise RunnerError(f"kubeconfig {file}: not valid YAML: {error}") from None
            if not isinstance(data, dict):
                raise RunnerError(f"kubeconfig {file}: not a kubeconfig")
            self.current = self.current or data.get("current-context") or ""
            for kind, named in self.entries.items():
                for entry in data.get(kind) or []:
                    named.setdefault(entry["name"], (entry.get(kind[:-1]) or {}, file.parent))

    def access(self, context: str) -> Access:
        name = context or self.current
        if not name:
            raise RunnerError(
                f"kubeconfig {self.source}: has no current context. Set `context` in the configuration."
            )
        chosen, _ = self._entry("contexts", name)
        cluster, cluster_folder = self._entry("clusters", chosen.get("cluster", ""))
        user, user_folder = self._entry("users", chosen["user"]) if chosen.get("user") else ({}, cluster_folder)
        if "auth-provider" in user:
            provider = user["auth-provider"].get("name", "")
            raise RunnerError(
                f"kubeconfig {self.source}: the auth provider {provider!r} of user {chosen['user']!r} "
                f"is not supported "
                "(Kubernetes dropped auth providers in 1.26): use an exec credential plugin instead."
            )
        proxy = cluster.get("proxy-url") or ""
        if proxy and not proxy.startswith("http://"):
            raise RunnerError(f"kubeconfig {self.source}: proxy-url {proxy!r}: only http:// proxies are supported.")
        command = user.get("exec")
        return Access(
            server=str(cluster.get("server", "")).rstrip("/"),
            namespace=chosen.get("namespace") or "default",
            authority=self._text(cluster, "certificate-authority", cluster_folder),
            insecure=bool(cluster.get("insecure-skip-tls-verify")),
            server_name=cluster.get("tls-server-name", ""),
            proxy=proxy,
            certificate=self._text(user, "client-certificate", user_folder),
            key=self._text(user, "client-key", user_folder),
            token=user.get("token", ""),
            token_file=str(user_folder / user["tokenFile"]) if user.get("tokenFile") else "",
            username=user.get("username", ""),
            password=user.get("password", ""),
            command=dict(command) if command else None,
            source=f"context {name!r} of {self.source}",
        )

    def _entry(self, kind: str, name: str) -> tuple[dict[str, Any], Path]:
        try:
            return self.entries[kind][name]
        except KeyError:
            known = ", ".join(sorted(self.entries[kind])) or "none"
            raise RunnerError(
                f"kubeconfig {self.source}: {kind[:-1]} {name!r} is not there (it has: {known})"
            ) from None

    def _text(self, entry: dict[str, Any], key: str, folder: Path) -> str:
        """PEM text, given inline in base64 or as a file relative to the kubeconfig."""
        try:
            if entry.get(f"{key}-data"):
                return base64.b64decode(entry[f"{key}-data"]).decode()
            return (folder / entry[key]).read_text() if entry.get(key) else ""
        except (OSError, ValueError) as error:
            raise RunnerError(f"kubeconfig {self.source}: {key}: {error}") from None
