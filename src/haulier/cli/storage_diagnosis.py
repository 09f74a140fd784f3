"""The doctor's look at the object store: reached, let in, bytes there and back, links, and what ends by itself."""

import asyncio
import ipaddress
import secrets
from collections.abc import AsyncIterator
from contextlib import closing
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from haulier.cli.diagnosis import TIMEOUT_S, Finding, Mark, reason_of
from haulier.cli.words import duration_words
from haulier.clock import Clock
from haulier.errors import HaulierError
from haulier.job import Artefact
from haulier.settings import Settings

if TYPE_CHECKING:
    from haulier.storage.objects import ObjectStorage
    from haulier.storage.s3 import S3Storage

NAME = "storage"
PROBE = b"haulier doctor\n"
STORE_SKEW_S = 60.0  # stores refuse requests from 15 minutes on
_RIGHTS = "Check HAULIER_STORAGE_URL, that the bucket or folder exists, and our right to read, write and delete there."
_INIT = "Run `haulier storage init`."


async def storage(settings: Settings, clock: Clock) -> list[Finding]:
    """Reachable, lets us write, read and delete, and its links work where clients use another address."""
    from haulier.storage import open_storage
    from haulier.storage.s3 import S3Storage

    try:
        store = open_storage(settings, clock=clock)
    except HaulierError as error:
        return [Finding(Mark.BAD, NAME, reason_of(error), _RIGHTS)]
    found: list[Finding] = []
    if isinstance(store, S3Storage):
        found = await asyncio.to_thread(_bucket, store, clock)
        if any(finding.mark is Mark.BAD for finding in found):
            return found
    found += await _there_and_back(store)
    if settings.storage_url.reveal().startswith("memory:"):
        advice = "Use file:///… or s3://… as soon as API and worker are two processes."
        found.append(Finding(Mark.DOUBTFUL, NAME, "is the memory of one process", advice))
    return found


def _bucket(store: "S3Storage", clock: Clock) -> list[Finding]:
    """Whether the bucket can be listed, the clocks agree, and dead uploads end by themselves."""
    from haulier.artefacts import ARTEFACTS
    from haulier.storage.bucket_faults import ERRORS, fault_of, time_of

    bucket = store.bucket
    with closing(store.client(timeout_s=TIMEOUT_S)) as client:
        try:
            answer: Any = client.list_objects_v2(Bucket=bucket.name, Prefix=ARTEFACTS, MaxKeys=1)
        except ERRORS as error:
            fault = fault_of(error)
            return [
                Finding(Mark.BAD, NAME, f"{bucket.name}: {fault.text}", fault.advice),
                *_skew(time_of(error), clock),
            ]
        return [*_skew(time_of(answer), clock), *_lifecycle(client, bucket.name), *_known_to_clients(store)]


def _lifecycle(client: Any, bucket: str) -> list[Finding]:
    from haulier.storage.bucket_faults import ERRORS, code_of
    from haulier.storage.bucket_rules import aborts_uploads

    try:
        rules = client.get_bucket_lifecycle_configuration(Bucket=bucket).get("Rules", [])
    except ERRORS as error:
        if code_of(error) != "NoSuchLifecycleConfiguration":
            text = f"its lifecycle rules cannot be read ({code_of(error) or reason_of(error)})"
            advice = "See that the bucket aborts incomplete uploads after a day: they cost money and are not listed."
            return [Finding(Mark.DOUBTFUL, NAME, text, advice)]
        rules = []
    if aborts_uploads(rules):
        return []
    return [Finding(Mark.DOUBTFUL, NAME, "no lifecycle rule ends incomplete uploads", _INIT)]


def _skew(theirs: Any, clock: Clock) -> list[Finding]:
    if theirs is None or (skew_s := abs((theirs - clock.now()).total_seconds())) < STORE_SKEW_S:
        return []
    advice = "Run NTP here: requests and links are signed with the time, and refused when it is 15 minutes off."
    return [Finding(Mark.DOUBTFUL, "clock", f"is {duration_words(skew_s)} off the store's", advice)]


def _known_to_clients(store: "S3Storage") -> list[Finding]:
    """A name without a dot is most likely one of a container network, which browsers do not know."""
    host = urlsplit(store.bucket.public_url).hostname or ""
    if "." in host or host == "localhost" or _is_address(host):
        return []
    advice = "Add public_endpoint= to HAULIER_STORAGE_URL when clients reach the store at another address."
    return [Finding(Mark.DOUBTFUL, NAME, f"links lead to the host {host}, which clients may not know", advice)]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _there_and_back(store: "ObjectStorage") -> list[Finding]:
    from haulier.storage.s3 import S3Storage

    key, doing, links = f"doctor/{secrets.token_hex(8)}", "written", list[Finding]()
    try:
        written = await store.write(key, _probe(), file_name="doctor.txt", content_type="text/plain")
        try:
            doing = "read"
            read = b"".join([chunk async for chunk in store.read(key)])
            if isinstance(store, S3Storage) and store.bucket.has_public_address:
                links = [await _public(store, Artefact(key, "doctor.txt", "text/plain", len(PROBE), written.etag))]
        finally:
            doing = "deleted" if doing == "read" else doing
            await store.delete([key])
    except (HaulierError, OSError) as error:
        why = error.facts.get("reason") if isinstance(error, HaulierError) else None
        return [Finding(Mark.BAD, NAME, f"an object cannot be {doing}: {why or reason_of(error)}", _RIGHTS)]
    if read != PROBE or written.size != len(PROBE):
        return [Finding(Mark.BAD, NAME, "gave back other bytes than were written", _RIGHTS)]
    return [Finding(Mark.GOOD, NAME, "an object was written, read and deleted"), *links]


async def _public(store: "S3Storage", artefact: Artefact) -> Finding:
    """Whether a link that is signed for clients' address works from here."""
    import httpx

    link = await store.sign(artefact, job_id="doctor", expires_s=60)
    advice = "Check public_endpoint= in HAULIER_STORAGE_URL. It may be right that only clients reach it, and not we."
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S) as http:
            answer = await http.get(link.url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Finding(Mark.DOUBTFUL, NAME, f"the public endpoint cannot be reached: {type(error).__name__}", advice)
    if answer.status_code == HTTPStatus.OK and answer.content == PROBE:
        return Finding(Mark.GOOD, NAME, "a link through the public endpoint works")
    text = f"a link through the public endpoint is answered with {answer.status_code}"
    if "SignatureDoesNotMatch" in answer.text:
        advice = "The proxy there must pass on Host and path as it gets them: both are signed."
        return Finding(Mark.DOUBTFUL, NAME, f"{text}, SignatureDoesNotMatch", advice)
    return Finding(Mark.DOUBTFUL, NAME, text, advice)


async def _probe() -> AsyncIterator[bytes]:
    yield PROBE
