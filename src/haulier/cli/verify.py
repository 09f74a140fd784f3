"""`verify`: is this file what its receipt says?"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from haulier.cli.options import Json

if TYPE_CHECKING:
    from haulier.verifying import Verdict
    from haulier.wire_receipts import ReceiptKeys

MAX_KEYS_BYTES = 2**20
Read = TypeVar("Read")


def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", hidden=True)],
    receipt: Annotated[
        Path, typer.Option("--receipt", "-r", envvar="HAULIER_RECEIPT", metavar="PATH", help="Its receipt.")
    ],
    keys: Annotated[
        Path | None,
        typer.Option(
            "--keys",
            "-k",
            envvar="HAULIER_RECEIPT_KEYS",
            metavar="PATH",
            help="Public keys that you trust, as a JWK Set.",
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", envvar="HAULIER_TRUSTED_KEY", metavar="X", help="One public key, 32 bytes in base64url."),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            envvar="HAULIER_URL",
            metavar="URL",
            help="API to fetch the public keys from; without keys at hand.",
        ),
    ] = None,
    no_signature: Annotated[
        bool,
        typer.Option(
            "--no-signature",
            help="Leave the signature alone: trust the receipt as it is.",
        ),
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", "-a", envvar="HAULIER_VERIFY_ALL", help="List good entries of an archive too.")
    ] = False,
    json: Json = False,
) -> None:
    """Check a file against its receipt: signature, size, SHA-256, and the entries of an archive one by one.

    Asks nobody, unless --url fetches the keys. Exits with 0 when all of it is right, with 1 when something differs or
    the signature could not be checked, with 2 when file, receipt or keys cannot be read.
    """
    from rich.console import Console

    from haulier.cli.stdout import print_json
    from haulier.cli.verify_view import print_verdict
    from haulier.cli.view import view_for
    from haulier.errors import VerificationFailed
    from haulier.receipts import MAX_BYTES, open_receipt
    from haulier.verifying import verify as check

    opened = _reading(receipt, open_receipt, most=MAX_BYTES)
    trusted = None if no_signature else _trusted(keys, key, url)
    console = Console(stderr=True)
    with view_for(console) as view:
        verdict = check(
            file,
            opened,
            trusted=trusted,
            signature=not no_signature,
            everything=everything,
            watch=(lambda what, done, total: view.show_bytes(done, total, doing=f"checking {what}"))
            if console.is_terminal
            else (lambda _what, _done, _total: None),
        )
    if json:
        print_json(verdict)
    else:
        print_verdict(verdict)
    if not verdict.ok:
        raise VerificationFailed(name=str(file), reasons="; ".join(_reasons(verdict)))


def _trusted(keys: Path | None, key: str | None, url: str | None) -> "ReceiptKeys | None":
    """The keys of the file, the one on the command line, or those of the API; the first that is given."""
    from haulier.receipt_keys import public_key
    from haulier.receipts import key_set, read_keys

    if keys:
        return _reading(keys, read_keys, most=MAX_KEYS_BYTES)
    if key:
        try:
            return key_set([public_key(key)])
        except ValueError as error:
            raise typer.BadParameter(f"--key: {error}") from None
    if url:
        from haulier.cli.access import connect_openly
        from haulier.cli.asking import answer, impatient

        return answer(connect_openly(url=url, patience=impatient()), lambda client: client.receipt_keys())
    return None


def _reading(path: Path, read: Callable[[bytes], Read], *, most: int) -> Read:
    from haulier.errors import NotVerifiable
    from haulier.receipts import BadReceipt

    try:
        with path.open("rb") as file:
            return read(file.read(most + 1))
    except OSError as error:
        raise NotVerifiable(name=str(path), reason=error.strerror or str(error)) from error
    except BadReceipt as error:
        raise NotVerifiable(name=str(path), reason=str(error)) from error


def _reasons(verdict: "Verdict") -> list[str]:
    """What keeps the file from being verified, the worst first."""
    reasons: list[str] = []
    if verdict.signature.state in {"bad", "untrusted"}:
        reasons.append(f"the receipt is not to be trusted, {verdict.signature.reason}")
    if not verdict.size.agrees or verdict.sha256.expected not in (None, verdict.sha256.found):
        reasons.append("it is not the file of the receipt")
    elif verdict.sha256.expected is None:
        reasons.append("the receipt states no SHA-256")
    if verdict.archive and not verdict.archive.passes:
        reasons.append("some of its entries are not right")
    if verdict.signature.state == "unchecked":
        reasons.append(
            "its signature was not checked; name a trusted key with --keys, --key or --url, or --no-signature"
        )
    return reasons
