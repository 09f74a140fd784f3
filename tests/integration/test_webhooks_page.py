"""docs/webhooks.md: its two receivers check what Haulier signs."""

import asyncio
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from haulier.destinations.webhook_keys import fresh_key, rotated, signatures
from haulier.embedded.ports import free_port
from haulier.notify.schedule import WAITS_S
from tests.waiting import eventually

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text("utf-8")
RECEIVER, RECIPE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
BODY = b'{"type":"test","timestamp":"2026-11-25T19:45:05.415Z","data":{"message":"hello"}}'


def headers(*keys, at=None):
    at = at or datetime.now(UTC)
    signed = signatures(keys, message_id="msg_1", at=at, body=BODY)
    return {"webhook-id": "msg_1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signed}


async def test_the_receiver_of_the_page_takes_what_is_signed_and_nothing_else(tmp_path):
    key, port = fresh_key("hmac"), free_port()
    script = tmp_path / "receive.py"
    script.write_text(RECEIVER.replace("9000", str(port)))
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), key.text, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:

            async def posted(**sent: Any) -> int:
                try:
                    return (await http.post("/hook", **sent)).status_code
                except httpx.TransportError:
                    return 0

            await eventually(lambda: posted(content=BODY))
            assert await posted(content=BODY, headers=headers(key)) == 204
            assert await posted(content=BODY + b" ", headers=headers(key)) == 401
        assert b"msg_1 test {'message': 'hello'}" in await process.stdout.readline()
    finally:
        process.kill()
        await process.wait()


def test_the_recipe_for_ed25519_takes_what_is_signed_and_nothing_else():
    names: dict[str, Any] = {}
    exec(RECIPE, names)
    is_genuine = names["is_genuine"]
    key, other = fresh_key("ed25519"), fresh_key("ed25519")
    assert is_genuine([key.public_text], headers(key), BODY)
    assert is_genuine([key.public_text], headers(*rotated([key], other, now=datetime.now(UTC))), BODY)
    assert not is_genuine([other.public_text], headers(key), BODY)
    assert not is_genuine([key.public_text], headers(key), BODY + b" ")
    assert not is_genuine([key.public_text], headers(key) | {"webhook-signature": "v1a,AAAA v1,x"}, BODY)
    assert not is_genuine([key.public_text], headers(key, at=datetime.now(UTC) - timedelta(minutes=6)), BODY)


def test_the_page_names_the_waits_between_attempts():
    words = [f"{seconds} s" if seconds < 60 else f"{seconds // 60} min" if seconds < 3_600 else f"{seconds // 3_600} h"
             for seconds in WAITS_S]  # fmt: skip
    assert ", ".join(words[:-1]) + f" and {words[-1]}" in PAGE.replace("\n", " ")
