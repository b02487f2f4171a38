"""Where Debian's packages come from: the sources that the host's own apt is set up with.

A company's machine has its mirror configured there already. A host without any (it is no Debian) leaves the
choice to debootstrap, which knows Debian's public one.
"""

from dataclasses import dataclass
from pathlib import Path

APT = Path("/etc/apt")
OS_RELEASE = Path("/etc/os-release")


@dataclass(frozen=True)
class Mirror:
    """Addresses of the archive and of its security updates; empty where the host names none."""

    archive: str = ""
    security: str = ""


def of_host(apt: Path = APT, os_release: Path = OS_RELEASE) -> Mirror:
    """The mirror in the host's apt sources, read for the release that the host itself runs."""
    facts = dict(line.split("=", 1) for line in _lines(os_release) if "=" in line)
    codename = facts.get("VERSION_CODENAME", "").strip('"')
    if facts.get("ID", "").strip('"') != "debian" or not codename:
        return Mirror()
    address = {suite: uri for uri, suites in _entries(apt) for suite in suites}
    return Mirror(address.get(codename, ""), address.get(f"{codename}-security", ""))


def _entries(apt: Path) -> list[tuple[str, list[str]]]:
    """(address, suites) of each binary source, from both forms of apt's files."""
    found = []
    for path in (apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list"))):
        for line in _lines(path):
            words = line.split("#")[0].split()
            if words[:1] == ["deb"]:
                words = [word for word in words[1:] if not _is_option(word)]
                if len(words) >= 2:
                    found.append((words[0].rstrip("/"), [words[1]]))
    for path in sorted((apt / "sources.list.d").glob("*.sources")):
        for stanza in "\n".join(line for line in _lines(path) if not line.startswith("#")).split("\n\n"):
            keys = {
                name.strip().lower(): value.split()
                for name, colon, value in (line.partition(":") for line in stanza.splitlines())
                if colon
            }
            if "deb" in keys.get("types", []) and keys.get("uris") and keys.get("enabled") != ["no"]:
                found.append((keys["uris"][0].rstrip("/"), keys.get("suites", [])))
    return found


def _is_option(word: str) -> bool:
    return word.startswith("[") or word.endswith("]")


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []
