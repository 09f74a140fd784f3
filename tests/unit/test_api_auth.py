"""Tokens: who gets in, and which forgeries do not."""

import asyncio
import base64
import hashlib
import hmac
import json
from datetime import timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

from haulier.api import keys
from haulier.api.auth import CACHE_LIMIT, MAX_TOKEN_BYTES, Tokens, mint_token
from haulier.api.keys import REFETCH_S, FetchedKeys, SharedSecret
from haulier.errors import HeadersTooLarge, Unauthenticated, Unavailable
from haulier.limits import Role
from haulier.settings import Secret
from tests.builders import NOW

SECRET = Secret("a-secret-for-tests-a-secret-for-tests")


class StillClock:
    """Stands still until it is moved."""

    def __init__(self):
        self.seconds = 0.0

    def now(self):
        return NOW + timedelta(seconds=self.seconds)

    def monotonic(self):
        return self.seconds


@pytest.fixture
def clock():
    return StillClock()


@pytest.fixture
def tokens(clock):
    return Tokens(SharedSecret(SECRET), algorithm="HS256", clock=clock)


def part(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def signed(claims, *, header=None, secret=SECRET, digest=hashlib.sha256):
    """A token of any header and claims, made without a library's opinion."""
    message = part(header or {"alg": "HS256", "typ": "JWT"}) + b"." + part(claims)
    return (message + b"." + part(hmac.digest(secret.reveal().encode(), message, digest))).decode()


def claims(**changes):
    known = {"sub": "anna", "role": "premium", "exp": NOW.timestamp() + 60} | changes
    return {name: value for name, value in known.items() if value is not None}


async def test_a_minted_token_tells_user_and_role(tokens):
    caller = await tokens.verify(mint_token(SECRET, user="anna", role="admin", ttl_s=60, now=NOW))
    assert (caller.user_id, caller.role, caller.is_admin) == ("anna", Role.ADMIN, True)


async def test_the_role_is_free_unless_it_is_said(tokens):
    assert (await tokens.verify(signed(claims(role=None)))).role is Role.FREE


@pytest.mark.parametrize(
    ("claim", "email"),
    [
        ({"email": "anna@example.org"}, "anna@example.org"),
        ({"email": "anna@example.org", "email_verified": True}, "anna@example.org"),
        ({"email": "anna@example.org", "email_verified": False}, ""),
        ({"email": "anna@example.org", "email_verified": "true"}, "anna@example.org"),
        ({"email": "anna@example.org", "email_verified": "false"}, ""),
        ({"email": "anna@example.org", "email_verified": "False"}, ""),
        ({"email": "anna@example.org", "email_verified": 0}, ""),
        ({"email": None}, ""),
        ({"email": ["anna@example.org"]}, ""),
        ({"email": "Anna <anna@example.org>"}, ""),
        ({"email": "a@b.c\r\nBcc: x@y.z"}, ""),
    ],
)
async def test_an_address_counts_when_its_issuer_vouches_for_it_and_keeps_nobody_out(tokens, claim, email):
    assert (await tokens.verify(signed(claims(**claim)))).email == email


@pytest.mark.parametrize(
    "claim",
    [
        {"exp": None},
        {"exp": NOW.timestamp()},
        {"exp": "tomorrow"},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": "nul\x00"},
        {"sub": "\ud800"},
        {"sub": 7},
        {"role": "root"},
        {"role": ["admin"]},
        {"nbf": NOW.timestamp() + 60},
    ],
)
async def test_a_wrong_claim_is_refused(tokens, claim):
    with pytest.raises(Unauthenticated):
        await tokens.verify(signed(claims(**claim)))


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ({"sub": ""}, "its claim sub must be text of 1 to 255 characters without control characters."),
        ({"sub": None}, "its payload needs the field sub."),
        ({"exp": "tomorrow"}, "its claim exp must be a number; it is text."),
        ({"role": "root"}, "its claim role must be admin, free or premium."),
    ],
)
async def test_what_is_wrong_with_a_claim_is_said_in_words(tokens, claim, reason):
    with pytest.raises(Unauthenticated) as caught:
        await tokens.verify(signed(claims(**claim)))
    assert caught.value.detail == f"A valid bearer token is needed: {reason}"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "a.b",
        "a.b.c",
        "..",
        signed(claims(), secret=Secret("another-secret-for-tests-of-32-bytes")),
        signed(claims(), header={"alg": "HS512"}, digest=hashlib.sha512),
        signed(claims(), header={"alg": "HS384"}, digest=hashlib.sha384),
        signed(claims(), header={"alg": ["HS256"]}),
        signed(claims(), header={"alg": "HS256", "crit": ["exp"], "exp": 1}),
        signed(claims(), header={"alg": "HS256", "b64": False, "crit": ["b64"]}),
        signed(b"not json"),
        signed(b"[]"),
        signed(b"\xff"),
        (part({"alg": "none"}) + b"." + part(claims()) + b".").decode(),
        (part({"alg": "None"}) + b"." + part(claims()) + b".").decode(),
        (part({"typ": "JWT"}) + b"." + part(claims()) + b".").decode(),
        (part([]) + b"." + part(claims()) + b".").decode(),
        (part(b"[" * 5_000) + b"." + part(claims()) + b".").decode(),
        signed(claims())[:-2],
        signed(claims()) + ".x",
        "ü",
    ],
)
async def test_a_forged_token_is_refused(tokens, token):
    with pytest.raises(Unauthenticated):
        await tokens.verify(token)


async def test_a_key_that_the_token_brings_along_is_ignored(tokens):
    own = OctKey.generate_key(256)
    header = {"alg": "HS256", "jwk": own.as_dict(), "kid": "../../dev/null", "jku": "http://evil.example/keys"}
    with pytest.raises(Unauthenticated):
        await tokens.verify(signed(claims(), header=header, secret=Secret("x" * 40)))


@pytest.mark.parametrize("authorization", [None, "", "Basic YTpi", "Bearer", "Bearer a b", "bearer\ta", "Bearer ü"])
async def test_other_authorizations_are_refused(tokens, authorization):
    with pytest.raises(Unauthenticated):
        await tokens.caller(authorization)


async def test_the_scheme_may_be_written_in_any_case(tokens):
    assert (await tokens.caller(f"bEARER {signed(claims())}")).user_id == "anna"


async def test_an_endless_header_is_refused(tokens):
    with pytest.raises(HeadersTooLarge):
        await tokens.caller("Bearer " + "a" * MAX_TOKEN_BYTES)


async def test_a_remembered_token_expires_all_the_same(tokens, clock):
    token = signed(claims())
    await tokens.verify(token)
    clock.seconds = 59
    await tokens.verify(token)
    clock.seconds = 60
    with pytest.raises(Unauthenticated):
        await tokens.verify(token)


async def test_no_more_tokens_are_remembered_than_the_limit(tokens, monkeypatch):
    monkeypatch.setattr("haulier.api.auth.CACHE_LIMIT", 2)
    assert CACHE_LIMIT > 2
    for user in "abc":
        await tokens.verify(signed(claims(sub=user)))
    assert len(tokens._known) == 2


@pytest.mark.parametrize(
    ("claim", "accepted"),
    [
        ({"iss": "us", "aud": "haulier"}, True),
        ({"iss": "us", "aud": ["other", "haulier"]}, True),
        ({"iss": "them", "aud": "haulier"}, False),
        ({"aud": "haulier"}, False),
        ({"iss": "us"}, False),
        ({"iss": "us", "aud": ["other"]}, False),
        ({"iss": ["us"], "aud": "haulier"}, False),
    ],
)
async def test_issuer_and_audience_are_checked_when_they_are_set(clock, claim, accepted):
    tokens = Tokens(SharedSecret(SECRET), algorithm="HS256", issuer="us", audience="haulier", clock=clock)
    try:
        await tokens.verify(signed(claims(**claim)))
    except Unauthenticated:
        assert not accepted
    else:
        assert accepted


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()


@pytest.mark.parametrize("user", ["token", "", "anna@example.org"])
async def test_a_token_may_be_the_password_of_basic_where_that_is_taken(tokens, user):
    header = basic(f"{user}:{signed(claims())}")
    assert (await tokens.caller(header, takes_basic=True)).user_id == "anna"
    with pytest.raises(Unauthenticated):
        await tokens.caller(header)


@pytest.mark.parametrize(
    "header",
    [
        basic("anna"),
        basic("anna:"),
        basic("anna:secret"),
        basic("anna:with space"),
        basic("anna:two:colons"),
        basic(f"{signed(claims())}:"),
        "Basic ====",
        "Basic /w==",
        "Basic",
        "Basic " + "a" * 9,
        "Digest username=anna",
    ],
)
async def test_basic_without_a_token_as_password_is_refused(tokens, header):
    with pytest.raises(Unauthenticated):
        await tokens.caller(header, takes_basic=True)


@given(st.one_of(st.text(), st.binary().map(lambda raw: base64.b64encode(raw).decode())))
def test_no_basic_header_does_more_than_being_refused(text):
    tokens = Tokens(SharedSecret(SECRET), algorithm="HS256", clock=StillClock())
    with pytest.raises(Unauthenticated):
        asyncio.run(tokens.caller(f"Basic {text}", takes_basic=True))


KEYS = {
    "RS256": RSAKey.generate_key(2048, {"kid": "k1"}),
    "ES256": ECKey.generate_key("P-256", {"kid": "k1"}),
    "Ed25519": OKPKey.generate_key("Ed25519", {"kid": "k1"}),
}


class Issuer:
    """Publishes keys, and counts how often it is asked."""

    def __init__(self, *keys):
        self.keys = list(keys)
        self.asked = 0
        self.status = 200

    def answer(self, _):
        self.asked += 1
        return httpx.Response(self.status, json=KeySet(self.keys).as_dict(private=False))

    def tokens(self, algorithm, clock):
        client = httpx.AsyncClient(transport=httpx.MockTransport(self.answer))
        setting = "EdDSA" if algorithm == "Ed25519" else algorithm
        return Tokens(FetchedKeys(client, "http://issuer/keys", clock=clock), algorithm=setting, clock=clock)


def issued(algorithm, key=None, **header):
    key = key or KEYS[algorithm]
    return jwt.encode({"alg": algorithm, "kid": key.kid} | header, claims(), key, algorithms=[algorithm])


@pytest.mark.parametrize("algorithm", KEYS)
async def test_a_token_of_a_published_key_gets_in(algorithm, clock):
    issuer = Issuer(KEYS[algorithm])
    assert (await issuer.tokens(algorithm, clock).verify(issued(algorithm))).user_id == "anna"
    assert issuer.asked == 1


async def test_a_public_key_does_not_serve_as_shared_secret(clock):
    public = KEYS["RS256"].as_pem(private=False).decode()
    tokens = Issuer(KEYS["RS256"]).tokens("RS256", clock)
    for kid in ("k1", None):
        header = {"alg": "HS256", "typ": "JWT"} | ({"kid": kid} if kid else {})
        with pytest.raises(Unauthenticated):
            await tokens.verify(signed(claims(), header=header, secret=Secret(public)))


async def test_made_up_key_ids_do_not_hammer_the_issuer(clock):
    issuer = Issuer(KEYS["ES256"])
    tokens = issuer.tokens("ES256", clock)
    stranger = ECKey.generate_key("P-256", {"kid": "made-up"})
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await tokens.verify(issued("ES256", stranger))
    assert issuer.asked == 1


async def test_a_new_key_is_fetched_when_a_token_names_it(clock):
    issuer = Issuer(KEYS["ES256"])
    tokens = issuer.tokens("ES256", clock)
    await tokens.verify(issued("ES256"))
    fresh = ECKey.generate_key("P-256", {"kid": "k2"})
    issuer.keys.append(fresh)
    clock.seconds = REFETCH_S
    assert (await tokens.verify(issued("ES256", fresh))).user_id == "anna"


async def test_without_any_keys_the_service_is_unavailable(clock):
    issuer = Issuer(KEYS["ES256"])
    issuer.status = 500
    with pytest.raises(Unavailable):
        await issuer.tokens("ES256", clock).verify(issued("ES256"))


async def test_an_issuer_that_never_answers_keeps_nobody_waiting(clock, monkeypatch):
    async def silence(_):
        await asyncio.Event().wait()

    monkeypatch.setattr(keys, "ANSWER_S", 0.05)
    issuer = Issuer(KEYS["ES256"])
    issuer.answer = silence
    with pytest.raises(Unavailable):
        await issuer.tokens("ES256", clock).verify(issued("ES256"))
