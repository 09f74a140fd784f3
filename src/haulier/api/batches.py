"""A batch, one job a file: how it stands, and cancelling it."""

from haulier.api.access import own_batch
from haulier.api.downloads import spread_cancel
from haulier.api.exchange import PRIVATE, Answer, Exchange, json_answer
from haulier.api.requests import BatchQuery, batch_id_of, query_of
from haulier.api.services import Services
from haulier.api.views import batch_view
from haulier.wire_batches import BatchCancelled

LOOK_AGAIN = (b"retry-after", b"2")


async def batch(exchange: Exchange, services: Services) -> Answer:
    """How many jobs of the batch are in which status, and each file with its job."""
    batch_id, query = batch_id_of(exchange), query_of(exchange, BatchQuery)
    found = own_batch(await services.ledger.batches.get(batch_id), exchange.caller)
    jobs = await services.ledger.batches.jobs(batch_id) if query.files else None
    view = batch_view(found, jobs, base_url=services.settings.base_url, now=services.clock.now())
    return json_answer(view, headers=PRIVATE if view.over else (*PRIVATE, LOOK_AGAIN))


async def cancel_batch(exchange: Exchange, services: Services) -> Answer:
    """Cancel what is not over of the jobs that the batch made; asking again changes nothing."""
    batch_id = batch_id_of(exchange)
    found = own_batch(await services.ledger.batches.get(batch_id), exchange.caller)
    cancelled = await services.ledger.batches.cancel(batch_id)
    for job in cancelled:
        spread_cancel(job, services)
    return json_answer(BatchCancelled(str(batch_id), len(cancelled), found.total - len(cancelled)))
