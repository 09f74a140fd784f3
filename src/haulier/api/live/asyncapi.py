"""The AsyncAPI 3.0 document, made from the table of streams and the structs of the wire."""

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec

from haulier import __version__
from haulier.api.live.streams import STREAMS, Message, Stream, messages
from haulier.api.openapi import REF
from haulier.wire_live import CloseCode

Json = dict[str, Any]


def asyncapi(*, base_url: str) -> Json:
    """The document for an API at `base_url`."""
    table = STREAMS
    known = messages()
    shapes = sorted({message.shape for message in known.values()}, key=lambda shape: shape.__name__)
    _, schemas = msgspec.json.schema_components(shapes, ref_template=REF)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Haulier",
            "version": __version__,
            "description": "Jobs as they change: server-sent events, a WebSocket, webhooks.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": _servers(base_url),
        "channels": {stream.name: _channel(stream) for stream in table},
        "operations": {name: each for stream in table for name, each in _operations(stream).items()},
        "components": {
            "messages": {name: _message(message) for name, message in known.items()},
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "ticket": {
                    "type": "httpApiKey",
                    "name": "ticket",
                    "in": "query",
                    "description": "From POST /v1/tickets: opens one connection within 30 s.",
                },
            },
        },
    }


def _servers(base_url: str) -> Json:
    place = urlsplit(base_url)
    secure = "s" if place.scheme == "https" else ""
    path = {"pathname": place.path} if place.path else {}
    security = [{"$ref": "#/components/securitySchemes/bearer"}]
    ticket = [{"$ref": "#/components/securitySchemes/ticket"}]
    return {
        "http": {"host": place.netloc, "protocol": f"http{secure}", **path, "security": security},
        "websocket": {"host": place.netloc, "protocol": f"ws{secure}", **path, "security": security + ticket},
    }


def _channel(stream: Stream) -> Json:
    channel: Json = {
        "address": stream.address,
        "summary": stream.summary,
        "messages": {
            message.name: {"$ref": f"#/components/messages/{message.name}"}
            for message in (*stream.sends, *stream.receives)
        },
    }
    if stream.address is None:
        return channel
    channel["servers"] = [{"$ref": f"#/servers/{'websocket' if stream.is_socket else 'http'}"}]
    parameters = re.findall(r"\{(\w+)\}", stream.address)
    if parameters:
        channel["parameters"] = {name: {"description": f"The {name.removesuffix('_id')}'s id."} for name in parameters}
    if stream.is_socket:
        channel["description"] = "Close codes: " + " ".join(f"{code.value} {code.reason}" for code in CloseCode)
        channel["bindings"] = {"ws": {"method": "GET", "query": _query(stream), "bindingVersion": "0.1.0"}}
    return channel


def _operations(stream: Stream) -> Json:
    """What the API does there: tell, and on a socket hear."""
    channel = f"#/channels/{stream.name}"
    told: Json = {
        "action": "send",
        "channel": {"$ref": channel},
        "summary": stream.summary,
        "messages": [{"$ref": f"{channel}/messages/{message.name}"} for message in stream.sends],
    }
    if stream.address is not None and not stream.is_socket:
        told["bindings"] = {"http": {"method": "GET", "query": _query(stream), "bindingVersion": "0.3.0"}}
    if not stream.receives:
        return {f"tell_{stream.name}": told}
    heard: Json = {
        "action": "receive",
        "channel": {"$ref": channel},
        "summary": "What a client says.",
        "messages": [{"$ref": f"{channel}/messages/{message.name}"} for message in stream.receives],
    }
    return {f"tell_{stream.name}": told, f"hear_{stream.name}": heard}


def _query(stream: Stream) -> Json:
    if stream.query is None:
        return {"type": "object", "properties": {}}
    fields = msgspec.structs.fields(stream.query)
    return {"type": "object", "properties": {each.encode_name: msgspec.json.schema(each.type) for each in fields}}


def _message(message: Message) -> Json:
    document: Json = {
        "name": message.event or message.name,
        "title": message.name,
        "summary": message.summary,
        "payload": {"$ref": REF.format(name=message.shape.__name__)},
    }
    headers: Json = {header.name: {"type": "string", "description": header.description} for header in message.headers}
    if message.event:
        headers["event"] = {"type": "string", "const": message.event}
    if message.id_:
        headers["id"] = {"type": "string", "description": message.id_}
    if headers:
        document["headers"] = {"type": "object", "properties": headers}
    return document
