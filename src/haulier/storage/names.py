"""How a download's name travels in a header. Pure."""

import re
from urllib.parse import quote

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029/\\]")
_MEDIA_TYPE = re.compile(r"[!#$%&'*+.^_`|~\w-]+/[!#$%&'*+.^_`|~\w-]+(?:[ \t]*;[\x20-\x7e]*)?", re.ASCII)
_ATTR_CHAR = "!#$&+-.^_`|~"  # RFC 8187 section 3.2.1, besides letters and digits


def content_disposition(file_name: str) -> str:
    """`attachment` with any Unicode `file_name` (RFC 6266): an ASCII `filename` and, if the name differs, `filename*`.

    Controls and path separators become `_`, so that no name can add a header or leave the folder it is saved to.
    """
    name = _UNSAFE.sub("_", file_name.encode("utf-8", "replace").decode()) or "file"
    # Old readers unescape neither quotes nor percent signs in the plain form; the exact name is in the other.
    plain = re.sub(r'[^\x20-\x7e]|["%]', "_", name)
    header = f'attachment; filename="{plain}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name, safe=_ATTR_CHAR)}"


def media_type(text: str) -> str:
    """`text` when it is a media type, application/octet-stream otherwise: origins may call their files anything."""
    return text if _MEDIA_TYPE.fullmatch(text) else "application/octet-stream"
