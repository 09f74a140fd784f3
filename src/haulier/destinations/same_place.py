"""Whether two channels lead to one place, where nobody wants to be told the same thing twice."""

from collections.abc import Mapping
from typing import Any


def place_of(kind: str, secret: Mapping[str, Any]) -> str:
    """What a channel that keeps `secret` has in common with others of its kind that lead to the same place.

    Empty for webhooks: several may post to one URL, each with events and a secret of its own.
    """
    match kind:
        case "email":
            return secret["address"].lower()
        case "push":
            return secret["endpoint"]
        case "apprise":
            return f"name {secret['name']}" if "name" in secret else f"url {secret['url']}"
        case _:
            return ""
