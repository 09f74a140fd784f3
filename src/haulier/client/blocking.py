"""The client for programs without an event loop: the same calls, the same code, each waiting for its answer.

Every method here is one of `Client`, run in an event loop of a thread of its own, so it works beside a running loop too
(a notebook). Signatures are those of the originals: a type checker sees them, and they cannot drift apart.
"""

import concurrent.futures
import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from haulier.client.batches import Batches
from haulier.client.channels import Channels
from haulier.client.client import Client
from haulier.client.dead_letters import DeadLetters
from haulier.client.patience import Patience
from haulier.client.transport import Token

P = ParamSpec("P")
T = TypeVar("T")
Async = TypeVar("Async", covariant=True)
_DONE: Any = object()


class Runner:
    """The thread and its event loop, during a `with` block."""

    def __init__(self) -> None:
        self._portal: BlockingPortal | None = None
        self._iterated: set[AsyncGenerator[Any]] = set()

    def run(self, call: Callable[[], Awaitable[T]]) -> T:
        """Run `call` to its end; Ctrl-C while it waits cancels it."""
        if self._portal is None:
            raise RuntimeError("use the client in a block: with SyncClient(url, token=token) as client")
        future = self._portal.start_task_soon(call)
        try:
            return future.result()
        except BaseException:
            if future.cancel():
                concurrent.futures.wait([future])
            raise

    def begin(self, items: AsyncGenerator[Any]) -> None:
        """`items` are asked for one by one; those that nobody ends are ended with the block."""
        self._iterated.add(items)

    def end(self, items: AsyncGenerator[Any]) -> None:
        """No more of `items`; also fine after the block, which has ended them."""
        if items in self._iterated:
            self._iterated.discard(items)
            self.run(items.aclose)

    def end_all(self) -> None:
        for items in list(self._iterated):
            with suppress(RuntimeError):  # another thread waits for an item: the end of the loop ends that
                self.end(items)

    def open(self, stack: ExitStack) -> None:
        self._portal = stack.enter_context(start_blocking_portal())
        stack.callback(self._close)

    def _close(self) -> None:
        self._portal = None


class _Blocking(Protocol[Async]):
    """Something that runs the calls of an asynchronous twin."""

    _runner: Runner
    _twin: Async


def _call(method: Callable[Concatenate[Async, P], Awaitable[T]]) -> Callable[Concatenate[_Blocking[Async], P], T]:
    """`method` of the twin, waited for."""

    @functools.wraps(method)
    def blocking(self: _Blocking[Async], /, *args: P.args, **values: P.kwargs) -> T:
        return self._runner.run(lambda: method(self._twin, *args, **values))  # pyright: ignore[reportPrivateUsage]

    return blocking


def _iterate(
    method: Callable[Concatenate[Async, P], AsyncGenerator[T]],
) -> Callable[Concatenate[_Blocking[Async], P], Iterator[T]]:
    """`method` of the twin, each item waited for; leaving the loop ends it."""

    @functools.wraps(method)
    def blocking(self: _Blocking[Async], /, *args: P.args, **values: P.kwargs) -> Iterator[T]:
        runner = self._runner  # pyright: ignore[reportPrivateUsage]
        items = method(self._twin, *args, **values)  # pyright: ignore[reportPrivateUsage]
        runner.begin(items)
        try:
            while (item := runner.run(lambda: anext(items, _DONE))) is not _DONE:
                yield item
        finally:
            runner.end(items)

    return blocking


class SyncBatches:
    """`Batches`, each call waiting for its answer."""

    def __init__(self, twin: Batches, runner: Runner) -> None:
        self._twin = twin
        self._runner = runner

    initiate = _call(Batches.initiate)
    get = _call(Batches.get)
    cancel = _call(Batches.cancel)


class SyncChannels:
    """`Channels`, each call waiting for its answer."""

    def __init__(self, twin: Channels, runner: Runner) -> None:
        self._twin = twin
        self._runner = runner

    add_webhook = _call(Channels.add_webhook)
    add_email = _call(Channels.add_email)
    add_apprise = _call(Channels.add_apprise)
    confirm = _call(Channels.confirm)
    send_code = _call(Channels.send_code)
    kinds = _call(Channels.kinds)
    all = _call(Channels.all)
    get = _call(Channels.get)
    change = _call(Channels.change)
    remove = _call(Channels.remove)
    rotate = _call(Channels.rotate)
    enable = _call(Channels.enable)
    test = _call(Channels.test)
    deliveries = _call(Channels.deliveries)
    redeliver = _call(Channels.redeliver)


class SyncDeadLetters:
    """`DeadLetters`, each call waiting for its answer."""

    def __init__(self, twin: DeadLetters, runner: Runner) -> None:
        self._twin = twin
        self._runner = runner

    page = _call(DeadLetters.page)
    get = _call(DeadLetters.get)
    retry = _call(DeadLetters.retry)
    retry_matching = _call(DeadLetters.retry_matching)


class SyncClient:
    """`Client` for programs without an event loop: `with SyncClient(url, token=…) as client: client.download(70_000)`.

    Callbacks (`on_progress`, `on_wait`, a `token` function) are called in the client's own thread.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Token,
        patience: Patience | None = None,
        timeout_s: float = 30.0,
        on_wait: Callable[[str, float], None] = lambda _reason, _wait_s: None,
    ) -> None:
        self._twin = Client(url, token=token, patience=patience, timeout_s=timeout_s, on_wait=on_wait)
        self._runner = Runner()
        self._stack = ExitStack()
        self.batches = SyncBatches(self._twin.batches, self._runner)
        self.channels = SyncChannels(self._twin.channels, self._runner)
        self.dead_letters = SyncDeadLetters(self._twin.dead_letters, self._runner)

    def __enter__(self) -> Self:
        self._runner.open(self._stack)
        self._stack.callback(lambda: self._runner.run(self._twin.aclose))
        self._stack.callback(self._runner.end_all)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    initiate = _call(Client.initiate)
    status = _call(Client.status)
    follow = _iterate(Client.follow)
    wait = _call(Client.wait)
    follow_all = _iterate(Client.follow_all)
    result = _call(Client.result)
    receipt = _call(Client.receipt)
    receipt_keys = _call(Client.receipt_keys)
    cancel = _call(Client.cancel)
    retry = _call(Client.retry)
    check = _call(Client.check)
    jobs = _call(Client.jobs)
    download = _call(Client.download)
    save = _call(Client.save)
    save_into = _call(Client.save_into)
