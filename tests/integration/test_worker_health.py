"""A worker's health over HTTP, asked of a real worker."""

import httpx
import msgspec

from haulier.embedded.ports import free_port
from haulier.settings import Secret
from tests.integration.house import worker
from tests.waiting import eventually


async def asked(port, path="/health/ready"):
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        answer = await http.get(path)
        return answer.status_code, answer.json()


async def test_a_worker_that_takes_jobs_is_ready(settings, ledger):
    settings = msgspec.structs.replace(settings, worker_port=free_port())
    async with worker(settings, ledger):
        await eventually(lambda: _is_ready(settings.worker_port))
        status, health = await asked(settings.worker_port, "/health")
    assert (status, health["status"]) == (200, "ok")
    assert health["checks"].keys() == {"ledger", "engine", "storage", "slots", "loop"}


async def test_a_worker_without_redis_lives_and_is_not_ready(settings, ledger):
    away = Secret(f"redis://127.0.0.1:{free_port()}")
    settings = msgspec.structs.replace(settings, worker_port=free_port(), redis_url=away)
    async with worker(settings, ledger):
        assert (await asked(settings.worker_port, "/health"))[0] == 200
        status, health = await asked(settings.worker_port)
    assert (status, health["status"]) == (503, "unready")
    assert health["checks"]["slots"]["status"] == "failing"


async def test_a_port_that_is_taken_does_not_stop_a_worker(settings, ledger):
    settings = msgspec.structs.replace(settings, worker_port=free_port())
    async with worker(settings, ledger), worker(settings, ledger):
        assert (await asked(settings.worker_port, "/health"))[0] == 200


async def _is_ready(port):
    return (await asked(port))[0] == 200
