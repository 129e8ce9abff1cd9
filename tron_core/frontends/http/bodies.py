"""JSON bodies: read within a limit, validated strictly, and every wrong field named.

Bodies are read by a dependency and not by FastAPI itself, which would read them before it knows who is speaking.
"""

from __future__ import annotations

import typing
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request

from tron_core.errors import TooLarge
from tron_core.frontends.http.errors import InvalidRequest, MalformedJson, UnsupportedMediaType, invalid_request
from tron_core.frontends.http.errors import describe as describe_error
from tron_core.frontends.http.json import MAX_BODY, NotJson, is_json, load


class Body(BaseModel):
    """The base of every body: JSON's own types as they are, and no other fields."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


B = TypeVar("B", bound=Body)

REF = "#/components/schemas/"
"""Where OpenAPI keeps schemas."""


def json_body(model: type[B], *, required: bool = True) -> Callable[[Request], Awaitable[B]]:
    """A dependency that reads the body as ``model``; where it is not ``required``, none is ``model`` without fields.

    Declare it after the caller, so that who may not call learns nothing else. Raises UnsupportedMediaType,
    MalformedJson, TooLarge, InvalidRequest.
    """

    async def read(request: Request) -> B:
        text = await read_body(request)
        return model() if not text and not required else validate(model, parse(request, text))

    return read


def documented(model: type[Body], *, required: bool = True) -> dict[str, Any]:
    """The OpenAPI entry of a body of ``model``; openapi.py gives its schema a place among the components."""
    schema = model.model_json_schema(ref_template=f"{REF}{{model}}")
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


async def read_body(request: Request, limit: int = MAX_BODY) -> bytes:
    """The whole body; raises TooLarge over ``limit`` bytes."""
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > limit:
            raise TooLarge(f"The body is over {limit} bytes, the most that this call takes")
    return bytes(found)


def parse(request: Request, text: bytes) -> Any:
    """The JSON value of a body; raises UnsupportedMediaType, MalformedJson."""
    if not is_json(request):
        given = request.headers.get("content-type", "none")
        raise UnsupportedMediaType(f"Content-Type ({given[:80]}): allowed: application/json")
    try:
        return load(text)
    except NotJson as error:
        raise MalformedJson(f"The body is not JSON: {error}") from None


def validate(model: type[B], value: Any) -> B:
    """``value`` as ``model``; raises InvalidRequest."""
    if not isinstance(value, dict):
        raise InvalidRequest(f"The body is {type(value).__name__}; allowed: a JSON object")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        # A name that was mistyped comes before the field that is missing for it.
        items = sorted(error.errors(include_url=False), key=lambda item: item["type"] != "extra_forbidden")
        raise invalid_request([_describe(model, item) for item in items]) from None


def _describe(model: type[Body], item: Mapping[str, Any]) -> dict[str, Any]:
    found = describe_error({**item, "loc": ("body", *item["loc"])})
    if item["type"] == "extra_forbidden":
        found["message"] = "there is no such field"
        found["allowed"] = ", ".join(_fields_at(model, item["loc"][:-1]))
    return found


def _fields_at(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """The names of the fields of ``model``, or of the model within it that ``path`` leads to."""
    for part in path:
        annotation = model.model_fields[str(part)].annotation
        inner = [annotation, *typing.get_args(annotation)]
        model = next(kind for kind in inner if isinstance(kind, type) and issubclass(kind, BaseModel))
    return list(model.model_fields)
