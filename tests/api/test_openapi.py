"""The document of the API: complete, true to its own examples, and the same as the committed one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from gateway import __version__
from gateway.api.document.building import document
from gateway.api.document.refusals import SPECIFIC
from gateway.api.errors import STATUS
from tests.api.house import Straw

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"
DOCUMENT = document(__version__)
OPERATIONS: dict[str, dict[str, Any]] = {
    operation["operationId"]: operation for path in DOCUMENT["paths"].values() for operation in path.values()
}
ROWS = 51
"""The contract's table has 52; the two cancels are one route."""


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """A part of the document, or the one it points at."""
    if set(part) != {"$ref"}:
        return part
    found: Any = DOCUMENT
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found  # type: ignore[no-any-return]


def answers(operation: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    for status, answer in operation["responses"].items():
        yield int(status), resolved(answer)


def shown(operation: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Every example of an operation's body and answers, with the schema it stands under."""
    parts = [operation.get("requestBody", {}), *(answer for _, answer in answers(operation))]
    for part in parts:
        for media in part.get("content", {}).values():
            for example in media.get("examples", {}).values():
                yield media.get("schema", media.get("itemSchema")), example["value"]


def test_the_committed_document_is_the_one_the_code_means() -> None:
    committed = json.loads(COMMITTED.read_text(encoding="utf-8"))
    assert committed == json.loads(json.dumps(DOCUMENT)), "run: make docs"


async def test_the_service_shows_the_same_document(straw: Straw) -> None:
    assert (await straw.ask("GET", "/openapi.json")).json() == json.loads(json.dumps(DOCUMENT))


def test_every_row_of_the_contract_is_an_operation_with_a_name_of_its_own() -> None:
    assert len(OPERATIONS) == sum(len(path) for path in DOCUMENT["paths"].values()) == ROWS


def test_every_operation_says_what_it_is_for() -> None:
    assert [name for name, operation in OPERATIONS.items() if not operation.get("description")] == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_body_and_every_answer_has_an_example_that_fits(name: str) -> None:
    operation = OPERATIONS[name]
    examples = list(shown(operation))
    assert len(examples) >= 1 + ("requestBody" in operation)
    for schema, example in examples:
        whole = {**schema, "components": DOCUMENT["components"]}
        assert [str(error) for error in jsonschema_rs.Draft202012Validator(whole).iter_errors(example)] == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_refusal_is_a_problem_whose_codes_belong_to_its_status(name: str) -> None:
    for status, answer in answers(OPERATIONS[name]):
        if "application/problem+json" in answer["content"]:
            named = answer["content"]["application/problem+json"]["schema"]["properties"]
            assert named["status"] == {"const": status}
            assert {STATUS[code] for code in named["code"]["enum"]} == {status}
        else:
            assert status in (200, 202, 503)


def test_whoever_must_say_who_they_are_can_read_how() -> None:
    schemes = DOCUMENT["components"]["securitySchemes"]
    for name, operation in OPERATIONS.items():
        assert {scheme for way in operation["security"] for scheme in way} <= set(schemes)
        assert bool(operation["security"]) is ("401" in operation["responses"]), name
    assert OPERATIONS["receive_order_update"]["security"] == [{"webhook_signature": []}]


def test_every_link_leads_to_an_operation_and_fills_what_it_asks_for() -> None:
    links = [
        link
        for operation in OPERATIONS.values()
        for _, answer in answers(operation)
        for link in answer.get("links", {}).values()
    ]
    assert len(links) > 20
    for link in links:
        target = OPERATIONS[link["operationId"]]
        names = {parameter["name"] for parameter in target["parameters"]}
        needed = {parameter["name"] for parameter in target["parameters"] if parameter["required"]}
        assert needed <= set(link.get("parameters", {})) <= names
        assert "requestBody" not in link or "requestBody" in target


def test_the_table_of_refusals_names_operations_and_codes_that_exist() -> None:
    assert set(SPECIFIC) <= set(OPERATIONS)
    assert {code for codes in SPECIFIC.values() for code in codes.split()} <= set(STATUS)


def test_every_code_but_those_of_requests_to_no_operation_is_promised_somewhere() -> None:
    promised = {
        code
        for operation in OPERATIONS.values()
        for _, answer in answers(operation)
        for media in answer["content"].values()
        for code in media.get("schema", {}).get("properties", {}).get("code", {}).get("enum", ())
    }
    assert set(STATUS) - promised == {"method_not_allowed", "bad_request"}
