"""Errors as Discord's REST API answers them."""

from __future__ import annotations

from typing import Any


class DiscordError(Exception):
    """An answer with ``status`` and Discord's own JSON error ``code``."""

    def __init__(self, status: int, code: int, message: str, errors: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"message": message, "code": code}
        if errors:
            self.body["errors"] = errors


def unknown(what: str, code: int) -> DiscordError:
    """404: there is no such thing."""
    return DiscordError(404, code, f"Unknown {what}")


def missing_permissions() -> DiscordError:
    """403: the bot may see the place, and not do this there."""
    return DiscordError(403, 50013, "Missing Permissions")


def invalid(field: str, code: str, message: str) -> DiscordError:
    """400: a field of the body is wrong."""
    errors = {field: {"_errors": [{"code": code, "message": message}]}}
    return DiscordError(400, 50035, "Invalid Form Body", errors)
