"""Files through the handle with the programs that people use, across the end of links, on a folder store and on S3."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from haulier.client import Client
from haulier.embedded.ports import free_port
from tests.acceptance.deliveries import (
    LASTING,
    Shop,
    another_api,
    command,
    interrupted,
    noise,
    open_shop,
    run,
    sha256,
    throttled,
    with_netrc,
)
from tests.faults.proxy import proxy
from tests.s3 import S3_MARKS

MIB = 1 << 20
PROGRAMS = ("curl", "wget", "aria2c")
QUICK = 64 * MIB
LARGE = 1024 * MIB
STORES = [
    pytest.param("folder", marks=[pytest.mark.xdist_group("delivery"), pytest.mark.timeout(240)]),
    pytest.param("s3", marks=S3_MARKS),
]
ONLY_LARGE = pytest.mark.skipif(not os.environ.get("HAULIER_TEST_LARGE"), reason="moves 1 GiB: HAULIER_TEST_LARGE=1")


@pytest.fixture(scope="module", params=STORES)
def shop(request, tmp_path_factory):
    server = request.getfixturevalue("s3_server") if request.param == "s3" else None
    with open_shop(tmp_path_factory.mktemp("delivery") / "home", server) as shop:
        yield shop


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return noise(tmp_path_factory.mktemp("source") / "source", QUICK)


@pytest.fixture(scope="module")
def handle(shop: Shop, source: Path) -> str:
    shop.put(80_000, source)
    return shop.prepared(80_000)


@pytest.fixture(scope="module")
def lasting(shop: Shop) -> Iterator[str]:
    """The address of an API whose links last, for tests of other things than their end."""
    with another_api(shop, **LASTING) as address:
        yield address


@pytest.fixture(scope="module")
def lasting_handle(shop: Shop, lasting: str, handle: str) -> str:
    return handle.replace(shop.installation.url, lasting)


@pytest.fixture(scope="module")
def gibibyte(shop: Shop, tmp_path_factory) -> Iterator[tuple[Path, str]]:
    source = noise(tmp_path_factory.mktemp("large") / "source", LARGE)
    key = shop.put(80_001, source)
    yield source, shop.prepared(80_001)
    shop.remove(key)
    source.unlink()


@pytest.fixture
def netrc(shop: Shop, tmp_path: Path) -> Path:
    """The home of a user who keeps the token in ~/.netrc."""
    path = tmp_path / ".netrc"
    path.write_text(f"machine 127.0.0.1 login token password {shop.bearer.removeprefix('Bearer ')}\n")
    path.chmod(0o600)  # aria2c ignores others
    return path


def finish_across_an_expiry(
    program: str, options: list[str], shop: Shop, url: str, source: Path, target: Path, *, rate: int
) -> None:
    """Interrupt a slow transfer, let all links signed so far end, and go on. The home is `target`'s folder."""
    size, home = source.stat().st_size, str(target.parent)
    slow = command(program, url, target, *options, *throttled(program, rate))
    assert interrupted(slow, target, after=size // 8, HOME=home) < size
    shop.until_links_have_expired(url.partition("?")[0])
    run(command(program, url, target, *options), HOME=home)
    assert sha256(target) == sha256(source)


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_interrupted_download_is_finished_after_its_link_has_expired(shop, handle, source, tmp_path, program):
    finish_across_an_expiry(program, shop.with_bearer, shop, handle, source, tmp_path / "file", rate=16)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_token_in_netrc_and_fresh_links_to_the_store_do_as_well(shop, handle, source, tmp_path, netrc, program):
    before = len(shop.answers())
    options, url = with_netrc(program, netrc), f"{handle}?via=store"
    finish_across_an_expiry(program, options, shop, url, source, tmp_path / "file", rate=16)
    assert set(shop.answers()[before:]) <= {401, 307}


@ONLY_LARGE
@pytest.mark.timeout(600)
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_gibibyte_is_finished_after_its_link_has_expired(shop, gibibyte, tmp_path, program):
    source, handle = gibibyte
    finish_across_an_expiry(program, shop.with_bearer, shop, handle, source, tmp_path / "file", rate=64)
    (tmp_path / "file").unlink()


def test_aria2c_goes_on_by_itself_while_links_expire(shop, handle, source, tmp_path):
    # 64 MiB at 16 MiB/s take longer than a link lives.
    run(command("aria2c", handle, tmp_path / "file", *shop.with_bearer, *throttled("aria2c", 16)))
    assert sha256(tmp_path / "file") == sha256(source)


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("delivery", ["redirect", "api"])
async def test_the_client_goes_on_after_a_break_and_an_expiry(shop, handle, source, tmp_path, delivery, connections):
    seen: list[int] = []
    rests: list[float] = []

    async def sleep_past_the_expiry(seconds: float) -> None:
        rests.append(seconds)
        await asyncio.to_thread(shop.until_links_have_expired, handle)

    api_port, at = free_port(), free_port()
    store_port, settings = shop.store_at(at, api_port=api_port)
    if delivery == "api":
        store_port, settings = api_port, {"HAULIER_FILE_DELIVERY": "api"}
    async with proxy("127.0.0.1", store_port, at=at) as link:
        api = another_api(shop, port=api_port, **settings)
        address = await asyncio.to_thread(api.__enter__)
        try:
            url = f"http://127.0.0.1:{link.port}" if delivery == "api" else address
            token = shop.bearer.removeprefix("Bearer ")
            async with Client(url, token=token, sleep=sleep_past_the_expiry) as client:
                job = await client.status(handle.rpartition("/")[2])
                link.cut(40 * MIB // connections)
                got = await client.save(
                    job, tmp_path / "file", connections=connections, on_progress=lambda done, _total: seen.append(done)
                )
        finally:
            await asyncio.to_thread(api.__exit__, None, None, None)
    assert (got.size, sha256(tmp_path / "file")) == (QUICK, sha256(source))
    assert len(rests) == 1 if connections == 1 else rests
    assert seen == sorted(seen)  # never from the start again


def test_the_etag_is_the_same_from_every_link_process_and_way(shop, lasting, lasting_handle):
    def tags(url: str) -> set[str]:
        path = url.partition("/v1/")[2]
        address = url.removesuffix(f"/v1/{path}")
        with httpx.Client(headers={"Authorization": shop.bearer}, follow_redirects=True) as client:
            ways = [f"{address}/v1/{path}", f"{address}/v1/{path}?via=api"]
            part = {"Range": "bytes=0-0"}
            return {client.get(way, headers=part).headers["etag"] for way in ways} | {
                client.head(way).headers["etag"] for way in ways
            }

    known = tags(lasting_handle)
    assert len(known) == 1
    assert known.pop().startswith('"')
    for _ in range(2):  # another process, and one after a restart
        with another_api(shop, **LASTING) as address:
            assert tags(lasting_handle) == tags(lasting_handle.replace(lasting, address))


@pytest.mark.parametrize("way", ["", "?via=api"])
def test_ranges_are_answered_alike_on_every_way(shop, lasting_handle, source, way):
    content, url = source.read_bytes(), lasting_handle + way
    with httpx.Client(headers={"Authorization": shop.bearer}, follow_redirects=True) as client:
        part = client.get(url, headers={"Range": "bytes=1000000-1999999"})
        rest = client.get(url, headers={"Range": f"bytes={QUICK - 10}-", "If-Range": part.headers["etag"]})
        beyond = client.get(url, headers={"Range": f"bytes={QUICK}-"})
    assert (part.status_code, part.content) == (206, content[1_000_000:2_000_000])
    assert part.headers["content-range"] == f"bytes 1000000-1999999/{QUICK}"
    assert (rest.status_code, rest.content) == (206, content[-10:])
    assert beyond.status_code == 416


def test_head_tells_size_and_name_and_redirects_are_never_kept(shop, lasting_handle):
    with httpx.Client(headers={"Authorization": shop.bearer}, follow_redirects=True) as client:
        head = client.head(lasting_handle)
        redirect = client.get(lasting_handle, follow_redirects=False)
    assert (head.status_code, head.headers["content-length"]) == (200, str(QUICK))
    assert 'filename="80000.zip"' in head.headers["content-disposition"]
    assert head.headers["accept-ranges"] == "bytes"
    assert (redirect.status_code, redirect.headers["cache-control"]) == (307, "private, no-store")


@pytest.mark.parametrize("way", ["", "?via=api", "?via=store"])
def test_bytes_of_a_replaced_file_never_join_those_of_the_old_one(shop, lasting, tmp_path, way):
    old, new = noise(tmp_path / "old", MIB), noise(tmp_path / "new", MIB)
    shop.put(80_010, old)
    handle = shop.prepared(80_010, at=lasting) + way
    with httpx.Client(headers={"Authorization": shop.bearer}, follow_redirects=True) as client:
        etag = client.get(handle, headers={"Range": "bytes=0-9"}).headers["etag"]
        shop.put(80_010, new)
        with_tag = client.get(handle, headers={"Range": "bytes=10-", "If-Range": etag})
        without = client.get(handle, headers={"Range": "bytes=10-"})
    assert with_tag.headers["etag"] != etag
    assert (with_tag.status_code, with_tag.content) == (200, new.read_bytes())
    assert (without.status_code, without.json()["code"]) == (409, "artefact_replaced")


@pytest.mark.parametrize("way", ["", "?via=api", "?via=store"])
def test_the_old_etag_brings_a_new_build_whole(shop, lasting, tmp_path, way):
    part = {"Range": "bytes=10-"}
    with httpx.Client(headers={"Authorization": shop.bearer}, follow_redirects=True) as client:
        shop.put(80_030, noise(tmp_path / "constant", MIB))
        etags = []
        for _ in range(2):
            shop.put(80_031, noise(tmp_path / "changing", MIB))
            handle = shop.prepared(80_030, 80_031, at=lasting) + way
            etags.append(client.get(handle).headers["etag"])
        same = client.get(handle, headers=part | {"If-Range": etags[1]})
        other = client.get(handle, headers=part | {"If-Range": etags[0]})
    assert (same.status_code, same.headers["etag"]) == (206, etags[1])
    assert (other.status_code, other.headers["etag"]) == (200, etags[1])
    assert other.content[10:] == same.content


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_refuse_to_continue_a_replaced_file(shop, lasting, tmp_path, program):
    old, new = noise(tmp_path / "old", 4 * MIB), noise(tmp_path / "new", 4 * MIB)
    shop.put(80_020, old)
    handle, target = shop.prepared(80_020, at=lasting), tmp_path / "file"
    half = old.read_bytes()[: 2 * MIB]
    target.write_bytes(half)
    shop.put(80_020, new)
    done = subprocess.run(command(program, handle, target, *shop.with_bearer), check=False, timeout=60)
    assert done.returncode != 0
    assert target.read_bytes() == half


def test_no_token_and_no_signature_is_in_any_log(shop, handle):
    link = shop.link(handle)
    signature = link.rpartition("ignature=")[2].partition("&")[0]
    token = shop.bearer.removeprefix("Bearer ")
    logs = [shop.installation.log, *(shop.installation.home / "logs").glob("*")]
    assert len(signature) > 20
    assert not [log for log in logs if signature in log.read_text() or token in log.read_text()]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_whole_file_stays_as_it_is_when_asked_for_again(shop, lasting_handle, source, tmp_path, program):
    target = tmp_path / "file"
    target.write_bytes(source.read_bytes())
    done = subprocess.run(command(program, lasting_handle, target, *shop.with_bearer), check=False, timeout=60)
    # curl 7.88 takes a 416 for success only when it lacks the Content-Range that RFC 9110 asks for.
    assert done.returncode in ((0, 22) if program == "curl" else (0,))
    assert sha256(target) == sha256(source)


GUIDE = Path(__file__).parents[2] / "docs" / "downloading.md"


def test_every_command_of_the_guide_works(shop, lasting, source, handle, tmp_path):
    haulier = tmp_path / "bin" / "haulier"
    haulier.parent.mkdir()
    haulier.write_text(f'#!/bin/sh\nexec {sys.executable} -m haulier "$@"\n')
    haulier.chmod(0o755)
    token = shop.bearer.removeprefix("Bearer ")
    environ = {
        "HOME": str(tmp_path),
        "PATH": f"{haulier.parent}:{os.environ['PATH']}",
        "API": lasting,
        "HAULIER_URL": lasting,
        "HAULIER_TOKEN": token,
        "TOKEN": token,
        "JOB_ID": handle.rpartition("/")[2],
        "SHA256": sha256(source),
        "FILE_ID": "80000",
    }
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert len(blocks) > 5
    for block in blocks:
        (tmp_path / "report.zip").unlink(missing_ok=True)
        done = subprocess.run(
            ["bash", "-euc", block], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, (block, done.stdout, done.stderr)
        if "report.zip" in block:
            assert sha256(tmp_path / "report.zip") == sha256(source), block
