"""The documents are valid ones, and what a real server says is what they describe."""

import asyncio
import json
from copy import deepcopy
from typing import get_args

import msgspec
import pytest
from jsonschema import Draft7Validator, Draft202012Validator, ValidationError
from openapi_spec_validator import OpenAPIV31SpecValidator

from haulier.api.live.asyncapi import asyncapi
from haulier.api.live.streams import messages
from haulier.api.openapi import openapi
from haulier.wire_live import ClientMessage, ServerMessage
from tests.couriers import running_couriers
from tests.integration.api_steps import completed, failed
from tests.interoperability import node_packages
from tests.receiver import receiver, webhook
from tests.serving import serving
from tests.sockets import socket
from tests.waiting import eventually

__all__ = ["node_packages"]  # a fixture


@pytest.fixture
async def server(settings):
    async with serving(settings) as api:
        yield api


async def document(api, name):
    return (await api.http.get(f"/{name}.json")).json()


def conforms(described, schema, value):
    """Fail unless `value` is what `schema` of the document says."""
    schema = {**schema, "components": described["components"]}
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(value)


def payload(described, name):
    return described["components"]["messages"][name]["payload"]


@pytest.mark.node
@pytest.mark.timeout(180)
def test_asyncapi_is_valid(node_packages):
    schema = json.loads((node_packages / "@asyncapi/specs/schemas/3.0.0.json").read_text())
    validator = Draft7Validator(schema)
    described = json.loads(msgspec.json.encode(asyncapi(base_url="https://haulier.example/api")))
    assert [error.json_path for error in validator.iter_errors(described)] == []
    broken = deepcopy(described)
    broken["operations"]["tell_events"]["action"] = "shout"
    assert not validator.is_valid(broken)


def test_openapi_is_valid():
    described = json.loads(msgspec.json.encode(openapi(base_url="https://haulier.example")))
    assert [*OpenAPIV31SpecValidator(described).iter_errors()] == []
    del described["info"]["title"]
    assert next(OpenAPIV31SpecValidator(described).iter_errors())


async def test_answers_are_what_openapi_says(server):
    described = await document(server, "openapi")
    done, lost = await server.initiate(70_000), await server.initiate(70_001)
    await completed(server.services, done)
    await failed(server.services, lost)
    batch = await server.post("/v1/download/initiate", {"file_ids": [70_000, 70_002], "mode": "jobs"})
    answers = {
        ("/v1/download/initiate", "post"): batch,
        ("/v1/download/status/{job_id}", "get"): await server.status(lost),
        ("/v1/download/result/{job_id}", "get"): await server.get(f"/v1/download/result/{done}"),
        ("/v1/download/jobs", "get"): await server.get("/v1/download/jobs"),
        ("/v1/download/batch/{batch_id}", "get"): await server.get(f"/v1/download/batch/{batch.json()['batch_id']}"),
        ("/v1/download/check", "post"): await server.post("/v1/download/check", {"file_id": 1}),
        ("/v1/tickets", "post"): await server.post("/v1/tickets"),
        ("/health", "get"): await server.call("GET", "/health"),
    }
    for (path, method), answer in answers.items():
        content = described["paths"][path][method]["responses"][str(answer.status_code)]["content"]
        conforms(described, content[answer.headers["content-type"]]["schema"], answer.json())


async def test_event_streams_say_what_asyncapi_says(server):
    described = await document(server, "asyncapi")
    done, lost = await server.initiate(70_000), await server.initiate(70_001)

    async def tell(path, channel, heard):
        kinds = [ref["$ref"].rpartition("/")[2] for ref in described["channels"][channel]["messages"].values()]
        names = {described["components"]["messages"][kind]["name"]: kind for kind in kinds}
        bearer = {"Authorization": f"Bearer {server.token('anna')}"}
        async with server.http.stream("GET", path, headers=bearer, timeout=10) as answer:
            async for line in answer.aiter_lines():
                key, _, value = line.partition(": ")
                if key == "event":
                    heard.append(value)
                if key == "data":
                    conforms(described, payload(described, names[heard[-1]]), json.loads(value))

    one, every = [], []
    streams = [
        asyncio.create_task(tell(f"/v1/download/events/{done}", "job_events", one)),
        asyncio.create_task(tell("/v1/download/events", "events", every)),
    ]
    await eventually(lambda: one and "ready" in every)  # who is only followed may be told too late
    await completed(server.services, done)
    await failed(server.services, lost)
    await streams[0]
    server.stop()
    await streams[1]
    assert set(one) == {"status"}
    assert (every[-1], set(every)) == ("end", {"status", "ready", "end"})


async def test_a_websocket_says_what_asyncapi_says(server):
    described = await document(server, "asyncapi")
    job_id, lost = await server.initiate(70_000), await server.initiate(70_001)
    said = [
        {"type": "ping"},
        {"type": "subscribe", "job_id": job_id},
        {"type": "subscribe", "all": True},
        {"type": "subscribe", "job_id": "nix"},
        {"type": "auth", "token": server.token("anna")},
        {"type": "unsubscribe", "job_id": job_id},
        {"type": "unsubscribe", "all": True},
        {"type": "ping"},
    ]
    kinds = {"ready"}
    async with socket(server) as ws:
        for message in said:
            conforms(described, payload(described, message["type"]), message)
            await ws.connection.send(json.dumps(message))
            if message.get("all"):
                await completed(server.services, job_id) if message["type"] == "subscribe" else None
        await failed(server.services, lost)
        pongs = 0
        while pongs < 2:
            heard = await ws.hear()
            kinds.add(heard["type"])
            pongs += heard["type"] == "pong"
            conforms(described, payload(described, heard["type"]), heard)
    assert kinds == {"ready", "status", "subscribed", "unsubscribed", "pong", "error"}


async def test_webhooks_are_what_both_documents_say(settings):
    async with serving(settings, channel_allow_private=True) as server, receiver() as hook:
        described = {name: await document(server, name) for name in ("openapi", "asyncapi")}
        channel = await webhook(server, hook.url)
        done, lost = await server.initiate(70_000), await server.initiate(70_001)
        gone = await server.initiate(70_002)
        await server.post(f"/v1/channels/{channel['channel_id']}/test")
        async with running_couriers(server.services):
            await completed(server.services, done)
            await failed(server.services, lost)
            await server.call("DELETE", f"/v1/download/cancel/{gone}")
            told = [json.loads(seen.body) for seen in await hook.got(4)]
    assert sorted(each["type"] for each in told) == ["job.cancelled", "job.completed", "job.failed", "test"]
    for each in told:
        name = "test" if each["type"] == "test" else "outcome"
        conforms(described["asyncapi"], payload(described["asyncapi"], name), each)
        conforms(described["openapi"], posted(described["openapi"], name), each)
        other = "outcome" if name == "test" else "test"
        with pytest.raises(ValidationError):
            conforms(described["openapi"], posted(described["openapi"], other), each)


def posted(described, name):
    return described["webhooks"][name]["post"]["requestBody"]["content"]["application/json"]["schema"]


def test_every_message_of_the_wire_is_described():
    described = {message.shape for message in messages().values()}
    assert {*get_args(ClientMessage), *get_args(ServerMessage)} <= described
    for name, message in messages().items():
        tag = msgspec.inspect.type_info(message.shape).tag
        assert tag in (None, name)
