"""What a person sees of a verification."""

import sys
from collections.abc import Callable

from haulier.cli.failures import say
from haulier.cli.printing import print_table, table
from haulier.cli.words import one_line, size_words
from haulier.receipts import Signature
from haulier.verifying import ArchiveVerdict, Pair, Verdict
from haulier.wire_receipts import Receipt

MOST_ROWS = 100
GOOD, BAD, OPEN = "✓", "✗", "!"


def print_verdict(verdict: Verdict) -> None:
    """A line for each check, then the entries that are listed."""
    receipt = verdict.receipt
    _line("", "file", one_line(f"{verdict.file}, against the receipt of {receipt.artefact.file_name}"))
    _line("", "job", one_line(f"{receipt.job_id}, completed {receipt.completed_at}, issued {receipt.issued_at}"))
    _made(receipt)
    _signature(verdict.signature)
    _pair("size", verdict.size, lambda size: f"{size:,} bytes" if isinstance(size, int) else size)
    _pair("sha-256", verdict.sha256, str)
    if verdict.archive:
        _archive(verdict.archive, vouched_for=verdict.is_same_file)


def _made(receipt: Receipt) -> None:
    if receipt.build is None:
        return
    build, total = receipt.build, receipt.inputs_total
    of = "" if total is None else " of 1 source" if total == 1 else f" of {total:,} sources"
    _line("", "made", one_line(f"{of} by {build.preparer} {build.preparer_version}, haulier {build.haulier}".strip()))


def _signature(signature: Signature) -> None:
    if signature.state == "good":
        _line(GOOD, "signature", f"by key {signature.kid}")
    elif signature.state == "skipped":
        _line(OPEN, "signature", "not checked, as you asked: anybody can have written this receipt")
    else:
        by = f" (key {one_line(signature.kid)})" if signature.kid else ""
        mark = OPEN if signature.state == "unchecked" else BAD
        lead = "not checked: " if signature.state == "unchecked" else ""
        _line(mark, "signature", f"{lead}{signature.reason}{by}")


def _pair(name: str, pair: Pair, words: Callable[[int | str], str]) -> None:
    if pair.expected is None:
        _line(OPEN, name, f"{words(pair.found)}; the receipt states none")
    elif pair.agrees:
        _line(GOOD, name, words(pair.found))
    else:
        _line(BAD, name, f"{words(pair.found)}; the receipt says {words(pair.expected)}")


def _archive(archive: ArchiveVerdict, *, vouched_for: bool) -> None:
    if archive.problem and not archive.entries:
        _line(OPEN, "entries", f"not checked one by one: {archive.problem}")
        return
    counts = [
        f"{count:,} {state}"
        for state in ("good", "damaged", "missing", "extra", "unsafe")
        if (count := getattr(archive, state)) or state == "good"
    ]
    where = "directory" if archive.problem else "manifest"
    mark = (OPEN if archive.problem else GOOD) if archive.passes else BAD
    _line(mark, "entries", f"{archive.entries:,} in the {where}: {', '.join(counts)}")
    if archive.problem:
        _line("", "", f"Compared by CRC-32, which finds accidents only, since {archive.problem}.")
    elif not vouched_for:
        _line("", "", "Compared with the manifest in this file, which the receipt does not vouch for: it finds damage,")
        _line("", "", "but not what somebody changed on purpose.")
    if archive.left_out:
        sources = "1 source that was" if len(archive.left_out) == 1 else f"{len(archive.left_out):,} sources that were"
        _line("", "left out", f"{sources} not there, as the request allowed")
        for source in archive.left_out[:MOST_ROWS]:
            _line("", "", one_line(f"{source.source}: {source.reason} [{source.code}]"))
    _entries(archive)


def _entries(archive: ArchiveVerdict) -> None:
    if not archive.listed:
        return
    lines = table("entry", "size", "name", "why", folds=("name", "why"), right=("size",))
    for entry in archive.listed[:MOST_ROWS]:
        lines.add_row(entry.state, size_words(entry.size), one_line(entry.name), entry.reason)
    print_table(lines)
    if len(archive.listed) > MOST_ROWS:
        say(f"These are {MOST_ROWS} of {len(archive.listed):,} entries; --json lists all of them.")


def _line(mark: str, name: str, text: str) -> None:
    sys.stdout.write(f"{mark:<1} {name:<10} {text}\n")
