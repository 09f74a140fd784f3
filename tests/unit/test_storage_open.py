"""From HAULIER_STORAGE_URL to a store."""

from urllib.parse import urlsplit

import pytest

from haulier.errors import ConfigurationError
from haulier.settings import Secret, Settings
from haulier.storage import open_storage
from haulier.storage.s3_url import parse_bucket

SECRET = Secret("s" * 32)


def bucket(url: str):
    return parse_bucket(urlsplit(url), default_region="eu-west-1")


def opened(url: str, **settings):
    return open_storage(Settings(storage_url=Secret(url), **({"url_secret": SECRET} | settings)))


def test_a_missing_folder_is_created(tmp_path):
    opened(f"file://{tmp_path}/a/b%20c")

    assert (tmp_path / "a/b c").is_dir()


@pytest.mark.parametrize("url", ["file:relative", "file://host/folder", "ftp://x/y", ""])
def test_a_wrong_url_is_named_by_its_variable(url):
    with pytest.raises(ConfigurationError, match="HAULIER_STORAGE_URL"):
        opened(url)


def test_a_folder_that_cannot_be_made_says_why(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match="Not a directory"):
        opened(f"file://{tmp_path}/file/store")


def test_a_folder_store_signs_with_the_token_secret_when_it_has_no_own(tmp_path):
    opened(f"file://{tmp_path}", url_secret=Secret(), jwt_secret=SECRET)
    with pytest.raises(ConfigurationError, match="HAULIER_URL_SECRET"):
        opened(f"file://{tmp_path}", url_secret=Secret())


def test_s3_without_credentials_says_what_to_set(monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(ConfigurationError, match="AWS_ACCESS_KEY_ID"):
        opened("s3://bucket")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("s3://files", "https://files.s3.eu-west-1.amazonaws.com"),
        ("s3://files/?region=cn-north-1", "https://files.s3.cn-north-1.amazonaws.com.cn"),
        ("s3://files?style=path", "https://s3.eu-west-1.amazonaws.com/files"),
        ("s3://files?endpoint=http://store:9000/", "http://store:9000/files"),
        ("s3://files?endpoint=http://store:9000&style=virtual", "http://files.store:9000"),
        ("s3://files?endpoint=http://[::1]:9000/base", "http://[::1]:9000/base/files"),
        ("s3://files?endpoint=", "https://files.s3.eu-west-1.amazonaws.com"),
    ],
)
def test_an_s3_url_leads_to_a_bucket(url, address):
    assert bucket(url).url == address


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3://files/folder",
        "s3://key:secret@files",
        "s3://files?endpoint=store:9000",
        "s3://files?endpoint=http://key:secret@store",
        "s3://files?style=odd",
        "s3://files?regoin=x",
        "s3://files?x",
        "s3://f",
        "s3://files?region=a/b",
        "s3://files?endpoint=http://store:port",
        "s3://files?endpoint=http://store?key=secret",
        "s3://files?endpoint=http://10.0.0.1:9000&style=virtual",
        "s3://files?endpoint=http://[::1]:9000&style=virtual",
        "s3://files?endpoint=http://a&endpoint=http://b",
        "s3://files?public_endpoint=https://key:secret@files.example",
        "s3://files?public_endpoint=https://files.example&public_style=odd",
        "s3://files?public_style=path",
        "s3://files?sse=sse-c",
        "s3://files?sse=AES256&sse_kms_key_id=secret",
        "s3://files?sse_kms_key_id=secret",
        "s3://files?sse=aws:kms&sse_kms_key_id=secret%0d%0a",
        "s3://files?sse=aws:kms:dsse&sse_bucket_key=true",
        "s3://files?sse=aws:kms&sse_bucket_key=yes",
    ],
)
def test_a_wrong_s3_url_is_refused_without_repeating_it(url):
    with pytest.raises(ValueError, match=r"must|there is|is not") as caught:
        bucket(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "address"),
    [
        ("", "http://store:9000/files"),
        ("&public_endpoint=https://files.example/", "https://files.example/files"),
        ("&public_endpoint=https://files.example:8443&public_style=virtual", "https://files.files.example:8443"),
        ("&public_endpoint=https://files.example&style=virtual", "https://files.files.example"),
        ("&public_endpoint=http://10.0.0.1:9000&style=virtual&public_style=path", "http://10.0.0.1:9000/files"),
    ],
)
def test_links_lead_to_the_public_endpoint_and_bytes_to_the_other(options, address):
    found = bucket(f"s3://files?endpoint=http://store:9000{options}")

    assert found.public_url == address
    assert found.service == "http://store:9000"
    assert found.has_public_address == bool(options)


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ("", {}),
        ("?sse=AES256", {"ServerSideEncryption": "AES256"}),
        ("?sse=aws:kms", {"ServerSideEncryption": "aws:kms"}),
        (
            "?sse=aws:kms&sse_kms_key_id=arn:aws:kms:eu-west-1:1:key/k&sse_bucket_key=true",
            {
                "ServerSideEncryption": "aws:kms",
                "SSEKMSKeyId": "arn:aws:kms:eu-west-1:1:key/k",
                "BucketKeyEnabled": True,
            },
        ),
        ("?sse=aws:kms:dsse&sse_kms_key_id=k", {"ServerSideEncryption": "aws:kms:dsse", "SSEKMSKeyId": "k"}),
    ],
)
def test_encryption_is_asked_for_with_each_object(options, parameters):
    assert bucket(f"s3://files{options}").encryption.put_extra == parameters
