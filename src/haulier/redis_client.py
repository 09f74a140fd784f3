"""Connections to Redis or Valkey without blind retries.

redis-py 8 repeats a command after a timeout by itself: one LPUSH ran twice while its caller saw one success. Here every
failure is raised once, and whoever calls decides what may be repeated.
"""

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from haulier.settings import Secret

CONNECT_TIMEOUT_S = 1.5


def redis_client(
    url: Secret, *, socket_timeout_s: float, decode: bool = False, connections: int = 64
) -> "redis.asyncio.Redis":
    """A client with its own pool; connects when first used.

    `socket_timeout_s` must exceed the longest blocking command. `decode` answers text instead of bytes. More than
    `connections` calls at a time wait for each other, up to the socket timeout, instead of failing.
    """
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        url.reveal(),
        max_connections=connections,
        timeout=socket_timeout_s,
        decode_responses=decode,
        socket_timeout=socket_timeout_s,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
        # On by default in redis-py 8, they switch off the check that a pooled connection is still open: after a
        # restart of Redis, each pooled connection would fail one command.
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    return redis.asyncio.Redis.from_pool(pool)
