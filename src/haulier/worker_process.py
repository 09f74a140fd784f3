"""A worker process: opens what it needs, runs until it is told to stop, and hands back what it could not finish."""

import asyncio
import os
import signal
import socket
from contextlib import AsyncExitStack
from random import Random

import structlog

from haulier.catalogue import load_catalogue
from haulier.clock import SYSTEM_CLOCK
from haulier.dispatch import Dispatcher
from haulier.engine import Engine, Runner
from haulier.ledger import Ledger, leadership, open_ledger
from haulier.live import open_announcements
from haulier.observe import events
from haulier.preparers.registry import Registry
from haulier.settings import Settings
from haulier.storage import open_storage
from haulier.tasks import background, repeat
from haulier.work import STOP_PATIENCE_S, RunningAttempts, Stop, Worker, Workshop

log = structlog.get_logger()

PRESENCE_S = 5.0


async def serve(settings: Settings, *, stop: asyncio.Event | None = None) -> None:
    """Run a worker and a dispatcher until SIGTERM or SIGINT (or `stop`); then drain for the grace time."""
    stop = stop or stop_on_signals()
    name = f"{socket.gethostname()}:{os.getpid()}:{Random().randrange(16**4):04x}"  # noqa: S311  a name, not a secret
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(open_ledger(settings.database_url, connections=settings.database_pool))
        engine = await stack.enter_async_context(Engine.open(settings.redis_url, prefix=settings.redis_prefix))
        announcements = await stack.enter_async_context(
            open_announcements(settings.redis_url, prefix=settings.redis_prefix)
        )
        storage = open_storage(settings, clock=SYSTEM_CLOCK)
        running = RunningAttempts(
            ledger.attempts, lease_s=settings.lease_s, heartbeat_s=settings.heartbeat_s, clock=SYSTEM_CLOCK
        )
        worker = Worker(
            name=name,
            settings=settings,
            ledger=ledger,
            storage=storage,
            workshop=Workshop(
                catalogue=load_catalogue(settings.catalogue),
                registry=Registry.installed(),
                storage=storage,
                settings=settings,
            ),
            running=running,
            announcements=announcements,
            rng=Random(),  # noqa: S311  jitter, not a secret
        )
        dispatcher = Dispatcher(
            ledger=ledger,
            engine=engine,
            storage=storage,
            announcements=announcements,
            leadership=await stack.enter_async_context(leadership(settings.database_url)),
            lease_s=settings.lease_s,
            longest_upload_s=2 * settings.attempt_timeout_s,
            clock=SYSTEM_CLOCK,
        )
        announcements.on_cancel(lambda job_id: running.stop(job_id, Stop.LOST))
        announcements.on_nudge(dispatcher.nudge)
        await stack.enter_async_context(announcements.running())

        async def beat() -> float:
            for job in await running.beat():
                announcements.changed(job)
            await running.until_next_beat()
            return 0

        await stack.enter_async_context(
            background(
                repeat(beat, name="beat"),
                repeat(dispatcher.step, name="dispatch"),
            )
        )
        runner = await stack.enter_async_context(
            Runner.open(
                settings.redis_url,
                prefix=settings.redis_prefix,
                name=name,
                slots=settings.concurrency,
                lease_s=settings.lease_s,
                handle=worker.handle,
                lost=running.doubt,
            )
        )
        async with background(repeat(lambda: _announce(ledger, name, settings.concurrency), name="presence")):
            log.info(events.WORKER_READY, worker=name, slots=settings.concurrency)
            await stop.wait()
        await _drain(name, ledger, runner, running, grace_s=settings.grace_s)
    log.info(events.WORKER_STOPPED, worker=name)


async def _announce(ledger: Ledger, name: str, slots: int) -> float:
    await ledger.workers.announce(name, slots=slots)
    return PRESENCE_S


async def _drain(name: str, ledger: Ledger, runner: Runner, running: RunningAttempts, *, grace_s: float) -> None:
    """Take no more jobs, let the running ones finish for the grace time, hand the rest back."""
    log.info(events.WORKER_DRAINING, running=len(running), grace_s=grace_s)
    try:
        await ledger.workers.dismiss(name)
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
