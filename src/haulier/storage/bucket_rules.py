"""What a bucket should be like for Haulier, and the difference to how it is. Pure.

Rules of ours carry ids that begin with OURS: all others belong to somebody else and stay as they are.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from haulier.artefacts import ARTEFACTS

Rule = Mapping[str, Any]

OURS = "haulier-"
ABORT_DAYS = 1
NONCURRENT_DAYS = 1
CORS_AGE_S = 3_600
# What a download in a page reads of an answer, and may ask for.
_EXPOSED = ["Accept-Ranges", "Content-Disposition", "Content-Length", "Content-Range", "ETag", "Last-Modified"]
_ASKED = ["If-Match", "If-None-Match", "If-Range", "Range"]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """How a bucket should be. `versioning` None and no `cors_origins` leave the bucket's as it is."""

    expire_days: int
    versioning: bool | None = None
    cors_origins: tuple[str, ...] = ()


def lifecycle(existing: Sequence[Rule], wanted: Wanted, *, is_versioned: bool) -> list[Rule] | None:
    """All lifecycle rules that the bucket should have, or None when it has them."""
    return _merged(existing, _lifecycle_rules(wanted, is_versioned=is_versioned))


def cors(existing: Sequence[Rule], wanted: Wanted) -> list[Rule] | None:
    """All CORS rules that the bucket should have, or None when it has them or nothing was asked for."""
    if not wanted.cors_origins:
        return None
    rule = {
        "ID": f"{OURS}downloads",
        "AllowedOrigins": list(wanted.cors_origins),
        "AllowedMethods": ["GET", "HEAD"],
        "AllowedHeaders": _ASKED,
        "ExposeHeaders": _EXPOSED,
        "MaxAgeSeconds": CORS_AGE_S,
    }
    return _merged(existing, [rule])


def versioning(status: str, wanted: Wanted) -> str | None:
    """The state to set, or None when nothing is to change. `status` is empty for a bucket that never had versions."""
    if (
        wanted.versioning is None
        or wanted.versioning == (status == "Enabled")
        or (not wanted.versioning and not status)
    ):
        return None
    return "Enabled" if wanted.versioning else "Suspended"


def aborts_uploads(existing: Sequence[Rule]) -> bool:
    """Whether a rule that is on ends incomplete uploads of artefacts, whoever wrote it."""
    return any(
        rule.get("Status") == "Enabled"
        and "AbortIncompleteMultipartUpload" in rule
        and (prefix := _prefix(rule)) is not None
        and ARTEFACTS.startswith(prefix)
        for rule in existing
    )


def is_ours(rule: Rule) -> bool:
    """Whether `storage init` wrote the rule, and may change it."""
    return str(rule.get("ID", "")).startswith(OURS)


def _lifecycle_rules(wanted: Wanted, *, is_versioned: bool) -> list[Rule]:
    artefacts = {"Filter": {"Prefix": ARTEFACTS}, "Status": "Enabled"}
    rules: list[Rule] = [
        {"ID": f"{OURS}artefacts", **artefacts, "Expiration": {"Days": wanted.expire_days}},
        {
            "ID": f"{OURS}uploads",
            **artefacts,
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": ABORT_DAYS},
        },
    ]
    if is_versioned:  # deleting there only hides an object, which goes on to cost money
        rules.append(
            {
                "ID": f"{OURS}versions",
                **artefacts,
                "NoncurrentVersionExpiration": {"NoncurrentDays": NONCURRENT_DAYS},
                "Expiration": {"ExpiredObjectDeleteMarker": True},
            }
        )
    return rules


def _merged(existing: Sequence[Rule], ours: Sequence[Rule]) -> list[Rule] | None:
    present = [rule for rule in existing if is_ours(rule)]
    if _comparable(present) == _comparable(ours):
        return None
    return [*(_with_filter(rule) for rule in existing if rule not in present), *ours]


def _with_filter(rule: Rule) -> Rule:
    """A rule of the old form, in which S3 takes none beside new ones, in the new form."""
    if "Prefix" not in rule:
        return rule
    return {name: value for name, value in rule.items() if name != "Prefix"} | {"Filter": {"Prefix": rule["Prefix"]}}


def _comparable(rules: Sequence[Rule]) -> dict[str, Any]:
    """Rules by id, without the differences that stores make: the order of lists."""
    return {
        rule["ID"]: {name: sorted(value) if isinstance(value, list) else value for name, value in rule.items()}
        for rule in rules
    }


def _prefix(rule: Rule) -> str | None:
    """The prefix that is all a rule asks of keys, None when it asks for more, such as tags."""
    if "Filter" not in rule:
        return rule.get("Prefix", "")
    asked = rule["Filter"]
    return asked.get("Prefix", "") if set(asked) <= {"Prefix"} else None
