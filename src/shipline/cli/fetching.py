"""How included files come from the web: through a cache, against a lock, and with a token for private projects."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from shipline.language.fetched import Fetched
from shipline.language.loaders import Fetch

if TYPE_CHECKING:
    from urllib.request import Request

FETCH_TIMEOUT = 20.0
TOKEN = "GITLAB_TOKEN"


def fetching(server: str, lock: Path | None, offline: bool = False) -> Fetched:
    """What fetches; `lock` is the file with what was fetched before, or None. `server` is whom the token is for."""
    from shipline.cli.state import home

    return Fetched(downloader(server), home() / "includes", lock, offline)


def downloader(server: str) -> Fetch:
    """A function from a URL to its content. The API of `server` is shown the token of the environment, which no
    other address gets to see, whatever it redirects to."""

    def download(url: str) -> bytes:
        from urllib.request import Request

        if not url.startswith(("http://", "https://")):
            from shipline.language import NotLoaded

            raise NotLoaded(f"Remote file `{url}` does not have a valid address!")
        request = Request(url)
        token = os.environ.get(TOKEN, "")
        if token and url.startswith(f"{server.rstrip('/')}/api/v4/"):
            request.add_unredirected_header("PRIVATE-TOKEN", token)
        return _content(request)

    return download


def _content(request: Request) -> bytes:
    from urllib.error import HTTPError, URLError
    from urllib.request import urlopen

    from shipline.language import NotLoaded
    from shipline.language.documents import MAX_BYTES
    from shipline.language.loader import NotThere

    url = request.full_url
    try:
        with urlopen(request, timeout=FETCH_TIMEOUT) as answer:
            content: bytes = answer.read(MAX_BYTES + 1)
    except HTTPError as error:
        kind = NotThere if error.code in (404, 410) else NotLoaded
        raise kind(f"Remote file `{url}` could not be fetched because of HTTP code `{error.code}` error!") from None
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        why = " because of a timeout error!" if isinstance(reason, TimeoutError) else f": {reason}"
        raise NotLoaded(f"Remote file `{url}` could not be fetched{why}") from None
    if len(content) > MAX_BYTES:
        raise NotLoaded(f"Remote file `{url}` is larger than {MAX_BYTES >> 20} MB")
    return content
