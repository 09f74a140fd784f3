"""Signed links of our own: the link is all the authority that they ask for."""

from typing import Protocol
from urllib.parse import parse_qsl
from uuid import UUID

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from haulier.api.sending import SendArtefact, answer_bare
from haulier.errors import ArtefactExpired, BadSignature, MethodNotAllowed
from haulier.job import Artefact
from haulier.storage import Storage
from haulier.storage.signing import FolderSigner

PATH = "/files/{job_id}/{file_name}"


class FindArtefact(Protocol):
    async def __call__(self, job_id: UUID, /) -> tuple[Artefact, bool] | None:
        """A completed job's artefact and whether it has expired; None when there is no such job or artefact."""
        ...


class ServeFile:
    """ASGI endpoint of PATH. Raises HaulierErrors until the answer starts; see SendArtefact."""

    def __init__(self, *, find: FindArtefact, storage: Storage, signer: FolderSigner) -> None:
        self._find = find
        self._storage = storage
        self._signer = signer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in {"GET", "HEAD"}:
            raise MethodNotAllowed(allowed="GET, HEAD")
        try:
            artefact = await self._admit(scope)
        except _Ended as ended:
            handle = self._signer.handle_of(str(ended.job_id))
            await answer_bare(send, 307, {"location": handle, "cache-control": "private, no-store"})
            return
        await SendArtefact(artefact, storage=self._storage)(scope, receive, send)

    async def _admit(self, scope: Scope) -> Artefact:
        """The artefact of a link that we signed. An unknown job looks like a wrong signature."""
        job_id, expires, signature = _link(scope)
        found = await self._find(job_id)
        if found is None:
            raise BadSignature
        artefact, expired = found
        link = {"job_id": str(job_id), "expires": expires, "signature": signature}
        # Links end with their artefact at the latest; who has one shall learn that a fresh link does not help.
        if expired and self._signer.is_ours(artefact, **link):
            raise ArtefactExpired
        try:
            self._signer.check(artefact, **link)
        except BadSignature:
            # aria2c asks for later pieces where it was led once, and brings its token: the handle judges that.
            if "authorization" in Headers(scope=scope) and self._signer.is_ours(artefact, **link):
                raise _Ended(job_id) from None
            raise
        return artefact


class _Ended(Exception):
    """A link of ours that has expired, in the hands of a client that can get a fresh one."""

    def __init__(self, job_id: UUID) -> None:
        super().__init__()
        self.job_id = job_id


def _link(scope: Scope) -> tuple[UUID, str, str]:
    """(job, expires, signature) of the request, each given exactly once."""
    try:
        job_id = UUID(scope["path_params"]["job_id"])
        pairs = parse_qsl(scope["query_string"].decode("ascii"), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        raise BadSignature from None
    expires = [value for name, value in pairs if name == "expires"]
    signature = [value for name, value in pairs if name == "signature"]
    if len(expires) != 1 or len(signature) != 1:
        raise BadSignature
    return job_id, expires[0], signature[0]
