"""fetch with a misbehaving origin: what its tests share."""

from contextlib import aclosing

import pytest

from haulier.errors import AttemptError
from haulier.preparers import Mark, Result, Resumable, Stream
from haulier.preparers.fetch import FetchParams, prepare
from haulier.settings import Settings
from tests.fake_build import FakeBuild
from tests.origin import CONTENT, ETAG, Handler, Origin, Reply, serving


def build(
    origin: Origin, path: str = "/file.bin", *, host: str = "127.0.0.1", file_name: str = "", **params
) -> FakeBuild:
    limits = {"fetch_timeout_s": 0.3, "fetch_max_bytes": 10 * 2**20, "fetch_allow_private": True}
    settings = Settings(**limits | params.pop("settings", {}))
    return FakeBuild(FetchParams(url=origin.url(path, host=host), **params), settings=settings, file_name=file_name)


async def content(result: Result, *, mark: Mark | None = None) -> bytes:
    """All bytes of a result, or those that follow the mark."""
    return b"".join([piece for piece in await pieces(result, mark=mark) if isinstance(piece, bytes)])


async def pieces(result: Result, *, mark: Mark | None = None, marks: int = 1_000) -> list[bytes | Mark]:
    """Bytes and marks as they come, up to so many marks."""
    assert isinstance(result, Stream | Resumable)
    found: list[bytes | Mark] = []
    async with aclosing(result.chunks if isinstance(result, Stream) else result.open(mark)) as coming:
        async for piece in coming:
            found.append(piece)
            marks -= isinstance(piece, Mark)
            if not marks:
                break
    return found


async def fetched(handler: Handler, **options) -> bytes:
    async with serving(handler) as origin:
        return await content(await prepare(build(origin, **options)))


async def failed(handler: Handler, error: type[AttemptError], **options) -> AttemptError:
    with pytest.raises(error) as caught:
        await fetched(handler, **options)
    return caught.value


def always(reply: Reply) -> Handler:
    return lambda asked: reply


def whole(**headers: str) -> Reply:
    return Reply(200, {"ETag": ETAG, **headers}, CONTENT)
