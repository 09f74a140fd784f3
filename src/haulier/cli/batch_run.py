"""`get --batch`: a batch, from file ids to one verified file each."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from haulier.cli.stdout import STDOUT

if TYPE_CHECKING:
    from haulier.cli.view import View
    from haulier.client import Client
    from haulier.wire_batches import BatchFile, BatchStatus

LOOK_S = 2.0
AT_ONCE = 3  # files that are downloaded
FAILURES_SHOWN = 20


def folder_of(output: str | None) -> Path:
    """The folder that several files are saved in."""
    if output == STDOUT:
        raise typer.BadParameter("--batch saves several files; give --output a folder")
    if output is not None and Path(output).is_file():
        raise typer.BadParameter(f"--batch saves several files; {output} is not a folder")
    return Path(output or ".")


class BatchRun:
    """One `haulier get --batch`: files are saved as they get ready. `batch` is how it stood last."""

    def __init__(self, client: "Client", view: "View", *, folder: Path, force: bool, resume: bool = True) -> None:
        self.batch: BatchStatus | None = None
        self._batch_id = ""
        self._resume = resume
        self._downloading: set[str] = set()
        self._bytes: dict[str, tuple[int, int | None]] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._client = client
        self._view = view
        self._folder = folder
        self._force = force
        self._seen: set[str] = set()
        self._taken: set[Path] = set()
        self._lost: list[str] = []
        self._jobs_lost = 0

    async def run(self, file_ids: list[int], *, notify: list[str] | None = None) -> None:
        """Raises CommandFailed: INCOMPLETE when some of the files could not be had, JOB_FAILED when all jobs failed."""
        from haulier.client.file_threads import finished
        from haulier.client.getting import make_ready

        await finished(make_ready, f"{self._folder}/", force=True)
        self._batch_id = (await self._client.batches.initiate(file_ids, notify=notify)).batch_id
        await self.go_on()

    async def go_on(self) -> None:
        """Save the files of the batch as they get ready, until all are over; after it was left too."""
        try:
            async with asyncio.TaskGroup() as saving:
                batch = await self._follow(saving)
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        self._view.ended(batch)
        self._tell_lost(batch.total)

    async def cancel(self) -> str | None:
        """Stop what is not over of the batch; answers what came of it, or None when all had ended just before."""
        done = await self._client.batches.cancel(self._batch_id)
        return f"Cancelled {done.cancelled} jobs of batch {self._batch_id}." if done.cancelled else None

    @property
    def can_cancel(self) -> bool:
        """Whether there is something that could be stopped."""
        return bool(self._batch_id) and (self.batch is None or not self.batch.over)

    def after_interrupt(self, again: str, *, where: Sequence[str]) -> str:
        """What was left, and how to go on with it or stop it; `where` are the options that say whom to ask."""
        from haulier.cli.leaving import command

        if not self._batch_id:
            return "Interrupted."
        if not self.can_cancel:
            return f"Interrupted. `{again}` continues the downloads."
        stop = command("cancel", "--batch", self._batch_id, values=where)
        return f"Interrupted; the jobs go on. `{again}` continues, `{stop}` stops them."

    async def _follow(self, saving: asyncio.TaskGroup) -> "BatchStatus":
        """Look until all is over. One slow download does not keep others from beginning."""
        while True:
            self.batch = batch = await self._client.batches.get(self._batch_id)
            self._take(batch, saving)
            if batch.over:
                return batch
            await asyncio.sleep(LOOK_S)

    def _take(self, batch: "BatchStatus", saving: asyncio.TaskGroup) -> None:
        """Begin to save what is ready and not saved yet; note what will never be."""
        from haulier.cli.words import missing_words

        for file in batch.files or ():
            if file.job_id in self._seen or file.status in ("queued", "processing"):
                continue
            self._seen.add(file.job_id)
            if file.status == "completed":
                saving.create_task(self._bring(file))
            else:
                self._jobs_lost += 1
                self._lost.append(f"{missing_words(file.file_id, file.error)}{_cancelled(file)}")
        self._show_ready()

    async def _bring(self, file: "BatchFile") -> None:
        """Save the file; what goes wrong with it leaves the others alone."""
        from haulier.client import ClientError

        try:
            async with self._gate:
                await self._save(file)
        except ClientError as error:
            self._lost.append(f"  file {file.file_id}: {error} [{error.code}]")
        except asyncio.CancelledError:
            self._seen.discard(file.job_id)
            raise

    def _show_ready(self) -> None:
        """How many are prepared, while none is downloaded."""
        if self.batch and not self.batch.over and not self._downloading:
            self._view.show_ready(self.batch.counts.completed, self.batch.total)

    def _progress(self, job_id: str, done: int, total: int | None) -> None:
        """Show how far all that is downloaded is."""
        self._bytes[job_id] = (done, total)
        totals = [total for _, total in self._bytes.values() if total is not None]
        known = sum(totals) if len(totals) == len(self._bytes) else None
        self._view.show_bytes(sum(done for done, _ in self._bytes.values()), known)

    async def _save(self, file: "BatchFile") -> None:
        from haulier.client.file_threads import finished
        from haulier.client.getting import is_saved, target

        job = await self._client.status(file.job_id)
        path = target(f"{self._folder}/", job)
        names = [path, *(path.with_name(f"{path.stem}-{of}{path.suffix}") for of in (file.file_id, file.job_id))]
        if not self._force:
            for name in names:
                if await finished(is_saved, name, job):
                    self._taken.add(name)
                    self._view.saved_before(name, job)
                    return
        # Two files of a batch may have one name; what this run has saved is never replaced.
        path = next(name for name in names if name not in self._taken)
        self._taken.add(path)
        self._downloading.add(file.job_id)
        try:
            got = await self._client.save(
                job,
                path,
                force=self._force,
                resume=self._resume,
                on_progress=lambda done, total: self._progress(file.job_id, done, total),
            )
            self._view.saved(path=str(path), size=got.size, sha256=got.sha256, verified=got.verified)
        finally:
            self._downloading.discard(file.job_id)
            self._show_ready()

    def _tell_lost(self, total: int) -> None:
        from haulier.cli.failures import INCOMPLETE, JOB_FAILED, CommandFailed

        if not self._lost:
            return
        shown = self._lost[:FAILURES_SHOWN]
        if len(self._lost) > len(shown):
            shown.append(f"  and {len(self._lost) - len(shown)} more")
        sentence = f"{len(self._lost)} of {total} files could not be had:"
        exit_code = JOB_FAILED if self._jobs_lost == total else INCOMPLETE
        raise CommandFailed("\n".join([sentence, *shown]), exit_code=exit_code)


def _cancelled(file: "BatchFile") -> str:
    return ": its job was cancelled" if file.status == "cancelled" else ""
