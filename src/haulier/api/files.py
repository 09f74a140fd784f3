"""Signed links of a folder or memory store: the link is all the authority that they ask for."""

from typing import Protocol
from urllib.parse import parse_qsl
from uuid import UUID

from starlette.types import Receive, Scope, Send

from haulier.api.sending import SendArtefact
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
        artefact = await self._admit(scope)
        await SendArtefact(artefact, storage=self._storage)(scope, receive, send)

    async def _admit(self, scope: Scope) -> Artefact:
        """The artefact of a link that we signed. An unknown job looks like a wrong signature."""
        job_id, expires, signature = _link(scope)
        found = await self._find(job_id)
        if found is None:
            raise BadSignature
        artefact, expired = found
        # Links end with their artefact at the latest; who has one shall learn that a fresh link does not help.
        if expired and self._signer.made(artefact, job_id=str(job_id), expires=expires, signature=signature):
            raise ArtefactExpired
        self._signer.check(artefact, job_id=str(job_id), expires=expires, signature=signature)
        return artefact


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
