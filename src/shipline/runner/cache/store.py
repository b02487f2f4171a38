"""Opens the place that a runner's caches are kept in, as its configuration says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from shipline.objects.objects import Objects
from shipline.runner.cache.config import AzureConfig, CacheConfig, GcsConfig, S3Config
from shipline.runner.config import RunnerConfig
from shipline.runner.errors import RunnerError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

ENCRYPTION = {
    "S3": "AES256",
    "AES256": "AES256",
    "KMS": "aws:kms",
    "AWS:KMS": "aws:kms",
    "DSSE-KMS": "aws:kms:dsse",
    "AWS:KMS:DSSE": "aws:kms:dsse",
}
REGION = "us-east-1"
AMAZON = "amazonaws.com"


def open_cache(config: RunnerConfig) -> Objects | None:
    """The runner's place for caches; None when it has none. RunnerError says what is wrong with the settings."""
    cache = config.cache
    kind = cache.type.lower() if cache else ""
    if cache and kind:
        if kind not in ("s3", "s3v2", "gcs", "azure"):
            raise RunnerError(f"[runners.cache] Type {cache.type!r} is not known: s3, gcs or azure.")
        return _bucket(kind, cache)
    if not config.cache_dir:
        return None
    from shipline.objects.folder import Folder

    return Folder(Path(config.cache_dir), (cache or CacheConfig()).local_size_limit)


def _bucket(kind: str, cache: CacheConfig) -> Objects:
    from obstore.exceptions import BaseError

    from shipline.objects.bucket import Bucket, reason

    try:
        if kind == "gcs":
            gcs = cache.gcs or GcsConfig()
            return Bucket(_gcs(gcs), f"gs://{_named(gcs.bucket_name, 'gcs', 'BucketName')}")
        if kind == "azure":
            azure = cache.azure or AzureConfig()
            return Bucket(_azure(azure), f"az://{_named(azure.container_name, 'azure', 'ContainerName')}")
        s3 = cache.s3 or S3Config()
        bucket = _named(s3.bucket_name, "s3", "BucketName")
        return Bucket(_s3(s3), f"{endpoint(s3)}/{bucket}" if s3.server_address else f"s3://{bucket}")
    except ValueError as error:
        raise RunnerError(f"[runners.cache.{kind}]: {error}") from None
    except BaseError as error:
        raise RunnerError(f"[runners.cache.{kind}]: {reason(str(error))}") from None


def _named(value: str, kind: str, key: str) -> str:
    if not value:
        raise RunnerError(f"[runners.cache.{kind}] has no {key}.")
    return value


def _s3(s3: S3Config) -> ObjectStore:
    from obstore.store import S3Store

    from shipline.objects.bucket import client_options, retries

    settings: dict[str, Any] = {"region": s3.bucket_location or REGION}
    if encryption := s3.server_side_encryption.upper():
        if encryption not in ENCRYPTION:
            raise ValueError(
                f"ServerSideEncryption {s3.server_side_encryption!r} is not known: S3, KMS or DSSE-KMS"
            )
        settings["server_side_encryption"] = ENCRYPTION[encryption]
        if s3.server_side_encryption_key_id:
            settings["sse_kms_key_id"] = s3.server_side_encryption_key_id
    virtual = not s3.path_style if s3.path_style is not None else _is_amazon(s3)
    settings["virtual_hosted_style_request"] = virtual
    if s3.server_address and not _is_amazon(s3):
        address = endpoint(s3)
        scheme, _, host = address.partition("://")
        settings["endpoint"] = f"{scheme}://{s3.bucket_name}.{host}" if virtual else address
        settings["aws_endpoint_url_s3"] = settings["endpoint"]
    elif s3.accelerate:
        settings["endpoint"] = f"https://{s3.bucket_name}.s3-accelerate.{AMAZON}"
    keys = None if authentication(s3) == "iam" else _StaticKeys(s3)
    return S3Store(
        s3.bucket_name,
        client_options=client_options(plain=s3.insecure),
        retry_config=retries(),
        credential_provider=keys,
        **settings,
    )


class _StaticKeys:
    """The configured keys, and not a mixture with what the environment has."""

    def __init__(self, s3: S3Config) -> None:
        self._keys = {"access_key_id": s3.access_key, "secret_access_key": s3.secret_key}
        self._token = s3.session_token or None

    def __call__(self) -> Any:
        return self._keys | {"token": self._token, "expires_at": None}


def authentication(s3: S3Config) -> str:
    """`access-key` or `iam`, as gitlab-runner decides it. ValueError for another word."""
    said = s3.authentication_type.lower()
    if said and said not in ("access-key", "iam"):
        raise ValueError(f"AuthenticationType {s3.authentication_type!r} is not known: access-key or iam")
    return said or ("access-key" if s3.server_address and s3.access_key and s3.secret_key else "iam")


def endpoint(s3: S3Config) -> str:
    """The server's URL, without the port where it is the scheme's own."""
    scheme, usual = ("http", ":80") if s3.insecure else ("https", ":443")
    return f"{scheme}://{s3.server_address.strip('/').removesuffix(usual)}"


def _is_amazon(s3: S3Config) -> bool:
    host = s3.server_address.partition(":")[0].lower()
    return not host or host == AMAZON or host.endswith((f".{AMAZON}", f".{AMAZON}.cn"))


def _gcs(gcs: GcsConfig) -> ObjectStore:
    import msgspec
    from obstore.store import GCSStore

    from shipline.objects.bucket import client_options, retries

    settings: dict[str, Any] = {}
    if gcs.credentials_file:
        settings["service_account"] = gcs.credentials_file
    elif gcs.access_id:
        account = {"type": "service_account", "client_email": gcs.access_id, "private_key": gcs.private_key}
        account |= {"private_key_id": "", "token_uri": "https://oauth2.googleapis.com/token"}
        settings["service_account_key"] = msgspec.json.encode(account).decode()
    return GCSStore(gcs.bucket_name, client_options=client_options(), retry_config=retries(), **settings)


def _azure(azure: AzureConfig) -> ObjectStore:
    from obstore.store import AzureStore

    from shipline.objects.bucket import client_options, retries

    settings: dict[str, Any] = {"account_name": azure.account_name}
    if azure.account_key:
        settings["account_key"] = azure.account_key
    if azure.storage_domain:
        settings["endpoint"] = f"https://{azure.account_name}.{azure.storage_domain}"
    return AzureStore(azure.container_name, client_options=client_options(), retry_config=retries(), **settings)
