"""Structured logs: JSON lines, or readable ones on a terminal; no secrets, no signed URLs."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from haulier.settings import Settings

_MASK = "***"
# Values of signatures and credentials in URLs and headers, whoever put them into a log line.
_SECRET_PATTERNS = (
    re.compile(r"(?i)((?:signature|x-amz-[a-z-]+|token|ticket|secret|password)=)[^&\s\"']+"),
    re.compile(r"(?i)(bearer\s+)[a-z0-9._~+/=-]+"),
    re.compile(r"(?i)([a-z][a-z0-9+.-]*://[^/\s:@]*:)[^@\s/]+(?=@)"),
    re.compile(r"()eyJ[\w-]+\.[\w-]+\.[\w-]*"),
)
_SECRET_KEYS = frozenset(
    {"token", "ticket", "authorization", "password", "secret", "download_url", "url_secret", "jwt_secret"}
)


def redact(text: str) -> str:
    """`text` with signatures, tokens and passwords masked."""
    for pattern in _SECRET_PATTERNS:
        text = pattern.sub(rf"\1{_MASK}", text)
    return text


def _redact_event(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if key in _SECRET_KEYS:
            event[key] = _MASK
        elif isinstance(value, str):
            event[key] = redact(value)
    return event


def configure(settings: Settings) -> None:
    """Set up logging for this process: structlog and the standard library's loggers write the same lines to stderr."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    readable = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    # The traceback becomes text before it is redacted: an exception's message may quote a URL.
    ending: list[structlog.typing.Processor] = [structlog.processors.format_exc_info, _redact_event]
    if readable:
        renderer: structlog.typing.Processor = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    else:
        renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, *ending, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
