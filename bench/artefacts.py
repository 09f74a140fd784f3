"""What artefacts cost: archives beside zip, Python's zipfile, cp, and the digests alone, which are the limit.

Every figure is the median of interleaved rounds; the ratios are what to look at, the machine may be shared.

incompressible  1 GiB of noise in 100 files, folder to folder, with digests, manifest and parts that are synchronised
text            100 MB of text at level 1, beside `zip -1`
s3              archive from S3 to S3, beside the same client's plain copy
small           100,000 files of 2 KB
memory          peak memory above idle for 100 MiB, 1 GiB and 4.5 GiB from folder to folder, and the first two on S3

Run: `.venv/bin/python bench/artefacts.py [--rounds 3] [--folder DIR] [section…]`. DIR in memory (`/dev/shm`) leaves the
disk out of it; `cp and sync` says what that takes. S3 needs the test server (HAULIER_SHARED) and its Debian packages.
"""

import argparse
import asyncio
import hashlib
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from haulier.allocator import give_memory_back
from haulier.job import Request
from haulier.preparers import Resumable
from haulier.preparers.archive import ArchiveParams, prepare
from haulier.settings import Secret, Settings
from haulier.storage import Storage, open_storage
from haulier.work.parts import Digests, PartWriter, Progressed

MIB, GIB = 2**20, 2**30
KEY = "artifacts/bench/1/archive.zip"
SECTIONS = ("incompressible", "text", "s3", "small", "memory")


class BenchBuild:
    """What the archive preparer receives."""

    request_params = None
    checkpoint = None
    file_name = "archive.zip"

    def __init__(self, storage: Storage) -> None:
        self.request = Request(file_id=70_000)
        self.params = ArchiveParams(prefix="in/")
        self.storage = storage
        self.settings = settings("memory:")

    def report(self, **_progress: Any) -> None: ...

    def settled(self, index: int, **_why: Any) -> None: ...


def settings(url: str) -> Settings:
    return Settings(storage_url=Secret(url), jwt_secret=Secret("x" * 32))


async def build(storage: Storage) -> None:
    """Archive `in/` as a worker does: in parts, each digested, stored and synchronised."""
    result = await prepare(BenchBuild(storage))  # type: ignore[arg-type]
    assert isinstance(result, Resumable)
    await written(storage, result.open(None))


async def written(storage: Storage, items: AsyncIterator[Any]) -> None:
    async def note(_parts: Any) -> None: ...

    writer = PartWriter(
        part_bytes=storage.part_bytes,
        begin=lambda: storage.begin_upload(KEY, file_name="archive.zip", content_type="application/zip"),
        note=note,
        digests=Digests(),
        since=Progressed(),
        upload=None,
    )
    content = await writer.write(items, check=lambda: None)
    assert content is None, "the artefact is too small to say anything"
    assert writer.upload is not None
    await writer.upload.complete(writer.in_order())


class Took(NamedTuple):
    """Seconds by the clock and of processor time: the second hardly depends on what else runs on the machine."""

    wall: float
    cpu: float


async def measured(ways: dict[str, Callable[[], Awaitable[None]]], rounds: int) -> dict[str, Took]:
    """Medians of each way, one after the other in each round."""
    took: dict[str, list[Took]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began = Took(time.perf_counter(), cpu_seconds())
            await way()
            took[name].append(Took(time.perf_counter() - began.wall, cpu_seconds() - began.cpu))
    return {name: Took(*(statistics.median(kind) for kind in zip(*each, strict=True))) for name, each in took.items()}


def cpu_seconds() -> float:
    """Of this process and its children that are over."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def in_process(step: Callable[[], object]) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        await asyncio.to_thread(step)

    return run


def command(*words: str | Path, cwd: Path | None = None) -> Callable[[], Awaitable[None]]:
    def step() -> None:
        subprocess.run([str(word) for word in words], cwd=cwd, check=True, stdout=subprocess.DEVNULL)

    return in_process(step)


def told(title: str, size: int, seconds: dict[str, Took], ours: str = "haulier") -> None:
    print(f"\n{title}\n| | seconds | MB/s | our speed as a multiple | CPU seconds |\n| --- | --- | --- | --- | --- |")
    for name, took in seconds.items():
        ratio = took.wall / seconds[ours].wall
        print(
            f"| {name} | {took.wall:.2f} | {size / took.wall / 1e6:,.0f} | {ratio:.2f} | {took.cpu:.2f} |", flush=True
        )


@contextmanager
def folder_of(parent: str | None, files: int, make: Callable[[int], bytes]) -> Iterator[Path]:
    """A folder store with `files` objects below `in/`."""
    with tempfile.TemporaryDirectory(dir=parent) as home:
        store = Path(home) / "store"
        (store / "in").mkdir(parents=True)
        for number in range(files):
            (store / "in" / f"{number:06}").write_bytes(make(number))
        yield store


def noise(size: int) -> Callable[[int], bytes]:
    return lambda number: random.Random(number).randbytes(size)


def row_of_text(size: int) -> Callable[[int], bytes]:
    def make(number: int) -> bytes:
        rng = random.Random(number)
        words = [f"{rng.getrandbits(24):x}" for _ in range(4_000)]
        line = 0
        lines: list[str] = []
        length = 0
        while length < size:
            line += 1
            lines.append(f"{line},{rng.choice(words)},{rng.choice(words)} {rng.choice(words)},{rng.random():.4f}\n")
            length += len(lines[-1])
        return "".join(lines).encode()[:size]

    return make


def zip_with_python(store: Path, target: Path, method: int, level: int | None = None) -> None:
    with zipfile.ZipFile(target, "w", method, compresslevel=level) as archive:
        for path in sorted((store / "in").iterdir()):
            archive.write(path, path.name)


def digest_alone(store: Path) -> None:
    """SHA-256 of every file in one thread, of all bytes together in another: what an archive must compute at least."""

    def each() -> None:
        for path in sorted((store / "in").iterdir()):
            _digest([path])

    def whole() -> None:
        _digest(sorted((store / "in").iterdir()))

    with ThreadPoolExecutor(2) as threads:
        for future in [threads.submit(each), threads.submit(whole)]:
            future.result()


def _digest(paths: list[Path]) -> None:
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(2 * MIB):
                digest.update(chunk)


def synced(store: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(store / "in", target)
    for path in target.iterdir():
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


async def incompressible(rounds: int, parent: str | None) -> None:
    size, files = GIB, 100
    with folder_of(parent, files, noise(size // files)) as store:
        home = store.parent
        storage = open_storage(settings(f"file://{store}"))
        seconds = await measured(
            {
                "haulier": lambda: build(storage),
                "zip -0": fresh(home / "0.zip", command("zip", "-0qr", home / "0.zip", "in", cwd=store)),
                "zipfile, stored": in_process(lambda: zip_with_python(store, home / "p.zip", zipfile.ZIP_STORED)),
                "cp": command("cp", "-rT", store / "in", home / "copy"),
                "cp and sync": in_process(lambda: synced(store, home / "synced")),
                "digests alone": in_process(lambda: digest_alone(store)),
            },
            rounds,
        )
    told("1 GiB of noise in 100 files, folder to folder", size, seconds)
    print(f"of the digests' speed: {seconds['digests alone'].wall / seconds['haulier'].wall:.2f}")


def fresh(target: Path, way: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        await asyncio.to_thread(target.unlink, missing_ok=True)
        await way()

    return run


async def text(rounds: int, parent: str | None) -> None:
    size = 100_000_000
    for files in (1, 20):
        with folder_of(parent, files, row_of_text(size // files)) as store:
            home = store.parent
            storage = open_storage(settings(f"file://{store}"))
            seconds = await measured(
                {
                    "haulier": lambda storage=storage: build(storage),
                    "zip -1": fresh(home / "1.zip", command("zip", "-1qr", home / "1.zip", "in", cwd=store)),
                },
                rounds,
            )
            ours, theirs = (store / KEY).stat().st_size, (home / "1.zip").stat().st_size
        told(f"100 MB of text in {files} file(s)", size, seconds)
        print(f"size {ours / size:.3f}, zip -1 {theirs / size:.3f}")


async def small(rounds: int, parent: str | None) -> None:
    files = 100_000
    with folder_of(parent, files, noise(2_000)) as store:
        storage = open_storage(settings(f"file://{store}"))
        home = store.parent
        seconds = await measured(
            {
                "haulier": lambda: build(storage),
                "zip -0": fresh(home / "0.zip", command("zip", "-0qr", home / "0.zip", "in", cwd=store)),
                "zipfile, stored": in_process(lambda: zip_with_python(store, home / "p.zip", zipfile.ZIP_STORED)),
            },
            rounds,
        )
    told("100,000 files of 2 KB", files * 2_000, seconds)
    print(f"{files / seconds['haulier'].wall:,.0f} files/s")


@contextmanager
def s3_store() -> Iterator[str]:
    """The URL of a bucket of the test server."""
    from tests.s3 import ACCESS, SECRET, S3Server, _running

    os.environ |= {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}
    with tempfile.TemporaryDirectory() as folder, _running(Path(folder)) as endpoint:
        server = S3Server(endpoint)
        yield server.url(server.new_bucket())


async def put_all(storage: Storage, files: int, make: Callable[[int], bytes]) -> None:
    async def once(content: bytes) -> AsyncIterator[bytes]:
        yield content

    for number in range(files):
        await storage.write(
            f"in/{number:06}", once(make(number)), file_name="x", content_type="application/octet-stream"
        )


async def copied(storage: Storage) -> None:
    """All objects read one after the other into one upload, with nothing done to the bytes but the writer's SHA-256."""

    async def items() -> AsyncIterator[bytes]:
        async for info in storage.list("in/"):
            async for chunk in storage.read(info.key):
                yield chunk

    await written(storage, items())


async def s3(rounds: int, parent: str | None) -> None:
    del parent
    size, files = 512 * MIB, 32
    with s3_store() as url:
        storage = open_storage(settings(url))
        await put_all(storage, files, noise(size // files))
        seconds = await measured({"haulier": lambda: build(storage), "plain copy": lambda: copied(storage)}, rounds)
    told(f"{size // MIB} MiB of noise in {files} objects, S3 to S3", size, seconds)


async def memory(rounds: int, parent: str | None) -> None:
    del rounds
    print("\npeak memory of the building process above its idle\n| store | size MiB | MiB |\n| --- | --- | --- |")
    for files in (10, 100, 450):
        one = noise(10 * MIB + 512)(0)
        with folder_of(parent, files, lambda _number, one=one: one) as store:
            print(f"| folder | {files * 10} | {peak(f'file://{store}'):.0f} |", flush=True)
    with folder_of(parent, 1, lambda _number: b"") as store:
        with (store / "in" / "large").open("wb") as file:
            for _ in range(450):
                file.write(one)
        print(f"| folder, one file | 4500 | {peak(f'file://{store}'):.0f} |", flush=True)
    for files in (10, 100):
        with s3_store() as url:
            await put_all(open_storage(settings(url)), files, noise(10 * MIB))
            print(f"| S3 | {files * 10} | {peak(url):.0f} |", flush=True)


def peak(url: str) -> float:
    """MiB above idle, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--build", url], check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


async def build_and_tell(url: str) -> None:
    give_memory_back()
    storage = open_storage(settings(url))
    await storage.head("in/000000")
    idle = _status("VmRSS")
    await build(storage)
    print((_status("VmHWM") - idle) / 1024)


def _status(field: str) -> int:
    """KiB of this process's memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="section", help=", ".join(SECTIONS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", help="where to work (default: the folder for temporary files)")
    parser.add_argument("--build", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build:
        asyncio.run(build_and_tell(options.build))
        return
    ways = {"incompressible": incompressible, "text": text, "s3": s3, "small": small, "memory": memory}
    if unknown := {*options.sections} - {*ways}:
        parser.error(f"no such section: {', '.join(unknown)}")
    for section in options.sections or SECTIONS:
        asyncio.run(ways[section](options.rounds, options.folder))


if __name__ == "__main__":
    main()
