"""S3 and what speaks its protocol: address, credentials, patience."""

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qs, urlsplit

import botocore.session
import msgspec
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from obstore.store import S3Store

from haulier.clock import SYSTEM_CLOCK
from haulier.storage.keys import check_key
from haulier.storage.objects import ObjectStorage
from haulier.storage.port import Upload
from haulier.storage.s3_uploads import CONNECTIONS, S3Upload, S3Uploads
from haulier.storage.signing import S3Signer

if TYPE_CHECKING:  # obstore has these names for type checkers only
    from obstore.store import ClientConfig, RetryConfig, S3Credential

_OPTIONS = {"endpoint", "region", "style"}
_DEFAULT_REGION = "us-east-1"
_CREDENTIALS_KEPT = timedelta(minutes=5)  # botocore renews temporary ones 15 minutes before they end

# A stalled read ends after 60 s; the whole of a request is not limited, as a slow reader may take hours over an object.
_CLIENT: "ClientConfig" = {"connect_timeout": "5s", "read_timeout": "60s", "timeout": "24h"}
_RETRIES: "RetryConfig" = {
    "max_retries": 3,
    "retry_timeout": timedelta(seconds=30),
    "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=3), "base": 2},
}


class Bucket(msgspec.Struct, frozen=True):
    """Where a bucket is. `url` is its address without a trailing slash, the bucket's name included."""

    name: str
    region: str
    url: str
    endpoint: str
    is_virtual: bool


def open_s3(url: SplitResult) -> ObjectStorage:
    """The bucket of an `s3:` URL, with credentials from botocore's chain. Raises ValueError for a wrong URL."""
    session = botocore.session.get_session()
    bucket = parse_bucket(url, default_region=session.get_config_variable("region") or _DEFAULT_REGION)
    credentials = session.get_credentials()
    if credentials is None:
        raise ValueError("there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile")
    current: Callable[[], Any] = credentials.get_frozen_credentials
    store = S3Store(
        bucket.name,
        config={
            # Above `endpoint` and the environment's variables, so that bytes and links go to the same place.
            "aws_endpoint_url_s3": bucket.endpoint,
            "region": bucket.region,
            "virtual_hosted_style_request": bucket.is_virtual,
            "unsigned_payload": bucket.url.startswith("https:"),  # TLS guards the bytes already
        },
        credential_provider=_provider(current),
        client_options=_CLIENT | {"allow_http": bucket.url.startswith("http:")},
        retry_config=_RETRIES,
    )
    signer = S3Signer(
        current,
        are_static=not isinstance(credentials, RefreshableCredentials),
        bucket_url=bucket.url,
        region=bucket.region,
    )
    return S3Storage(store, signer=signer, bucket=bucket, session=session)


class S3Storage(ObjectStorage):
    """Objects in a bucket. Uploads in parts, and forgotten ones, which cost money unseen, go through botocore."""

    def __init__(self, store: S3Store, *, signer: S3Signer, bucket: Bucket, session: botocore.session.Session) -> None:
        super().__init__(store, signer=signer, keeps_headers=True)
        self._bucket = bucket
        self._session = session
        self._uploads = S3Uploads(self._client, bucket.name, head=self.head)

    async def begin_upload(self, key: str, *, file_name: str, content_type: str) -> Upload:
        handle = await self._uploads.begin(check_key(key), file_name=file_name, content_type=content_type)
        return self.open_upload(key, handle)

    def open_upload(self, key: str, handle: str) -> Upload:
        return S3Upload(self._uploads, check_key(key), handle, part_bytes=self.part_bytes)

    async def sweep_uploads(self, *, older_than_s: float, keep: Collection[str] = ()) -> int:
        return await self._uploads.sweep(latest=SYSTEM_CLOCK.now() - timedelta(seconds=older_than_s), keep=keep)

    def _client(self) -> Any:
        bucket = self._bucket
        endpoint = bucket.endpoint
        if bucket.is_virtual:  # botocore puts the bucket's name before the address by itself
            endpoint = endpoint.replace(f"//{bucket.name}.", "//", 1)
        config = Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"total_max_attempts": 3, "mode": "standard"},
            max_pool_connections=CONNECTIONS,
            # Not every store knows the newer checksums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={
                "addressing_style": "virtual" if bucket.is_virtual else "path",
                "payload_signing_enabled": bucket.url.startswith("http:"),  # TLS guards the bytes already
            },
        )
        return self._session.create_client("s3", region_name=bucket.region, endpoint_url=endpoint, config=config)


def parse_bucket(url: SplitResult, *, default_region: str) -> Bucket:
    """`s3://bucket?endpoint=…&region=…&style=…`; AWS in virtual-hosted style, an endpoint in path style."""
    try:
        options = (
            {name: values[-1] for name, values in parse_qs(url.query, strict_parsing=True).items()} if url.query else {}
        )
    except ValueError:
        raise ValueError("its query is not valid") from None
    if unknown := options.keys() - _OPTIONS:
        raise ValueError(f"there is no option {min(unknown)}; there are {', '.join(sorted(_OPTIONS))}")
    if not url.netloc or url.path.strip("/") or "@" in url.netloc:
        raise ValueError("must name a bucket alone, as in s3://bucket; credentials come from the AWS environment")
    region = options.get("region", default_region)
    endpoint = options.get("endpoint", f"https://s3.{region}.{_domain(region)}").rstrip("/")
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc:
        raise ValueError("its endpoint must be an http:// or https:// address without credentials")
    style = options.get("style", "path" if "endpoint" in options else "virtual")
    if style not in {"path", "virtual"}:
        raise ValueError("its style must be path or virtual")
    if style == "path":
        return Bucket(url.netloc, region, f"{endpoint}/{url.netloc}", endpoint, is_virtual=False)
    hosted = parts._replace(netloc=f"{url.netloc}.{parts.netloc}").geturl()
    return Bucket(url.netloc, region, hosted, hosted, is_virtual=True)


def _domain(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"


def _provider(current: Callable[[], Any]) -> "Callable[[], S3Credential]":
    def provide() -> "S3Credential":
        frozen = current()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": SYSTEM_CLOCK.now() + _CREDENTIALS_KEPT,
        }

    return provide
