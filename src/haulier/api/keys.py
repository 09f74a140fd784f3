"""Keys that tokens are verified with: one shared secret, or the public keys of a JWKS."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import httpx
import structlog
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import Key, KeySet, OctKey

from haulier.api.patience import ANSWER_S
from haulier.clock import Clock
from haulier.errors import Unavailable
from haulier.observe.events import KEYS_AWAY
from haulier.settings import Secret
from haulier.silence import answered_within

log = structlog.get_logger()

FRESH_S = 600.0
# A token with a made-up kid must not turn us into a client that hammers the issuer.
REFETCH_S = 10.0
MAX_BYTES = 1_048_576


class Keys(Protocol):
    """Where a token's key comes from."""

    async def find(self, kid: Any) -> Key:
        """The key called `kid` (None: the only one). Raises a JoseError without it, Unavailable without any."""
        ...


class SharedSecret:
    """The one key of HS256; a kid says nothing."""

    def __init__(self, secret: Secret) -> None:
        self._key = OctKey.import_key(secret.reveal())

    async def find(self, kid: Any) -> Key:
        return self._key


class FetchedKeys:
    """The public keys of a JWKS, kept for FRESH_S; fetched again for an unknown kid, at most every REFETCH_S."""

    def __init__(self, client: httpx.AsyncClient, url: str, *, clock: Clock) -> None:
        self._client = client
        self._url = url
        self._clock = clock
        self._keys: KeySet | None = None
        self._tried_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def find(self, kid: Any) -> Key:
        if self._age_s() > FRESH_S:
            await self._fetch(at_least_s=REFETCH_S)
        if self._keys is None:
            raise Unavailable
        try:
            return self._named(self._keys, kid)
        except InvalidKeyIdError:
            await self._fetch(at_least_s=REFETCH_S)
            return self._named(self._keys, kid)

    def _named(self, keys: KeySet, kid: Any) -> Key:
        key = keys.get_by_kid(kid)
        if key.is_private or key.key_type == "oct":  # a shared secret in a public document protects nothing
            raise InvalidKeyIdError
        return key

    def _age_s(self) -> float:
        return self._clock.monotonic() - self._tried_at

    async def _fetch(self, *, at_least_s: float) -> None:
        """Fetch the keys unless that was tried within `at_least_s`; a failure keeps the old ones."""
        async with self._fetching:
            if self._age_s() < at_least_s:
                return
            self._tried_at = self._clock.monotonic()
            try:
                async with answered_within(ANSWER_S):  # a request waits for this
                    answer = await self._client.get(self._url)
                answer.raise_for_status()
                if len(answer.content) > MAX_BYTES:
                    raise ValueError("the key set is too large")
                self._keys = KeySet.import_key_set(answer.json())
            except (httpx.HTTPError, TimeoutError, JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
                log.warning(KEYS_AWAY, error=type(error).__name__)


@asynccontextmanager
async def open_key_set(url: str, *, clock: Clock) -> AsyncGenerator[FetchedKeys, None]:
    """The keys behind `url`, fetched when first needed. Redirects are not followed."""
    async with httpx.AsyncClient(timeout=ANSWER_S, follow_redirects=False) as client:
        yield FetchedKeys(client, url, clock=clock)
