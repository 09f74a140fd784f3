"""object: check and publish as it is."""

import pytest

from haulier.errors import SourceMissing
from haulier.preparers import Existing
from haulier.preparers.object import ObjectParams, prepare
from tests.fake_build import DictStorage, FakeBuild


async def test_an_object_is_published_as_it_is():
    storage = DictStorage({"downloads/70000.zip": b"bytes"})
    build = FakeBuild(ObjectParams(key="downloads/70000.zip"), storage=storage, file_name="seventy.zip")
    assert await prepare(build) == Existing(
        key="downloads/70000.zip",
        size=5,
        etag=storage.info("downloads/70000.zip").etag,
        file_name="seventy.zip",
        content_type="application/zip",
    )


async def test_without_a_name_in_the_rule_the_key_gives_it():
    build = FakeBuild(ObjectParams(key="a/b.unknown"), storage=DictStorage({"a/b.unknown": b""}))
    result = await prepare(build)
    assert (result.file_name, result.content_type) == ("b.unknown", "application/octet-stream")


async def test_a_missing_object_is_a_missing_source():
    with pytest.raises(SourceMissing, match=r"downloads/70000\.zip"):
        await prepare(FakeBuild(ObjectParams(key="downloads/70000.zip")))
