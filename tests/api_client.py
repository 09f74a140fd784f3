"""A client for tests of the API. Each answer is compared with what the table of operations promises."""

import re
from typing import Any

import httpx
import msgspec

from haulier.api.auth import mint_token
from haulier.api.operations import OPERATIONS, possible_errors
from haulier.clock import SYSTEM_CLOCK
from haulier.errors import HaulierError
from haulier.settings import Secret
from haulier.wire import Problem

SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
}


class ApiClient:
    """Speaks for `user` with `role`; both can be changed for one call."""

    def __init__(self, http: httpx.AsyncClient, *, secret: Secret) -> None:
        self.http = http
        self._secret = secret

    def token(self, user: str, *, role: str = "free", ttl_s: int = 600) -> str:
        return mint_token(self._secret, user=user, role=role, ttl_s=ttl_s, now=SYSTEM_CLOCK.now())

    async def call(
        self, method: str, path: str, *, user: str | None = "anna", role: str = "free", **request: Any
    ) -> httpx.Response:
        headers = dict(request.pop("headers", {}))
        if user is not None:
            headers.setdefault("Authorization", f"Bearer {self.token(user, role=role)}")
        answer = await self.http.request(method, path, headers=headers, **request)
        check_answer(answer)
        return answer

    async def get(self, path: str, **request: Any) -> httpx.Response:
        return await self.call("GET", path, **request)

    async def post(self, path: str, body: Any = None, **request: Any) -> httpx.Response:
        return await self.call("POST", path, **request | ({} if body is None else {"json": body}))

    async def initiate(self, file_id: int = 70_000, **request: Any) -> str:
        """The id of the job for `file_id`."""
        answer = await self.post("/v1/download/initiate", {"file_id": file_id}, **request)
        assert answer.status_code == 200, answer.text
        return answer.json()["job_id"]

    async def status(self, job_id: str, **request: Any) -> httpx.Response:
        return await self.get(f"/v1/download/status/{job_id}", **request)


def check_answer(answer: httpx.Response) -> None:
    """Fail unless the answer is one that the contract knows: security headers, declared status, shape, code."""
    assert SECURITY_HEADERS.items() <= dict(answer.headers).items()
    assert answer.headers["x-request-id"]
    assert "content-security-policy" in answer.headers
    if answer.headers.get("content-type") == "application/problem+json":
        problem = _exactly(answer, Problem)
        assert (problem.status, problem.request_id) == (answer.status_code, answer.headers["x-request-id"])
    operation = _operation(answer.request)
    if operation is None:
        return
    kept = operation.name == "receipt_keys" and answer.is_success
    assert answer.headers["cache-control"] == ("public, max-age=300" if kept else "private, no-store")
    reply = operation.replies.get(answer.status_code)
    if reply is None:
        declared: set[type[HaulierError]] = {*possible_errors(operation)}
        assert answer.json()["code"] in {error.code for error in declared}, answer.text
    elif reply.is_file:
        assert answer.headers["etag"].startswith('"')
    elif reply.shapes and answer.request.method != "HEAD":
        fitting = [shape for shape in reply.shapes if _fits(answer, shape)]
        _exactly(answer, (fitting or reply.shapes)[0])
    else:
        assert answer.content == b""


def _fits(answer: httpx.Response, shape: type) -> bool:
    """Whether the body may be of this shape."""
    try:
        msgspec.json.decode(answer.content, type=shape)
    except msgspec.ValidationError:
        return False
    return True


def _exactly(answer: httpx.Response, shape: type) -> Any:
    """The body as `shape`, with nothing that the shape does not have."""
    value = msgspec.json.decode(answer.content, type=shape)
    assert msgspec.json.encode(value) == answer.content
    return value


def _operation(request: httpx.Request) -> Any:
    method = "GET" if request.method == "HEAD" else request.method
    for operation in OPERATIONS:
        pattern = re.sub(r"\{\w+\}", "[^/]+", operation.path)
        if operation.method == method and re.fullmatch(pattern, request.url.path):
            return operation
    return None
