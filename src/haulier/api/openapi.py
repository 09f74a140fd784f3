"""The OpenAPI 3.1 document, made from the table of operations and the structs of the wire."""

import re
from typing import Any

import msgspec

from haulier import __version__
from haulier.api.notices.openapi_webhooks import MESSAGES, webhooks
from haulier.api.operations import OPERATIONS, Header, IdParameter, Operation, Reply, possible_errors
from haulier.api.problems import MEDIA_TYPE, problem_type
from haulier.errors import HaulierError
from haulier.wire import Problem

REF = "#/components/schemas/{name}"

Json = dict[str, Any]


def openapi(*, base_url: str) -> Json:
    """The document for an API at `base_url`."""
    shapes: set[type] = {Problem, *MESSAGES}
    for operation in OPERATIONS:
        shapes |= {shape for reply in operation.replies.values() for shape in reply.shapes}
        shapes |= set(operation.bodies)
    _, schemas = msgspec.json.schema_components(sorted(shapes, key=lambda shape: shape.__name__), ref_template=REF)
    paths: dict[str, Json] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, base_url=base_url)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Haulier",
            "version": __version__,
            "description": "Prepares downloads that take too long for one HTTP request.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base_url}],
        "security": [{"bearer": []}],
        "paths": paths,
        "webhooks": webhooks(reference=REF),
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "Any user name; the password is the token.",
                },
            },
        },
    }


def _operation(operation: Operation, *, base_url: str) -> Json:
    document: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": _parameters(operation),
        "responses": {str(status): _reply(reply) for status, reply in operation.replies.items()}
        | _problems(operation, base_url=base_url),
    }
    if operation.body:
        content: Json = {"schema": _one_of(operation.bodies), "example": msgspec.json.decode(operation.example)}
        document["requestBody"] = {"required": True, "content": {"application/json": content}}
    if not operation.secured:
        document["security"] = []
    elif operation.takes_basic:
        document["security"] = [{"bearer": []}, {"basic": []}]
    return document


def _parameters(operation: Operation) -> list[Json]:
    found: list[Json] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": f"The {name.removesuffix('_id')}'s id.",
            "schema": msgspec.json.schema(IdParameter),
        }
        for name in re.findall(r"\{(\w+)\}", operation.path)
    ]
    for field in msgspec.structs.fields(operation.query) if operation.query else ():
        schema = msgspec.json.schema(field.type)
        found.append(
            {
                "name": field.encode_name,
                "in": "query",
                "description": schema.pop("description", ""),
                "schema": schema if field.default is None else schema | {"default": field.default},
            }
        )
    found += [
        {"name": header.name, "in": "header", "description": header.description, "schema": {"type": "string"}}
        for header in operation.headers
    ]
    return found


def _reply(reply: Reply) -> Json:
    document: Json = {"description": reply.description}
    if reply.headers:
        document["headers"] = _headers(reply.headers)
    if reply.shapes:
        document["content"] = {"application/json": {"schema": _one_of(reply.shapes)}}
    elif reply.is_stream:
        document["content"] = {"text/event-stream": {"schema": {"type": "string"}}}
    elif reply.is_file:
        document["content"] = {"*/*": {}}
    return document


def _headers(headers: tuple[Header, ...]) -> Json:
    return {header.name: {"description": header.description, "schema": {"type": "string"}} for header in headers}


def _problems(operation: Operation, *, base_url: str) -> Json:
    """One answer for each status, with an example for each code that it can carry."""
    by_status: dict[str, list[type[HaulierError]]] = {}
    for error in possible_errors(operation):
        by_status.setdefault(str(error.status), []).append(error)
    # A status that is a proper answer as well (readiness) keeps that one.
    return {
        status: {
            "description": " or ".join(error.title for error in found),
            "content": {
                MEDIA_TYPE: {
                    "schema": _reference(Problem),
                    "examples": {
                        error.code: {"value": _example(error, operation, base_url=base_url)} for error in found
                    },
                }
            },
        }
        for status, found in by_status.items()
    }


def _example(error: type[HaulierError], operation: Operation, *, base_url: str) -> Json:
    return {
        "type": problem_type(error.code, base_url=base_url),
        "title": error.title,
        "status": error.status,
        "detail": error.sentence.replace("{{", "{").replace("}}", "}"),
        "instance": operation.path,
        "code": error.code,
        "request_id": "4f9c2e0a-5d0b-4c58-9d70-0a4b9d3c8f11",
    }


def _one_of(shapes: tuple[type, ...]) -> Json:
    references = [_reference(shape) for shape in shapes]
    return references[0] if len(references) == 1 else {"oneOf": references}


def _reference(shape: type) -> Json:
    return {"$ref": REF.format(name=shape.__name__)}
