"""The engine: BullMQ on Redis or Valkey behind our interface. Nothing else in Haulier imports bullmq."""

from haulier.engine.contact import RunnerState
from haulier.engine.queue import Depth, Engine
from haulier.engine.runner import GivenUp, Runner

__all__ = ["Depth", "Engine", "GivenUp", "Runner", "RunnerState"]
