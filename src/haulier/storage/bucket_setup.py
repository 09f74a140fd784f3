"""Making a bucket what Haulier needs: it exists, forgotten things end by themselves, pages may read downloads.

Everything here blocks; call it from a command or a thread. Running it again changes nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from haulier.storage.bucket_faults import ERRORS, Fault, code_of, fault_of
from haulier.storage.bucket_rules import Rule, Wanted, cors, is_ours, lifecycle, versioning
from haulier.storage.s3 import S3Storage

# Stores say that there is no configuration with an error.
_NOTHING_YET = {"NoSuchLifecycleConfiguration", "NoSuchCORSConfiguration"}
_NOT_OFFERED = {"NotImplemented", "MethodNotAllowed", "501", "405"}
_US_EAST_1 = "us-east-1"  # the one region that must not be named when a bucket is created


class Step(NamedTuple):
    """One thing that was looked at. `change` says what was, or would be, done; empty when it was right already."""

    subject: str
    change: str
    fault: Fault | None = None


def set_up(storage: S3Storage, wanted: Wanted, *, dry_run: bool) -> Iterator[Step]:
    """Do what is missing, step by step; with `dry_run` only say it. A bucket that cannot be had is the last step."""
    with closing(storage.client()) as client:
        setup = _Setup(client, storage, wanted, dry_run=dry_run)
        bucket = _tried("bucket", setup.bucket)
        yield bucket
        if bucket.fault is None:
            for subject, step in (
                ("versioning", setup.versioning),
                ("lifecycle", setup.lifecycle),
                ("cors", setup.cors),
            ):
                yield _tried(subject, step)


class _Setup:
    def __init__(self, client: Any, storage: S3Storage, wanted: Wanted, *, dry_run: bool) -> None:
        self._client = client
        self._bucket = storage.bucket
        self._wanted = wanted
        self._dry_run = dry_run
        self._exists = False
        self._is_versioned = False

    def bucket(self) -> str:
        try:
            self._call("list_objects_v2", MaxKeys=1)
        except ClientError as error:
            if code_of(error) != "NoSuchBucket":
                raise
        else:
            self._exists = True
            return ""
        if not self._dry_run:
            self._create()
            self._exists = True
        return f"create {self._bucket.name} in {self._bucket.region}"

    def _create(self) -> None:
        region = self._bucket.region
        place: dict[str, Any] = {}
        if region != _US_EAST_1:
            place["CreateBucketConfiguration"] = {"LocationConstraint": region}
        try:
            self._call("create_bucket", **place)
        except ClientError as error:
            if code_of(error) != "BucketAlreadyOwnedByYou":  # somebody was faster
                raise

    def versioning(self) -> str:
        status = str(self._call("get_bucket_versioning").get("Status", "")) if self._exists else ""
        change = versioning(status, self._wanted)
        self._is_versioned = bool(change == "Enabled" or status)
        if change is None:
            return ""
        if not self._dry_run:
            self._call("put_bucket_versioning", VersioningConfiguration={"Status": change})
        return "turn on" if change == "Enabled" else "suspend; earlier versions end by the lifecycle rules"

    def lifecycle(self) -> str:
        answer = self._configuration("get_bucket_lifecycle_configuration")
        rules = lifecycle(answer.get("Rules", []), self._wanted, is_versioned=self._is_versioned)
        if rules is None:
            return ""
        if not self._dry_run:
            name = "TransitionDefaultMinimumObjectSize"  # belongs to rules of others
            kept = {name: answer[name]} if name in answer else {}
            self._call("put_bucket_lifecycle_configuration", LifecycleConfiguration={"Rules": rules}, **kept)
        days = self._wanted.expire_days
        text = f"artefacts expire after {days} days, incomplete uploads after 1 day"
        return f"{text}{', earlier versions after 1 day' if self._is_versioned else ''}{_kept(rules)}"

    def cors(self) -> str:
        answer = self._configuration("get_bucket_cors") if self._wanted.cors_origins else {}
        rules = cors(answer.get("CORSRules", []), self._wanted)
        if rules is None:
            return ""
        if not self._dry_run:
            self._call("put_bucket_cors", CORSConfiguration={"CORSRules": rules})
        return f"pages of {', '.join(self._wanted.cors_origins)} may read downloads{_kept(rules)}"

    def _configuration(self, operation: str) -> dict[str, Any]:
        """What the bucket has of this; empty when it has none."""
        if not self._exists:
            return {}
        try:
            return self._call(operation)
        except ClientError as error:
            if code_of(error) in _NOTHING_YET:
                return {}
            raise

    def _call(self, operation: str, **params: Any) -> dict[str, Any]:
        return getattr(self._client, operation)(Bucket=self._bucket.name, **params)


def _tried(subject: str, step: Callable[[], str]) -> Step:
    try:
        return Step(subject, step())
    except ERRORS as error:
        if code_of(error) in _NOT_OFFERED:
            advice = "Do without it: Haulier removes expired artefacts and dead uploads by itself."
            return Step(subject, "", Fault("the store does not offer this", advice))
        return Step(subject, "", fault_of(error))


def _kept(rules: list[Rule]) -> str:
    """How many rules of others stay."""
    others = sum(not is_ours(rule) for rule in rules)
    return f"; {others} of others kept" if others else ""
