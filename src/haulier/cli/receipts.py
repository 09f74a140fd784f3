"""`receipt` and `receipt-key`: receipts to keep beside files, and the keys that sign them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from haulier.cli.completing import job_ids
from haulier.cli.home import surroundings
from haulier.cli.options import DEFAULT_HOME, DEFAULT_USER, Home, Token, Url, User, id_of

if TYPE_CHECKING:
    from haulier.client import Client
    from haulier.receipts import OpenedReceipt

Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", envvar="HAULIER_OUTPUT", metavar="PATH", help="File to save to; default: stdout."),
]
Force = Annotated[bool, typer.Option("--force", "-f", envvar="HAULIER_FORCE", help="Replace an existing file.")]


def receipt(
    job: Annotated[
        UUID | None, typer.Argument(metavar="JOB", hidden=True, parser=id_of, autocompletion=job_ids)
    ] = None,
    keys: Annotated[
        bool,
        typer.Option("--keys", envvar="HAULIER_PUBLIC_KEYS", help="The public keys instead, no token needed."),
    ] = False,
    output: Output = None,
    force: Force = False,
    url: Url = None,
    token: Token = None,
    user: User = DEFAULT_USER,
    home: Home = DEFAULT_HOME,
) -> None:
    """Print or save the signed receipt of a completed job, for `haulier verify`.

    With --keys the public keys: save them once, over a connection that you trust, and receipts can be checked offline.
    """
    from haulier.cli.access import connect, connect_openly
    from haulier.cli.asking import answer, impatient

    if keys == (job is not None):
        raise typer.BadParameter("give the id of a job, or --keys")
    if output:
        refuse_place(output, force=force)
    if job is None:
        document = answer(connect_openly(url=url, home=home, patience=impatient()), _keys_document)
    else:
        client = connect(url=url, given_token=token, user=user, home=home, patience=impatient())
        document = answer(client, lambda open_: job_document(open_, str(job)))
    if output:
        save(output, document, force=force)
    else:
        sys.stdout.write(document.decode())


def receipt_key(
    public: Annotated[
        bool, typer.Option("--public", envvar="HAULIER_PUBLIC", help="Print the public key of HAULIER_RECEIPT_KEY.")
    ] = False,
    home: Home = DEFAULT_HOME,
) -> None:
    """Make a fresh private key for HAULIER_RECEIPT_KEY.

    To change keys, keep the old one's public key in HAULIER_RECEIPT_OLD_KEYS: older receipts stay valid.
    """
    from haulier import settings
    from haulier.errors import ConfigurationError
    from haulier.receipt_keys import fresh_private_key, private_key, public_text

    if not public:
        sys.stdout.write(f"{fresh_private_key()}\n")
        return
    loaded = settings.load(surroundings(home))
    if not loaded.receipt_key:
        raise ConfigurationError(problems="HAULIER_RECEIPT_KEY: is required, or --home with a running `haulier up`")
    sys.stdout.write(f"{public_text(private_key(loaded.receipt_key.reveal()).public_key())}\n")


async def job_document(client: "Client", job_id: str) -> bytes:
    """The receipt of a job as a file's content."""
    from haulier.cli.failures import CommandFailed
    from haulier.receipts import BadReceipt, receipt_document

    try:
        return receipt_document(await client.receipt(job_id))
    except BadReceipt as error:
        raise CommandFailed(f"The API's receipt is of no use: {error}.") from None


async def _keys_document(client: "Client") -> bytes:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(await client.receipt_keys()), indent=2) + b"\n"


def refuse_place(path: Path, *, force: bool) -> None:
    """Before anything is asked for. Raises TargetExists, CommandFailed where no file can be made."""
    from haulier.cli.failures import CommandFailed
    from haulier.client import TargetExists
    from haulier.client.getting import try_folder

    if not force and path.exists() and _receipt_in(path) is None:
        raise TargetExists(path)
    if path.is_dir():
        raise CommandFailed(f"{path} is a folder; name a file.")
    if not path.exists():
        try_folder(path.parent)


def _receipt_in(path: Path) -> "OpenedReceipt | None":
    """The receipt that is there already, if it is one: it may be the same."""
    from haulier.receipts import MAX_BYTES, BadReceipt, open_receipt

    try:
        return open_receipt(path.read_bytes()) if path.is_file() and path.stat().st_size <= MAX_BYTES else None
    except (BadReceipt, OSError):
        return None


def _says_the_same(path: Path, document: bytes) -> bool:
    """Whether what is there states what `document` does; receipts are dated and signed anew each time."""
    from msgspec.structs import replace

    from haulier.receipts import open_receipt

    there = _receipt_in(path)
    if there is None:
        return path.is_file() and path.read_bytes() == document
    here = open_receipt(document).receipt
    return not there.altered and replace(there.receipt, issued_at=here.issued_at) == here


def save(path: Path, document: bytes, *, force: bool) -> bool:
    """Whether it was written; the same receipt is left.

    Raises TargetExists without `force`, CommandFailed when it cannot be written.
    """
    from haulier.cli.failures import CommandFailed
    from haulier.client import TargetExists

    try:
        with path.open("wb" if force else "xb") as file:
            file.write(document)
    except FileExistsError:
        if not _says_the_same(path, document):
            raise TargetExists(path) from None
        return False
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written: {error.strerror}.") from error
    return True
