"""Sites (`pages:`): a folder of a job's artifacts, published under a prefix of the project's, until it expires.

A site is served out of a copy of the job's archive: nothing is unpacked, so nothing in an archive can be written
anywhere, and a site is there or replaced at once.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from shipline.engine import archives
from shipline.engine.errors import EngineError
from shipline.engine.live import Live
from shipline.engine.possessions import Site
from shipline.engine.records import JobRecord
from shipline.engine.store import Store
from shipline.language.durations import seconds
from shipline.language.expansion import expand
from shipline.language.pipeline import Job
from shipline.protocol.payload import Variable

USUAL_ROOT = "public"
PREFIXED_STAY = 86400.0
"""Seconds that a site under a prefix stays, where nothing else is said."""
ABANDONED = 3600.0
"""Seconds after which a file that belongs to no site was left behind, and is not just being published."""


def is_site(job: Job) -> bool:
    """Whether the job publishes pages: `pages:` says so, or it is called `pages` and does not deny it."""
    pages = job.extra.get("pages")
    return bool(pages) or (pages is None and job.name == "pages")


def asked(job: Job) -> dict[str, Any]:
    """The site's settings: `root`, and `path_prefix` and `expire_in` where they are given."""
    pages = job.extra.get("pages")
    written = pages if isinstance(pages, dict) else {}
    root = written.get("publish") or job.extra.get("publish") or USUAL_ROOT
    return {**{key: value for key, value in written.items() if key != "publish"}, "root": root}


def prefix_of(text: str | None) -> str:
    """A path prefix as it stands in the address: lower case, with dashes for all that is not a letter or digit."""
    return re.sub(r"[^a-z0-9]", "-", (text or "").lower())[:63].strip("-")


def variables(job: Job, base: str, values: dict[str, str]) -> list[Variable]:
    """Where the project's pages are (`base`), and for a job that publishes some where those will be."""
    prefix = prefix_of(expand(str(asked(job).get("path_prefix") or ""), values)) if is_site(job) else ""
    host = base.partition("://")[2].partition("/")[0].partition(":")[0]
    url = f"{base}/{prefix}" if prefix else base
    return [
        Variable("CI_PAGES_URL", url, public=True, raw=True),
        Variable("CI_PAGES_HOSTNAME", host, public=True, raw=True),
    ]


def publish(
    store: Store, archive: Path | None, folder: Path, live: Live, job: JobRecord, pages: dict[str, Any], now: float
) -> str:
    """Publishes what the job left; gives a line for its log. Raises EngineError when the folder is not there."""
    root = str(pages["root"]).strip("/").removeprefix("./")
    if archive is None or not any(name.startswith(f"{root}/") for name in archives.names(archive)):
        raise EngineError(f"the `{root}/` folder is missing among the job's artifacts, or is empty")
    prefix = prefix_of(pages.get("path_prefix"))
    project_id = live.record.project_id
    expires = _expiry(pages.get("expire_in"), prefix, now)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = f"{project_id}-{job.id}.zip"
    archives.copy(archive, folder / file)
    before = store.possession(project_id, Site, prefix)
    store.possess(project_id, Site(prefix, job.id, live.record.id, root, now, expires, file))
    if before is not None and before.file != file:
        (folder / before.file).unlink(missing_ok=True)
    return "Pages are published" + (f" under the prefix {prefix}." if prefix else ".")


def _expiry(expire_in: str | None, prefix: str, now: float) -> float | None:
    if expire_in is None:
        return now + PREFIXED_STAY if prefix else None
    length = None if expire_in == "never" else seconds(expire_in)
    return now + length if length else None


def current(store: Store, project_id: int, now: float) -> list[Site]:
    """The project's sites that have not expired."""
    return [
        site for site in store.possessions(project_id, Site) if site.expires_at is None or site.expires_at > now
    ]


def expire(store: Store, folder: Path, now: float) -> None:
    """Removes what is past its time, and the files of projects that are gone."""
    kept = set()
    for project_id, site in store.everywhere(Site):
        if site.expires_at is not None and site.expires_at <= now:
            remove(store, folder, project_id, site)
        else:
            kept.add(site.file)
    for file in folder.glob("*.zip"):
        if file.name not in kept and file.stat().st_mtime < now - ABANDONED:
            file.unlink(missing_ok=True)


def remove(store: Store, folder: Path, project_id: int, site: Site) -> None:
    """Takes a site back."""
    store.dispossess(project_id, Site, site.prefix)
    (folder / site.file).unlink(missing_ok=True)


class Page(NamedTuple):
    """What is answered to a browser. `location`: it is sent there instead."""

    status: int
    content: bytes = b""
    media_type: str = "text/html"
    location: str = ""


def look_up(sites: list[Site], folder: Path, path: str) -> Page:
    """The answer to a path below the project's pages (already decoded, without a slash at its start). The longest
    prefix wins. `a/` is `a/index.html`, `a` may be `a.html`; a folder without a slash at its end is sent on."""
    first, _, rest = path.partition("/")
    by_prefix = {site.prefix: site for site in sites}
    if first and first in by_prefix:
        if "/" not in path:
            return Page(302, location=f"{first}/")
        site, path = by_prefix[first], rest
    elif "" in by_prefix:
        site = by_prefix[""]
    else:
        return Page(404, b"There are no pages here.\n", "text/plain")
    archive, names = folder / site.file, archives.names(folder / site.file)
    wanted = f"{site.root}/{path}"
    if wanted.endswith("/"):
        candidates = [f"{wanted}index.html"]
    elif any(name.startswith(f"{wanted}/") for name in names) and wanted not in names:
        return Page(302, location=f"{path.rpartition('/')[2]}/")
    else:
        candidates = [wanted, f"{wanted}.html"]
    for name in candidates:
        if name in names:
            import mimetypes

            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            return Page(200, archives.content(archive, name), kind)
    own = f"{site.root}/404.html"
    return Page(404, archives.content(archive, own) if own in names else b"This page does not exist.\n")
