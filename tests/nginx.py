"""A real nginx in front of a server, with its defaults (buffering on), in a folder of its own."""

import asyncio
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from haulier.embedded.ports import free_port
from tests.waiting import eventually

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed; tests/setup installs it")

_CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass {target};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      {more}
    }}
  }}
}}
"""


@asynccontextmanager
async def nginx(folder: Path, *, target: str, more: str = "") -> AsyncGenerator[str]:
    """The address of an nginx that passes requests on to `target`; `more` are further lines of its location."""
    assert NGINX is not None
    folder.mkdir(parents=True)  # noqa: ASYNC240  a folder for a test
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port, target=target, more=more))
    process = await asyncio.create_subprocess_exec(NGINX, "-c", str(configuration), "-e", str(folder / "error.log"))
    try:

        async def listens() -> bool:
            assert process.returncode is None, (folder / "error.log").read_text()
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return True
            return False

        await eventually(listens)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()
