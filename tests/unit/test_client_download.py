"""Downloads: resume, verification, and where the token must not go."""

import base64
import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path
from random import Random

import msgspec
import pytest

from haulier.client import (
    ApiError,
    Client,
    DownloadDamaged,
    DownloadFailed,
    Patience,
    TargetExists,
    TargetInUse,
    UnexpectedAnswer,
)
from haulier.client.names import safe_name
from haulier.client.sinks import PartFile, StreamSink
from haulier.wire import JobStatus
from tests.loopback import CONTENT, JOB, SHA256, Loopback, Reply, Seen, completed, loopback, problem, ranged

FILE = f"/v1/download/file/{JOB}"
HALF = len(CONTENT) // 2


async def no_sleep(_seconds: float) -> None: ...


@pytest.fixture
async def api() -> AsyncGenerator[Loopback]:
    async with loopback() as server:
        yield server


@pytest.fixture
async def store(api: Loopback) -> AsyncGenerator[Loopback]:
    """Another origin, that the API redirects to."""
    async with loopback() as server:
        api.on("GET", FILE, Reply(307, b"", {"Location": f"{server.url}/bucket/report.bin?signature=s"}))
        server.on("GET", "/bucket/report.bin", ranged)
        yield server


@pytest.fixture
async def client(api: Loopback) -> AsyncGenerator[Client]:
    patience = Patience(tries=3)
    async with Client(api.url, token="secret-token", sleep=no_sleep, rng=Random(1), patience=patience) as client:
        yield client


def job(**changes: object) -> JobStatus:
    return msgspec.convert(completed(**changes), JobStatus)


def cut_at(count: int):
    return lambda seen: ranged(seen, cut_after=count)


def ranges(store: Loopback) -> list[str | None]:
    return [seen.headers.get("range") for seen in store.seen]


async def test_a_download_arrives_whole_and_leaves_no_part(client: Client, store: Loopback, tmp_path: Path) -> None:
    seen: list[int] = []
    got = await client.save(job(), tmp_path / "r.bin", on_progress=lambda done, _total: seen.append(done))
    assert (got.size, got.sha256, got.verified) == (len(CONTENT), SHA256, True)
    assert (tmp_path / "r.bin").read_bytes() == CONTENT
    assert names(tmp_path) == ["r.bin"]
    assert seen == sorted(seen)
    assert seen[-1] == len(CONTENT)


async def test_the_token_stays_with_the_api(client: Client, api: Loopback, store: Loopback, tmp_path: Path) -> None:
    await client.save(job(), tmp_path / "r.bin")
    assert "authorization" in api.seen[0].headers
    assert all("authorization" not in seen.headers for seen in store.seen)
    assert all("secret-token" not in str(seen) for seen in store.seen)


async def test_a_cut_connection_is_resumed(client: Client, api: Loopback, store: Loopback, tmp_path: Path) -> None:
    store.on("GET", "/bucket/report.bin", cut_at(HALF), cut_at(1_000), ranged)
    await client.save(job(), tmp_path / "r.bin")
    assert (tmp_path / "r.bin").read_bytes() == CONTENT
    assert ranges(store) == [None, f"bytes={HALF}-", f"bytes={HALF + 1_000}-"]
    assert store.seen[1].headers["if-range"] == '"v1"'
    assert len(api.to(FILE)) == 3


async def test_an_earlier_run_s_part_is_resumed(client: Client, store: Loopback, tmp_path: Path) -> None:
    store.on("GET", "/bucket/report.bin", cut_at(HALF), Reply(503))
    with pytest.raises(DownloadFailed, match="503"):
        await client.save(job(), tmp_path / "r.bin")
    assert (tmp_path / "r.bin.part").stat().st_size == HALF
    store.on("GET", "/bucket/report.bin", ranged)
    await client.save(job(), tmp_path / "r.bin")
    assert (tmp_path / "r.bin").read_bytes() == CONTENT
    assert ranges(store)[-1] == f"bytes={HALF}-"
    assert names(tmp_path) == ["r.bin"]


async def test_an_api_that_sends_the_bytes_itself_is_continued_too(
    client: Client, api: Loopback, tmp_path: Path
) -> None:
    api.on("GET", FILE, cut_at(HALF), problem(503, "storage_unavailable"), ranged)
    await client.save(job(), tmp_path / "r.bin")
    assert (tmp_path / "r.bin").read_bytes() == CONTENT
    assert ranges(api) == [None, f"bytes={HALF}-", f"bytes={HALF}-"]
    assert api.seen[-1].headers["if-range"] == '"v1"'


async def test_what_is_neither_a_redirect_nor_a_file_is_no_download(
    client: Client, api: Loopback, tmp_path: Path
) -> None:
    api.on("GET", FILE, Reply(204))
    with pytest.raises(UnexpectedAnswer):
        await client.save(job(), tmp_path / "r.bin")


async def test_a_part_of_another_artefact_is_not_continued(client: Client, store: Loopback, tmp_path: Path) -> None:
    keep_part(tmp_path / "r.bin", b"x" * 10, etag='"old"', size=len(CONTENT))
    await client.save(job(), tmp_path / "r.bin")
    assert store.seen[0].headers["if-range"] == '"old"'
    assert (tmp_path / "r.bin").read_bytes() == CONTENT


async def test_a_store_that_ignores_if_range_is_noticed(client: Client, store: Loopback, tmp_path: Path) -> None:
    keep_part(tmp_path / "r.bin", b"x" * 10, etag='"old"', size=len(CONTENT))

    def without_if_range(seen: Seen) -> Reply:
        seen.headers.pop("if-range", None)
        return ranged(seen)

    store.on("GET", "/bucket/report.bin", without_if_range)
    await client.save(job(), tmp_path / "r.bin")
    assert (tmp_path / "r.bin").read_bytes() == CONTENT
    assert ranges(store) == ["bytes=10-", None]


async def test_a_part_damaged_on_disk_is_fetched_once_more(client: Client, store: Loopback, tmp_path: Path) -> None:
    keep_part(tmp_path / "r.bin", b"x" * 10, etag='"v1"', size=len(CONTENT))
    await client.save(job(), tmp_path / "r.bin")
    assert (tmp_path / "r.bin").read_bytes() == CONTENT
    assert ranges(store) == ["bytes=10-", None]


async def test_a_part_that_is_whole_is_only_checked(client: Client, store: Loopback, tmp_path: Path) -> None:
    keep_part(tmp_path / "r.bin", CONTENT, etag='"v1"', size=len(CONTENT))
    await client.save(job(), tmp_path / "r.bin")
    assert store.seen == []
    assert (tmp_path / "r.bin").read_bytes() == CONTENT


async def test_a_wrong_digest_leaves_nothing(client: Client, store: Loopback, tmp_path: Path) -> None:
    with pytest.raises(DownloadDamaged, match="SHA-256"):
        await client.save(job(sha256="0" * 64), tmp_path / "r.bin")
    assert names(tmp_path) == []
    assert len(store.seen) == 1


async def test_a_wrong_size_leaves_nothing(client: Client, store: Loopback, tmp_path: Path) -> None:
    with pytest.raises(DownloadDamaged, match="size"):
        await client.save(job(file_size=5), tmp_path / "r.bin")
    assert names(tmp_path) == []


async def test_repr_digest_is_used_when_the_status_has_none(client: Client, store: Loopback, tmp_path: Path) -> None:
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    body = Reply(200, CONTENT, {"Repr-Digest": f"sha-512=:AAAA:, sha-256=:{wrong}:"})
    store.on("GET", "/bucket/report.bin", body)
    untold = {name: value for name, value in completed().items() if name != "sha256"}
    with pytest.raises(DownloadDamaged, match="SHA-256"):
        await client.save(msgspec.convert(untold, JobStatus), tmp_path / "r.bin")


async def test_no_digest_at_all_is_told(client: Client, store: Loopback, tmp_path: Path) -> None:
    untold = {name: value for name, value in completed().items() if name not in {"sha256", "file_size"}}
    got = await client.save(msgspec.convert(untold, JobStatus), tmp_path / "r.bin")
    assert (got.verified, got.size) == (False, len(CONTENT))


async def test_an_empty_file_needs_no_request(client: Client, store: Loopback, tmp_path: Path) -> None:
    await client.save(job(file_size=0, sha256=hashlib.sha256().hexdigest()), tmp_path / "r.bin")
    assert (tmp_path / "r.bin").read_bytes() == b""


async def test_without_a_strong_etag_a_cut_download_starts_again(
    client: Client, store: Loopback, tmp_path: Path
) -> None:
    whole = Reply(200, CONTENT, {"ETag": 'W/"v1"'})
    store.on("GET", "/bucket/report.bin", Reply(200, CONTENT, whole.headers, HALF), whole)
    await client.save(job(), tmp_path / "r.bin")
    assert ranges(store) == [None, None]


async def test_an_existing_file_is_kept_unless_forced(client: Client, store: Loopback, tmp_path: Path) -> None:
    target = tmp_path / "r.bin"
    target.write_bytes(b"mine")
    with pytest.raises(TargetExists, match="--force"):
        await client.save(job(), target)
    assert target.read_bytes() == b"mine"
    await client.save(job(), target, force=True)
    assert target.read_bytes() == CONTENT


async def test_a_file_that_appears_meanwhile_is_kept_too(client: Client, store: Loopback, tmp_path: Path) -> None:
    target = tmp_path / "r.bin"

    def meanwhile(seen: Seen) -> Reply:
        target.write_bytes(b"mine")
        return ranged(seen)

    store.on("GET", "/bucket/report.bin", meanwhile)
    with pytest.raises(TargetExists):
        await client.save(job(), target)
    assert target.read_bytes() == b"mine"


async def test_two_downloads_do_not_share_a_part(client: Client, store: Loopback, tmp_path: Path) -> None:
    async with PartFile.open(tmp_path / "r.bin", force=False):
        with pytest.raises(TargetInUse):
            await client.save(job(), tmp_path / "r.bin")


async def test_a_folder_that_does_not_exist_is_one_sentence(client: Client, store: Loopback, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match="No such file or directory"):
        await client.save(job(), tmp_path / "missing" / "r.bin")


async def test_a_stream_is_resumed_too(client: Client, store: Loopback) -> None:
    out = bytearray()
    store.on("GET", "/bucket/report.bin", cut_at(HALF), ranged)
    await client.save_into(job(), StreamSink(out.extend))
    assert bytes(out) == CONTENT


async def test_a_stream_does_not_mix_two_versions(client: Client, store: Loopback) -> None:
    out = bytearray()
    store.on("GET", "/bucket/report.bin", cut_at(HALF), lambda seen: ranged(seen, etag='"v2"'))
    with pytest.raises(DownloadFailed, match="changed"):
        await client.save_into(job(), StreamSink(out.extend))
    assert bytes(out) == CONTENT[:HALF]


async def test_a_relative_redirect_stays_with_the_api_and_needs_no_token(
    client: Client, api: Loopback, tmp_path: Path
) -> None:
    api.on("GET", FILE, Reply(307, b"", {"Location": "/files/report.bin?signature=s"}))
    api.on("GET", "/files/report.bin", ranged)
    await client.save(job(), tmp_path / "r.bin")
    assert "authorization" not in api.to("/files/report.bin")[0].headers


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_the_folder_store_s_own_words_are_kept(client: Client, store: Loopback, tmp_path: Path) -> None:
    gone = problem(410, "artefact_expired", detail="It has expired.", Content_Type="application/problem+json")
    store.on("GET", "/bucket/report.bin", gone)
    with pytest.raises(ApiError, match="It has expired") as caught:
        await client.save(job(), tmp_path / "r.bin")
    assert caught.value.code == "artefact_expired"


def keep_part(target: Path, content: bytes, *, etag: str, size: int) -> None:
    target.with_name(target.name + ".part").write_bytes(content)
    target.with_name(target.name + ".part.json").write_bytes(msgspec.json.encode({"etag": etag, "size": size}))


@pytest.mark.parametrize(
    ("told", "safe"),
    [
        ("Bericht März.pdf", "Bericht März.pdf"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a\\b\x00\r\n.zip", "a_b.zip"),
        ("gpj.\u202egnp.exe", "gpj.gnp.exe"),
        (".bashrc", "bashrc"),
        ("..", "file"),
        ("/", "file"),
        ("", "file"),
        ("x" * 300 + ".zip", "x" * 196 + ".zip"),
    ],
)
def test_a_file_name_from_a_server_is_made_safe(told: str, safe: str) -> None:
    assert safe_name(told, fallback="file") == safe
