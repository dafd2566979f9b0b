"""The OpenAPI document, made from the schemas."""

from __future__ import annotations

import functools
from typing import Any

from msgspec import Struct
from msgspec.json import schema_components

from llm_i2i.serve import schemas
from llm_i2i.serve.schemas import MAX_ID
from llm_i2i.version import __version__

MODELS: tuple[type[Struct], ...] = (
    schemas.Query,
    schemas.Batch,
    schemas.Answer,
    schemas.Answers,
    schemas.RelatedAnswer,
    schemas.FoundItems,
    schemas.Health,
    schemas.Ready,
    schemas.Error,
)
ERRORS = {
    "400": "The body is not JSON.",
    "404": "The index does not know this item.",
    "408": "The body did not arrive in time.",
    "413": "The body is too large.",
    "422": "A field or parameter is missing, unknown or out of its range.",
}


@functools.cache
def openapi_document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    _, definitions = schema_components(MODELS, ref_template="#/components/schemas/{name}")
    body_errors = ("400", "408", "413", "422")
    item = {
        "name": "item",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_ID},
    }
    paths = {
        "/recommend": {"post": _operation("Recommend items for a history.", "Answer", body_errors, body="Query")},
        "/recommend/batch": {"post": _operation("Recommend items for several histories.", "Answers", body_errors, body="Batch")},
        "/related/{item}": {"get": _operation("The list of one item, as the index has it.", "RelatedAnswer", ("404", "422"), [item, *_parameters(schemas.RelatedParameters)])},
        "/items": {"get": _operation("Search items by id or words of their title.", "FoundItems", ("422",), _parameters(schemas.SearchParameters))},
        "/health": {"get": _operation("Whether the process answers.", "Health")},
        "/ready": {"get": _operation("What is served.", "Ready")},
        "/metrics": {"get": {"summary": "Metrics for Prometheus.", "responses": {"200": {"description": "Text exposition.", "content": {"text/plain": {}}}}}},
    }  # fmt: skip
    return {
        "openapi": "3.1.0",
        "info": {"title": "llm_i2i index service", "version": __version__},
        "paths": paths,
        "components": {"schemas": definitions},
    }


def _operation(
    summary: str,
    answer: str,
    errors: tuple[str, ...] = (),
    parameters: list[dict[str, Any]] | None = None,
    *,
    body: str = "",
) -> dict[str, Any]:
    responses = {"200": _content("The answer.", answer)} | {
        status: _content(ERRORS[status], "Error") for status in errors
    }
    operation: dict[str, Any] = {"summary": summary, "responses": responses}
    if parameters:
        operation["parameters"] = parameters
    if body:
        operation["requestBody"] = {**_content(body, body), "required": True}
    return operation


def _content(description: str, schema: str) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {"description": description, "content": {"application/json": {"schema": reference}}}


def _parameters(model: type[Struct]) -> list[dict[str, Any]]:
    schema = schema_components([model])[1][model.__name__]
    return [
        {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": of}
        for name, of in schema["properties"].items()
    ]
