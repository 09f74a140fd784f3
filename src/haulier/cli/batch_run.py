"""`get --batch`: a batch, from file ids to one verified file each."""

import asyncio
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from haulier.cli.view import View
    from haulier.client import Client
    from haulier.wire import JobStatus
    from haulier.wire_batches import BatchFile, BatchStatus

STDOUT = "-"
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
        self._bytes: dict[str, tuple[int, int | None]] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._client = client
        self._view = view
        self._folder = folder
        self._force = force
        self._seen: set[str] = set()
        self._lost: list[str] = []
        self._said = ""

    async def run(self, file_ids: list[int], *, notify: list[str] | None = None) -> None:
        """Raises CommandFailed: INCOMPLETE when some of the files could not be had, JOB_FAILED when none could."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._batch_id = (await self._client.batches.initiate(file_ids, notify=notify)).batch_id
        while True:
            self.batch = await self._client.batches.get(self._batch_id)
            await self._take(self.batch)
            if self.batch.over:
                break
            await asyncio.sleep(LOOK_S)
        self._view.ended(self.batch)
        self._tell_lost(len(file_ids))

    async def cancel(self) -> str:
        """Stop what is not over of the batch; answers what came of it."""
        done = await self._client.batches.cancel(self._batch_id)
        return f"Cancelled {done.cancelled} jobs of batch {self._batch_id}."

    @property
    def can_cancel(self) -> bool:
        """Whether there is something that could be stopped."""
        return bool(self._batch_id) and (self.batch is None or not self.batch.over)

    def after_interrupt(self, again: str) -> str:
        if not self._batch_id:
            return "Interrupted."
        stop = f", `haulier cancel --batch {self._batch_id}` stops them" if self.can_cancel else ""
        return f"Interrupted; the jobs go on. `{again}` continues{stop}."

    async def _take(self, batch: "BatchStatus") -> None:
        """Save what is ready and not saved yet; note what will never be."""
        from haulier.cli.words import missing_words

        ready_files: list[BatchFile] = []
        for file in batch.files or ():
            if file.job_id in self._seen or file.status in ("queued", "processing"):
                continue
            self._seen.add(file.job_id)
            if file.status == "completed":
                ready_files.append(file)
            else:
                self._lost.append(f"{missing_words(file.file_id, file.error)}{_cancelled(file)}")
        try:
            async with asyncio.TaskGroup() as group:
                for file in ready_files:
                    group.create_task(self._bring(file))
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        ready = f"{batch.counts.completed} of {batch.total} files are ready"
        if ready != self._said and not batch.over:
            self._view.say(ready)
            self._said = ready

    async def _bring(self, file: "BatchFile") -> None:
        """Save the file; what goes wrong with it leaves the others alone."""
        from haulier.client import ClientError

        async with self._gate:
            try:
                await self._save(file)
            except ClientError as error:
                self._lost.append(f"  file {file.file_id}: {error} [{error.code}]")

    def _progress(self, job_id: str, done: int, total: int | None) -> None:
        """Show how far all that is downloaded is."""
        self._bytes[job_id] = (done, total)
        totals = [total for _, total in self._bytes.values() if total is not None]
        known = sum(totals) if len(totals) == len(self._bytes) else None
        self._view.show_bytes(sum(done for done, _ in self._bytes.values()), known)

    async def _save(self, file: "BatchFile") -> None:
        from haulier.client.getting import target

        job = await self._client.status(file.job_id)
        path = target(f"{self._folder}/", job)
        if not self._force and await asyncio.to_thread(_is_there, path, job):
            self._view.say(f"{path} is there already")
            return
        got = await self._client.save(
            job,
            path,
            force=self._force,
            resume=self._resume,
            on_progress=lambda done, total: self._progress(file.job_id, done, total),
        )
        self._view.saved(path=str(path), size=got.size, sha256=got.sha256, verified=got.verified)

    def _tell_lost(self, total: int) -> None:
        from haulier.cli.failures import INCOMPLETE, JOB_FAILED, CommandFailed

        if not self._lost:
            return
        shown = self._lost[:FAILURES_SHOWN]
        if len(self._lost) > len(shown):
            shown.append(f"  and {len(self._lost) - len(shown)} more")
        sentence = f"{len(self._lost)} of {total} files could not be had:"
        exit_code = JOB_FAILED if len(self._lost) == total else INCOMPLETE
        raise CommandFailed("\n".join([sentence, *shown]), exit_code=exit_code)


def _is_there(path: Path, job: "JobStatus") -> bool:
    """Whether an earlier run has saved this very file."""
    if not path.is_file() or path.stat().st_size != job.file_size:
        return False
    with path.open("rb") as saved:
        return hashlib.file_digest(saved, "sha256").hexdigest() == job.sha256


def _cancelled(file: "BatchFile") -> str:
    return ": its job was cancelled" if file.status == "cancelled" else ""
