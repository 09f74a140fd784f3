"""The whole check: signature, size, digest, entries. Blocking, for a process of its own."""

import hashlib
import os
import stat
from collections.abc import Callable
from io import FileIO
from pathlib import Path

from haulier.errors import NotVerifiable
from haulier.receipts import OpenedReceipt, Signature, check_signature
from haulier.verifying.archive import BLOCK, ArchiveFile, check_archive, is_archive
from haulier.verifying.verdict import ArchiveVerdict, Pair, Verdict
from haulier.wire_receipts import ReceiptKeys

Watch = Callable[[str, int, int], None]


def _unwatched(_doing: str, _done: int, _total: int) -> None:
    """The default of `watch`."""


def verify(
    path: Path,
    opened: OpenedReceipt,
    *,
    trusted: ReceiptKeys | None,
    signature: bool = True,
    everything: bool = False,
    watch: Watch = _unwatched,
) -> Verdict:
    """Compare the file at `path` with its receipt.

    `trusted` None leaves the signature unchecked, which is not ok; `signature` False skips it, which is. `watch(what,
    done, total)` counts bytes. Raises NotVerifiable when the file cannot be read.
    """
    found = check_signature(opened, trusted) if signature else Signature("skipped")
    artefact = opened.receipt.artefact
    try:
        with ArchiveFile(_regular(path)) as file:
            length = os.fstat(file.fileno()).st_size
            digest, size = _digest(file, length, watch)
            sizes, digests = Pair(artefact.size, size), Pair(artefact.sha256, digest)
            archive: ArchiveVerdict | None = None
            # Also what is called one and no longer begins as one.
            if is_archive(file) or artefact.content_type == "application/zip":
                archive = check_archive(
                    file,
                    size=size,
                    intact=sizes.agrees and digests.agrees,
                    everything=everything,
                    watch=lambda done, total: watch("entries", done, total),
                )
    except OSError as error:
        raise NotVerifiable(name=str(path), reason=error.strerror or str(error)) from error
    passes = found.passes and sizes.agrees and digests.agrees and (archive is None or archive.passes)
    return Verdict(
        ok=passes,
        file=str(path),
        signature=found,
        size=sizes,
        sha256=digests,
        archive=archive,
        receipt=opened.receipt,
    )


def _regular(path: Path) -> FileIO:
    """Anything else has no end, or no way back to its start."""
    # A pipe that nobody writes to would hold the opening for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotVerifiable(name=str(path), reason="it is no regular file")
    return FileIO(descriptor)


def _digest(file: ArchiveFile, length: int, watch: Watch) -> tuple[str, int]:
    """SHA-256 and size of the first `length` bytes: a file that grows meanwhile has an end all the same."""
    digest, done = hashlib.sha256(), 0
    while done < length and (block := file.read(min(BLOCK, length - done))):
        digest.update(block)
        done += len(block)
        watch("the whole file", done, length)
    return digest.hexdigest(), done
