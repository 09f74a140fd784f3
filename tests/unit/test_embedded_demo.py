"""The demo: real files, rules that the catalogue and the preparers accept, an origin that behaves."""

import hashlib
import io
import tomllib
import zipfile
import zlib

import httpx
import pytest

from haulier.catalogue import load_catalogue
from haulier.embedded.demo import FILES, RULES, put_samples
from haulier.embedded.origin import Origin
from haulier.embedded.sample import handbook, measurements, noise, photo, sample_files
from haulier.job import Request
from haulier.preparers.digests import stated_digests
from haulier.preparers.registry import Registry
from haulier.settings import Secret, Settings
from haulier.storage import open_storage

CONTENT = bytes(range(256)) * 1_000


@pytest.fixture
async def origin():
    async with Origin(CONTENT, path="/file.bin", content_type="x/y", bytes_per_s=10**9).serving() as url:
        yield url


def test_samples_are_the_same_every_time():
    assert noise("a", 100) == noise("a", 100)
    assert measurements(2025, 1, days=1) == measurements(2025, 1, days=1)
    assert handbook() == handbook()


def test_file_70000_is_a_zip():
    assert zipfile.ZipFile(io.BytesIO(handbook())).testzip() is None


def test_a_photo_is_a_png_of_its_size():
    content = photo("x", width=7, height=5)
    start = content.index(b"IDAT") + 4
    assert content.startswith(b"\x89PNG")
    assert len(zlib.decompress(content[start : content.index(b"IEND") - 8])) == 5 * (1 + 3 * 7)


def test_names_leave_ascii():
    assert sum(not key.isascii() for key in sample_files()) > 5


async def test_samples_are_put_once_and_what_the_user_changed_stays(tmp_path):
    storage = open_storage(Settings(storage_url=Secret(tmp_path.as_uri()), url_secret=Secret("x" * 32)))
    await put_samples(storage, {"a/Malmö.txt": lambda: b"ours", "b": lambda: b"ours"})
    (tmp_path / "b").write_bytes(b"the user's")
    await put_samples(storage, {"a/Malmö.txt": _unneeded, "b": _unneeded})
    assert (tmp_path / "a" / "Malmö.txt").read_bytes() == b"ours"
    assert (tmp_path / "b").read_bytes() == b"the user's"


def test_every_demo_file_has_a_recipe_that_its_preparer_accepts(tmp_path):
    path = tmp_path / "catalogue.toml"
    path.write_text(RULES.format(origin="http://127.0.0.1:1/file"))
    catalogue, registry = load_catalogue(str(path)), Registry.installed()
    for file_id, told in FILES.items():
        recipe = catalogue.recipe(Request(file_id=file_id))
        assert told.startswith(recipe.preparer)
        registry.params(recipe)
    assert len(tomllib.loads(path.read_text())["rule"]) == len(FILES) - 1


async def test_the_origin_serves_the_whole_file(origin):
    async with httpx.AsyncClient() as client:
        answer = await client.get(origin)
        head = await client.head(origin)
    assert answer.status_code == 200
    assert answer.content == CONTENT
    assert head.headers["content-length"] == str(len(CONTENT))
    assert stated_digests(answer) == {"sha-256": hashlib.sha256(CONTENT).digest()}


@pytest.mark.parametrize(
    ("asked", "status", "content"),
    [
        ("bytes=255999-", 206, CONTENT[-1:]),
        ("bytes=10-19", 206, CONTENT[10:20]),
        ("bytes=256000-", 416, b""),
        ("bytes=-5", 200, CONTENT),
    ],
)
async def test_the_origin_serves_ranges(origin, asked, status, content):
    async with httpx.AsyncClient() as client:
        answer = await client.get(origin, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (status, content)


async def test_the_origin_sends_all_when_the_file_is_another(origin):
    async with httpx.AsyncClient() as client:
        answer = await client.get(origin, headers={"Range": "bytes=10-19", "If-Range": '"other"'})
        again = await client.get(origin, headers={"Range": "bytes=10-19", "If-Range": answer.headers["etag"]})
    assert (answer.status_code, again.status_code) == (200, 206)


async def test_the_origin_knows_one_path(origin):
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{origin}x")).status_code == 404


def _unneeded():
    raise AssertionError("made again")
