"""Turning a file name that a server told into one that is safe in a folder."""

import unicodedata

MAX_BYTES = 200  # leaves room for `.part.json` under the usual limit of 255


def safe_name(name: str, *, fallback: str) -> str:
    """`name` without separators, control and format characters and leading dots, at most 200 bytes; keeps a suffix.

    >>> safe_name("../../.ssh/Jahresbericht März.pdf", fallback="file")
    '_.._.ssh_Jahresbericht März.pdf'
    """
    kept = "".join(
        "_" if char in "/\\" else char for char in name if unicodedata.category(char)[0] != "C" or char in "/\\"
    )
    kept = kept.strip().lstrip(".").strip()
    if not kept.strip("_"):
        return fallback
    stem, dot, suffix = kept.rpartition(".")
    tail = (dot + suffix) if stem and len(suffix) <= 16 else ""
    head = kept.removesuffix(tail) if tail else kept
    return head.encode()[: MAX_BYTES - len(tail.encode())].decode(errors="ignore") + tail
