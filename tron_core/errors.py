"""What can go wrong in a way that a person is told: a stable code and a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class TronError(Exception):
    """The base of every error that reaches a person.

    ``code`` is stable and machine-readable, ``message`` one sentence for people, ``status`` the HTTP status that
    the REST frontend answers with, ``details`` further members of the problem document.
    """

    code = "error"
    status = 500

    def __init__(self, message: str, *, code: str | None = None, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.details: Mapping[str, Any] = details or {}


class Refused(TronError):
    """A request that is turned down before it becomes a job; the reason is shown to the person."""

    code = "refused"
    status = 422


class InvalidParams(TronError):
    """Params that do not fit the capability's schema.

    ``details["errors"]`` is a list of ``{"field", "value", "message", "allowed"}``, one entry a field.
    """

    code = "invalid_params"
    status = 422


class Unauthorized(TronError):
    """No credential, or one that is not (or no longer) valid."""

    code = "unauthorized"
    status = 401


class Forbidden(TronError):
    """A valid credential without the right to do this."""

    code = "forbidden"
    status = 403


class NotFound(TronError):
    """No such thing, or not one that the caller may see."""

    code = "not_found"
    status = 404


class Conflict(TronError):
    """The thing is not in a state in which this can be done."""

    code = "conflict"
    status = 409


class TooMany(TronError):
    """A limit of rate or queue is reached; ``retry_after`` is in seconds."""

    code = "too_many_requests"
    status = 429

    def __init__(self, message: str, *, retry_after: float, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after


class TooLarge(TronError):
    """A body, file or picture over its limit."""

    code = "too_large"
    status = 413


class ConfigError(TronError):
    """A configuration that cannot be used: names the key, the value and what is allowed."""

    code = "config"


class Unavailable(TronError):
    """The hub cannot do this now (starting, draining, a service away)."""

    code = "unavailable"
    status = 503
