"""Running a query rule against a real database, as the worker would: bytes, marks, and what was reported."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import msgspec

from haulier.preparers import Mark, Resumable
from haulier.preparers.query import QueryParams, prepare, request_params
from haulier.settings import Secret, Settings
from tests.fake_build import FakeBuild


def build_of(url: Secret, sql: str, *, choice: dict[str, Any] | None = None, **params: Any) -> FakeBuild:
    """A build of a rule; `choice` is what the client sent."""
    rule = msgspec.convert({"sql": sql} | params, QueryParams)
    chosen = None if choice is None else msgspec.convert(choice, request_params(rule))
    build = FakeBuild(rule, settings=Settings(query_database_url=url))
    build.request_params = chosen
    return build


async def opened(build: FakeBuild, mark: Mark | None = None) -> AsyncIterator[bytes | Mark]:
    result = await prepare(build)
    assert isinstance(result, Resumable)
    return result.open(mark)


async def pieces(build: FakeBuild, mark: Mark | None = None) -> list[bytes | Mark]:
    """Everything the stream gives, with marks as JSON would bring them back."""
    async with aclosing(await opened(build, mark)) as stream:
        return [
            Mark(msgspec.json.decode(msgspec.json.encode(one.state))) if isinstance(one, Mark) else one
            async for one in stream
        ]


async def content(build: FakeBuild, mark: Mark | None = None) -> bytes:
    return b"".join(one for one in await pieces(build, mark) if isinstance(one, bytes))


async def query(url: Secret, sql: str, **rule: Any) -> bytes:
    """The whole file of a rule."""
    return await content(build_of(url, sql, **rule))
