"""What browsers load: the module with the custom element, and the page of one job, which is the same for every job."""

import asyncio
import hashlib
import html
from importlib import resources

from haulier.api.documents import policy_source
from haulier.api.exchange import Answer, Exchange, Headers
from haulier.api.operation import Operation, Reply
from haulier.api.requests import client_has
from haulier.api.services import Services
from haulier.errors import WebNotBuilt
from haulier.settings import Settings

MODULE = "haulier-download.js"
_KEPT: Headers = ((b"cache-control", b"public, max-age=3600"),)
_SCRIPT = (b"content-type", b"text/javascript; charset=utf-8")
# Pages of any origin may load the module; what it may ask the API for is another matter (HAULIER_ALLOWED_ORIGINS).
_FOR_EVERYBODY: Headers = ((b"cross-origin-resource-policy", b"cross-origin"), (b"access-control-allow-origin", b"*"))


class Page:
    """A file for browsers, and the answers with it: whole, or 304 for who has it."""

    def __init__(self, body: bytes, headers: Headers) -> None:
        self._etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        kept = ((b"etag", self._etag.encode()), *_KEPT, *headers)
        self._whole = Answer(body, 200, kept)
        self._unchanged = Answer(status=304, headers=kept)

    async def answer(self, exchange: Exchange, _: Services) -> Answer:
        return self._unchanged if client_has(exchange, self._etag) else self._whole


async def _module(exchange: Exchange, services: Services) -> Answer:
    """The module, looked for anew while it is missing."""
    module = await asyncio.to_thread(_built)
    if module is None:
        raise WebNotBuilt
    return await _module_page(module).answer(exchange, services)


def _module_page(module: bytes) -> "Page":
    return Page(module, (_SCRIPT, *_FOR_EVERYBODY))


def page_operations(settings: Settings, *, module: bytes | None = None) -> tuple[Operation, ...]:
    """The pages, outside of what OpenAPI describes. `module` None: the built one, which an installation may lack."""
    module = _built() if module is None else module
    script = _text("job_page.js").encode()
    pages = (
        ("job_page", "/jobs/{job_id}", _job_page(settings)),
        ("job_page_script", "/jobs/page.js", Page(script, (_SCRIPT,))),
        ("module", f"/{MODULE}", _module_page(module) if module else None),
    )
    # The script's path is one of those of jobs: it has to be looked for first.
    return tuple(_operation(name, path, page) for name, path, page in sorted(pages, key=lambda each: "{" in each[1]))


def _operation(name: str, path: str, page: Page | None) -> Operation:
    replies = {200: Reply("The page."), 304: Reply("The client has it.")}
    handler = page.answer if page else _module
    return Operation(name=name, method="GET", path=path, handler=handler, summary=name, replies=replies, secured=False)


def _job_page(settings: Settings) -> Page:
    style = _text("job_page.css")
    # The element dresses its own tree with a sheet that is made by script, which no policy for styles is about.
    policy = (
        f"default-src 'none'; script-src 'self'; connect-src 'self'; style-src {policy_source(style)}; "
        "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    )
    body = _text("job_page.html").replace("{style}", style).replace("{base_url}", html.escape(settings.base_url))
    kind = (b"content-type", b"text/html; charset=utf-8")
    return Page(body.encode(), (kind, (b"content-security-policy", policy.encode())))


def _text(name: str) -> str:
    return resources.files("haulier.api").joinpath(name).read_text("utf-8")


def _built() -> bytes | None:
    """The module as `make web` has built it."""
    built = resources.files("haulier").joinpath("webui", MODULE)
    return built.read_bytes() if built.is_file() else None
