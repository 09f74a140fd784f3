"""The calls about batches: one job a file, asked for, looked at and cancelled together."""

from collections.abc import Sequence

from haulier.client.arguments import channel_ids, key_header, path_id
from haulier.client.transport import API, Transport, read
from haulier.wire_batches import BatchAccepted, BatchCancelled, BatchStatus


class Batches:
    """Batches of the client's user."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def initiate(
        self, file_ids: Sequence[int], *, notify: Sequence[str] | None = None, idempotency_key: str | None = None
    ) -> BatchAccepted:
        """One job for each of up to 1,000 files, all of them or none; files with a living job of the user join it."""
        # With a key in any case, so that a repeated request makes no second batch; its files still join living jobs.
        headers = key_header(idempotency_key)
        body = {"file_ids": list(file_ids), "mode": "jobs"} | (
            {} if notify is None else {"notify": channel_ids(notify)}
        )
        answer = await self._transport.request("POST", f"{API}/initiate", json=body, headers=headers)
        return read(answer, BatchAccepted)

    async def get(self, batch_id: str, *, files: bool = True) -> BatchStatus:
        """How the batch stands; without `files` the counts only."""
        params = None if files else {"files": "false"}
        return read(await self._transport.request("GET", _path(batch_id), params=params), BatchStatus)

    async def cancel(self, batch_id: str) -> BatchCancelled:
        """Cancel what is not over of the jobs that the batch made."""
        return read(await self._transport.request("DELETE", _path(batch_id)), BatchCancelled)


def _path(batch_id: str) -> str:
    return f"{API}/batch/{path_id(batch_id)}"
