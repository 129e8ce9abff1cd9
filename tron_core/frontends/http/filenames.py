"""The name that a caller gives to a file: pure."""

from __future__ import annotations

from collections.abc import Mapping
from email.message import Message
from email.utils import collapse_rfc2231_value
from typing import Any
from urllib.parse import unquote

FALLBACK = "upload"
MAX_NAME = 128


def name_of(headers: Mapping[str, str]) -> str:
    """The file's name from X-Filename (percent-encoded) or Content-Disposition; ``upload`` where none says."""
    given = headers.get("x-filename")
    if given is not None:
        return clean(unquote(given))
    return from_disposition(headers.get("content-disposition")) or FALLBACK


def from_disposition(header: str | None) -> str | None:
    """The file's name in a Content-Disposition header, None without one."""
    if header is None:
        return None
    message = Message()
    message["content-disposition"] = header
    options: list[tuple[str, Any]] = message.get_params([], "content-disposition")
    found = [value for key, value in options if key.lower() == "filename"]
    extended = [value for value in found if isinstance(value, tuple)]  # RFC 2231 in full goes before its plain twin
    return clean(collapse_rfc2231_value((extended or found)[0])) if found else None


def clean(name: str) -> str:
    """``name`` without folders and control characters, bounded."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(c for c in last if c.isprintable()).strip(". ")
    return kept[-MAX_NAME:] or FALLBACK
