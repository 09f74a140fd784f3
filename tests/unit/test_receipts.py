"""Receipts: what we sign can be checked, and what others make of it is refused."""

import base64
import hashlib
from contextlib import suppress

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OctKey, OKPKey

from haulier.errors import ReceiptsOff
from haulier.receipt_keys import fresh_private_key, private_key, public_key, public_keys, public_text
from haulier.receipts import (
    BadReceipt,
    ReceiptSigner,
    check_signature,
    key_set,
    open_receipt,
    read_keys,
    receipt_document,
)
from haulier.wire_receipts import ReceiptKeys
from tests.receipts import KEYS, OTHER_SEED, SEED, SIGNER, forged, receipt, signed

KID = KEYS.keys[0].kid
HEADER = {"alg": "EdDSA", "kid": KID, "typ": "haulier-receipt+jwt"}
OWN_KEY = OKPKey.import_key(private_key(SEED).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
PAYLOAD = msgspec.json.encode(receipt())
# joserfc warns of what attackers use, and of the name EdDSA.
pytestmark = pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")


def state(raw: bytes, trusted: ReceiptKeys | None = KEYS) -> str:
    return check_signature(open_receipt(raw), trusted).state


def test_what_we_sign_is_good():
    opened = open_receipt(signed())
    assert check_signature(opened, KEYS).state == "good"
    assert opened.receipt == receipt()


def test_the_signed_text_is_the_readable_receipt():
    answer = msgspec.json.decode(signed())
    payload = answer["jws"].split(".")[1]
    assert msgspec.json.decode(base64.urlsafe_b64decode(payload + "==")) == answer["receipt"]


def test_a_key_has_the_thumbprint_of_rfc_7638_as_its_name():
    key = KEYS.keys[0]
    canonical = f'{{"crv":"Ed25519","kty":"OKP","x":"{key.x}"}}'.encode()
    assert key.kid == base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()


def test_the_signature_alone_is_a_receipt_too():
    assert state(msgspec.json.decode(signed())["jws"].encode() + b"\n") == "good"


def test_any_other_library_s_signature_by_our_key_is_the_same():
    assert state(forged(PAYLOAD, HEADER, key=OWN_KEY)) == "good"
    assert state(forged(PAYLOAD, HEADER | {"alg": "Ed25519"}, key=OWN_KEY)) == "good"


def test_a_saved_receipt_is_good_and_keeps_what_this_version_does_not_know():
    newer = msgspec.json.encode(msgspec.to_builtins(receipt()) | {"news": [1]})
    made = msgspec.structs.replace(SIGNER.sign(receipt()), jws=forged(newer, HEADER, key=OWN_KEY).decode())
    document = receipt_document(made)
    assert msgspec.json.decode(document)["receipt"]["news"] == [1]
    assert state(document) == "good"


def test_a_long_receipt_is_signed_and_checked():
    long = signed(file_ids=tuple(range(10_000, 11_000)), params={"note": "x" * 500_000})
    assert state(long) == "good"


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (HEADER | {"alg": "none"}, None),
        (HEADER | {"alg": "HS256"}, OctKey.import_key(KEYS.keys[0].x)),
        (HEADER | {"alg": "HS256"}, OctKey.import_key(base64.urlsafe_b64decode(KEYS.keys[0].x + "="))),
        (HEADER, OKPKey.generate_key("Ed25519")),
        (HEADER | {"typ": "JWT"}, OWN_KEY),
        (HEADER | {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": KEYS.keys[0].x}}, OWN_KEY),
        ({"alg": "EdDSA", "typ": HEADER["typ"]}, OWN_KEY),
        ({"alg": "EdDSA", "kid": KID}, OWN_KEY),
    ],
    ids=["none", "hmac-text", "hmac-raw", "another-key", "a-token", "its-own-key", "no-kid", "no-typ"],
)
def test_a_forged_signature_is_bad(header, key):
    assert state(forged(PAYLOAD, header, key=key)) == "bad"


def test_a_key_that_is_not_trusted_is_named():
    raw = msgspec.json.encode(ReceiptSigner(OTHER_SEED).sign(receipt()))
    found = check_signature(open_receipt(raw), KEYS)
    assert (found.state, found.kid) == ("untrusted", ReceiptSigner(OTHER_SEED).published.keys[0].kid)


def test_a_changed_payload_is_bad():
    head, _, signature = msgspec.json.decode(signed())["jws"].split(".")
    other = base64.urlsafe_b64encode(msgspec.json.encode(receipt(b"other"))).rstrip(b"=").decode()
    assert state(f"{head}.{other}.{signature}".encode()) == "bad"


def test_a_changed_readable_part_is_bad():
    answer = msgspec.json.decode(signed())
    answer["receipt"]["artefact"]["sha256"] = "0" * 64
    assert state(msgspec.json.encode(answer)) == "bad"


def test_without_a_trusted_key_nothing_is_said_to_be_good():
    assert state(signed(), None) == "unchecked"


def test_receipts_of_the_key_before_stay_good():
    old = public_text(private_key(OTHER_SEED).public_key())
    published = ReceiptSigner(SEED, old=old).published
    assert state(msgspec.json.encode(ReceiptSigner(OTHER_SEED).sign(receipt())), published) == "good"
    assert published.keys[0] == KEYS.keys[0]


def test_without_a_key_nothing_is_signed_and_old_keys_stay_published():
    with pytest.raises(ReceiptsOff):
        ReceiptSigner("").sign(receipt())
    with pytest.raises(ReceiptsOff):
        _ = ReceiptSigner("").published
    assert ReceiptSigner("", old=KEYS.keys[0].x).published == KEYS


def test_keys_are_read_again_as_they_were_published():
    assert read_keys(msgspec.json.encode(KEYS)) == KEYS


def test_other_kinds_of_keys_are_passed_over_and_names_are_not_believed():
    ours = msgspec.to_builtins(KEYS.keys[0]) | {"kid": "mine"}
    raw = msgspec.json.encode({"keys": [{"kty": "RSA", "n": "x", "e": "AQAB"}, ours]})
    assert read_keys(raw) == KEYS


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b'{"keys":[]}', b'{"keys":[{"kty":"OKP","crv":"Ed25519","x":"A"}]}']
)
def test_what_is_no_key_set_is_refused(raw):
    with pytest.raises(BadReceipt):
        read_keys(raw)


def test_a_private_key_can_be_pem_in_one_line_too():
    pem = private_key(SEED).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for text in (pem, pem.replace("\n", "\\n")):
        assert private_key(text).public_key() == private_key(SEED).public_key()


def test_a_pem_of_another_kind_is_refused():
    pem = generate_private_key(65_537, 2_048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ValueError, match="Ed25519"):
        private_key(pem.decode())


def test_a_fresh_key_is_a_key():
    assert private_key(fresh_private_key()) != private_key(fresh_private_key())


def test_old_keys_are_a_list():
    made = [Ed25519PrivateKey.generate().public_key() for _ in range(2)]
    assert public_keys(" , ".join(public_text(key) for key in made)) == made


@given(st.binary(max_size=64) | st.text(max_size=60).map(str.encode))
def test_garbage_is_no_key(raw):
    text = raw.decode(errors="replace")
    for read in (private_key, public_key):
        with pytest.raises(ValueError, match=r"^(must be|is no) "):
            read(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = sorted(msgspec.to_builtins(receipt()))


@given(raw=st.binary(max_size=200))
def test_garbage_is_no_receipt(raw):
    for read in (open_receipt, read_keys):
        with pytest.raises(BadReceipt):
            read(raw)


@given(field=st.sampled_from(FIELDS), value=JSON)
def test_a_receipt_with_a_strange_field_is_read_or_refused_but_never_good(field, value):
    payload = msgspec.json.encode(msgspec.to_builtins(receipt()) | {field: value})
    raw = forged(payload, HEADER, key=OKPKey.generate_key("Ed25519"))
    with suppress(BadReceipt):
        assert state(raw) == "bad"


@given(header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk"]), JSON, max_size=4))
def test_a_strange_header_is_never_good(header):
    encoded = base64.urlsafe_b64encode(msgspec.json.encode(header)).rstrip(b"=")
    _, payload, signature = msgspec.json.decode(signed())["jws"].encode().split(b".")
    with suppress(BadReceipt):
        assert state(b".".join((encoded, payload, signature))) == "bad"


@given(jws_text=st.text(alphabet='ab.=-_AZ{"', max_size=80), shown=JSON)
def test_a_strange_envelope_is_refused(jws_text, shown):
    for raw in ({"jws": jws_text}, {"jws": jws_text, "receipt": shown}, {"receipt": shown}):
        with pytest.raises(BadReceipt):
            open_receipt(msgspec.json.encode(raw))


def test_deep_nesting_is_refused():
    with pytest.raises(BadReceipt):
        open_receipt(b'{"jws":"a.b.c","receipt":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    deep = PAYLOAD[:-1] + b',"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    raw = forged(deep, HEADER, key=OWN_KEY) if len(deep) < 128_000 else b""
    with pytest.raises(BadReceipt):
        open_receipt(raw)


def test_a_name_that_stands_twice_in_the_header_buys_nothing():
    doubled = b'{"alg":"none","alg":"EdDSA","kid":"' + KID.encode() + b'","typ":"haulier-receipt+jwt"}'
    _, payload, signature = msgspec.json.decode(signed())["jws"].encode().split(b".")
    assert state(b".".join((base64.urlsafe_b64encode(doubled).rstrip(b"="), payload, signature))) == "bad"


def test_the_key_set_says_what_other_libraries_need():
    jwk = msgspec.to_builtins(key_set([private_key(SEED).public_key()]).keys[0])
    compact = msgspec.json.decode(signed())["jws"]
    found = jws.deserialize_compact(compact, OKPKey.import_key(jwk), algorithms=["EdDSA"])
    assert msgspec.json.decode(found.payload)["haulier_receipt"] == 1
