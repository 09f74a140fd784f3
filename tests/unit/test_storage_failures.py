"""What botocore's errors mean in ours, without what they tell about addresses."""

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from haulier.errors import StorageFailed, StorageUnavailable
from haulier.storage.failures import code_of, write_failure

SECRET_PLACE = "http://store.internal:9000/bucket"


def answered(status: int, code: str) -> ClientError:
    said = {"Error": {"Code": code, "Message": SECRET_PLACE}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(said, "UploadPart")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (answered(403, "AccessDenied"), StorageFailed, "the store denied access"),
        (answered(403, "SignatureDoesNotMatch"), StorageFailed, "the store denied access"),
        (answered(404, "NoSuchBucket"), StorageFailed, "the bucket does not exist"),
        (answered(507, "InsufficientStorage"), StorageFailed, "the store is full"),
        (answered(503, "SlowDown"), StorageUnavailable, "it answered SlowDown"),
        (ConnectTimeoutError(endpoint_url=SECRET_PLACE), StorageUnavailable, "it did not answer in time"),
        (ReadTimeoutError(endpoint_url=SECRET_PLACE), StorageUnavailable, "it did not answer in time"),
        (EndpointConnectionError(endpoint_url=SECRET_PLACE), StorageUnavailable, "it could not be reached"),
    ],
)
def test_a_failed_upload_says_why_and_no_address(error, kind, reason):
    failure = write_failure(error)

    assert type(failure) is kind
    assert failure.facts["reason"] == reason
    assert "internal" not in str(failure)


def test_a_code_is_the_stores_own():
    assert code_of(answered(404, "NoSuchUpload")) == "NoSuchUpload"
    assert code_of(OSError("x")) is None
