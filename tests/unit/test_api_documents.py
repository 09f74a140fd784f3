"""OpenAPI and the API's page say what the table of operations and the list of errors say."""

import re
from pathlib import Path
from typing import Any

import pytest

from haulier.api.documents import document_operations
from haulier.api.live.asyncapi import asyncapi
from haulier.api.openapi import openapi
from haulier.api.operations import OPERATIONS, possible_errors
from haulier.errors import AttemptError, HaulierError, every_error
from haulier.settings import load

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
NOT_ON_THE_WIRE = {"configuration", "home_in_use", "migration", "not_verifiable", "verification_failed"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi(base_url="https://haulier.example")


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {value["$ref"]} if "$ref" in value else set().union(*map(references, value.values()), set())
    if isinstance(value, list):
        return set().union(*map(references, value), set())
    return set()


def test_every_reference_of_openapi_resolves(document):
    found = references(document)
    assert {name.removeprefix("#/components/schemas/") for name in found} <= document["components"]["schemas"].keys()
    assert "#/components/schemas/JobStatus" in found


def test_every_reference_of_asyncapi_resolves():
    described = asyncapi(base_url="https://haulier.example/api")
    for reference in references(described):
        found = described
        for name in reference.removeprefix("#/").split("/"):
            found = found[name]
    assert described["servers"]["websocket"] | {"security": []} == {
        "host": "haulier.example",
        "protocol": "wss",
        "pathname": "/api",
        "security": [],
    }


def test_every_operation_is_described_once(document):
    described = [call["operationId"] for path in document["paths"].values() for call in path.values()]
    assert sorted(described) == sorted(operation.name for operation in OPERATIONS)
    assert document["openapi"] == "3.1.0"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_error_of_a_call_stands_with_its_code(document, operation):
    responses = document["paths"][operation.path][operation.method.lower()]["responses"]
    for error in possible_errors(operation):
        examples = responses[str(error.status)]["content"]["application/problem+json"]["examples"]
        assert examples[error.code]["value"]["status"] == error.status


def test_path_parameters_are_declared(document):
    for path, calls in document["paths"].items():
        for call in calls.values():
            declared = {each["name"] for each in call["parameters"] if each["in"] == "path"}
            assert declared == set(re.findall(r"\{(\w+)\}", path))


def test_the_messages_of_webhooks_are_described(document):
    bodies = [call["post"]["requestBody"]["content"]["application/json"] for call in document["webhooks"].values()]
    assert {body["schema"]["$ref"].rpartition("/")[2] for body in bodies} == {"OutcomeMessage", "TrialMessage"}
    assert "Outcome" in document["components"]["schemas"]


def test_documents_can_be_switched_off():
    assert document_operations(load({}, docs=False)) == ()


def rows(heading: str) -> dict[str, str]:
    """Code -> status of the table below `heading` of the API's page."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return {code: status for status, code in re.findall(r"^\| (\d{3}|-) \| `(\w+)` \|", section, re.MULTILINE)}


def answered() -> list[type[HaulierError]]:
    return [each for each in every_error() if not issubclass(each, AttemptError) and each.code not in NOT_ON_THE_WIRE]


def test_the_page_lists_every_error_of_the_wire():
    assert rows("Errors") == {error.code: str(error.status) for error in answered()}


def test_the_page_lists_every_reason_of_a_failed_job():
    assert set(rows("Why a job failed")) == {error.code for error in every_error() if issubclass(error, AttemptError)}


def test_the_page_names_every_call():
    for operation in OPERATIONS:
        assert f"`{operation.method} {operation.path}" in PAGE
