"""Steps that tests of channels and deliveries in the ledger take."""

from datetime import timedelta

from haulier.job import new_job_id
from haulier.ledger import ChannelDraft, Finished
from tests.builders import artefact, submission
from tests.integration.ledger_steps import claimed

LEASE = timedelta(seconds=60)
DAYS = timedelta(days=5)
ALL = ("job.completed", "job.failed", "job.cancelled")


async def channel(ledger, user_id="anna", **fields):
    """A channel that hears of everything."""
    known = {"kind": "webhook", "label": "", "target": "t", "sealed": b"s", "events": ALL, "every_job": True}
    return (await ledger.channels.add(ChannelDraft(id=new_job_id(), user_id=user_id, **known | fields))).channel


async def job(ledger, **fields):
    return (await ledger.submissions.submit(submission(**fields))).job


async def completed(ledger, **fields):
    return await ledger.attempts.complete(await claimed(ledger, await job(ledger, **fields)), artefact())


async def told(connection, job_id):
    """The channels that hear of a job's end, with the event."""
    rows = await connection.fetch("select channel_id, event from deliveries where job_id = $1", job_id)
    return {(row["channel_id"], row["event"]) for row in rows}


async def claim(ledger, most=50, *, failing=50, of_channel=4, of_user=8, kinds=("webhook",)):
    return await ledger.deliveries.claim(
        most=most, failing=failing, lease=LEASE, kinds=kinds, of_channel=of_channel, of_user=of_user
    )


async def finish(ledger, found, outcome="delivered", **fields):
    return await ledger.deliveries.finish(found.delivery, Finished(outcome=outcome, **fields), failing_for=DAYS)


async def queue_tests(ledger, channel, count):
    """`count` deliveries due now."""
    for _ in range(count):
        await ledger.deliveries.queue_test(new_job_id(), channel_id=channel.id, user_id=channel.user_id)
