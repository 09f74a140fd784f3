"""The HTTP API: `serve` runs it, `create_app` assembles it over services that are open already."""

from haulier.api.app import create_app
from haulier.api.serve import serve
from haulier.api.services import Services

__all__ = ["Services", "create_app", "serve"]
