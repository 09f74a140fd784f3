"""The client: the calls of the wire contract, typed, and what they are usually wanted for: follow and download."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import msgspec
from msgspec import UNSET

from haulier.client import parallel
from haulier.client.arguments import asking, channel_ids, path_id, several, wanted_files
from haulier.client.batches import Batches
from haulier.client.channels import Channels
from haulier.client.dead_letters import DeadLetters
from haulier.client.download import Downloaded, Fetch, Progress, download_to
from haulier.client.file_threads import finished
from haulier.client.following import LONG_POLL_S, Following, Streams
from haulier.client.following_all import all_jobs
from haulier.client.getting import Progressed, make_ready, raise_unless_completed, target
from haulier.client.parallel import CONNECTIONS, NotInRanges, download_segments
from haulier.client.patience import Patience
from haulier.client.segments import SegmentFile
from haulier.client.sinks import PartFile, Sink
from haulier.client.transport import API, Sleep, Token, Transport, read
from haulier.clock import SYSTEM_CLOCK, Clock
from haulier.job import TERMINAL
from haulier.wire import Cancelled, CheckAnswer, DownloadResult, JobPage, JobStatus
from haulier.wire_receipts import ReceiptKeys, SignedReceipt


def _silent(_reason: str, _wait_s: float) -> None:
    """The default of `on_wait`."""


def _unseen(_status: JobStatus) -> None:
    """The default of `on_status`."""


def _unwatched_job(_progressed: Progressed) -> None:
    """The default of `on_progress`."""


def _unwatched(_done: int, _total: int | None) -> None:
    """The default of `on_progress`."""


class Client:
    """A client of one API, for one user.

    `token` is a bearer token, or a function that makes one (asked before each request, so that it may be short-lived).
    `on_wait(reason, seconds)` is told of each pause before another try. Not for several event loops.
    `batches` has the calls for one job a file, `channels` those about being told, `dead_letters` those for admins.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Token,
        patience: Patience | None = None,
        timeout_s: float = 30.0,
        on_wait: Callable[[str, float], None] = _silent,
        clock: Clock = SYSTEM_CLOCK,
        sleep: Sleep = asyncio.sleep,
        rng: Random | None = None,
    ) -> None:
        self._clock = clock
        self._transport = Transport(
            url,
            token=token,
            patience=patience or Patience(),
            sleep=sleep,
            rng=rng or Random(),  # noqa: S311 - jitter, not a secret
            timeout_s=timeout_s,
            on_wait=on_wait,
        )
        self._streams = Streams(clock)
        self.batches = Batches(self._transport)
        self.channels = Channels(self._transport)
        self.dead_letters = DeadLetters(self._transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close its connections."""
        await self._transport.aclose()

    async def initiate(
        self,
        file_id: int | Sequence[int],
        *,
        params: Mapping[str, Any] | None = None,
        allow_missing: bool = False,
        notify: Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> JobStatus:
        """Ask for a file, or for several as one ZIP, under an idempotency key: one job however often it has to be sent.

        Without an `idempotency_key` the call has one of its own, and joins the user's living job for the same.
        `params` are what the preparer of a single file lets you choose; ApiError `invalid_request` says which is wrong.
        `notify` names the channels that are told of the outcome (empty: nobody), else those that hear of every job.
        """
        wanted = wanted_files(file_id)
        wanted |= {"params": params} if params else {}
        wanted |= {"allow_missing": True} if allow_missing else {}
        wanted |= {} if notify is None else {"notify": channel_ids(notify)}
        return await self._ask("initiate", idempotency_key, wanted)

    async def status(self, job_id: str, *, files: bool = True) -> JobStatus:
        """The job; without `files` an archive's status is small however many files it has."""
        params = None if files else {"files": "false"}
        return read(await self._transport.request("GET", _path("status", job_id), params=params), JobStatus)

    async def follow(
        self, job_id: str, *, wait_s: int = LONG_POLL_S, files: bool = True, stream: bool = True
    ) -> AsyncGenerator[JobStatus]:
        """The job's status now and after each change that a client can see, up to its terminal one.

        By server-sent events; where those do not come (an older API, a proxy that holds them back) by long-poll for
        `wait_s` seconds at a time, and where that is not answered with a wait by polling as often as Retry-After says.
        `wait_s` 0 always polls, `stream` False never streams. Goes through restarts and breaks of the connection.
        """
        streams = self._streams if stream else _no_streams(self._clock)
        following = Following(self._transport, streams, job_id, wait_s=wait_s, files=files, clock=self._clock)
        async with aclosing(following.statuses()) as statuses:
            async for status in statuses:
                yield status

    async def wait(
        self, job_id: str, *, files: bool = True, on_status: Callable[[JobStatus], None] = _unseen
    ) -> JobStatus:
        """Follow the job to its end: its last status, completed. Raises JobFailed and JobCancelled.

        `on_status` is called with each status, the last one too.
        """
        last: JobStatus | None = None
        async for last in self.follow(job_id, files=files):
            on_status(last)
        assert last is not None  # a job has a status
        raise_unless_completed(last)
        return last

    async def follow_all(self) -> AsyncGenerator[JobStatus | None]:
        """Every change of every job of the user, of new ones as well, for ever; first those that wait or run.

        None says that the snapshot is complete, after each new connection again.
        """
        async with aclosing(all_jobs(self._transport, self._clock)) as statuses:
            async for status in statuses:
                yield status

    async def result(self, job_id: str) -> DownloadResult:
        return read(await self._transport.request("GET", _path("result", job_id)), DownloadResult)

    async def receipt(self, job_id: str) -> SignedReceipt:
        """The signed statement of what a completed job delivered; also when its file has expired.

        What counts is the payload of `jws`: a newer API may say more there than `receipt` shows.
        """
        return read(await self._transport.request("GET", _path("receipt", job_id)), SignedReceipt)

    async def receipt_keys(self) -> ReceiptKeys:
        """The public keys that receipts are checked with; asked for without the token."""
        return read(await self._transport.request("GET", "/v1/receipt-keys", secured=False), ReceiptKeys)

    async def cancel(self, job_id: str) -> Cancelled:
        """Also fine when the job is cancelled already; ApiError `job_finished` when it completed or failed."""
        return read(await self._transport.request("DELETE", _path("cancel", job_id)), Cancelled)

    async def retry(self, job_id: str, *, idempotency_key: str | None = None) -> JobStatus:
        """A new job for a failed or cancelled one; keys are as with `initiate`."""
        return await self._ask(f"retry/{path_id(job_id)}", idempotency_key, None)

    async def check(self, file_id: int, *, params: Mapping[str, Any] | None = None) -> CheckAnswer:
        """Whether a file can be had, without starting anything; wrong `params` raise as for `initiate`."""
        wanted: dict[str, Any] = {"file_id": file_id} | ({"params": params} if params else {})
        return read(await self._transport.request("POST", f"{API}/check", json=wanted), CheckAnswer)

    async def jobs(
        self, *, status: str | None = None, batch: str | None = None, limit: int = 20, cursor: str | None = None
    ) -> JobPage:
        """The user's jobs, or those of a batch, newest first; `cursor` is the `next_cursor` of the page before."""
        given = {"status": status, "batch": batch, "cursor": cursor}
        params: dict[str, str | int] = {"limit": limit}
        params |= {name: value for name, value in given.items() if value is not None}
        return read(await self._transport.request("GET", f"{API}/jobs", params=params), JobPage)

    async def download(
        self,
        wanted: int | Sequence[int] | str | UUID | JobStatus,
        *,
        to: Path | str = ".",
        params: Mapping[str, Any] | None = None,
        allow_missing: bool = False,
        notify: Sequence[str] | None = None,
        idempotency_key: str | None = None,
        force: bool = False,
        connections: int = CONNECTIONS,
        on_progress: Callable[[Progressed], None] = _unwatched_job,
    ) -> Downloaded:
        """From a file id (or several as one ZIP, or a job, or its id) to a verified file: ask, follow, download.

        `to` is the file, or a folder to save it in under its own name. Goes through restarts, breaks of the connection
        and links that end, resumes what an earlier run has left in `PATH.part`, and renames when all is verified.

        Keys are as with `initiate`: a lost answer makes no second job, a further run joins that of an interrupted one.
        Raises JobFailed, JobCancelled, TargetExists without `force`, TargetInUse, DownloadDamaged, DownloadFailed,
        ApiError, Unreachable.
        """
        several(connections)
        await finished(make_ready, to, force=force)
        if isinstance(wanted, JobStatus):
            job = wanted
        elif isinstance(wanted, (str, UUID)):
            job = await self.status(str(wanted), files=False)
        else:
            job = await self.initiate(
                wanted, params=params, allow_missing=allow_missing, notify=notify, idempotency_key=idempotency_key
            )
        on_progress(Progressed.of(job))
        if job.status in TERMINAL:
            raise_unless_completed(job)
        else:
            job = await self.wait(job.job_id, files=False, on_status=lambda status: on_progress(Progressed.of(status)))
        path = target(to, job)
        got = await self.save(
            job,
            path,
            force=force,
            connections=connections,
            on_progress=lambda done, total: on_progress(Progressed.of(job, done=done, total=total)),
        )
        return msgspec.structs.replace(got, path=path, job=job)

    async def save(
        self,
        job: JobStatus,
        path: Path,
        *,
        force: bool = False,
        resume: bool = True,
        connections: int = CONNECTIONS,
        on_progress: Progress = _unwatched,
    ) -> Downloaded:
        """Fetch the file of a completed job to `path`, with `resume` going on where an earlier run left `path.part`.

        Large files come over several `connections`. Checks size and SHA-256 as far as they are known, then renames.
        Raises as `download`. `on_progress(done, total)` counts bytes, total None if unknown.
        """
        if several(connections) > 1 and job.file_size is not UNSET and job.file_size >= parallel.PARALLEL_FROM_BYTES:
            with suppress(NotInRanges):
                return await self._save_in_segments(
                    job, path, force=force, resume=resume, connections=connections, on_progress=on_progress
                )
        async with PartFile.open(path, force=force) as part:
            if not resume:
                await part.discard()
            return await self.save_into(job, part, on_progress=on_progress)

    async def save_into(self, job: JobStatus, sink: Sink, *, on_progress: Progress = _unwatched) -> Downloaded:
        """The same into any sink, over one connection."""
        return await download_to(sink, self._fetch(job), job, on_progress=on_progress)

    async def _save_in_segments(
        self, job: JobStatus, path: Path, *, force: bool, resume: bool, connections: int, on_progress: Progress
    ) -> Downloaded:
        known = await self.result(job.job_id)
        if not known.etag.startswith('"'):
            raise NotInRanges
        sha256 = None if known.sha256 is UNSET else known.sha256
        async with SegmentFile.open(path, force=force, etag=known.etag, size=known.file_size, sha256=sha256) as file:
            if not resume:
                await file.discard()
            return await download_segments(
                file, self._fetch(job), sha256=sha256, connections=connections, on_progress=on_progress
            )

    async def _ask(self, call: str, key: str | None, body: Mapping[str, Any] | None) -> JobStatus:
        """The job of a request that may be sent again: it has a key."""
        headers = asking(key)
        return read(await self._transport.request("POST", f"{API}/{call}", json=body, headers=headers), JobStatus)

    def _fetch(self, job: JobStatus) -> Fetch:
        return Fetch(self._transport, _path("file", job.job_id))


def _no_streams(clock: Clock) -> Streams:
    streams = Streams(clock)
    streams.refused()
    return streams


def _path(call: str, job_id: str) -> str:
    return f"{API}/{call}/{path_id(job_id)}"
