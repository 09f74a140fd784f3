"""`storage` and `storage init`: the bucket or folder that everything else expects."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from haulier.cli.options import DEFAULT_HOME, Home

if TYPE_CHECKING:
    from haulier.settings import Settings
    from haulier.storage.bucket_rules import Wanted
    from haulier.storage.s3 import S3Storage


def storage(context: typer.Context) -> None:
    """Prepare the object store of HAULIER_STORAGE_URL."""
    if not context.invoked_subcommand:
        sys.stdout.write(f"{context.get_help()}\n")


def init(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", envvar="HAULIER_DRY_RUN", help="Say what would be done, and do nothing.")
    ] = False,
    home: Home = DEFAULT_HOME,
) -> None:
    """Create the bucket with its lifecycle rules, versioning and CORS as the settings say; or the folder.

    Safe to run again: what is right already stays, and so do all rules that Haulier did not write. Takes
    HAULIER_STORAGE_URL, HAULIER_STORAGE_EXPIRE_DAYS, HAULIER_STORAGE_VERSIONING and HAULIER_STORAGE_CORS_ORIGINS.
    """
    from haulier import settings
    from haulier.cli.home import surroundings

    loaded = settings.load(surroundings(home), need=("storage_url",))
    scheme = loaded.storage_url.reveal().partition(":")[0]
    if scheme == "file":
        _folder(loaded, dry_run=dry_run)
    elif scheme == "memory":
        sys.stdout.write("Nothing to do: memory: needs no preparation.\n")
    else:
        _bucket(loaded, dry_run=dry_run)


def _folder(loaded: "Settings", *, dry_run: bool) -> None:
    from haulier.storage.open import folder_of, make_folder

    folder = folder_of(loaded)
    if folder.is_dir():
        sys.stdout.write("Nothing to do: the folder exists.\n")
        return
    if not dry_run:
        make_folder(folder)
    sys.stdout.write(f"{'would create' if dry_run else 'created'} the folder {folder}\n")


def _bucket(loaded: "Settings", *, dry_run: bool) -> None:
    from haulier.cli.failures import CommandFailed
    from haulier.storage.bucket_setup import set_up

    changed, failed = 0, list[str]()
    for step in set_up(_opened(loaded), _wanted(loaded), dry_run=dry_run):
        if step.fault:
            failed.append(f"{step.subject}: {step.fault.text}. {step.fault.advice}")
        elif step.change:
            changed += 1
            sys.stdout.write(f"{'would do' if dry_run else 'done':<8}  {step.subject:<10} {step.change}\n")
        else:
            sys.stdout.write(f"{'as it is':<8}  {step.subject}\n")
    if failed:
        raise CommandFailed("\n".join(failed))
    if not changed:
        sys.stdout.write("Nothing to do.\n")


def _opened(loaded: "Settings") -> "S3Storage":
    from haulier.storage import open_storage
    from haulier.storage.s3 import S3Storage

    store = open_storage(loaded)
    assert isinstance(store, S3Storage)
    return store


def _wanted(loaded: "Settings") -> "Wanted":
    from haulier.storage.bucket_rules import Wanted

    return Wanted(
        expire_days=loaded.artefact_expiry_days,
        versioning={"keep": None, "on": True, "off": False}[loaded.storage_versioning],
        cors_origins=loaded.cors_origins,
    )
