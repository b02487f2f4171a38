"""The first layer of a base image where no registry can be reached: a Debian made by debootstrap on this host.

Needs Linux and root, or sudo; everything above this layer is made in containers, through the engine's API alone.
"""

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

from shipline.images import mirror
from shipline.images.errors import ImageError
from shipline.images.recipe import RECIPES

# A user's PATH need not have the first one.
PLACES = ("/usr/sbin", "/usr/bin", "/usr/local/sbin")


async def make(suite: str, authorities: dict[str, bytes], into: Path) -> None:
    """Writes a small Debian of that release as a tar file; `ImageError` tells what is missing."""
    source = mirror.of_host()
    with tempfile.TemporaryDirectory(prefix="shipline-authorities-") as folder:
        for name, certificate in authorities.items():
            (Path(folder) / name).write_bytes(certificate)
        addresses = [address for address in (source.archive, source.security) if address]
        command = [*_as_root(), "sh", str(RECIPES / "bootstrap.sh"), suite, folder, *addresses]
        log = into.with_suffix(".log")
        with into.open("wb") as root, log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(*command, stdout=root, stderr=errors)
            try:
                code = await process.wait()
            except asyncio.CancelledError:
                process.terminate()
                await process.wait()
                raise
    if code:
        last = "\n  ".join(log.read_text(errors="replace").strip().splitlines()[-5:])
        raise ImageError(f"debootstrap of Debian {suite} failed:\n  {last}\n{_advice(last)}")


def _as_root() -> list[str]:
    """What to put before a command so that it runs as root; `ImageError` where there is no way."""
    if not sys.platform.startswith("linux"):
        raise ImageError(
            "no public image registry can be reached, and base images can only be built on Linux; "
            "name a registry that has them in SHIPLINE_IMAGE_REGISTRY"
        )
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    if as_root and shutil.which("sudo") is None:
        raise ImageError("building base images needs root: run once as root, or install sudo")
    if not any(Path(folder, "debootstrap").exists() for folder in PLACES):
        raise ImageError(
            "no public image registry can be reached, and debootstrap, which would build the base images, is "
            "missing; install it (apt-get install debootstrap) or name a registry in SHIPLINE_IMAGE_REGISTRY"
        )
    return as_root


def _advice(log: str) -> str:
    if "space" in log.lower():
        return "Free some space (it needs 1 GB for a moment) and run it again."
    return "Look at the apt sources of this machine (`apt-get update` has to work), then run it again."
