"""What handlers work with: the open parts of the house, assembled once."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from haulier.api.auth import Tokens, open_tokens
from haulier.api.estimating import Estimator
from haulier.api.handovers import Handovers
from haulier.api.health import Checks, loop_ping
from haulier.api.live.list_seats import ListSeats
from haulier.api.live.tickets import Tickets, open_tickets
from haulier.api.patience import ANSWER_S
from haulier.api.rendering import Statuses
from haulier.catalogue import Catalogue, load_catalogue
from haulier.clock import SYSTEM_CLOCK, Clock
from haulier.engine import Engine
from haulier.job import new_job_id
from haulier.ledger import Ledger, open_ledger
from haulier.live import Feeds, Live, Snapshots, open_live
from haulier.observe.stalls import Stalls, watching
from haulier.preparers.registry import Registry
from haulier.receipts import ReceiptSigner
from haulier.sealing import Sealer, channel_sealer
from haulier.settings import Settings
from haulier.storage import open_own_links, open_storage
from haulier.storage.objects import ObjectStorage
from haulier.storage.signing import FolderSigner


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """All that handlers may touch. `closing` is set when the process is asked to stop."""

    settings: Settings
    ledger: Ledger
    storage: ObjectStorage
    own_links: FolderSigner | None
    snapshots: Snapshots
    feeds: Feeds
    tokens: Tokens
    tickets: Tickets
    estimator: Estimator
    statuses: Statuses
    handovers: Handovers
    checks: Checks
    catalogue: Catalogue
    registry: Registry
    receipts: ReceiptSigner
    sealer: Sealer
    clock: Clock = SYSTEM_CLOCK
    new_id: Callable[[], UUID] = new_job_id
    list_seats: ListSeats = field(default_factory=ListSeats)
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """The process is asked to stop: end long polls and streams, so that their clients go elsewhere."""
        self.closing.set()
        self.feeds.stop()


@asynccontextmanager
async def open_services(settings: Settings, *, clock: Clock = SYSTEM_CLOCK) -> AsyncGenerator[Services, None]:
    """Everything that the API needs, connected lazily: it opens although PostgreSQL or Redis are away."""
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(
            open_ledger(settings.database_url, connections=settings.database_pool, answer_s=ANSWER_S)
        )
        storage = open_storage(settings, clock=clock)
        engine = await stack.enter_async_context(Engine.open(settings.redis_url, prefix=settings.redis_prefix))
        live = await stack.enter_async_context(open_live(settings, ledger=ledger, clock=clock))
        tokens = await stack.enter_async_context(open_tokens(settings, clock=clock))
        tickets = await stack.enter_async_context(open_tickets(settings, clock=clock))
        stalls = await stack.enter_async_context(watching(clock))
        services = assemble(
            settings,
            ledger=ledger,
            storage=storage,
            engine=engine,
            live=live,
            tokens=tokens,
            tickets=tickets,
            stalls=stalls,
            clock=clock,
        )
        await stack.enter_async_context(services.estimator.running())
        await stack.enter_async_context(services.handovers.running())
        yield services


def assemble(
    settings: Settings,
    *,
    ledger: Ledger,
    storage: ObjectStorage,
    engine: Engine,
    live: Live,
    tokens: Tokens,
    tickets: Tickets,
    stalls: Stalls,
    clock: Clock,
    new_id: Callable[[], UUID] = new_job_id,
) -> Services:
    """The services over open parts."""
    snapshots = live.snapshots
    estimator = Estimator(ledger.jobs, clock=clock, reachable=lambda: snapshots.announcements.listening)
    return Services(
        settings=settings,
        ledger=ledger,
        storage=storage,
        own_links=open_own_links(storage, settings, clock=clock),
        snapshots=snapshots,
        feeds=live.feeds,
        tokens=tokens,
        tickets=tickets,
        estimator=estimator,
        statuses=Statuses(
            storage=storage,
            estimator=estimator,
            clock=clock,
            base_url=settings.base_url,
            url_ttl_s=settings.url_ttl_s,
        ),
        handovers=Handovers(engine, snapshots.announcements),
        checks=Checks(
            {
                "ledger": ledger.ping,
                "engine": engine.ping,
                "storage": storage.ping,
                "loop": lambda: loop_ping(stalls),
            },
            clock=clock,
        ),
        catalogue=load_catalogue(settings.catalogue),
        registry=Registry.installed(),
        receipts=ReceiptSigner(settings.receipt_key.reveal(), old=settings.receipt_old_keys),
        sealer=channel_sealer(settings),
        clock=clock,
        new_id=new_id,
    )
