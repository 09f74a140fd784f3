"""What describes the API to people and programs: /openapi.json, /asyncapi.json, /docs, and the way there from /."""

import base64
import hashlib
import html
import re
from importlib import resources
from typing import Any

import msgspec

from haulier.api.exchange import Answer, Exchange, Headers
from haulier.api.live.asyncapi import asyncapi
from haulier.api.openapi import openapi
from haulier.api.operations import OPERATIONS, Handler, Operation, Reply, possible_errors
from haulier.api.services import Services
from haulier.errors import AttemptError, HaulierError, every_error
from haulier.settings import Settings

_KEPT_SHORTLY: Headers = ((b"cache-control", b"public, max-age=60"),)


def document_operations(settings: Settings) -> tuple[Operation, ...]:
    """The documents as operations of their own, outside of what they describe; none when they are switched off."""
    if not settings.docs:
        return ()
    style = resources.files("haulier.api").joinpath("docs.css").read_text("utf-8")
    page = _page(style, base_url=settings.base_url).encode()
    policy = f"default-src 'none'; style-src {policy_source(style)}; frame-ancestors 'none'; base-uri 'none'".encode()
    return (
        _document("openapi", "/openapi.json", _json(openapi(base_url=settings.base_url))),
        _document("asyncapi", "/asyncapi.json", _json(asyncapi(base_url=settings.base_url))),
        _document(
            "docs",
            "/docs",
            Answer(
                page,
                headers=(
                    (b"content-type", b"text/html; charset=utf-8"),
                    (b"content-security-policy", policy),
                    *_KEPT_SHORTLY,
                ),
            ),
        ),
        _document("home", "/", Answer(status=307, headers=((b"location", b"/docs"), *_KEPT_SHORTLY))),
    )


def _json(document: dict[str, Any]) -> Answer:
    headers = ((b"content-type", b"application/json"), *_KEPT_SHORTLY)
    return Answer(msgspec.json.encode(document), headers=headers)


def policy_source(text: str) -> str:
    """What a Content-Security-Policy calls an inline style or script that is just `text`."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _document(name: str, path: str, answer: Answer) -> Operation:
    async def handler(_: Exchange, __: Services) -> Answer:
        return answer

    shown: Handler = handler
    replies = {answer.status: Reply("The document.")}
    return Operation(name=name, method="GET", path=path, handler=shown, summary=name, replies=replies, secured=False)


def _page(style: str, *, base_url: str) -> str:
    calls = "\n".join(_call(operation, base_url=base_url) for operation in OPERATIONS)
    rows = "\n".join(_error_row(error) for error in every_error() if error.status < 500 or error.status == 503)
    failures = "\n".join(_failure_row(error) for error in every_error() if issubclass(error, AttemptError))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Haulier API</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>Haulier API</h1>
<p>Ask for a file, follow its job, download it. Every call carries <code>Authorization: Bearer TOKEN</code>; answers are
JSON, errors are <code>application/problem+json</code>. For programs: <a href="/openapi.json">openapi.json</a>,
and <a href="/asyncapi.json">asyncapi.json</a> for event streams and the WebSocket at <code>/ws</code>.</p>
</header>
<main>
<section aria-labelledby="calls"><h2 id="calls">Calls</h2>
{calls}
</section>
<section aria-labelledby="errors"><h2 id="errors">Errors</h2>
<table><thead><tr><th>Status</th><th>Code</th><th>Meaning</th></tr></thead><tbody>
{rows}
</tbody></table>
</section>
<section aria-labelledby="failures"><h2 id="failures">Why a job failed</h2>
<table><thead><tr><th>error.code</th><th>Meaning</th></tr></thead><tbody>
{failures}
</tbody></table>
</section>
</main>
</body>
</html>
"""


def _call(operation: Operation, *, base_url: str) -> str:
    codes = ", ".join(f'<a href="#{error.code}"><code>{error.code}</code></a>' for error in possible_errors(operation))
    replies = "".join(
        f"<li><b>{status}</b> {html.escape(reply.description)}</li>" for status, reply in operation.replies.items()
    )
    wishes = [f"<li><code>{header.name}</code> {html.escape(header.description)}</li>" for header in operation.headers]
    if operation.query:
        names = ", ".join(f"<code>{field.encode_name}</code>" for field in msgspec.structs.fields(operation.query))
        wishes.append(f"<li>Query: {names}</li>")
    return f"""<article id="{operation.name}">
<h3><span class="method {operation.method.lower()}">{operation.method}</span> <code>{operation.path}</code></h3>
<p>{html.escape(operation.summary)}</p>
<pre>{html.escape(_curl(operation, base_url=base_url))}</pre>
<ul>{replies}{"".join(wishes)}</ul>
{f'<p class="errors">Errors: {codes}</p>' if codes else ""}
</article>"""


def _curl(operation: Operation, *, base_url: str) -> str:
    parts = ["curl -s"]
    if operation.method != "GET":
        parts.append(f"-X {operation.method}")
    if operation.secured:
        parts.append('-H "Authorization: Bearer $TOKEN"')
    if operation.body:
        parts.append(f"-H 'Content-Type: application/json' -d '{operation.example}'")
    path = re.sub(r"\{(\w+)\}", lambda name: f"${name[1].upper()}", operation.path)
    return " ".join([*parts, f'"{base_url}{path}"'])


def _error_row(error: type[HaulierError]) -> str:
    return (
        f'<tr id="{error.code}"><td>{error.status}</td><td><code>{error.code}</code></td>'
        f"<td>{html.escape(_sentence(error))}</td></tr>"
    )


def _failure_row(error: type[HaulierError]) -> str:
    return f"<tr><td><code>{error.code}</code></td><td>{html.escape(_sentence(error))}</td></tr>"


def _sentence(error: type[HaulierError]) -> str:
    return error.sentence.replace("{{", "{").replace("}}", "}")
