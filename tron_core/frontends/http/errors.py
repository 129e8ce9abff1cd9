"""Every error as a problem document (RFC 9457) with a stable ``code``."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from ulid import ULID

from tron_core.errors import TooMany, TronError, Unauthorized
from tron_core.frontends.http.json import dump

logger = logging.getLogger(__name__)

CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
}
"""The codes of errors that the router raises by status alone."""


class InvalidRequest(TronError):
    """A body, header or query that does not say what this call takes.

    ``details["errors"]`` is a list of ``{"field", "value", "message", "allowed"}``, as in InvalidParams.
    """

    code = "invalid_request"
    status = 422


class BadRequest(TronError):
    """Something that is not even well-formed."""

    code = "bad_request"
    status = 400


class MalformedJson(BadRequest):
    """A body that is not JSON as RFC 8259 has it."""

    code = "malformed_json"


class UnsupportedMediaType(TronError):
    """A body of a type that this call does not read."""

    code = "unsupported_media_type"
    status = 415


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The response for one error; ``details`` are further members of the document."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **(details or {}),
    }
    return Response(dump(document), status, headers, media_type="application/problem+json")


def problem_of(error: TronError) -> Response:
    """The response for one of our own errors."""
    return problem(error.status, error.code, error.message, details=error.details, headers=_headers(error))


def _headers(error: TronError) -> dict[str, str]:
    if isinstance(error, TooMany):
        return {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
    if isinstance(error, Unauthorized):
        return {"WWW-Authenticate": 'Bearer realm="tron"'}
    return {}


def unexpected(error: Exception) -> Response:
    """The response for an error that nobody foresaw: a reference to the log, and nothing of its inside."""
    reference = str(ULID())
    logger.error("unexpected error %s in the http frontend", reference, exc_info=error)
    return problem(
        500,
        "internal_error",
        f"Something went wrong inside the hub. The operator finds it in the log under {reference}.",
        details={"reference": reference},
    )


def install(app: FastAPI) -> None:
    """Make ``app`` answer every foreseen error as a problem document."""
    app.add_exception_handler(TronError, _on_tron_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_unexpected)


async def _on_tron_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, TronError)
    return problem_of(error)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, TronError):  # FastAPI wraps what reading a body raised
        return problem_of(error.__cause__)
    code = CODES.get(error.status_code, "http_error")
    return problem(error.status_code, code, _sentence(request, error), headers=error.headers)


def _sentence(request: Request, error: HTTPException) -> str:
    if error.status_code == 404:
        return f"There is nothing at {request.url.path}"
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        return f"{request.method} is not allowed at {request.url.path}; allowed: {allowed}"
    return str(error.detail)


async def _on_unexpected(request: Request, error: Exception) -> Response:
    return unexpected(error)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem_of(invalid_request([describe(item) for item in error.errors()]))


def invalid_request(problems: list[dict[str, Any]]) -> InvalidRequest:
    """The error for a list of ``{"field", "value", "message", "allowed"}``; its sentence is the first one's."""
    first = problems[0]
    shown = "" if first["value"] is None else f" ({_short(first['value'])})"
    sentence = f"{first['field'] or 'body'}{shown}: {first['message']}; allowed: {first['allowed']}"
    return InvalidRequest(sentence, details={"errors": problems})


def describe(item: Mapping[str, Any]) -> dict[str, Any]:
    """One of pydantic's errors in our four words."""
    field = ".".join(str(part) for part in item["loc"][1:])
    missing = item["type"] == "missing"
    message = str(item["msg"])
    allowed = item.get("ctx", {}).get("expected") or message.partition("should be ")[2] or "a value that fits"
    return {
        "field": field,
        "value": None if missing else _plain(item.get("input")),
        "message": "this field is required" if missing else message[:1].lower() + message[1:],
        "allowed": "any value of its type" if missing else allowed,
    }


def _plain(value: Any) -> Any:
    """``value`` where it is small JSON, else a short text of it."""
    return value if value is None or isinstance(value, bool | int | float) else _short(value)


def _short(value: Any, limit: int = 80) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
