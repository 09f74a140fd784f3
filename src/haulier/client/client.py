"""The client: the calls of the wire contract, typed, and what they are usually wanted for: follow and download."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import httpx

from haulier.client.batches import Batches
from haulier.client.channels import Channels
from haulier.client.dead_letters import DeadLetters
from haulier.client.download import Downloaded, Fetch, Progress, download_to
from haulier.client.errors import ApiError, UnexpectedAnswer
from haulier.client.patience import Patience
from haulier.client.sinks import PartFile, Sink
from haulier.client.transport import Sleep, Token, Transport, read, retry_after
from haulier.clock import SYSTEM_CLOCK, Clock
from haulier.job import TERMINAL, Status
from haulier.wire import Cancelled, CheckAnswer, DownloadResult, JobPage, JobStatus
from haulier.wire_receipts import ReceiptKeys, SignedReceipt

API = "/v1/download"
POLL_S = 2.0
QUEUED_WAIT_S = 10


def _silent(_reason: str, _wait_s: float) -> None:
    """The default of `on_wait`."""


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
        self.batches = Batches(self._transport)
        self.channels = Channels(self._transport)
        self.dead_letters = DeadLetters(self._transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
        """Ask for a file, or for several as one ZIP. Without a key it joins the user's living job for the same.

        `params` are what the preparer of a single file lets you choose; ApiError `invalid_request` says which is wrong.
        `notify` names the channels that are told of the outcome (empty: nobody), else those that hear of every job.
        """
        wanted: dict[str, Any] = {"file_id": file_id} if isinstance(file_id, int) else {"file_ids": list(file_id)}
        wanted |= {"params": params} if params else {}
        wanted |= {"allow_missing": True} if allow_missing else {}
        wanted |= {} if notify is None else {"notify": list(notify)}
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        return read(await self._transport.request("POST", f"{API}/initiate", json=wanted, headers=headers), JobStatus)

    async def status(self, job_id: str, *, files: bool = True) -> JobStatus:
        """The job; without `files` an archive's status is small however many files it has."""
        params = None if files else {"files": "false"}
        return read(await self._transport.request("GET", _path("status", job_id), params=params), JobStatus)

    async def follow(self, job_id: str, *, wait_s: int = 30, files: bool = True) -> AsyncIterator[JobStatus]:
        """The job's status now and after each change that a client can see, up to its terminal one.

        Long-polls for `wait_s` seconds at a time; where that is not answered with a wait (a proxy in between, an older
        API) it polls as often as Retry-After says. `wait_s` 0 always polls. The place in the queue moves without a new
        version, so a queued job is looked at every 10 s all the same.
        """
        tag, last = "", None
        while True:
            hold_s = wait_s if tag else 0
            if last is not None and last.status == Status.QUEUED:
                hold_s = min(hold_s, QUEUED_WAIT_S)
            asked = self._clock.monotonic()
            try:
                answer = await self._ask_status(job_id, tag=tag, hold_s=hold_s, files=files)
            except (ApiError, UnexpectedAnswer) as error:
                if hold_s and error.status == HTTPStatus.GATEWAY_TIMEOUT:  # a proxy that cuts off long answers
                    wait_s = 0
                    continue
                raise
            unchanged = answer.status_code == HTTPStatus.NOT_MODIFIED
            status = last if unchanged and last is not None else read(answer, JobStatus)
            held = last is None or status.version != last.version or self._clock.monotonic() - asked >= hold_s / 2
            if status != last:
                yield status
            if status.status in TERMINAL:
                return
            tag, last = answer.headers.get("ETag", tag), status
            if not wait_s or not tag or not held:
                await self._transport.sleep(retry_after(answer) or POLL_S)
            if unchanged and status.status == Status.QUEUED:
                tag = ""

    async def _ask_status(self, job_id: str, *, tag: str, hold_s: int, files: bool) -> httpx.Response:
        params = ({"wait": str(hold_s)} if hold_s else {}) | ({} if files else {"files": "false"})
        return await self._transport.request(
            "GET",
            _path("status", job_id),
            params=params or None,
            headers={"If-None-Match": tag} if tag else None,
            timeout_s=self._transport.timeout_s + hold_s,
            final=frozenset({HTTPStatus.GATEWAY_TIMEOUT}) if hold_s else frozenset(),
        )

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

    async def retry(self, job_id: str) -> JobStatus:
        """A new job for a failed or cancelled one."""
        answer = await self._transport.request("POST", _path("retry", job_id), repeatable=False)
        return read(answer, JobStatus)

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
        self, job: JobStatus, path: Path, *, force: bool = False, on_progress: Progress = _unwatched
    ) -> Downloaded:
        """Fetch the file of a completed job to `path`, resuming `path.part` where an earlier run left one.

        Checks size and SHA-256 as far as they are known, then renames. Raises TargetExists without `force`,
        TargetInUse, DownloadDamaged, DownloadFailed. `on_progress(done, total)` counts bytes, total None if unknown.
        """
        async with PartFile.open(path, force=force) as part:
            return await self.download_into(job, part, on_progress=on_progress)

    async def download_into(self, job: JobStatus, sink: Sink, *, on_progress: Progress = _unwatched) -> Downloaded:
        """The same into any sink."""
        return await download_to(sink, Fetch(self._transport, _path("file", job.job_id)), job, on_progress=on_progress)


def _path(call: str, job_id: str) -> str:
    """Raises ValueError for what is no UUID: it must not become a path of its own."""
    return f"{API}/{call}/{UUID(job_id)}"
