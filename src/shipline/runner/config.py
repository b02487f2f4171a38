"""A runner's settings: gitlab-runner's config.toml, plus tags, run_untagged, kubeconfig and context of ours.

A key that is known to gitlab-runner and not to us is not an error, since one file may serve both: such keys are
named together in `ConfigFile.warnings`. A wrong type or value is a `RunnerError` that names the key by its path.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_type_hints

import msgspec

from shipline.runner.cache.config import CacheConfig
from shipline.runner.errors import RunnerError
from shipline.runner.security import ContainerSecurityContext, PodSecurityContext
from shipline.runner.volumes import Volumes

T = TypeVar("T")
_TOKEN_KIND = re.compile(r"\A(?:glrt-|glrtr-)?(?:t\d_)?")
ExecutorName = Literal["auto", "kubernetes", "shell"]


class HostAlias(msgspec.Struct):
    ip: str
    hostnames: list[str] = []


class DnsOption(msgspec.Struct):
    name: str
    value: str | None = None


class DnsConfig(msgspec.Struct):
    nameservers: list[str] = []
    searches: list[str] = []
    options: list[DnsOption] = []


class ServiceConfig(msgspec.Struct):
    """A service that every job of the runner gets, before the job's own."""

    name: str
    alias: str = ""
    command: list[str] = []
    entrypoint: list[str] = []
    environment: list[str] = []


class PodSpecPatch(msgspec.Struct):
    """A patch of the job pod's spec: YAML or JSON in `patch`, or in the file `patch_path`."""

    name: str = ""
    patch: str = ""
    patch_path: str = ""
    patch_type: Literal["strategic", "merge", "json"] = "strategic"


class KubernetesConfig(msgspec.Struct, forbid_unknown_fields=False):
    """`[runners.kubernetes]`. Quantities (`cpu_limit`, ...) are Kubernetes' own text; empty means unset.

    Without `namespace` it is the kubeconfig context's, or `default`. `*_overwrite_*` is what jobs may change (see
    `shipline.runner.pod.overwrites`). `affinity` is Kubernetes' own, with gitlab-runner's names."""

    namespace: str = ""
    image: str = ""
    helper_image: str = "shipline/helper"
    pull_policy: str | list[str] = []
    allowed_pull_policies: list[str] = []
    allowed_images: list[str] = []
    allowed_services: list[str] = []
    image_pull_secrets: list[str] = []
    privileged: bool = False
    allow_privilege_escalation: bool | None = None
    cap_add: list[str] = []
    cap_drop: list[str] = []
    cpu_limit: str = ""
    cpu_request: str = ""
    memory_limit: str = ""
    memory_request: str = ""
    ephemeral_storage_limit: str = ""
    ephemeral_storage_request: str = ""
    helper_cpu_limit: str = ""
    helper_cpu_request: str = ""
    helper_memory_limit: str = ""
    helper_memory_request: str = ""
    helper_ephemeral_storage_limit: str = ""
    helper_ephemeral_storage_request: str = ""
    service_cpu_limit: str = ""
    service_cpu_request: str = ""
    service_memory_limit: str = ""
    service_memory_request: str = ""
    service_ephemeral_storage_limit: str = ""
    service_ephemeral_storage_request: str = ""
    pod_cpu_limit: str = ""
    pod_cpu_request: str = ""
    pod_memory_limit: str = ""
    pod_memory_request: str = ""
    cpu_limit_overwrite_max_allowed: str = ""
    cpu_request_overwrite_max_allowed: str = ""
    memory_limit_overwrite_max_allowed: str = ""
    memory_request_overwrite_max_allowed: str = ""
    ephemeral_storage_limit_overwrite_max_allowed: str = ""
    ephemeral_storage_request_overwrite_max_allowed: str = ""
    helper_cpu_limit_overwrite_max_allowed: str = ""
    helper_cpu_request_overwrite_max_allowed: str = ""
    helper_memory_limit_overwrite_max_allowed: str = ""
    helper_memory_request_overwrite_max_allowed: str = ""
    helper_ephemeral_storage_limit_overwrite_max_allowed: str = ""
    helper_ephemeral_storage_request_overwrite_max_allowed: str = ""
    service_cpu_limit_overwrite_max_allowed: str = ""
    service_cpu_request_overwrite_max_allowed: str = ""
    service_memory_limit_overwrite_max_allowed: str = ""
    service_memory_request_overwrite_max_allowed: str = ""
    service_ephemeral_storage_limit_overwrite_max_allowed: str = ""
    service_ephemeral_storage_request_overwrite_max_allowed: str = ""
    pod_cpu_limit_overwrite_max_allowed: str = ""
    pod_cpu_request_overwrite_max_allowed: str = ""
    pod_memory_limit_overwrite_max_allowed: str = ""
    pod_memory_request_overwrite_max_allowed: str = ""
    namespace_overwrite_allowed: str = ""
    service_account_overwrite_allowed: str = ""
    pod_labels_overwrite_allowed: str = ""
    pod_annotations_overwrite_allowed: str = ""
    node_selector_overwrite_allowed: str = ""
    node_tolerations_overwrite_allowed: str = ""
    service_account: str = ""
    automount_service_account_token: bool | None = None
    node_selector: dict[str, str] = {}
    node_tolerations: dict[str, str] = {}
    pod_labels: dict[str, str] = {}
    pod_annotations: dict[str, str] = {}
    affinity: dict[str, Any] = {}
    pod_security_context: PodSecurityContext = msgspec.field(default_factory=PodSecurityContext)
    build_container_security_context: ContainerSecurityContext = msgspec.field(
        default_factory=ContainerSecurityContext
    )
    helper_container_security_context: ContainerSecurityContext = msgspec.field(
        default_factory=ContainerSecurityContext
    )
    service_container_security_context: ContainerSecurityContext = msgspec.field(
        default_factory=ContainerSecurityContext
    )
    pod_spec: list[PodSpecPatch] = []
    priority_class_name: str = ""
    runtime_class_name: str = ""
    scheduler_name: str = ""
    host_aliases: list[HostAlias] = []
    dns_policy: str = ""
    dns_config: DnsConfig | None = None
    volumes: Volumes = msgspec.field(default_factory=Volumes)
    services: list[ServiceConfig] = []
    poll_timeout: float = 180
    pod_termination_grace_period_seconds: int = 1
    cleanup_grace_period_seconds: int | None = None
    print_pod_warning_events: bool = True
    host: str = ""
    bearer_token: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""


class RunnerConfig(msgspec.Struct):
    """One `[[runners]]` entry.

    `executor` "auto" (ours) runs jobs that name an image in pods, and those that don't in a shell of this machine.
    `kubeconfig` and `context` are ours; without them `[runners.kubernetes] host` or the usual places are looked at.
    `limit` 0 means no limit. `output_limit` is in KiB; 0: 4096, and more for `shipline run`. `sites_dir`
    is where it is told where each job is (see `shipline.runner.sites`); with it, `keep_failed` holds failed jobs'
    pods and folders. `cache_dir`: where caches are unless `cache` names a bucket; nowhere when empty.
    """

    name: str = "shipline"
    url: str = ""
    token: str = ""
    clone_url: str = ""
    tls_ca_file: str = msgspec.field(default="", name="tls-ca-file")
    tls_cert_file: str = msgspec.field(default="", name="tls-cert-file")
    tls_key_file: str = msgspec.field(default="", name="tls-key-file")
    executor: ExecutorName = "auto"
    tags: list[str] = []
    run_untagged: bool = True
    limit: int = 0
    request_concurrency: int = 1
    output_limit: int = 0
    environment: list[str] = []
    builds_dir: str = ""
    cache_dir: str = ""
    sites_dir: str = ""
    keep_failed: bool = False
    shell: str = ""
    pre_get_sources_script: str = ""
    post_get_sources_script: str = ""
    pre_build_script: str = ""
    post_build_script: str = ""
    timestamps: bool = False
    kubeconfig: str = ""
    context: str = ""
    kubernetes: KubernetesConfig = msgspec.field(default_factory=KubernetesConfig)
    cache: CacheConfig | None = None

    @property
    def short_token(self) -> str:
        """The part of the token that may be shown: what tells the runner from others."""
        return _TOKEN_KIND.sub("", self.token, count=1)[:9]


class ConfigFile(msgspec.Struct):
    """A whole config.toml. `warnings` are for the person who wrote it. `check_interval` is in seconds, 0 for the
    usual 3; `listen_address` is where metrics are, nowhere when empty."""

    concurrent: int = 1
    check_interval: int = 0
    listen_address: str = ""
    runners: list[RunnerConfig] = []
    warnings: list[str] = []

    @classmethod
    def load(cls, path: str | Path) -> ConfigFile:
        """Reads the file; RunnerError says where it is wrong."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise RunnerError(f"{path}: cannot be read: {error.strerror}. Name the runner's config.toml.") from None
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, path: str = "config.toml") -> ConfigFile:
        """Reads config.toml's text; `path` is what errors call it."""
        import tomllib

        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RunnerError(f"{path}: not valid TOML: {error}") from None
        try:
            config = msgspec.convert(data, cls)
        except msgspec.ValidationError as error:
            raise RunnerError(f"{path}: {error}") from None
        ignored = sorted(set(unknown_keys(data, cls)))
        if ignored:
            config.warnings.append(
                f"{path}: keys that this runner does not know and leaves alone: {', '.join(ignored)}"
            )
        return config


def unknown_keys(value: Any, kind: Any, path: str = "") -> list[str]:
    """The dotted names of all keys in `value` that the Struct `kind` has no field for."""
    struct = next(
        (k for k in (kind, *get_args(kind)) if isinstance(k, type) and issubclass(k, msgspec.Struct)), None
    )
    if struct is None:
        return []
    if isinstance(value, list):
        return [name for item in value for name in unknown_keys(item, struct, path)]
    hints = get_type_hints(struct)
    fields = {field.encode_name: hints[field.name] for field in msgspec.structs.fields(struct)}
    names: list[str] = []
    for key, inner in value.items():
        name = f"{path}.{key}" if path else key
        names += unknown_keys(inner, fields[key], name) if key in fields else [name]
    return names
