"""Status answers as bytes, made once for many polls of an unchanged job."""

import hashlib
from collections import OrderedDict
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import UNSET

from haulier.api.estimating import Estimator, Outlook
from haulier.api.views import retry_after_s, status_view
from haulier.clock import Clock
from haulier.errors import StorageUnavailable
from haulier.job import Job
from haulier.storage import Link, Storage
from haulier.wire import JobStatus

FRESH_S = 1.0  # what moves without a new version (position, estimate, the URL's end) may be this old
KEPT = 10_000
KEPT_BYTES = 8_192  # an archive of 1,000 files has 60 KB: such answers are made anew each time
ROUNDING_S = 2.0  # links are dated in whole seconds

_ENCODER = msgspec.json.Encoder()


class Rendered(msgspec.Struct, frozen=True):
    """One job's status answer. `retry_after_s` is None when there is nothing left to wait for."""

    version: int
    etag: str
    body: bytes
    retry_after_s: int | None
    made_at: float


class Statuses:
    """Renders status answers and keeps them for FRESH_S."""

    def __init__(self, *, storage: Storage, estimator: Estimator, clock: Clock, base_url: str, url_ttl_s: int) -> None:
        self._storage = storage
        self._estimator = estimator
        self._clock = clock
        self._base_url = base_url
        self._url_ttl_s = url_ttl_s
        self._kept: OrderedDict[tuple[UUID, bool], Rendered] = OrderedDict()

    async def of(self, job: Job, *, with_files: bool = True) -> Rendered:
        """The status answer of `job`; whether the caller may see it is for the caller to know."""
        kept = self._kept.get((job.id, with_files))
        if kept is not None and kept.version == job.version and self._clock.monotonic() - kept.made_at < FRESH_S:
            return kept
        rendered = await self._render(job, outlook=await self._estimator.outlook(job), with_files=with_files)
        if len(rendered.body) > KEPT_BYTES:
            return rendered
        self._kept[job.id, with_files] = rendered
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return rendered

    async def first(self, job: Job) -> Rendered:
        """The answer to a job that was just admitted or joined."""
        return await self._render(job, outlook=await self._estimator.first_outlook(job))

    async def _render(self, job: Job, *, outlook: Outlook, with_files: bool = True) -> Rendered:
        now = self._clock.now()
        link, epoch = await self._signed(job, now=now)
        view = status_view(job, outlook=outlook, base_url=self._base_url, now=now, link=link, with_files=with_files)
        return Rendered(
            version=job.version,
            etag=_etag(view, epoch=epoch),
            body=_ENCODER.encode(view),
            retry_after_s=None if job.is_terminal else retry_after_s(job, outlook=outlook, now=now),
            made_at=self._clock.monotonic(),
        )

    async def _signed(self, job: Job, *, now: datetime) -> tuple[Link | None, str]:
        """A download URL, and what changes as soon as an earlier one is about to end: no 304 stands for such a one."""
        if job.artefact is None or not job.is_available(now=now):
            return None, ""
        expires_s = url_life_s(job, ttl_s=self._url_ttl_s, now=now)
        try:
            link = await self._storage.sign(job.artefact, job_id=str(job.id), expires_s=expires_s)
        except StorageUnavailable:
            return None, ""  # the status is still worth telling, and file_url leads to the file later
        return link, link_epoch(link, expires_s=expires_s, ttl_s=self._url_ttl_s, now=now)


def link_epoch(link: Link, *, expires_s: int, ttl_s: int, now: datetime) -> str:
    """The half-life that `link` was signed in; or its end, when its credentials end before the `expires_s` asked for.

    Links of one epoch have at least half of their life left, or end together: a new one would be no better.
    """
    if (link.expires_at - now).total_seconds() < expires_s - ROUNDING_S:
        return link.expires_at.isoformat()
    return str(int(now.timestamp()) // max(ttl_s // 2, 1))


def url_life_s(job: Job, *, ttl_s: int, now: datetime) -> int:
    """Life of a URL signed now: `ttl_s`, but not longer than the artefact's."""
    if job.artefact_expires_at is None:
        return ttl_s
    return max(1, min(ttl_s, int((job.artefact_expires_at - now).total_seconds())))


def _etag(view: JobStatus, *, epoch: str) -> str:
    """The version, and a digest of what can change without one. Weak (RFC 9110, 8.8.1): what drifts with the clock, or
    differs between processes, is not worth a new tag."""
    lasting = msgspec.structs.replace(
        view, download_url=UNSET, download_url_expires_at=UNSET, estimated_completion=None, estimate=UNSET
    )
    digest = hashlib.blake2b(_ENCODER.encode(lasting) + epoch.encode(), digest_size=8).hexdigest()
    return f'W/"{view.version}-{digest}"'
