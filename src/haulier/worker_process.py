"""A worker process: opens what it needs, runs until it is told to stop, and hands back what it could not finish."""

import asyncio
import os
import signal
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random

import structlog

from haulier.api.health import Checks, Unwell, loop_ping
from haulier.catalogue import load_catalogue
from haulier.clock import SYSTEM_CLOCK
from haulier.dispatch import Dispatcher
from haulier.engine import Engine, Runner
from haulier.ledger import Leadership, Ledger, leadership, open_ledger
from haulier.live import Announcements, open_announcements
from haulier.notify import Courier, open_senders
from haulier.observe import events
from haulier.observe.stalls import Stalls, watching
from haulier.preparers.registry import Registry
from haulier.sealing import channel_sealer
from haulier.settings import Settings
from haulier.storage import Storage, open_storage
from haulier.tasks import background, repeat
from haulier.work import STOP_PATIENCE_S, Builder, RunningAttempts, Stop, Worker, Workshop
from haulier.worker_health import serving_health

log = structlog.get_logger()

PRESENCE_S = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What a worker process works with, open."""

    name: str
    settings: Settings
    ledger: Ledger
    engine: Engine
    storage: Storage
    announcements: Announcements
    leadership: Leadership
    stalls: Stalls


async def serve(settings: Settings, *, stop: asyncio.Event | None = None) -> None:
    """Run a worker and a dispatcher until SIGTERM or SIGINT (or `stop`); then drain for the grace time."""
    stop = stop or stop_on_signals()
    async with AsyncExitStack() as stack:
        parts = await _open(settings, stack)
        running = RunningAttempts(
            parts.ledger.attempts, lease_s=settings.lease_s, heartbeat_s=settings.heartbeat_s, clock=SYSTEM_CLOCK
        )
        courier = await _courier(parts, stack)
        worker, dispatcher = _worker(parts, running, courier), _dispatcher(parts)
        parts.announcements.on_cancel(lambda job_id: running.stop(job_id, Stop.LOST))
        parts.announcements.on_nudge(dispatcher.nudge)
        await stack.enter_async_context(parts.announcements.running())
        await stack.enter_async_context(
            background(
                repeat(lambda: _beat(running, parts.announcements), name="beat"),
                repeat(dispatcher.step, name="dispatch"),
            )
        )
        await stack.enter_async_context(courier.running(grace_s=settings.grace_s))
        runner = await stack.enter_async_context(
            Runner.open(
                settings.redis_url,
                prefix=settings.redis_prefix,
                name=parts.name,
                slots=settings.concurrency,
                lease_s=settings.lease_s,
                handle=worker.handle,
                lost=running.doubt,
            )
        )
        await stack.enter_async_context(serving_health(settings, _checks(parts, runner)))
        async with background(repeat(lambda: _announce(parts), name="presence")):
            log.info(events.WORKER_READY, worker=parts.name, slots=settings.concurrency)
            await stop.wait()
        await _drain(parts, runner, running)
    log.info(events.WORKER_STOPPED, worker=parts.name)


async def _open(settings: Settings, stack: AsyncExitStack) -> Parts:
    """Everything that a worker needs, connected lazily: it opens although PostgreSQL or Redis are away."""
    name = f"{socket.gethostname()}:{os.getpid()}:{Random().randrange(16**4):04x}"  # noqa: S311  a name, not a secret
    return Parts(
        name=name,
        settings=settings,
        ledger=await stack.enter_async_context(open_ledger(settings.database_url, connections=settings.database_pool)),
        engine=await stack.enter_async_context(Engine.open(settings.redis_url, prefix=settings.redis_prefix)),
        storage=open_storage(settings, clock=SYSTEM_CLOCK),
        announcements=await stack.enter_async_context(
            open_announcements(settings.redis_url, prefix=settings.redis_prefix)
        ),
        leadership=await stack.enter_async_context(leadership(settings.database_url)),
        stalls=await stack.enter_async_context(watching(SYSTEM_CLOCK)),
    )


async def _courier(parts: Parts, stack: AsyncExitStack) -> Courier:
    return Courier(
        ledger=parts.ledger,
        senders=await stack.enter_async_context(open_senders(parts.settings, clock=SYSTEM_CLOCK)),
        sealer=channel_sealer(parts.settings),
        clock=SYSTEM_CLOCK,
        rng=Random(),  # noqa: S311  jitter, not a secret
    )


def _worker(parts: Parts, running: RunningAttempts, courier: Courier) -> Worker:
    settings = parts.settings
    return Worker(
        name=parts.name,
        settings=settings,
        ledger=parts.ledger,
        storage=parts.storage,
        workshop=Workshop(
            catalogue=load_catalogue(settings.catalogue),
            registry=Registry.installed(),
            storage=parts.storage,
            settings=settings,
        ),
        builder=Builder(builds=parts.ledger.builds, storage=parts.storage, clock=SYSTEM_CLOCK),
        running=running,
        announcements=parts.announcements,
        job_ended=courier.nudge,
        rng=Random(),  # noqa: S311  jitter, not a secret
    )


def _dispatcher(parts: Parts) -> Dispatcher:
    return Dispatcher(
        ledger=parts.ledger,
        engine=parts.engine,
        storage=parts.storage,
        announcements=parts.announcements,
        leadership=parts.leadership,
        lease_s=parts.settings.lease_s,
        longest_upload_s=2 * parts.settings.attempt_timeout_s,
        jobs_kept_s=parts.settings.job_retention_s,
        events_kept_s=parts.settings.event_retention_s,
        clock=SYSTEM_CLOCK,
    )


def _checks(parts: Parts, runner: Runner) -> Checks:
    async def taking() -> None:
        if not runner.healthy:
            raise Unwell(runner.state.error)

    return Checks(
        {
            "ledger": parts.ledger.ping,
            "engine": parts.engine.ping,
            "storage": parts.storage.ping,
            "slots": taking,
            "loop": lambda: loop_ping(parts.stalls),
        },
        clock=SYSTEM_CLOCK,
        needed=("ledger", "engine", "slots"),
    )


async def _beat(running: RunningAttempts, announcements: Announcements) -> float:
    for job in await running.beat():
        announcements.changed(job)
    await running.until_next_beat()
    return 0


async def _announce(parts: Parts) -> float:
    await parts.ledger.workers.announce(parts.name, slots=parts.settings.concurrency)
    return PRESENCE_S


async def _drain(parts: Parts, runner: Runner, running: RunningAttempts) -> None:
    """Take no more jobs, let the running ones finish for the grace time, hand the rest back."""
    grace_s = parts.settings.grace_s
    log.info(events.WORKER_DRAINING, running=len(running), grace_s=grace_s)
    try:
        await parts.ledger.workers.dismiss(parts.name)
    except Exception as error:  # the table forgets us after 30 s anyway
        log.warning(events.LOOP_FAILED, loop="dismiss", error=type(error).__name__)
    await runner.stop_taking()
    try:
        await asyncio.wait_for(running.idle.wait(), grace_s)
    except TimeoutError:
        running.stop_all(Stop.DRAINING)
        try:
            await asyncio.wait_for(running.idle.wait(), STOP_PATIENCE_S + 2)
        except TimeoutError:
            log.warning(events.LOOP_FAILED, loop="drain", running=len(running))


def stop_on_signals() -> asyncio.Event:
    """An event that is set by SIGTERM or SIGINT. A second signal ends the process in the usual way."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stopping() -> None:
        stop.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping)
    return stop
