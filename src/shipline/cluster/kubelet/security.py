"""securityContext in the engine's terms, and the privileges an engine that lacks some can still give."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

# Every capability that the engine can be asked for one by one. CAP_SYS_RESOURCE is left out: engines that run
# without it refuse --privileged as a whole.
_CAPABILITIES = (
    "AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID "
    "IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE "
    "NET_BROADCAST NET_RAW SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE "
    "SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_TIME SYS_TTY_CONFIG WAKE_ALARM"
)


class SecurityError(Exception):
    """A securityContext asks for what this node cannot give, or contradicts the image."""


def host_config(pod: Json, container: Json) -> Json:
    """The part of an engine's HostConfig that follows from the pod's and the container's securityContext."""
    of_pod = pod["spec"].get("securityContext") or {}
    own = container.get("securityContext") or {}
    config: Json = {}
    if own.get("privileged"):
        config["Privileged"] = True
    if own.get("readOnlyRootFilesystem"):
        config["ReadonlyRootfs"] = True
    capabilities = own.get("capabilities") or {}
    if capabilities.get("add"):
        config["CapAdd"] = capabilities["add"]
    if capabilities.get("drop"):
        config["CapDrop"] = capabilities["drop"]
    groups = [str(group) for group in of_pod.get("supplementalGroups") or []]
    if of_pod.get("fsGroup") is not None:
        groups.append(str(of_pod["fsGroup"]))
    if groups:
        config["GroupAdd"] = groups
    if options := _options(of_pod | own):
        config["SecurityOpt"] = options
    if own.get("procMount") == "Unmasked":
        config |= {"MaskedPaths": [], "ReadonlyPaths": []}
    return config


def _options(context: Json) -> list[str]:
    options = []
    if context.get("allowPrivilegeEscalation") is False:
        options.append("no-new-privileges")
    for field, option in (("seccompProfile", "seccomp"), ("appArmorProfile", "apparmor")):
        kind = (context.get(field) or {}).get("type")
        if kind == "Unconfined":
            options.append(f"{option}=unconfined")
        elif kind == "Localhost":
            raise SecurityError(f"{field} of type Localhost is not supported by this cluster")
    for key, value in (context.get("seLinuxOptions") or {}).items():
        options.append(f"label={key}:{value}")
    return options


def user(pod: Json, container: Json, image_user: str) -> str:
    """`uid[:gid]` to run as, "" for the image's own. Raises SecurityError where runAsNonRoot is broken."""
    context = (pod["spec"].get("securityContext") or {}) | (container.get("securityContext") or {})
    uid, gid = context.get("runAsUser"), context.get("runAsGroup")
    name = f'(pod: "{pod["metadata"]["name"]}_{pod["metadata"]["namespace"]}({pod["metadata"]["uid"]})", '
    name += f"container: {container['name']})"
    if context.get("runAsNonRoot"):
        image_uid = image_user.split(":", 1)[0]
        if uid == 0:
            raise SecurityError(f"container's runAsUser breaks non-root policy {name}")
        if uid is None and image_uid in ("", "0", "root"):
            raise SecurityError(f"container has runAsNonRoot and image will run as root {name}")
        if uid is None and not image_uid.isdigit():
            why = f"container has runAsNonRoot and image has non-numeric user ({image_uid})"
            raise SecurityError(f"{why}, cannot verify user is non-root {name}")
    if uid is None and gid is None:
        return ""
    of_image = image_user.split(":", 1)[0] or "0"
    return f"{of_image if uid is None else uid}" + ("" if gid is None else f":{gid}")


def without_privileged(config: Json) -> Json:
    """A privileged HostConfig for an engine that may not grant all: everything else, asked for by name."""
    binds = [*(config.get("Binds") or []), "/sys/fs/cgroup:/sys/fs/cgroup:rw"]
    return config | {
        "Privileged": False,
        "CapAdd": _CAPABILITIES.split(),
        "CapDrop": [],
        "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"],
        "MaskedPaths": [],
        "ReadonlyPaths": [],
        "DeviceCgroupRules": ["a *:* rwm"],
        "Binds": binds,
    }


def privileged_refused(message: str) -> bool:
    """Whether an engine's error says that it cannot give all capabilities."""
    return "unable to apply caps" in message or "operation not permitted" in message
