"""Artifacts over HTTP, up and down, in constant memory: jobs/:id/artifacts of GitLab's runner API.

Redirects are followed here and not by the client: an upload's body has to be sent again, to the host that the
server names; a download may lead to a store of objects, which must not see the job's token.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import aiohttp
import msgspec

from shipline.protocol.coordinator import FileRefused, Upload
from shipline.protocol.payload import Dependency, JobPayload

BLOCK = 1 << 18
REDIRECTS = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 5
LONGEST_WAIT = 60.0  # seconds
FINAL = (400, 401, 403, 404, 405, 413)
"""Answers after which another try is of no use."""


async def send(session: aiohttp.ClientSession, base: str, job: JobPayload, upload: Upload, path: Path) -> str:
    """POST, as a form with one file. What the file is stands in the query, as GitLab's runner has it, and in the
    form, where other servers look. Gives HTTP's words. Raises FileRefused; OSError without a connection."""
    query = {"artifact_format": upload.artifact_format, "artifact_type": upload.artifact_type}
    if upload.expire_in:
        query["expire_in"] = upload.expire_in
    url = f"{base}/jobs/{job.id}/artifacts"
    for _ in range(MOST_REDIRECTS):
        with path.open("rb") as file:
            form = aiohttp.FormData(
                {"artifact_format": upload.artifact_format, "artifact_type": upload.artifact_type}
            )
            form.add_field("file", file, filename=upload.filename, content_type="application/octet-stream")
            headers = {"JOB-TOKEN": job.token}
            try:
                async with session.post(
                    url, params=query, data=form, headers=headers, allow_redirects=False
                ) as answer:
                    if answer.status in REDIRECTS and (there := answer.headers.get("Location")):
                        url = _elsewhere(url, there)
                        continue
                    text = await answer.read()
            except (aiohttp.ClientError, ConnectionError) as error:
                raise OSError(f"{base}: {error}") from None
            if answer.status == 201:
                return _words(answer)
            raise _refused(answer, text)
    raise FileRefused("508 Loop Detected", "too many redirects")


async def fetch(
    session: aiohttp.ClientSession, base: str, dependency: Dependency, to: Path, *, direct: bool
) -> str:
    """GET, with the token that came with the dependency. `direct`: the server may name another place to get it
    from. Gives HTTP's words. Raises FileRefused; OSError without a connection."""
    url = f"{base}/jobs/{dependency.id}/artifacts"
    home = urlsplit(url)[:2]
    query: Mapping[str, str] | None = {"direct_download": "true"} if direct else None
    for _ in range(MOST_REDIRECTS):
        own = urlsplit(url)[:2] == home
        headers = {"JOB-TOKEN": dependency.token} if own else {}
        try:
            async with session.get(url, params=query, headers=headers, allow_redirects=False) as answer:
                if answer.status in REDIRECTS and (there := answer.headers.get("Location")):
                    url, query = urljoin(url, there), None
                    continue
                if answer.status != 200:
                    raise _refused(answer, await answer.read())
                with to.open("wb") as file:
                    async for block in answer.content.iter_chunked(BLOCK):
                        file.write(block)
                return _words(answer)
        except (aiohttp.ClientError, ConnectionError) as error:
            raise OSError(f"{base}: {error}") from None
    raise FileRefused("508 Loop Detected", "too many redirects")


def _elsewhere(url: str, location: str) -> str:
    """The same call at the host that an upload is sent to."""
    there = urlsplit(urljoin(url, location))
    return urlsplit(url)._replace(scheme=there.scheme, netloc=there.netloc).geturl()


def _words(answer: aiohttp.ClientResponse) -> str:
    return f"{answer.status} {answer.reason or ''}".rstrip()


def _refused(answer: aiohttp.ClientResponse, text: bytes) -> FileRefused:
    wait = answer.headers.get("Retry-After", "")
    after = min(float(wait), LONGEST_WAIT) if wait.isdigit() else 0.0
    return FileRefused(_words(answer), reason(text), again=answer.status not in FINAL, after=after)


def reason(text: bytes) -> str:
    """What an answer's body gives as the reason for its status."""
    try:
        body = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return ""
    return str(body.get("message") or body.get("error") or "") if isinstance(body, dict) else ""
