"""`up --demo`: files to try, a rule for each preparer, and a slow origin to fetch from."""

import asyncio
import mimetypes
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from haulier import settings
from haulier.embedded.environment import is_set
from haulier.embedded.home import Home
from haulier.embedded.origin import Origin
from haulier.embedded.readings import readings_database
from haulier.embedded.sample import measurements, sample_files
from haulier.settings import Secret, variable
from haulier.storage import Storage, open_storage

CATALOGUE = "catalogue.toml"
ORIGIN_PATH = "/measurements-2026.csv"

# What the user may try, as `up` tells it.
FILES = {
    70000: "object: a ZIP that is in the store already",
    70001: "archive: a ZIP of twelve photos",
    70002: "archive: a ZIP of texts, tables and raw data",
    70003: "fetch: a table from a slow origin, 2 MB/s; kill the worker meanwhile, it completes",
    70004: "simulate: 20 seconds of nothing",
    70005: "simulate: fails twice, then succeeds",
    70006: "query: 250,000 readings of a database; params station, since, format",
}

RULES = '''\
# Rules of `haulier up --demo`, written at each start: copy this file and set HAULIER_CATALOGUE to change them.
# File 70000 needs no rule: without one, file N is object downloads/N.zip.

[[rule]]
ids = "70001"
preparer = "archive"
file_name = "photos-{{file_id}}.zip"
[rule.params]
prefix = "demo/photos/"

[[rule]]
ids = "70002"
preparer = "archive"
file_name = "reports-{{file_id}}.zip"
[rule.params]
prefix = "demo/reports/"

[[rule]]
ids = "70003"
preparer = "fetch"
[rule.params]
url = "{origin}"

[[rule]]
ids = "70004"
preparer = "simulate"
file_name = "patience-{{file_id}}.bin"
[rule.params]
seconds = 20
size_bytes = 5000000
stages = ["collecting", "sorting", "binding"]

[[rule]]
ids = "70005"
preparer = "simulate"
file_name = "perseverance-{{file_id}}.bin"
[rule.params]
seconds = 3
size_bytes = 1000
fail_attempts = 2

# Needs the demo's database: there is none when HAULIER_DATABASE_URL is your own server.
[[rule]]
ids = "70006"
preparer = "query"
file_name = "readings.csv"
[rule.params]
sql = """
select id, station, measured_at, temperature_c
from readings
where measured_at >= :since and (:station is null or station = :station)
"""
key = "id"
choices = ["format", "compression"]
decimals = {{ temperature_c = [5, 2] }}
[rule.params.parameters]
since = {{ type = "date", default = "2026-01-01", description = "Readings from this day on." }}
station = {{ type = "text", required = false, description = "Tromsø, Genève, Nairobi, Lima, Perth or Łódź." }}
'''


@asynccontextmanager
async def demonstrating(
    environ: Mapping[str, str], *, home: Home, postgres: Secret | None
) -> AsyncGenerator[dict[str, str]]:
    """Put the files into the store of `environ`, run the origin; answers the variables that children need for it.

    A catalogue of the user's own is left alone. The origin is on loopback, so `fetch` is allowed to go there.
    `postgres` is the embedded server, which gets a database to query; None: the server is the user's, and gets none.
    """
    storage = open_storage(settings.load(environ))
    await put_samples(storage, sample_files())
    content = await asyncio.to_thread(measurements, 2026, 1, days=56)
    async with Origin(content, path=ORIGIN_PATH, content_type="text/csv; charset=utf-8").serving() as url:
        catalogue = home.folder / CATALOGUE
        await asyncio.to_thread(_write, catalogue, RULES.format(origin=url))
        added = {"catalogue": str(catalogue), "fetch_allow_private": "true"}
        if postgres is not None and not is_set(environ, "query_database_url"):
            added["query_database_url"] = (await readings_database(postgres)).reveal()
        yield {variable(name): value for name, value in added.items() if not is_set(environ, name)}


async def put_samples(storage: Storage, files: Mapping[str, Callable[[], bytes]]) -> None:
    """Store what is not there yet; what the user changed stays."""
    for key, make in files.items():
        if await storage.head(key) is None:
            content = await asyncio.to_thread(make)
            name = key.rpartition("/")[2]
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            await storage.write(key, _once(content), file_name=name, content_type=kind)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
