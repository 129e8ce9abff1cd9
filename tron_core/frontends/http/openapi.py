"""The OpenAPI document: what FastAPI finds, our bodies and problems, and each capability's own schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from tron_core.capability import Capability
from tron_core.frontends.http.bodies import REF

Schema = dict[str, Any]

JSON = "application/json"
SUBMIT = "/api/v1/jobs"

PROBLEM: Schema = {
    "type": "object",
    "title": "Problem",
    "description": "An error (RFC 9457). `code` is stable, `detail` one sentence for people.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}
ANY_ERROR: Schema = {
    "description": "An error",
    "content": {"application/problem+json": {"schema": {"$ref": f"{REF}Problem"}}},
}


def install(app: FastAPI, capabilities: Mapping[str, Capability]) -> None:
    """Make ``app`` describe itself at /openapi.json."""

    def describe() -> Schema:
        # Made at the first request and kept: capabilities and routes do not change while the hub runs.
        if app.openapi_schema is None:
            app.openapi_schema = document(app, capabilities)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def document(app: FastAPI, capabilities: Mapping[str, Capability]) -> Schema:
    """The whole document."""
    found = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    schemas: Schema = found.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM
    for operation in _operations(found):
        operation["responses"].pop("422", None)  # FastAPI's own shape of an error, which we do not send
        operation["responses"]["default"] = ANY_ERROR
        _name_body(operation, schemas)
    _describe_capabilities(found["paths"][SUBMIT]["post"], schemas, capabilities)
    return found


def _operations(found: Schema) -> Iterator[Schema]:
    for path in found["paths"].values():
        yield from path.values()


def _name_body(operation: Schema, schemas: Schema) -> None:
    """Move the schema of a JSON body to the components, under its title."""
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get(JSON, {}).get("schema", {})
    if "title" in schema and "$ref" not in schema:
        content[JSON]["schema"] = _lift(schema["title"], schema, schemas)


def _lift(name: str, schema: Schema, schemas: Schema) -> Schema:
    """Put ``schema``, and those that it defines, among the components; returns a reference to it."""
    schemas.update(schema.pop("$defs", {}))
    schemas[name] = schema
    return {"$ref": f"{REF}{name}"}


def _describe_capabilities(submit: Schema, schemas: Schema, capabilities: Mapping[str, Capability]) -> None:
    """Say for each capability what its params are."""
    if not capabilities:
        return
    common = schemas["JobBody"]
    choices: Schema = {}
    for name, capability in sorted(capabilities.items()):
        template = f"{REF}{name}.{{model}}"
        params = capability.params.model_json_schema(ref_template=template)
        params["$defs"] = {f"{name}.{inner}": schema for inner, schema in params.get("$defs", {}).items()}
        reference = _lift(f"{name}.params", params, schemas)
        job = {**common, "title": name, "description": capability.command.summary or name}
        job["properties"] = {**common["properties"], "capability": {"const": name}, "params": reference}
        job["required"] = ["capability", *(["params"] if params.get("required") else [])]
        choices[name] = _lift(f"{name}.job", job, schemas)["$ref"]
    submit["requestBody"]["content"][JSON]["schema"] = {
        "oneOf": [{"$ref": reference} for reference in choices.values()],
        "discriminator": {"propertyName": "capability", "mapping": choices},
    }
