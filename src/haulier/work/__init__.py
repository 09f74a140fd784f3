"""The worker: claims handed-over jobs, runs their preparers, publishes artefacts."""

from haulier.work.building import Builder
from haulier.work.desk import Workshop
from haulier.work.running import RunningAttempts, Stop
from haulier.work.worker import STOP_PATIENCE_S, Worker

__all__ = ["STOP_PATIENCE_S", "Builder", "RunningAttempts", "Stop", "Worker", "Workshop"]
