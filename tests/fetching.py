"""fetch with a misbehaving origin: what its tests share."""

import pytest

from haulier.errors import AttemptError
from haulier.preparers.fetch import FetchParams, prepare
from haulier.settings import Settings
from tests.fake_build import FakeBuild, content
from tests.origin import CONTENT, ETAG, Handler, Origin, Reply, serving


def build(
    origin: Origin, path: str = "/file.bin", *, host: str = "127.0.0.1", file_name: str = "", **params
) -> FakeBuild:
    limits = {"fetch_timeout_s": 0.3, "fetch_max_bytes": 10 * 2**20, "fetch_allow_private": True}
    settings = Settings(**limits | params.pop("settings", {}))
    return FakeBuild(FetchParams(url=origin.url(path, host=host), **params), settings=settings, file_name=file_name)


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
