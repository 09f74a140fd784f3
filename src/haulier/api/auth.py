"""Tokens, as bearer or as password: making them (HS256), and verifying them at the price of a look-up.

The algorithm comes from the settings, never from the token. A verified token is remembered until it expires, at most
RECHECK_S seconds, so that a withdrawn key of a JWKS stops counting.
"""

import base64
import binascii
import hashlib
import re
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from joserfc.jwt import encode

from haulier.api.keys import Keys, SharedSecret, open_key_set
from haulier.clock import Clock
from haulier.destinations.mail_address import is_mail_address
from haulier.errors import HeadersTooLarge, Unauthenticated
from haulier.limits import Role
from haulier.preparers.choosing import told
from haulier.settings import Secret, Settings
from haulier.wire import Word

MAX_TOKEN_BYTES = 8_192
CACHE_LIMIT = 10_000
RECHECK_S = 300.0
NOT_BEFORE_LEEWAY_S = 30.0  # an issuer's clock may be ahead of ours; expiry gets no leeway

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/=-]+) *", re.IGNORECASE)
_BASIC = re.compile(r"basic +([A-Za-z0-9+/]+={0,2}) *", re.IGNORECASE)
_CREDENTIALS = re.compile(r"[^:]*:([A-Za-z0-9._~+/=-]+)")  # RFC 7617: a user name has no colon


class Caller(msgspec.Struct, frozen=True):
    """Who asks. `expires` is the token's end in seconds since 1970; `email` an address that its issuer vouches for."""

    user_id: str
    role: Role
    expires: float
    email: str = ""

    @property
    def is_admin(self) -> bool:
        return self.role is Role.ADMIN

    def left_s(self, *, now: datetime) -> float:
        """Seconds that the token is good for; less than 0 when it has ended."""
        return self.expires - now.timestamp()


class Claims(msgspec.Struct, frozen=True):
    """The claims that we read."""

    sub: Word
    exp: float
    role: Role = Role.FREE
    nbf: float = 0.0
    iss: str = ""
    aud: str | list[str] = ""
    # Whatever issuers put there must not keep anybody out.
    email: Any = None
    email_verified: Any = True

    @property
    def verified_email(self) -> str:
        """The address that the issuer vouches for; empty without one."""
        if self.email_verified not in (True, "true") or not isinstance(self.email, str):
            return ""
        return self.email if is_mail_address(self.email) else ""


def mint_token(
    secret: Secret,
    *,
    user: str,
    role: str,
    ttl_s: int,
    now: datetime,
    issuer: str = "",
    audience: str = "",
    email: str = "",
) -> str:
    """An HS256 token of `user`, valid for `ttl_s` seconds from `now`; `iss`, `aud` and `email` when given."""
    issued = int(now.timestamp())
    claims: dict[str, str | int] = {"sub": user, "role": role, "iat": issued, "exp": issued + ttl_s}
    claims |= {name: value for name, value in (("iss", issuer), ("aud", audience), ("email", email)) if value}
    return encode({"alg": "HS256"}, claims, OctKey.import_key(secret.reveal()), algorithms=["HS256"])


class Tokens:
    """Verifies tokens."""

    def __init__(self, keys: Keys, *, algorithm: str, issuer: str = "", audience: str = "", clock: Clock) -> None:
        self._keys = keys
        # RFC 9864 renamed EdDSA to Ed25519; issuers use both names for the same signatures.
        self._algorithms = ["EdDSA", "Ed25519"] if algorithm == "EdDSA" else [algorithm]
        self._registry = jws.JWSRegistry(algorithms=self._algorithms)
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()

    async def caller(self, authorization: str | None, *, takes_basic: bool = False) -> Caller:
        """Who sent this Authorization header. Raises Unauthenticated, HeadersTooLarge, Unavailable (no keys).

        With `takes_basic` it may be Basic as well, whose password is the token; the user name is not looked at.
        """
        if not authorization:
            raise Unauthenticated(reason="there is none")
        if len(authorization) > MAX_TOKEN_BYTES:
            raise HeadersTooLarge(name="Authorization", limit_bytes=MAX_TOKEN_BYTES)
        match = _BEARER.fullmatch(authorization)
        token = match[1] if match else takes_basic and _password(authorization)
        if not token:
            raise Unauthenticated(reason="it is not of the form 'Bearer TOKEN'")
        return await self.verify(token)

    async def verify(self, token: str) -> Caller:
        """Who the token says. Raises Unauthenticated with what is wrong, or Unavailable when keys cannot be had."""
        digest = hashlib.sha256(token.encode()).digest()
        now = self._clock.now().timestamp()
        known = self._known.get(digest)
        if known is not None and now < known[1]:
            return known[0]
        caller = self._accept(await self._claims(token), now=now)
        self._known[digest] = (caller, min(caller.expires, now + RECHECK_S))
        if len(self._known) > CACHE_LIMIT:
            self._known.popitem(last=False)
        return caller

    async def _claims(self, token: str) -> Claims:
        try:
            unverified = jws.extract_compact(token.encode())
            header = unverified.headers()
            if header.get("alg") not in self._algorithms:
                raise Unauthenticated(reason="its algorithm is not accepted here", error="invalid_token")
            key = await self._keys.find(header.get("kid"))
            verified = jws.deserialize_compact(token, key, registry=self._registry)
            return msgspec.json.decode(verified.payload, type=Claims)
        except msgspec.ValidationError as error:
            pointer, problem = told(error, Claims)
            where = f"its claim {pointer[1:]}" if pointer else "its payload"
            raise Unauthenticated(reason=f"{where} {problem}", error="invalid_token") from None
        except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise Unauthenticated(reason="the token is not valid", error="invalid_token") from None

    def _accept(self, claims: Claims, *, now: float) -> Caller:
        audiences = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        problem = None
        if claims.exp <= now:
            problem = "the token has expired"
        elif claims.nbf > now + NOT_BEFORE_LEEWAY_S:
            problem = "the token is not valid yet"
        elif self._issuer and claims.iss != self._issuer:
            problem = "the token's issuer is not accepted here"
        elif self._audience and self._audience not in audiences:
            problem = "the token is meant for another service"
        if problem:
            raise Unauthenticated(reason=problem, error="invalid_token")
        return Caller(user_id=claims.sub, role=claims.role, expires=claims.exp, email=claims.verified_email)


def _password(authorization: str) -> str | None:
    """The password of Basic credentials; None when they are none, or it could not be a token."""
    match = _BASIC.fullmatch(authorization)
    try:
        credentials = match and _CREDENTIALS.fullmatch(base64.b64decode(match[1], validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        return None
    return credentials[1] if credentials else None


@asynccontextmanager
async def open_tokens(settings: Settings, *, clock: Clock) -> AsyncGenerator[Tokens, None]:
    """Tokens as the settings say: by shared secret, or by the keys behind HAULIER_JWKS_URL."""
    async with AsyncExitStack() as stack:
        keys: Keys = SharedSecret(settings.jwt_secret)
        if settings.jwks_url:
            keys = await stack.enter_async_context(open_key_set(settings.jwks_url, clock=clock))
        yield Tokens(
            keys,
            algorithm=settings.jwt_algorithm,
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            clock=clock,
        )
