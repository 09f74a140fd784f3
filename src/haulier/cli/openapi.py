"""`openapi`: the document that a running API serves as /openapi.json, without one that runs."""

from typing import Annotated

import typer

from haulier.cli.access import DEFAULT_URL


def openapi(
    url: Annotated[
        str,
        typer.Option(
            "--url", envvar="HAULIER_URL", metavar="URL", help="Address that the document names as the API's."
        ),
    ] = DEFAULT_URL,
) -> None:
    """Print the OpenAPI 3.1 document, to make a client or a mock of the API from it.

    It is that of this version of the program. Nothing is started and no settings are needed.
    """
    from haulier.api import openapi as documents
    from haulier.cli.stdout import print_json

    print_json(documents.openapi(base_url=url.rstrip("/")))
