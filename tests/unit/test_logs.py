"""Nothing secret reaches a log line."""

import json

import pytest
import structlog

from haulier.observe.logs import configure, redact
from haulier.settings import load

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "text",
    [
        "GET /files/1/a.zip?expires=1&signature=hunter2",
        "https://s3/bucket/key?X-Amz-Signature=hunter2&X-Amz-Date=20261123",
        "Authorization: Bearer hunter2",
        "postgresql://haulier:hunter2@127.0.0.1/haulier",
        "redis://:hunter2@127.0.0.1/0",
    ],
)
def test_signatures_and_credentials_are_masked(text):
    assert "hunter2" not in redact(text)


def test_a_token_is_masked_wherever_it_stands():
    assert TOKEN not in redact(f"got {TOKEN}!")


@pytest.fixture
def logged(capfd):
    structlog.reset_defaults()
    yield lambda: [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    structlog.reset_defaults()


def test_a_traceback_is_masked_too(logged):
    configure(load({"HAULIER_LOG_FORMAT": "json"}))
    try:
        raise ValueError(f"no access with {TOKEN}")
    except ValueError:
        structlog.get_logger().exception("failed", download_url="https://x?signature=hunter2")
    (line,) = logged()
    assert "ValueError" in line["exception"]
    assert TOKEN not in line["exception"]
    assert "hunter2" not in json.dumps(line)
