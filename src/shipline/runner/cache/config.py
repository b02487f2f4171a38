"""`[runners.cache]` of config.toml, with gitlab-runner's names, which are its own kind of capitals.

What gitlab-runner knows and we don't do is left out here, so that it is named among the keys that are left alone.
"""

from __future__ import annotations

import msgspec

OURS = {"local_size_limit": "LocalSizeLimit"}
S3_NAMES = {
    "server_address": "ServerAddress",
    "access_key": "AccessKey",
    "secret_key": "SecretKey",
    "session_token": "SessionToken",
    "bucket_name": "BucketName",
    "bucket_location": "BucketLocation",
    "insecure": "Insecure",
    "authentication_type": "AuthenticationType",
    "server_side_encryption": "ServerSideEncryption",
    "server_side_encryption_key_id": "ServerSideEncryptionKeyID",
    "dual_stack": "DualStack",
    "path_style": "PathStyle",
    "accelerate": "Accelerate",
}
GCS_NAMES = {
    "access_id": "AccessID",
    "private_key": "PrivateKey",
    "credentials_file": "CredentialsFile",
    "bucket_name": "BucketName",
}
AZURE_NAMES = {
    "account_name": "AccountName",
    "account_key": "AccountKey",
    "container_name": "ContainerName",
    "storage_domain": "StorageDomain",
}
NAMES = {"type": "Type", "path": "Path", "shared": "Shared", "max_uploaded_archive_size": "MaxUploadedArchiveSize"}


class S3Config(msgspec.Struct, rename=S3_NAMES):
    """`server_address` is host:port; empty for Amazon's own. `path_style` None: by the address. Without both keys,
    or with `authentication_type` iam, the machine's role or environment gives them."""

    server_address: str = ""
    access_key: str = ""
    secret_key: str = ""
    session_token: str = ""
    bucket_name: str = ""
    bucket_location: str = ""
    insecure: bool = False
    authentication_type: str = ""
    server_side_encryption: str = ""
    server_side_encryption_key_id: str = ""
    dual_stack: bool | None = None
    path_style: bool | None = None
    accelerate: bool = False


class GcsConfig(msgspec.Struct, rename=GCS_NAMES):
    """A service account by its key or its file; without both, what the machine is logged in as."""

    access_id: str = ""
    private_key: str = ""
    credentials_file: str = ""
    bucket_name: str = ""


class AzureConfig(msgspec.Struct, rename=AZURE_NAMES):
    """Without a key, the machine's identity. `storage_domain`: blob.core.windows.net unless it says otherwise."""

    account_name: str = ""
    account_key: str = ""
    container_name: str = ""
    storage_domain: str = ""


class CacheConfig(msgspec.Struct, rename=NAMES | OURS):
    """`type` s3, gcs or azure; empty for a folder of this machine (`cache_dir`). `path` comes before every name;
    unless `shared`, each runner has names of its own. `local_size_limit`, ours, is what the folder may hold.
    Sizes are in bytes, 0 for no limit."""

    type: str = ""
    path: str = ""
    shared: bool = False
    max_uploaded_archive_size: int = 0
    local_size_limit: int = 10 << 30
    s3: S3Config | None = None
    gcs: GcsConfig | None = None
    azure: AzureConfig | None = None
