"""The program that fault tests start instead of `haulier`: the same, with their preparers and their failpoints.

    python -m tests.faults.process --at claimed=kill:2 --at part_sent=delay:1 -- worker --concurrency 4

`kill:N` ends the process by SIGKILL when it gets to the point for the Nth time, `raise:N` raises there, `delay:S` waits
S seconds each time.
"""

import asyncio
import os
import signal
import sys
from collections import Counter
from contextlib import ExitStack

from haulier.cli import main
from haulier.errors import StorageUnavailable
from haulier.failpoints import Point, acting
from haulier.preparers.registry import Registry
from tests.faults.preparers import PREPARERS


class Failpoints:
    """Does what the command line says at each point."""

    def __init__(self, orders: list[str]) -> None:
        self._seen: Counter[Point] = Counter()
        self._orders: dict[Point, tuple[str, float]] = {}
        for order in orders:
            point, _, rest = order.partition("=")
            action, _, number = rest.partition(":")
            self._orders[Point(point)] = (action, float(number))

    async def __call__(self, point: Point) -> None:
        if point not in self._orders:
            return
        action, number = self._orders[point]
        self._seen[point] += 1
        if action == "delay":
            await asyncio.sleep(number)
        elif self._seen[point] == number:
            if action == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise StorageUnavailable


def run() -> None:
    ours, _, words = " ".join(sys.argv[1:]).partition("-- ")
    orders = [word for word in ours.split() if word != "--at"]
    installed = Registry.installed()
    with ExitStack() as stack:
        Registry.installed = classmethod(lambda cls: cls([*installed, *PREPARERS]))
        stack.enter_context(acting(Failpoints(orders)))
        sys.argv = ["haulier", *words.split()]
        main()


if __name__ == "__main__":
    run()
