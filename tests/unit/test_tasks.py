"""Background tasks end with their block."""

import asyncio

from haulier.tasks import background


async def test_a_task_that_drops_a_cancel_is_ended_all_the_same():
    async def stubborn():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)

    async with asyncio.timeout(5), background(stubborn()):
        await asyncio.sleep(0)
