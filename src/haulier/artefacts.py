"""Where artefacts are stored, and whose an object is. Pure."""

import re
from uuid import UUID

ARTEFACTS = "artifacts/"
MAX_SEGMENT_BYTES = 200  # file systems take 255
_UNSAFE = re.compile(r"[/\\#\x00-\x1f\x7f]")


def artefact_key(job_id: UUID, attempt: int, file_name: str) -> str:
    """Where an attempt stores its artefact: no two attempts share a key, so a late writer spoils nothing."""
    return f"{ARTEFACTS}{job_id}/{attempt}/{_segment(file_name)}"


def owner_of(key: str) -> tuple[UUID, int] | None:
    """The (job, attempt) that wrote an object, or None for a key that Haulier did not make."""
    if not is_ours(key):
        return None
    parts = key.split("/")
    try:
        return (UUID(parts[1]), int(parts[2])) if len(parts) == 4 else None
    except ValueError:
        return None


def is_ours(key: str) -> bool:
    """Whether Haulier may delete the object: sources that were published as they are belong to others."""
    return key.startswith(ARTEFACTS)


def _segment(file_name: str) -> str:
    """`file_name` as one path segment; obstore's folder store cannot hold `#` before digits."""
    name = _UNSAFE.sub("_", file_name).encode("utf-8", "replace")[:MAX_SEGMENT_BYTES].decode("utf-8", "ignore")
    return name if name.strip(". ") else "file"
