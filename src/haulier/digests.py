"""SHA-256 and MD5 that another process can go on with. Pure.

hashlib cannot save its state; the functions of OpenSSL that it calls can, since their state is plain memory. They are
called by ctypes, at hashlib's speed and without the GIL, once they have proved themselves against hashlib. Where they
are missing or differ, digests still work and `state` answers None: builds then start over instead of going on.
"""

import ctypes
import hashlib
import struct
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from typing import Any, Literal, Protocol

import msgspec

Name = Literal["sha-256", "md5"]

_LIBRARIES = ("libcrypto.so.3", "libcrypto.so.1.1")
_BLOCK_BYTES = 64  # of both algorithms
_COPY_BYTES = 1 << 16
_MEMORY_BYTES = 512  # several times what any version needs: a longer struct is found out before it does harm


class _Kind(msgspec.Struct, frozen=True):
    """An algorithm: OpenSSL's struct (words of state, bits as two words, block, bytes in it), and our tag for it."""

    prefix: str
    words: int
    layout: struct.Struct
    tag: int


_KINDS: dict[str, _Kind] = {
    "sha-256": _Kind("SHA256", 8, struct.Struct("=8I2I64s2I"), 1),
    "md5": _Kind("MD5", 4, struct.Struct("=4I2I64sI"), 2),
}


class _Engine(Protocol):
    def update(self, content: bytes) -> None: ...

    def digest(self) -> bytes: ...

    def state(self) -> bytes | None: ...


class ResumableDigest:
    """A digest of bytes, at hashlib's speed, whose `state` another one can start from. One call at a time.

    Raises ValueError for a `state` that is not one of this digest, or when this machine cannot go on with any.
    """

    def __init__(self, name: Name, state: bytes | None = None) -> None:
        self.name = name
        self._engine = _engine(name, state)

    def update(self, content: bytes | memoryview) -> None:
        """Add bytes; releases the GIL meanwhile. A memoryview is copied in small pieces."""
        if isinstance(content, bytes):
            self._engine.update(content)
            return
        for piece in _pieces(content):
            self._engine.update(piece)

    def digest(self) -> bytes:
        """The digest of all bytes so far; more may follow."""
        return self._engine.digest()

    def hexdigest(self) -> str:
        """`digest` in hexadecimal digits."""
        return self.digest().hex()

    def state(self) -> bytes | None:
        """At most 104 bytes to go on from, the same on every machine; None when this one cannot save any."""
        return self._engine.state()


def can_resume() -> bool:
    """Whether digests of this process have states."""
    return all(_functions(name) is not None for name in _KINDS)


def _engine(name: str, state: bytes | None) -> _Engine:
    functions = _functions(name)
    if functions is not None:
        return _OpenSsl(_KINDS[name], functions, state)
    if state is not None:
        raise ValueError("this machine cannot go on with a digest")
    return _Hashlib(name)


class _Hashlib:
    """hashlib's digest, which has no state to save."""

    def __init__(self, name: str) -> None:
        self._hash: Any = _new(name)

    def update(self, content: bytes) -> None:
        self._hash.update(content)

    def digest(self) -> bytes:
        return self._hash.digest()

    def state(self) -> bytes | None:
        return None


class _Functions(msgspec.Struct, frozen=True):
    """OpenSSL's three functions of one algorithm."""

    init: Any
    update: Any
    final: Any


class _OpenSsl:
    """A digest in OpenSSL's own struct.

    Its saved form is ours, so that neither OpenSSL's version nor the processor matters: a tag, the bytes so far (8,
    big-endian), the words (4 each, big-endian), and the beginning of the block that is not full yet.
    """

    def __init__(self, kind: _Kind, functions: _Functions, state: bytes | None = None) -> None:
        self._kind = kind
        self._functions = functions
        self._memory = ctypes.create_string_buffer(_MEMORY_BYTES)
        functions.init(self._memory)
        if state is not None:
            self._restore(state)

    def update(self, content: bytes) -> None:
        self._functions.update(self._memory, content, len(content))

    def digest(self) -> bytes:
        copy = ctypes.create_string_buffer(self._memory.raw, _MEMORY_BYTES)
        answer = ctypes.create_string_buffer(64)
        self._functions.final(answer, copy)
        return answer.raw[: self._kind.words * 4]

    def state(self) -> bytes:
        words = self._kind.words
        fields = self._kind.layout.unpack_from(self._memory)
        low, high, block, held = fields[words : words + 4]
        size = (high << 32 | low) >> 3
        return struct.pack(f">BQ{words}I", self._kind.tag, size, *fields[:words]) + block[:held]

    def overflows(self) -> bool:
        """Whether OpenSSL's struct is longer than we know it."""
        return any(self._memory.raw[self._kind.layout.size :])

    def _restore(self, state: bytes) -> None:
        words, head = self._kind.words, struct.Struct(f">BQ{self._kind.words}I")
        if len(state) < head.size:
            raise ValueError("not the state of a digest")
        tag, size, *numbers = head.unpack_from(state)
        block = state[head.size :]
        if tag != self._kind.tag or len(block) != size % _BLOCK_BYTES or size >> 61:
            raise ValueError("not the state of this digest")
        bits = size << 3
        # What `init` wrote behind these fields (the digest's length) stays.
        rest = self._kind.layout.unpack_from(self._memory)[words + 4 :]
        self._kind.layout.pack_into(self._memory, 0, *numbers, bits & 0xFFFFFFFF, bits >> 32, block, len(block), *rest)


@cache
def _functions(name: str) -> _Functions | None:
    """OpenSSL's functions when they work as we think, None otherwise."""
    for library in _libraries():
        functions = _functions_of(library, _KINDS[name].prefix)
        if functions is not None and _is_right(name, functions):
            return functions
    return None


def _libraries() -> Iterator[ctypes.CDLL]:
    """Python's own OpenSSL, found behind hashlib's module; where that is built in, the system's."""
    found = find_spec("_hashlib")
    for path in (found.origin if found else None, *_LIBRARIES):
        if path is not None:
            try:
                yield ctypes.CDLL(path)
            except OSError:
                continue


def _functions_of(library: ctypes.CDLL, prefix: str) -> _Functions | None:
    try:
        init, update, final = (getattr(library, f"{prefix}_{verb}") for verb in ("Init", "Update", "Final"))
    except AttributeError:
        return None
    init.argtypes = [ctypes.c_void_p]
    update.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    final.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    return _Functions(init, update, final)


def _is_right(name: str, functions: _Functions) -> bool:
    """Compare with hashlib: cuts within and between blocks, each with its state saved and restored."""
    text = bytes(range(256)) * 3
    for cut in (0, 1, 55, 56, 63, 64, 65, 128, 700):
        before = _OpenSsl(_KINDS[name], functions)
        before.update(text[:cut])
        if before.overflows() or before.digest() != _new(name, text[:cut]).digest():
            return False
        try:
            after = _OpenSsl(_KINDS[name], functions, before.state())
        except ValueError:
            return False
        after.update(text[cut:])
        if after.digest() != _new(name, text).digest():
            return False
    return True


def _new(name: str, content: bytes = b"") -> Any:
    return hashlib.sha256(content) if name == "sha-256" else hashlib.md5(content, usedforsecurity=False)


def _pieces(content: memoryview) -> Iterator[bytes]:
    view = content.cast("B")
    for at in range(0, len(view), _COPY_BYTES):
        yield bytes(view[at : at + _COPY_BYTES])
