"""Whatever apprise reaches: each notice once, in a few threads of its own, since apprise waits for what it sends."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager

import msgspec

from haulier.destinations.apprise_urls import schema_of
from haulier.notify import wording
from haulier.notify.port import Busy, Delivered, GiveUp, Notice, TryAgain, Verdict, unwatched
from haulier.settings import Settings

TIMEOUT_S = 25.0
ROOM_S = 10.0
THREADS = 4
_GONE = frozenset({404, 410})
_DOUBT = "the service did not say whether it took the message"


class AppriseSender:
    """Sends through apprise, at most THREADS at a time. A thread that hangs keeps its place until it ends."""

    repeatable = False
    room = 2 * THREADS  # the next ones stand ready

    def __init__(self, pool: ThreadPoolExecutor, *, settings: Settings, timeout_s: float = TIMEOUT_S) -> None:
        self._pool = pool
        self._room = asyncio.Semaphore(THREADS)
        self._places = settings.apprise_places
        self._schemas = settings.apprise_schemas
        self._page_url = settings.page_url
        self._timeout_s = timeout_s

    async def send(self, notice: Notice, /, *, begun: Callable[[], None] = unwatched) -> Verdict:
        """Try once. Nothing is sent again that may have been taken. What a place of the operator's answers is ours."""
        verdict = await self._tried(notice, begun)
        return of_ours(verdict) if "name" in notice.secret else verdict

    async def _tried(self, notice: Notice, begun: Callable[[], None]) -> Verdict:
        url = self._url(notice)
        if not isinstance(url, str):
            return url
        try:
            async with asyncio.timeout(ROOM_S):
                await self._room.acquire()
        except TimeoutError:
            return Busy()
        begun()
        loop = asyncio.get_running_loop()
        sending = self._pool.submit(_sent, url, notice, self._page_url(notice.job.id) if notice.job else "")
        sending.add_done_callback(lambda done: _release(done, loop, self._room))
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.shield(asyncio.wrap_future(sending))
        except TimeoutError:
            # Whoever did not begin yet will not.
            return Busy() if sending.cancel() else GiveUp(_DOUBT, unknown=True)

    def _url(self, notice: Notice) -> str | TryAgain | GiveUp:
        """Where to: the operator's place as it is set today, or the user's URL while its service is allowed.

        What is not offered here may be offered by other workers, or again: the settings of one end no channel.
        """
        name = notice.secret.get("name")
        if name is not None:
            place = self._places.get(name)
            if place is None:
                return TryAgain("the operator does not offer this place any more, or not yet", ours=True)
            if notice.job and not place.is_for(notice.job.role):
                return GiveUp(f"the operator does not offer this place to the role {notice.job.role}", ours=True)
            return place.url
        url: str = notice.secret["url"]
        if schema_of(url) not in self._schemas:
            return TryAgain("the operator does not allow this service any more, or not yet", ours=True)
        return url


def _release(_: "Future[Verdict]", loop: asyncio.AbstractEventLoop, room: asyncio.Semaphore) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(room.release)


def _sent(url: str, notice: Notice, page_url: str) -> Verdict:
    """Send in this thread, and say what came of it."""
    from apprise import NotifyFormat, NotifyType

    from haulier.destinations.apprise_plugins import plugin_for
    from haulier.notify.requests_watch import Seen, watching_requests

    plugin = plugin_for(url)
    if plugin is None:
        return GiveUp("its URL names no place that apprise can reach")
    kinds = {
        "job.completed": NotifyType.SUCCESS,
        "job.failed": NotifyType.FAILURE,
        "job.cancelled": NotifyType.WARNING,
    }
    sentences = [_harmless(sentence) for sentence in wording.body(notice)]
    seen = Seen()
    try:
        with watching_requests() as seen:
            arrived = plugin.notify(
                title=_harmless(wording.title(notice)),
                body="\n".join([*sentences, page_url] if page_url else sentences),
                notify_type=kinds.get(notice.event, NotifyType.INFO),
                body_format=NotifyFormat.TEXT,
            )
    except Exception:  # what a plugin raises may quote its URL
        arrived = False
    if arrived:
        return Delivered(seen.answers[-1] if seen.answers else None)
    return refused(seen.answers, unsent=seen.unsent, taken=seen.anything_taken)


def refused(answers: list[int], *, unsent: int, taken: bool) -> Verdict:
    """What it means that apprise did not succeed: `answers` are the HTTP statuses, `unsent` requests found nobody."""
    if taken or not (answers or unsent):
        return GiveUp(_DOUBT, unknown=True)
    status = answers[-1] if answers else None
    if status is None or status == 429 or status >= 500:
        return TryAgain("the service cannot be reached" if status is None else f"the service answered {status}", status)
    if status in _GONE:
        return GiveUp(f"the service answered {status}: the place is gone", status, disable=True)
    return GiveUp(f"the service answered {status}", status)


def of_ours(verdict: Verdict) -> Verdict:
    """The same about a place of the operator's: users can do nothing about it, so it ends no channel of theirs."""
    match verdict:
        case GiveUp():
            return msgspec.structs.replace(verdict, ours=True, disable=False)
        case TryAgain():
            return msgspec.structs.replace(verdict, ours=True)
        case _:
            return verdict


def _harmless(text: str) -> str:
    """`text` without what chat services take for orders: <!everyone>, @channel."""
    return text.replace("<", "‹").replace(">", "›").replace("@", "@\u200b")


@asynccontextmanager
async def open_apprise(settings: Settings) -> AsyncGenerator[AppriseSender]:
    """A sender with its threads. At the end what hangs is left behind; its requests end by themselves."""
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="apprise")
    try:
        yield AppriseSender(pool, settings=settings)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
