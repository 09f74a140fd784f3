"""The calls about dead letters; the API answers them to admins only."""

from collections.abc import Sequence
from typing import Any

from haulier.client.arguments import path_id
from haulier.client.transport import Transport, given, read
from haulier.wire import DeadLetterDetail, DeadLetterPage, DeadLettersRetried

PATH = "/v1/admin/dead-letters"
RETRY_TIMEOUT_S = 120.0


class DeadLetters:
    """Failed jobs of all users. Times are RFC 3339; filters that are None do not filter."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def page(
        self,
        *,
        user: str | None = None,
        code: str | None = None,
        preparer: str | None = None,
        since: str | None = None,
        until: str | None = None,
        retried: bool | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> DeadLetterPage:
        """The latest failures; `cursor` is the `next_cursor` of the page before."""
        params = given(
            user=user,
            code=code,
            preparer=preparer,
            since=since,
            until=until,
            retried=None if retried is None else str(retried).lower(),
            limit=limit,
            cursor=cursor,
        )
        return read(await self._transport.request("GET", PATH, params=params), DeadLetterPage)

    async def get(self, job_id: str) -> DeadLetterDetail:
        """One failed job with its attempts. ApiError `job_not_found` when it did not fail."""
        return read(await self._transport.request("GET", f"{PATH}/{path_id(job_id)}"), DeadLetterDetail)

    async def retry(self, job_ids: Sequence[str], *, dry_run: bool = False) -> DeadLettersRetried:
        """A new job for each of up to 1,000 letters. Asking again joins what was made, so that it is safe to repeat."""
        return await self._retry({"job_ids": list(job_ids), "dry_run": dry_run}, repeatable=True)

    async def retry_matching(
        self,
        *,
        user: str | None = None,
        code: str | None = None,
        preparer: str | None = None,
        since: str | None = None,
        until: str | None = None,
        everything: bool = False,
        limit: int = 1_000,
        dry_run: bool = False,
    ) -> DeadLettersRetried:
        """A new job for each letter that matches and was not retried yet. Needs a filter, or `everything`."""
        filters = given(user=user, code=code, preparer=preparer, since=since, until=until)
        body = {**filters, "all": everything, "limit": limit, "dry_run": dry_run}
        # Sent twice, it would go on to the next `limit` letters.
        return await self._retry(body, repeatable=dry_run)

    async def _retry(self, body: dict[str, Any], *, repeatable: bool) -> DeadLettersRetried:
        answer = await self._transport.request(
            "POST", f"{PATH}/retry", json=body, repeatable=repeatable, timeout_s=RETRY_TIMEOUT_S
        )
        return read(answer, DeadLettersRetried)
