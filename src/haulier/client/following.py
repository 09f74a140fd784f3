"""Following a job: by server-sent events, else by long-poll, and where nobody holds a request by poll.

What a follower sees never goes back: versions only grow, whatever process answers.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus

import httpx
import msgspec
from httpx_sse import EventSource, ServerSentEvent, SSEError

from haulier.client.arguments import path_id
from haulier.client.errors import ApiError, ClientError, UnexpectedAnswer, Unreachable
from haulier.client.transport import Transport, decoded, origin, read, retry_after
from haulier.clock import Clock
from haulier.job import TERMINAL, Status
from haulier.wire import JobStatus

POLL_S = 2.0
LONG_POLL_S = 25  # below the 30 s after which some proxies end what is idle
QUEUED_WAIT_S = 10
EVENTS = "/v1/download/events"
DEAD_S = 35.0  # the API sends something every 15 s
FIRST_S = 10.0  # the first event comes at once, unless something in between holds it back
RECONNECT_S = 1.0
WITHOUT_STREAM_S = 30.0  # before the next try after streams that told nothing
FAILURES = 2
_NO_STREAM_HERE = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_ACCEPTABLE, HTTPStatus.GONE}


class Streams:
    """Whether server-sent events are worth a try with this API, as far as earlier tries have shown."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._silences = 0
        self._not_before = float("-inf")

    @property
    def worth_a_try(self) -> bool:
        return self._clock.monotonic() >= self._not_before

    def worked(self) -> None:
        self._failures = 0

    def ended(self) -> None:
        """One that had told something ended otherwise than by silence."""
        self._silences = 0

    def failed(self) -> None:
        """A stream told nothing."""
        self._failures += 1
        if self._failures >= FAILURES:
            self._failures = 0
            self.put_off()

    def fell_silent(self) -> None:
        """Once is a dead connection; twice in a row is a proxy that lets the first bytes through and no others."""
        self._silences += 1
        if self._silences >= FAILURES:
            self._silences = 0
            self.put_off()

    def refused(self) -> None:
        """This API has none."""
        self._not_before = float("inf")

    def put_off(self) -> None:
        """It has none for now."""
        self._not_before = self._clock.monotonic() + WITHOUT_STREAM_S


class Following:
    """One job being followed."""

    def __init__(
        self, transport: Transport, streams: Streams, job_id: str, *, wait_s: int, files: bool, clock: Clock
    ) -> None:
        self._transport = transport
        self._streams = streams
        self._id = path_id(job_id)
        self._wait_s = wait_s
        self._files = {} if files else {"files": "false"}
        self._clock = clock
        self._last: JobStatus | None = None
        self._tag = ""
        self._cuts = 0

    async def statuses(self) -> AsyncGenerator[JobStatus]:
        """The status now, and each that differs from the one before, up to the terminal one."""
        while not self._over:
            streamed = self._streams.worth_a_try
            async with aclosing(self._streamed() if streamed else self._polled()) as found:
                async for status in found:
                    if self._is_news(status):
                        self._last = status
                        yield status
            if streamed and not self._over and self._streams.worth_a_try:
                await self._transport.sleep(RECONNECT_S, spread=True)

    @property
    def _over(self) -> bool:
        return self._last is not None and self._last.status in TERMINAL

    def _is_news(self, status: JobStatus) -> bool:
        return self._last is None or (status.version >= self._last.version and status != self._last)

    async def _streamed(self) -> AsyncGenerator[JobStatus]:
        """What one stream tells; it ends with the job, or when it breaks."""
        last = "" if self._last is None else str(self._last.version)
        path = f"{EVENTS}/{self._id}"
        try:
            async with aclosing(events(self._transport, self._streams, path, last=last, params=self._files)) as found:
                async for event in found:
                    if event.job is not None:
                        yield event.job
                        self._tag = ""  # of an answer to a poll that is older now
        except ApiError as error:
            if not (_lacks_streams(error) or passes(error)):
                raise
        except (Unreachable, UnexpectedAnswer):
            pass  # what is wrong for good, polling says as well

    async def _polled(self) -> AsyncGenerator[JobStatus]:
        """What polling tells, up to the next try with a stream; long-polls where that is answered with a wait."""
        while not self._over and not self._streams.worth_a_try:
            hold_s = self._wait_s if self._tag else 0
            if self._last is not None and self._last.status == Status.QUEUED:
                hold_s = min(hold_s, QUEUED_WAIT_S)
            asked = self._clock.monotonic()
            try:
                answer = await self._ask(hold_s=hold_s)
            except (ApiError, UnexpectedAnswer, Unreachable) as error:
                if not hold_s or not _may_pass(error):
                    raise
                self._cut_off(error)
                continue
            if hold_s:
                self._cuts = 0
            before = self._last
            unchanged = answer.status_code == HTTPStatus.NOT_MODIFIED
            status = before if unchanged and before is not None else read(answer, JobStatus)
            held = before is None or status.version != before.version or self._clock.monotonic() - asked >= hold_s / 2
            yield status
            if self._over:
                return
            self._tag = answer.headers.get("ETag", self._tag)
            if not self._wait_s or not self._tag or not held:
                await self._transport.sleep(retry_after(answer) or POLL_S)
            if unchanged and status.status == Status.QUEUED:
                self._tag = ""  # its place moves without a new version

    def _cut_off(self, error: ClientError) -> None:
        """The next look is not held, and has the usual patience; none is when something cuts held ones off.

        Once may be a restart of the API; twice in a row is a proxy that ends idle connections.
        """
        self._cuts += 1
        self._tag = ""
        timed_out = isinstance(error, (ApiError, UnexpectedAnswer)) and error.status == HTTPStatus.GATEWAY_TIMEOUT
        if timed_out or self._cuts >= FAILURES:
            self._wait_s = 0

    async def _ask(self, *, hold_s: int) -> httpx.Response:
        return await self._transport.request(
            "GET",
            f"/v1/download/status/{self._id}",
            params=({"wait": str(hold_s)} if hold_s else {}) | self._files or None,
            headers={"If-None-Match": self._tag} if self._tag else None,
            timeout_s=self._transport.timeout_s + hold_s,
            once=bool(hold_s),
        )


class Told(msgspec.Struct, frozen=True):
    """An event of a stream: the status of a job, or None when the snapshot is complete."""

    id: str
    job: JobStatus | None


async def events(
    transport: Transport, streams: Streams, path: str, *, last: str, params: dict[str, str]
) -> AsyncGenerator[Told]:
    """The events of one stream until it ends; `streams` learns how it went.

    Raises ApiError, Unreachable, and UnexpectedAnswer, also for an event that is none of ours.
    """
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
    told = False
    try:
        async with transport.stream(path, headers=headers, params=params, first_s=FIRST_S, idle_s=DEAD_S) as got:
            if got.status_code == HTTPStatus.NO_CONTENT:  # the end that the client has seen, or else a look tells it
                streams.put_off()
                return
            async with aclosing(EventSource(got).aiter_sse()) as found:
                async with asyncio.timeout(FIRST_S):  # whoever holds events back lets the head through
                    event = await anext(found, None)
                while event is not None:
                    if event.event in ("status", "ready"):
                        job = _job_of(event, transport.url) if event.event == "status" else None
                        told = True
                        streams.worked()
                        yield Told(event.id, job)
                    event = await anext(found, None)
    except ApiError as error:
        if _lacks_streams(error):
            streams.refused()
        elif passes(error):
            streams.put_off()
        raise
    except UnexpectedAnswer:
        streams.put_off() if told else streams.failed()
        raise
    except (Unreachable, TimeoutError, SSEError) as error:
        if not told:
            streams.failed()
        elif isinstance(error.__cause__, httpx.ReadTimeout):
            streams.fell_silent()
        else:
            streams.ended()
        if isinstance(error, Unreachable):
            raise
        raise Unreachable(origin(transport.url), "no event came") from error
    streams.ended() if told else streams.failed()


def _job_of(event: ServerSentEvent, url: str) -> JobStatus:
    return decoded(event.data, JobStatus, url=url)


def _lacks_streams(error: ApiError) -> bool:
    """Whether there are none here, whatever the job."""
    return error.status in _NO_STREAM_HERE and error.code != "job_not_found"


def _may_pass(error: ClientError) -> bool:
    return isinstance(error, Unreachable) or (isinstance(error, (ApiError, UnexpectedAnswer)) and passes(error))


def passes(error: ApiError | UnexpectedAnswer) -> bool:
    """Whether another try later may go better."""
    return error.status == HTTPStatus.TOO_MANY_REQUESTS or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
