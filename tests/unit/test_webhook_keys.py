"""Signatures of webhooks, against the package that receivers use and the specification's own example."""

import base64
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from haulier.destinations.webhook_keys import (
    MOST_KEYS,
    WebhookKey,
    fresh_key,
    next_rotation,
    rotated,
    signatures,
    valid,
)

NOW = datetime(2026, 11, 25, 10, 0, 5, tzinfo=UTC)
BODY = '{"type":"job.completed","data":{"file_name":"Bücher.zip"}}'.encode()
ID = "msg_0190a6c0-0000-7000-8000-000000000001"


def headers(*keys, body=BODY, at=None):
    at = at or datetime.now(UTC)
    return {
        "webhook-id": ID,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signatures(keys, message_id=ID, at=at, body=body),
    }


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none(), max_size=5))
def test_any_body_verifies_with_the_package_and_no_other_one_does(told):

    key, body = fresh_key("hmac"), msgspec.json.encode(told)
    sent = headers(key, body=body)
    assert Webhook(key.text).verify(body, sent) == told
    with pytest.raises(WebhookVerificationError):
        Webhook(key.text).verify(body + b" ", sent)


def test_the_specifications_example_has_its_signature():
    key = WebhookKey("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signatures(
        [key],
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        at=datetime.fromtimestamp(1614265330, UTC),
        body=b'{"test": 2432232314}',
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(max_size=100))
def test_an_ed25519_signature_verifies_with_the_public_key(body):
    key = fresh_key("ed25519")
    version, _, signature = signatures([key], message_id=ID, at=NOW, body=body).partition(",")
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.public_text.removeprefix("whpk_")))
    signed = f"{ID}.{int(NOW.timestamp())}.".encode() + body
    public.verify(base64.b64decode(signature), signed)
    assert version == "v1a"
    with pytest.raises(InvalidSignature):
        public.verify(base64.b64decode(signature), signed + b" ")


def test_the_key_before_a_rotation_signs_for_a_day_too():
    old = fresh_key("hmac")
    keys = rotated([old], fresh_key("hmac"), now=datetime.now(UTC))
    assert len(headers(*keys)["webhook-signature"].split(" ")) == 2
    for key in keys:
        Webhook(key.text).verify(BODY, headers(*keys))
    later = datetime.now(UTC) + timedelta(hours=25)
    assert valid(keys, now=later) == [keys[0]]


def test_no_key_ends_before_its_day_is_over_and_few_sign_at_a_time():
    keys = (fresh_key("hmac"),)
    for hour in range(MOST_KEYS - 1):
        now = NOW + timedelta(hours=hour)
        assert next_rotation(keys, now=now) is None
        keys = rotated(keys, fresh_key("hmac"), now=now)
    assert [key.until for key in keys] == [None, *(NOW + timedelta(hours=24 + hour) for hour in (2, 1, 0))]
    assert next_rotation(keys, now=NOW + timedelta(hours=3)) == NOW + timedelta(hours=24)
    assert next_rotation(keys, now=NOW + timedelta(hours=24)) is None
    assert len(rotated(keys, fresh_key("hmac"), now=NOW + timedelta(hours=24))) == MOST_KEYS


def test_a_time_of_another_zone_is_refused_before_it_signs_another_moment():
    key = fresh_key("hmac")
    local = NOW.astimezone(timezone(timedelta(hours=5)))
    with pytest.raises(ValueError, match="UTC"):
        signatures([key], message_id=ID, at=local, body=BODY)


def test_keys_look_like_the_specification_says():
    assert len(base64.b64decode(fresh_key("hmac").text.removeprefix("whsec_"))) == 32
    assert fresh_key("ed25519").public_text.startswith("whpk_")
