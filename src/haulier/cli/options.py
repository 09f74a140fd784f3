"""Options that several commands share."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

DEFAULT_HOME = Path(".haulier")
DEFAULT_USER = "demo"

Home = Annotated[Path, typer.Option("--home", envvar="HAULIER_HOME", metavar="DIR", help="Folder of `haulier up`.")]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="HAULIER_URL",
        metavar="URL",
        help="Address of the API; default: the running home's, else http://127.0.0.1:8080.",
        show_default=False,
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="HAULIER_TOKEN",
        metavar="JWT",
        help="Bearer token, better given as variable; default: one made for a running home.",
        show_default=False,
    ),
]


def user_of(text: str) -> str:
    """A user's name. Raises BadParameter for what no token can say."""
    import msgspec

    from haulier.wire import Word

    try:
        return msgspec.convert(text, Word)
    except msgspec.ValidationError:
        raise typer.BadParameter("a user's name has 1 to 255 characters, none of them a control character") from None


User = Annotated[
    str,
    typer.Option("--user", envvar="HAULIER_USER", metavar="NAME", parser=user_of, help="Whom that made token is for."),
]
Json = Annotated[bool, typer.Option("--json", envvar="HAULIER_JSON", help="Print JSON on stdout.")]


def id_of(text: str) -> UUID:
    """An id of a command line. Raises BadParameter for what is none."""
    try:
        return UUID(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no id, like 0199f4a2-6c1e-7b55-9d0a-3f1c2b7e8a10") from None
