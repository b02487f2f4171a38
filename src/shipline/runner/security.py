"""Security contexts of pods and containers, by gitlab-runner's names in `[runners.kubernetes]`."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Profile(msgspec.Struct):
    """Of seccomp or AppArmor; `localhost_profile` is a file on the node, for the type Localhost."""

    type: Literal["RuntimeDefault", "Localhost", "Unconfined"]
    localhost_profile: str = ""

    def spec(self) -> dict[str, str]:
        found = {"type": str(self.type)}
        return found | ({"localhostProfile": self.localhost_profile} if self.localhost_profile else {})


class SecurityContext(msgspec.Struct, kw_only=True):
    """What pods and containers have in common."""

    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    selinux_type: str = ""
    seccomp_profile: Profile | None = None
    app_armor_profile: Profile | None = None

    def spec(self) -> dict[str, Any]:
        """As a pod's text has it, without what is not set."""
        found: dict[str, Any] = {
            "runAsUser": self.run_as_user,
            "runAsGroup": self.run_as_group,
            "runAsNonRoot": self.run_as_non_root,
            "seLinuxOptions": {"type": self.selinux_type} if self.selinux_type else None,
            "seccompProfile": self.seccomp_profile.spec() if self.seccomp_profile else None,
            "appArmorProfile": self.app_armor_profile.spec() if self.app_armor_profile else None,
        }
        return {key: value for key, value in found.items() if value is not None}


class PodSecurityContext(SecurityContext, kw_only=True):
    fs_group: int | None = None
    supplemental_groups: list[int] = []

    def spec(self) -> dict[str, Any]:
        found = SecurityContext.spec(self)
        if self.fs_group is not None:
            found["fsGroup"] = self.fs_group
        return found | ({"supplementalGroups": self.supplemental_groups} if self.supplemental_groups else {})


class Capabilities(msgspec.Struct):
    add: list[str] = []
    drop: list[str] = []


class ContainerSecurityContext(SecurityContext, kw_only=True):
    """`privileged` and `allow_privilege_escalation` go before what all containers are told; capabilities add up."""

    privileged: bool | None = None
    allow_privilege_escalation: bool | None = None
    read_only_root_filesystem: bool | None = None
    proc_mount: str = ""
    capabilities: Capabilities = msgspec.field(default_factory=Capabilities)

    def spec(self) -> dict[str, Any]:
        own: dict[str, Any] = {
            "privileged": self.privileged,
            "allowPrivilegeEscalation": self.allow_privilege_escalation,
            "readOnlyRootFilesystem": self.read_only_root_filesystem,
            "procMount": self.proc_mount.capitalize() or None,
        }
        return SecurityContext.spec(self) | {key: value for key, value in own.items() if value is not None}
