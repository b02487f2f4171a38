"""A file that comes in a form."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from shipline.server.http.answers import refusal, wrong_parameter
from shipline.server.http.call import Call

OVERHEAD = 1 << 16
"""Bytes that a form adds to its file."""


@asynccontextmanager
async def uploaded(call: Call, limit: int) -> AsyncIterator[UploadFile]:
    """The form's `file`, of at most `limit` bytes; a larger one is not read to its end. Ends the call with 413 or
    400."""
    if int(call.request.headers.get("content-length", "0")) > limit + OVERHEAD:
        raise refusal(413)
    parser = MultiPartParser(call.request.headers, call.pieces(limit + OVERHEAD), max_files=2, max_fields=8)
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError):
        raise wrong_parameter("file is invalid") from None
    try:
        file = form.get("file")
        if file is None or isinstance(file, str):
            raise wrong_parameter("file is missing")
        if (file.size or 0) > limit:
            raise refusal(413)
        yield file
    finally:
        await form.close()
