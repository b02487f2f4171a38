"""Opens the place that an address names: `s3://bucket/prefix?endpoint=http://...&region=...`, `gs://bucket/prefix`,
`az://container/prefix`, or a folder.

Keys are never part of an address, which processes show: they come from the environment (`AWS_ACCESS_KEY_ID` and its
like) or from the machine's role.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from shipline.objects.objects import Objects, ObjectsError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES = ("s3", "gs", "az")
ANSWERS = {"true": True, "1": True, "false": False, "0": False}


def open_objects(address: str) -> Objects:
    """The objects at an address. ObjectsError says what is wrong with it; nothing is asked of a server yet."""
    parts = urlsplit(address)
    if parts.scheme in ("", "file"):
        from shipline.objects.folder import Folder

        if parts.query or parts.netloc not in ("", "localhost") or not parts.path:
            raise ObjectsError(f"{address} is no folder: file:///absolute/path")
        return Folder(Path(unquote(parts.path)).absolute())
    if parts.scheme not in SCHEMES:
        raise ObjectsError(f"{address}: the scheme is not known: s3, gs, az or file.")
    if parts.username or parts.password:
        raise ObjectsError("Keys do not belong in an address. Give them as AWS_ACCESS_KEY_ID and its like.")
    if not parts.netloc:
        raise ObjectsError(f"{address} names no bucket.")
    from obstore.exceptions import BaseError

    from shipline.objects.bucket import Bucket, reason

    settings = dict(parse_qsl(parts.query))
    try:
        store = _opened(parts.scheme, parts.netloc, settings)
    except BaseError as error:
        raise ObjectsError(f"{address}: {reason(str(error))}") from None
    return Bucket(store, f"{parts.scheme}://{parts.netloc}", parts.path)


def _opened(scheme: str, bucket: str, settings: dict[str, str]) -> ObjectStore:
    from obstore.store import AzureStore, GCSStore, S3Store

    from shipline.objects.bucket import client_options, retries

    usual: dict[str, Any] = {"client_options": client_options(), "retry_config": retries()}
    if scheme == "gs":
        _nothing_else(settings)
        return GCSStore(bucket, **usual)
    if scheme == "az":
        _nothing_else(settings)
        return AzureStore(bucket, **usual)
    if endpoint := settings.pop("endpoint", ""):
        usual |= {"endpoint": endpoint, "client_options": client_options(plain=endpoint.startswith("http://"))}
    if region := settings.pop("region", ""):
        usual["region"] = region
    if said := settings.pop("virtual_hosted", ""):
        if said not in ANSWERS:
            raise ObjectsError(f"virtual_hosted={said}: true or false.")
        usual["virtual_hosted_style_request"] = ANSWERS[said]
    _nothing_else(settings)
    return S3Store(bucket, **usual)


def _nothing_else(settings: dict[str, str]) -> None:
    if settings:
        raise ObjectsError(f"{', '.join(settings)}: not known in an address of objects.")
