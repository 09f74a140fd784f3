"""One file on its way from an HTTP origin: its bytes in order, each once, from wherever an earlier transfer ended.

An interruption is followed by at most RESUMES more requests for the rest (`Range` with `If-Range`). An origin that
sends the whole again in the same version is read past what has come already; one that has another version now ends
the transfer with SourceChanged: bytes of two versions are never mixed.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import httpx

from haulier.errors import AttemptError, SourceChanged, SourceTooLarge, SourceTruncated, SourceUnavailable
from haulier.preparers.headers import Answer, content_length, content_range, is_past_end, read_answer, validator
from haulier.preparers.origin import Origin
from haulier.preparers.port import Build

RESUMES = 5
FIRST_PAUSE_S = 0.1  # doubled from one resume to the next: 0.1 to 1.6 s


class Download:
    """`done` bytes have come, or came to an earlier attempt; `answer` is the first that the origin gave."""

    def __init__(self, build: Build, origin: Origin, *, max_bytes: int, answer: Answer | None = None) -> None:
        self._report = build.report
        self._origin = origin
        self._limit = max_bytes
        self._answer = answer
        self._total = answer.size if answer else None
        self._interruption: AttemptError | None = None
        self.done = 0

    @property
    def answer(self) -> Answer:
        """What the origin said first; known once `transfer` has yielded."""
        assert self._answer is not None
        return self._answer

    async def transfer(self, *, start: int = 0) -> AsyncGenerator[bytes, None]:
        """An empty chunk once the origin has answered, then its bytes from `start` on."""
        self.done = start
        self._report(done=start, total=self._total, stage="fetching")
        if self.done == self._total:
            yield b""
            return
        async with aclosing(self._first()) as first:
            async for chunk in first:
                yield chunk
        for resume in range(RESUMES):
            if self._interruption is None:
                return
            await self._origin.pause(FIRST_PAUSE_S * 2**resume)
            async with aclosing(self._rest()) as rest:
                async for chunk in rest:
                    yield chunk
        if self._interruption is not None:
            raise self._interruption

    async def _first(self) -> AsyncGenerator[bytes, None]:
        validator = self._answer.validator if self._answer else None
        async with self._origin.get(start=self.done, if_range=validator) as response:
            if self._answer is None:
                self._learn(response)
            skip = self._skip(response)
            yield b""
            async with aclosing(self._body(response, skip=skip)) as body:
                async for chunk in body:
                    yield chunk

    async def _rest(self) -> AsyncGenerator[bytes, None]:
        """What is missing still, as far as it comes."""
        if self._interruption is not None and self.done and self.answer.validator is None:
            raise self._interruption
        try:
            async with (
                self._origin.get(start=self.done, if_range=self.answer.validator) as response,
                aclosing(self._body(response, skip=self._skip(response))) as body,
            ):
                async for chunk in body:
                    yield chunk
        except SourceUnavailable as error:
            self._interruption = error

    async def _body(self, response: httpx.Response, *, skip: int) -> AsyncGenerator[bytes, None]:
        """The body's bytes after the first `skip`; a connection that breaks ends them and leaves the reason in
        `_interruption`."""
        self._interruption = None
        if is_past_end(response, size=self.done):
            return
        try:
            async with aclosing(self._origin.read(response)) as body:
                async for piece in body:
                    chunk, skip = piece[skip:], max(0, skip - len(piece))
                    self._count(len(chunk))
                    if chunk:
                        yield chunk
        except httpx.TimeoutException:
            self._interruption = self._unavailable(f"no more bytes within {self._origin.patience.each_s:g} s")
            return
        except httpx.TransportError:
            self._interruption = self._unavailable("the connection broke")
        self._judge(missing_again=skip)

    def _judge(self, *, missing_again: int) -> None:
        """Compare what has come with what should have, when a body ended before so many bytes came again."""
        got, expected = self.done - missing_again, self.done if self._total is None else self._total
        if got < expected:
            self._interruption = SourceTruncated(name=self._origin.name, got=got, expected=expected)
        elif self._total is not None:
            self._interruption = None  # a connection that breaks after the last byte does no harm

    def _learn(self, response: httpx.Response) -> None:
        """Keep what the first answer says about the file."""
        if response.status_code != 200:
            raise self._unavailable(f"it answered {response.status_code}")
        self._answer = read_answer(response)
        self._total = self._answer.size
        if self._total is not None and self._total > self._limit:
            raise SourceTooLarge(name=self._origin.name, limit_bytes=self._limit)

    def _skip(self, response: httpx.Response) -> int:
        """How many bytes of the answer have come before: all of them when it is the whole again, none of a range.

        Raises SourceChanged unless it is the same version and goes on exactly where the bytes so far ended.
        """
        if response.status_code == 200 and self._is_whole(response):
            return self.done
        if response.status_code == 206 and self._is_rest(response):
            return 0
        if is_past_end(response, size=self.done) and self._total is None:
            return 0
        raise SourceChanged(name=self._origin.name)

    def _is_whole(self, response: httpx.Response) -> bool:
        same_version = self.answer.validator in {None, validator(response)}
        return same_version and (self._total is None or content_length(response) in {None, self._total})

    def _is_rest(self, response: httpx.Response) -> bool:
        part = content_range(response)
        if part is None or part.start != self.done or not self._is_same_version(response):
            return False
        if self._total is None:
            self._total = part.total
        return part.total in {None, self._total}

    def _is_same_version(self, response: httpx.Response) -> bool:
        """Whether an answer to `If-Range` does not contradict it; it may leave the validator out."""
        header = "etag" if (self.answer.validator or "").startswith('"') else "last-modified"
        return response.headers.get(header) in {None, self.answer.validator}

    def _count(self, size: int) -> None:
        self.done += size
        if self.done > self._limit:
            raise SourceTooLarge(name=self._origin.name, limit_bytes=self._limit)
        if self._total is not None and self.done > self._total:
            raise SourceChanged(name=self._origin.name)
        self._report(done=self.done, total=self._total, stage="fetching")

    def _unavailable(self, reason: str) -> SourceUnavailable:
        return SourceUnavailable(name=self._origin.name, reason=reason)
