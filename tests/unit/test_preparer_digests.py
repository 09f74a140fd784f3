"""The digests that an origin states: which count, and which are left alone."""

import base64
import hashlib
from collections.abc import AsyncGenerator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.errors import SourceDamaged
from haulier.preparers.digests import SIZES, repr_digest, stated_digests, verified

SHA = hashlib.sha256(b"hello").digest()
MD5 = hashlib.md5(b"hello", usedforsecurity=False).digest()


def b64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def stated(**headers: str) -> dict[str, bytes]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return stated_digests(httpx.Response(200, headers=sent))


KEYS = st.from_regex(r"[a-z*][a-z0-9_.*-]{0,8}", fullmatch=True)
PARAMETERS = st.sampled_from(["", ";q=1", "; a", ';x="a, b=:AA==:"', ";t=?0;u=tok/en", ";b=:AA==:"])


@given(st.lists(st.tuples(KEYS | st.sampled_from(sorted(SIZES)), st.binary(min_size=1, max_size=64), PARAMETERS)))
def test_a_well_formed_field_is_read_back(members: list[tuple[str, bytes, str]]):
    text = ", ".join(f"{key}=:{b64(digest)}:{parameters}" for key, digest, parameters in members)
    last = {key: digest for key, digest, _ in members}
    assert repr_digest(text) == {key: digest for key, digest in last.items() if len(digest) == SIZES.get(key)}


@given(st.text(alphabet='sha-256md5=:,; "\\?AZaz09+/*\t', max_size=120) | st.text())
def test_whatever_a_field_holds_only_digests_of_the_right_size_come_out(text: str):
    assert all(len(digest) == SIZES[key] for key, digest in repr_digest(text).items())


@given(
    st.dictionaries(
        st.sampled_from(["repr-digest", "content-md5", "etag", "x-goog-hash", "x-amz-checksum-sha256", "server"]),
        st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126)),
    )
)
def test_no_header_makes_reading_fail(headers: dict[str, str]):
    found = stated_digests(httpx.Response(200, headers={**headers, "x-amz-request-id": "1"}))
    assert all(len(digest) == SIZES[key] for key, digest in found.items())


@pytest.mark.parametrize(
    "text",
    [
        f"sha-256={b64(SHA)}",
        f"SHA-256=:{b64(SHA)}:",
        f"sha-256=:{b64(SHA)}",
        f"sha-256=:{b64(SHA)}:,",
        f"sha-256=:{b64(SHA)}:, sha-512",
        f"sha-256=:{b64(SHA)}: junk",
        f"sha-256=:{b64(SHA)}:;",
        f"sha-256 =:{b64(SHA)}:",
        f"sha-256=:{b64(SHA)[:-2]}:",
        "sha-256=::",
        "sha-256=:====:",
        f"md5=:{b64(SHA)}:",
        f"sha-512=:{b64(SHA + SHA)}:",
    ],
)
def test_a_malformed_or_unknown_digest_is_none(text: str):
    assert repr_digest(text) == {}


def test_padding_may_be_missing():
    assert repr_digest(f"sha-256=:{b64(SHA).rstrip('=')}:") == {"sha-256": SHA}


@pytest.mark.parametrize(
    ("headers", "digests"),
    [
        ({"content_md5": b64(MD5)}, {"md5": MD5}),
        ({"content_md5": b64(SHA)}, {}),
        ({"content_md5": MD5.hex()}, {}),
        ({"repr_digest": f"md5=:{b64(MD5)}:", "content_md5": b64(SHA[:16])}, {"md5": MD5}),
        ({"x_amz_checksum_sha256": b64(SHA)}, {"sha-256": SHA}),
        ({"x_amz_checksum_sha256": b64(SHA), "x_amz_checksum_type": "FULL_OBJECT"}, {"sha-256": SHA}),
        ({"x_amz_checksum_sha256": b64(SHA), "x_amz_checksum_type": "COMPOSITE"}, {}),
        ({"x_amz_checksum_sha256": f"{b64(SHA)}-3"}, {}),
        ({"x_goog_hash": f"crc32c=n03x6A==,md5={b64(MD5)}"}, {"md5": MD5}),
        ({"x_goog_hash": f"md5={b64(MD5)}", "x_goog_stored_content_encoding": "identity"}, {"md5": MD5}),
        ({"x_goog_hash": f"md5={b64(MD5)}", "x_goog_stored_content_encoding": "gzip"}, {}),
        (
            {"x_goog_hash": f"md5={b64(MD5)}", "x_goog_stored_content_encoding": "gzip", "content_encoding": "gzip"},
            {"md5": MD5},
        ),
        ({"x_goog_hash": "crc32c=n03x6A=="}, {}),
    ],
)
def test_the_digests_of_stores_count_when_they_are_of_all_bytes_sent(headers: dict[str, str], digests: dict):
    assert stated(**headers) == digests


PLAIN = f'"{MD5.hex()}"'


@pytest.mark.parametrize(
    "headers",
    [
        {"x_amz_request_id": "4442587FB7D0A2F9"},
        {"server": "AmazonS3"},
        {"server": "AmazonS3", "x_amz_server_side_encryption": "AES256"},
    ],
)
def test_a_plain_etag_of_s3_is_an_md5(headers: dict[str, str]):
    assert stated(etag=PLAIN, **headers) == {"md5": MD5}


@pytest.mark.parametrize(
    "headers",
    [
        {"etag": PLAIN},
        {"etag": PLAIN, "server": "nginx"},
        {"etag": f'"{MD5.hex()}-2"', "server": "AmazonS3"},
        {"etag": f"W/{PLAIN}", "server": "AmazonS3"},
        {"etag": PLAIN, "server": "AmazonS3", "x_amz_server_side_encryption": "aws:kms"},
        {"etag": PLAIN, "server": "AmazonS3", "x_amz_server_side_encryption": "aws:kms:dsse"},
        {"etag": PLAIN, "server": "AmazonS3", "x_amz_server_side_encryption_customer_algorithm": "AES256"},
        {"etag": PLAIN, "server": "AmazonS3", "x_amz_storage_class": "EXPRESS_ONEZONE"},
    ],
)
def test_other_etags_are_no_digest(headers: dict[str, str]):
    assert stated(**headers) == {}


async def hello() -> AsyncGenerator[bytes, None]:
    yield b"he"
    yield b"llo"


@pytest.mark.parametrize("digests", [{}, {"sha-256": SHA}, {"md5": MD5}, {"sha-256": SHA, "md5": MD5}, {"crc": b"?"}])
async def test_bytes_with_their_digests_pass(digests: dict[str, bytes]):
    assert [chunk async for chunk in verified(hello(), digests, name="x")] == [b"he", b"llo"]


@pytest.mark.parametrize("digests", [{"sha-256": bytes(32)}, {"sha-256": SHA, "md5": bytes(16)}])
async def test_bytes_with_another_digest_are_damaged(digests: dict[str, bytes]):
    with pytest.raises(SourceDamaged) as caught:
        [chunk async for chunk in verified(hello(), digests, name="origin.example/x")]
    assert caught.value.detail == "origin.example/x does not have the digest that its origin states."
    assert not caught.value.permanent
