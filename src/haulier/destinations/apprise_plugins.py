"""Apprise's plugins: the one that a URL asks for, without a word in any log. Imported late: apprise takes 20 MiB.

Apprise logs URLs when it is asked to, and urllib3 writes paths into warnings: both are silenced for good.
"""

import logging
from functools import cache
from importlib import import_module
from typing import Any

import apprise

from haulier.destinations.apprise_urls import HOSTED, schema_of

_SILENT = logging.CRITICAL + 1


@cache
def _asset() -> apprise.AppriseAsset:
    for name in ("apprise", "urllib3.connectionpool", "urllib3.connection"):
        logging.getLogger(name).setLevel(_SILENT)
    return apprise.AppriseAsset(
        app_id="Haulier",
        app_desc="Haulier",
        async_mode=False,
        http_redirects=False,
        image_url_mask=None,
        image_url_logo=None,
        storage_mode="memory",
    )


def plugin_for(url: str) -> Any:
    """The plugin that sends to `url`; None when the URL does not name a place."""
    asset = _asset()
    hosted = HOSTED.get(schema_of(url))
    if hosted is None:  # all of apprise: 130 plugins
        return apprise.Apprise.instantiate(url, asset=asset)
    plugin = getattr(import_module(f"apprise.plugins.{hosted.module}"), hosted.plugin)
    try:
        parts = plugin.parse_url(url)
        return plugin(**parts, asset=asset) if parts else None
    except Exception:  # whatever a plugin thinks of what a user typed
        return None


def redacted(url: str, plugin: Any) -> str:
    """What may be shown: the schema, and for services with hosts of their own apprise's form with most letters gone."""
    schema = schema_of(url)
    if schema not in HOSTED:
        return f"{schema}://…"
    return str(plugin.url(privacy=True)).partition("?")[0].rstrip("/")
