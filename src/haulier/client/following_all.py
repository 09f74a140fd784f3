"""Following all jobs of a user, for ever: by one stream after the other."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from haulier.client.errors import ApiError, ClientError, UnexpectedAnswer, Unreachable
from haulier.client.following import EVENTS, Streams, events, passes
from haulier.client.transport import API, Transport, origin, read
from haulier.clock import Clock
from haulier.job import TERMINAL, Status
from haulier.wire import JobPage, JobStatus

JOBS_KNOWN = 10_000  # of older ones a version may be told again
MANY, PAGE = 20, 100


async def all_jobs(transport: Transport, clock: Clock) -> AsyncGenerator[JobStatus | None]:
    """Every change of every job of the user; None when the snapshot is complete. Connects again for ever.

    Raises ApiError when the API has no such stream or refuses it, UnexpectedAnswer when something else answers, and
    Unreachable when patience with a silent one ends.
    """
    streams, last, tries = Streams(clock), "", 0
    known = _Known()
    while True:
        tries += 1
        failure: ClientError = Unreachable(origin(transport.url), "the stream of events ended")
        retry_after_s = None
        unheard = set(known.living)
        try:
            async with aclosing(events(transport, streams, EVENTS, last=last, params={})) as found:
                async for event in found:
                    tries, last = 0, event.id or last
                    if event.job is not None:
                        unheard.discard(event.job.job_id)
                        if known.is_newest(event.job):
                            yield event.job
                        continue
                    yield None
                    async for job in _missed(transport, known, unheard):
                        yield job
                    unheard.clear()
        except Unreachable as error:
            failure = error
        except (ApiError, UnexpectedAnswer) as error:
            if not passes(error):
                raise
            failure, retry_after_s = error, error.retry_after_s if isinstance(error, ApiError) else None
        await transport.pause(max(tries, 1), failure, retry_after_s=retry_after_s)


class _Known:
    """What was told of the latest `JOBS_KNOWN` jobs: the version, and which of them live."""

    def __init__(self) -> None:
        self.living: set[str] = set()
        self._versions: dict[str, int] = {}

    def is_newest(self, status: JobStatus) -> bool:
        """Whether no newer version of the job was told; remembers it."""
        known = self._versions.pop(status.job_id, 0)
        self._versions[status.job_id] = max(known, status.version)
        if len(self._versions) > JOBS_KNOWN:
            self.forget(next(iter(self._versions)))
        if status.version < known:
            return False
        (self.living.discard if status.status in TERMINAL else self.living.add)(status.job_id)
        return True

    def forget(self, job_id: str) -> None:
        self._versions.pop(job_id, None)
        self.living.discard(job_id)


async def _missed(transport: Transport, known: _Known, unheard: set[str]) -> AsyncGenerator[JobStatus]:
    """What became of jobs that were told as alive and not again: a snapshot tells so many ends, and no more."""
    for job_id in sorted(await _without_living(transport, unheard)):
        if (job := await _looked_up(transport, job_id)) is None:
            known.forget(job_id)
        elif known.is_newest(job):
            yield job


async def _without_living(transport: Transport, job_ids: set[str]) -> set[str]:
    """Those that are over, or gone. Of many, those that wait or run are listed a hundred at a time."""
    left = set(job_ids)
    if len(left) < MANY:
        return left
    # In this order, so that none slips from the one list into the other unseen.
    for status in (Status.QUEUED, Status.PROCESSING):
        params: dict[str, str | int] = {"status": status.value, "limit": PAGE}
        while True:
            page = read(await transport.request("GET", f"{API}/jobs", params=params), JobPage)
            left -= {job.job_id for job in page.jobs}
            if not page.next_cursor:
                break
            params["cursor"] = page.next_cursor
    return left


async def _looked_up(transport: Transport, job_id: str) -> JobStatus | None:
    """The job; None for one that is not there any more."""
    try:
        return read(await transport.request("GET", f"{API}/status/{job_id}", params={"files": "false"}), JobStatus)
    except ApiError as error:
        if error.code != "job_not_found":
            raise
        return None
