"""One `haulier get`: ask, follow, save; and what is left to do when it is interrupted."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from haulier.cli.stdout import STDOUT, send

if TYPE_CHECKING:
    from haulier.cli.view import View
    from haulier.client import Client
    from haulier.wire import JobStatus


class Run:
    """Brings the file of one job. `job` is the last status seen, also after an interruption."""

    def __init__(
        self,
        client: "Client",
        view: "View",
        *,
        output: str | None,
        receipt: Path | None,
        force: bool,
        resume: bool = True,
    ) -> None:
        self.job: JobStatus | None = None
        self._client = client
        self._view = view
        self._output = output
        self._receipt = receipt
        self._force = force
        self._resume = resume

    async def ask(
        self, file_ids: list[int], *, params: Mapping[str, Any], allow_missing: bool, notify: list[str] | None = None
    ) -> None:
        """A job for the file, or for several as one ZIP, and its file."""
        await self._make_ready()
        wanted = file_ids[0] if len(file_ids) == 1 else file_ids
        self.job = await self._client.initiate(wanted, params=params, allow_missing=allow_missing, notify=notify)
        await self._bring(several=len(file_ids) > 1)

    async def take_up(self, job_id: str) -> None:
        """The file of a job that is there already."""
        await self._make_ready()
        self.job = await self._client.status(job_id, files=False)
        await self.go_on()

    async def go_on(self) -> None:
        """The file of the job that is known, after it was left."""
        assert self.job is not None
        await self._bring(several=bool(self.job.file_ids))

    async def cancel(self) -> str | None:
        """Stop the job; answers that it did, or None for one that ended just before."""
        from haulier.client import ApiError

        assert self.job is not None
        try:
            await self._client.cancel(self.job.job_id)
        except ApiError as error:
            if error.code != "job_finished":
                raise
            return None
        return f"Cancelled {self.job.job_id}."

    @property
    def can_cancel(self) -> bool:
        """Whether there is a job that could be stopped."""
        return self.job is not None and self.job.status in ("queued", "processing")

    def after_interrupt(self, again: str, *, where: Sequence[str]) -> str:
        """What was left, and how to go on with it or stop it; `where` are the options that say whom to ask."""
        from haulier.cli.leaving import command

        if self.job is None:
            return "Interrupted."
        if self.job.status == "completed":
            done = "downloads it again" if self._output == STDOUT else "continues the download"
            return f"Interrupted. `{again}` {done}."
        stop = command("cancel", self.job.job_id, values=where)
        return f"Interrupted; the job goes on. `{again}` continues, `{stop}` stops it."

    async def _bring(self, *, several: bool) -> None:
        """Raises JobFailed and JobCancelled."""
        from haulier.cli.jobs import raise_if_incomplete

        assert self.job is not None
        self._view.show_job(self.job)
        await self._client.wait(self.job.job_id, files=not several, on_status=self._seen)
        await self._save(self.job)
        await self._save_receipt(self.job)
        if several:
            self.job = await self._client.status(self.job.job_id)
            raise_if_incomplete(self.job)

    def _seen(self, job: "JobStatus") -> None:
        self.job = job
        self._view.show_job(job)

    async def _make_ready(self) -> None:
        """Before anything is prepared: see that all can be saved, as far as the name is known."""
        from haulier.cli.receipts import refuse_place
        from haulier.client.file_threads import finished
        from haulier.client.getting import make_ready

        if self._output != STDOUT:
            await finished(make_ready, self._output or ".", force=self._force)
            self._refuse_two_in_one(Path(self._output or "."))
        if self._receipt:
            await finished(refuse_place, self._receipt, force=self._force)

    def _refuse_two_in_one(self, path: Path) -> None:
        """Before the receipt replaces the file."""
        from haulier.cli.failures import USAGE, CommandFailed

        if self._receipt and self._receipt.resolve() == path.resolve():
            raise CommandFailed(f"The file and its receipt cannot both be {path}.", exit_code=USAGE)

    async def _save(self, job: "JobStatus") -> None:
        from haulier.client.file_threads import finished
        from haulier.client.getting import is_saved, target
        from haulier.client.sinks import StreamSink

        if self._output == STDOUT:
            await self._client.save_into(job, StreamSink(send), on_progress=self._view.show_bytes)
            return
        path = target(self._output or ".", job)
        self._refuse_two_in_one(path)
        if not self._force and await finished(is_saved, path, job):
            self._view.saved_before(path, job)
            return
        got = await self._client.save(
            job, path, force=self._force, resume=self._resume, on_progress=self._view.show_bytes
        )
        self._view.saved(path=str(path), size=got.size, sha256=got.sha256, verified=got.verified)

    async def _save_receipt(self, job: "JobStatus") -> None:
        from haulier.cli.receipts import job_document, save

        if self._receipt:
            written = save(self._receipt, await job_document(self._client, job.job_id), force=self._force)
            self._view.say(
                f"Saved the receipt as {self._receipt}"
                if written
                else f"The receipt is there already as {self._receipt}"
            )
