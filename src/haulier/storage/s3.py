"""S3 and what speaks its protocol: address, credentials, patience."""

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from obstore.store import S3Store

from haulier.clock import SYSTEM_CLOCK
from haulier.storage.keys import check_key
from haulier.storage.objects import ObjectStorage
from haulier.storage.port import Upload
from haulier.storage.s3_credentials import CurrentCredentials
from haulier.storage.s3_uploads import CONNECTIONS, S3Upload, S3Uploads
from haulier.storage.s3_url import Bucket, parse_bucket
from haulier.storage.signing import S3Signer

if TYPE_CHECKING:  # obstore has these names for type checkers only
    from obstore.store import ClientConfig, RetryConfig, S3Credential

_DEFAULT_REGION = "us-east-1"
_CREDENTIALS_KEPT = timedelta(minutes=5)  # botocore renews temporary ones 15 minutes before they end

# A stalled read ends after 60 s; the whole of a request is not limited, as a slow reader may take hours over an object.
_CLIENT: "ClientConfig" = {"connect_timeout": "5s", "read_timeout": "60s", "timeout": "24h"}
_RETRIES: "RetryConfig" = {
    "max_retries": 3,
    "retry_timeout": timedelta(seconds=30),
    "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=3), "base": 2},
}


def open_s3(url: SplitResult) -> ObjectStorage:
    """The bucket of an `s3:` URL, with credentials from botocore's chain. Raises ValueError for a wrong URL."""
    session = botocore.session.get_session()
    bucket = parse_bucket(url, default_region=session.get_config_variable("region") or _DEFAULT_REGION)
    try:
        credentials = session.get_credentials()
    except (BotoCoreError, KeyError) as error:  # a profile that does not exist, an endpoint that does not answer
        raise ValueError(f"its AWS credentials cannot be had: {error}") from error
    if credentials is None:
        raise ValueError("there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile")
    current = CurrentCredentials(credentials)
    store = S3Store(
        bucket.name,
        config={
            # Above `endpoint` and the environment's variables, so that bytes and links go to the same place.
            "aws_endpoint_url_s3": bucket.endpoint,
            "region": bucket.region,
            "virtual_hosted_style_request": bucket.is_virtual,
            "unsigned_payload": bucket.url.startswith("https:"),  # TLS guards the bytes already
            **bucket.encryption.store_options,
        },
        credential_provider=_provider(current),
        client_options=_CLIENT | {"allow_http": bucket.url.startswith("http:")},
        retry_config=_RETRIES,
    )
    signer = S3Signer(current.get, bucket_url=bucket.public_url, region=bucket.region)
    return S3Storage(store, signer=signer, bucket=bucket, session=session)


class S3Storage(ObjectStorage):
    """Objects in a bucket. Uploads in parts, and forgotten ones, which cost money unseen, go through botocore."""

    def __init__(self, store: S3Store, *, signer: S3Signer, bucket: Bucket, session: botocore.session.Session) -> None:
        super().__init__(store, signer=signer, keeps_headers=True)
        self._bucket = bucket
        self._session = session
        self._uploads = S3Uploads(self._client, bucket.name, head=self.head, extra=bucket.encryption.put_extra)

    @property
    def bucket(self) -> Bucket:
        return self._bucket

    def client(self, *, timeout_s: float | None = None) -> Any:
        """botocore's client for this bucket, for what obstore does not do. Blocking; the caller closes it.

        With `timeout_s` it gives up on a silent store then, and tries nothing twice.
        """
        if timeout_s is None:
            return self._client()
        return self._client(connect_timeout=timeout_s, read_timeout=timeout_s, retries={"total_max_attempts": 1})

    async def begin_upload(self, key: str, *, file_name: str, content_type: str) -> Upload:
        handle = await self._uploads.begin(check_key(key), file_name=file_name, content_type=content_type)
        return self.open_upload(key, handle)

    def open_upload(self, key: str, handle: str) -> Upload:
        return S3Upload(self._uploads, check_key(key), handle, part_bytes=self.part_bytes)

    async def sweep_uploads(self, *, older_than_s: float, keep: Collection[str] = ()) -> int:
        return await self._uploads.sweep(latest=SYSTEM_CLOCK.now() - timedelta(seconds=older_than_s), keep=keep)

    def _client(self, **impatience: Any) -> Any:
        bucket = self._bucket
        config = Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"total_max_attempts": 3, "mode": "standard"},
            max_pool_connections=CONNECTIONS,
            # Not every store knows the newer checksums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            # botocore puts the bucket's name before the address by itself.
            s3={
                "addressing_style": "virtual" if bucket.is_virtual else "path",
                "payload_signing_enabled": bucket.url.startswith("http:"),  # TLS guards the bytes already
            },
        )
        config = config.merge(Config(**impatience))
        return self._session.create_client("s3", region_name=bucket.region, endpoint_url=bucket.service, config=config)


def _provider(current: CurrentCredentials) -> "Callable[[], S3Credential]":
    def provide() -> "S3Credential":
        frozen, ends = current.read()
        kept_until = SYSTEM_CLOCK.now() + _CREDENTIALS_KEPT
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": min(kept_until, ends) if ends else kept_until,
        }

    return provide
