"""Why a bucket cannot be had, in words: what stores answer that the test server never does."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, NoCredentialsError, SSLError

from haulier.storage.bucket_faults import code_of, fault_of, time_of


def refusal(code: str) -> ClientError:
    headers = {"date": "Mon, 23 Nov 2026 10:00:05 GMT"}
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPHeaders": headers}}
    return ClientError(answer, "ListObjectsV2")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("NoSuchBucket", "does not exist"),
        ("404", "does not exist"),
        ("AccessDenied", "denies access"),
        ("403", "denies access"),
        ("ExpiredToken", "have expired"),
        ("RequestTimeTooSkewed", "clock"),
        ("AuthorizationHeaderMalformed", "region"),
        ("PermanentRedirect", "another region"),
        ("301", "another region"),
        ("SlowDown", "SlowDown"),
    ],
)
def test_a_refusal_has_words_and_advice(code, text):
    fault = fault_of(refusal(code))

    assert text in fault.text
    assert fault.advice.endswith(".")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (EndpointConnectionError(endpoint_url="http://secret"), "cannot be reached"),
        (ConnectTimeoutError(endpoint_url="http://secret"), "in time"),
        (SSLError(endpoint_url="https://secret", error="x"), "certificate"),
        (NoCredentialsError(), "no AWS credentials"),
    ],
)
def test_a_store_that_does_not_answer_has_words_without_its_address(error, text):
    fault = fault_of(error)

    assert text in fault.text
    assert "secret" not in fault.text + fault.advice
    assert code_of(error) == ""


def test_the_stores_clock_is_read_from_answers_and_refusals():
    moment = datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC)

    assert time_of(refusal("AccessDenied")) == moment
    assert time_of({"ResponseMetadata": {"HTTPHeaders": {"date": "Mon, 23 Nov 2026 10:00:05 GMT"}}}) == moment
    assert time_of(NoCredentialsError()) is None
