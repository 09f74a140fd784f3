"""What an `s3:` URL says: bucket, addresses for us and for clients, encryption. Pure."""

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qs, urlsplit

import msgspec

if TYPE_CHECKING:  # obstore has this name for type checkers only
    from obstore.store import S3Config

_OPTIONS = {
    "endpoint",
    "region",
    "style",
    "public_endpoint",
    "public_style",
    "sse",
    "sse_kms_key_id",
    "sse_bucket_key",
}
_STYLES = ("path", "virtual")
_ALGORITHMS = ("AES256", "aws:kms", "aws:kms:dsse")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_REGION = re.compile(r"[A-Za-z0-9-]+")
_VISIBLE = re.compile(r"[\x21-\x7e]{1,2048}")
_IP_ADDRESS = re.compile(r"[\d.]+|.*:.*")


class Encryption(msgspec.Struct, frozen=True):
    """Encryption that the store is asked for with each object; without an `algorithm` the bucket's own default."""

    algorithm: str = ""
    kms_key_id: str = ""
    uses_bucket_key: bool = False

    @property
    def store_options(self) -> "S3Config":
        """The same as options of obstore's S3 store."""
        options: S3Config = {}
        if self.algorithm:
            options["server_side_encryption"] = self.algorithm
        if self.kms_key_id:
            options["sse_kms_key_id"] = self.kms_key_id
        if self.uses_bucket_key:
            options["sse_bucket_key_enabled"] = True
        return options

    @property
    def put_extra(self) -> dict[str, Any]:
        """The same as parameters of PutObject and CreateMultipartUpload."""
        parameters: dict[str, Any] = {}
        if self.algorithm:
            parameters["ServerSideEncryption"] = self.algorithm
        if self.kms_key_id:
            parameters["SSEKMSKeyId"] = self.kms_key_id
        if self.uses_bucket_key:
            parameters["BucketKeyEnabled"] = True
        return parameters


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """Where a bucket is. `url` is its address without a trailing slash, the bucket's name included.

    `public_url` is the same as clients see it: links are signed for that address, and nothing else goes there.
    `endpoint` carries the bucket's name in virtual-hosted style, as obstore wants it.
    """

    name: str
    region: str
    url: str
    endpoint: str
    is_virtual: bool
    public_url: str
    encryption: Encryption = Encryption()

    @property
    def has_public_address(self) -> bool:
        """Whether clients use another address than we do."""
        return self.public_url != self.url

    @property
    def service(self) -> str:
        """The endpoint without the bucket's name, whatever the style."""
        return self.endpoint.replace(f"//{self.name}.", "//", 1) if self.is_virtual else self.endpoint


def parse_bucket(url: SplitResult, *, default_region: str) -> Bucket:
    """`s3://bucket?endpoint=…&region=…&style=…&public_endpoint=…&public_style=…&sse=…`, each option at most once.

    AWS is addressed in virtual-hosted style, an endpoint in path style unless `style` says otherwise; a public endpoint
    in the style of the endpoint unless `public_style` does. Raises ValueError with a sentence that repeats no value.
    """
    options = _options(url.query)
    if not url.netloc or url.path.strip("/") or "@" in url.netloc:
        raise ValueError("must name a bucket alone, as in s3://bucket; credentials come from the AWS environment")
    if not _NAME.fullmatch(url.netloc):
        raise ValueError("its bucket must have 3 to 63 letters, digits, dots, hyphens or underscores")
    region = options.get("region", default_region)
    if not _REGION.fullmatch(region):
        raise ValueError("its region must be made of letters, digits and hyphens")
    endpoint = _address(options, "endpoint", default=f"https://s3.{region}.{_domain(region)}")
    style = _style(options, "style", default="path" if "endpoint" in options else "virtual")
    if "public_style" in options and "public_endpoint" not in options:
        raise ValueError("its public_style must come with a public_endpoint")
    public_endpoint = _address(options, "public_endpoint", default=endpoint)
    hosted = _hosted(url.netloc, endpoint, style)
    return Bucket(
        name=url.netloc,
        region=region,
        url=hosted,
        endpoint=hosted if style == "virtual" else endpoint,
        is_virtual=style == "virtual",
        public_url=_hosted(url.netloc, public_endpoint, _style(options, "public_style", default=style)),
        encryption=_encryption(options),
    )


def _options(query: str) -> dict[str, str]:
    try:
        found = parse_qs(query, strict_parsing=True, keep_blank_values=True) if query else {}
    except ValueError:
        raise ValueError("its query is not valid") from None
    if unknown := found.keys() - _OPTIONS:
        # SSE-C is left out on purpose: each client would have to send the key along with a link.
        raise ValueError(f"there is no option {min(unknown)}; there are {', '.join(sorted(_OPTIONS))}")
    if doubled := [name for name, values in found.items() if len(values) > 1]:
        raise ValueError(f"its option {min(doubled)} must be given once")
    return {name: values[0] for name, values in found.items() if values[0]}


def _address(options: dict[str, str], name: str, *, default: str) -> str:
    address = options.get(name, default).rstrip("/")
    try:
        parts = urlsplit(address)
        valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, brackets that do not close
        raise ValueError(f"its {name} is not an address") from None
    if not valid or "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"its {name} must be an http:// or https:// address without credentials or a query")
    return address


def _style(options: dict[str, str], name: str, *, default: str) -> str:
    style = options.get(name, default)
    if style not in _STYLES:
        raise ValueError(f"its {name} must be path or virtual")
    return style


def _hosted(bucket: str, endpoint: str, style: str) -> str:
    """The bucket's address at `endpoint`."""
    if style == "path":
        return f"{endpoint}/{bucket}"
    parts = urlsplit(endpoint)
    if _IP_ADDRESS.fullmatch(parts.hostname or ""):
        raise ValueError("its style must be path: an IP address has no virtual hosts")
    return parts._replace(netloc=f"{bucket}.{parts.netloc}").geturl()


def _encryption(options: dict[str, str]) -> Encryption:
    algorithm = options.get("sse", "")
    if algorithm and algorithm not in _ALGORITHMS:
        raise ValueError(f"its sse must be one of {', '.join(_ALGORITHMS)}; keys of clients (SSE-C) are not supported")
    key_id = options.get("sse_kms_key_id", "")
    if key_id and (not algorithm.startswith("aws:kms") or not _VISIBLE.fullmatch(key_id)):
        raise ValueError("its sse_kms_key_id must be a key's id or ARN, and needs sse=aws:kms or aws:kms:dsse")
    bucket_key = options.get("sse_bucket_key", "false")
    if bucket_key not in {"true", "false"} or (bucket_key == "true" and algorithm != "aws:kms"):
        raise ValueError("its sse_bucket_key must be true or false, and needs sse=aws:kms")
    return Encryption(algorithm, key_id, bucket_key == "true")


def _domain(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
