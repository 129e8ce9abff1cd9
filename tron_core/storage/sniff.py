"""What a file is, from its first bytes alone: neither its name nor what a sender says is believed."""

from __future__ import annotations

import codecs
import json
import re
from pathlib import PurePath

import filetype

HEAD_BYTES = 8192
"""How much of a file is looked at."""
UNKNOWN = "application/octet-stream"

_RENAMED = {
    "audio/x-wav": "audio/wav",
    "audio/x-flac": "audio/flac",
    "audio/x-aiff": "audio/aiff",
    "image/x-icon": "image/vnd.microsoft.icon",
    "application/font-woff": "font/woff",
}
"""The library's names for what has a registered one."""

_EXTENSIONS = {
    "image/png": (".png", ".apng"),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/tiff": (".tif", ".tiff"),
    "image/svg+xml": (".svg",),
    "audio/ogg": (".ogg", ".oga", ".opus"),
    "audio/wav": (".wav",),
    "audio/flac": (".flac",),
    "audio/aiff": (".aiff", ".aif"),
    "application/json": (".json",),
    "application/pdf": (".pdf",),
    # Nothing that a browser would run: a page is stored as the text that it is.
    "text/plain": (".txt", ".md", ".csv", ".log", ".srt", ".vtt", ".toml", ".yaml", ".yml", ".jsonl"),
    UNKNOWN: (".bin",),
}
"""The extensions that a file of a type may keep, the first being given where it has another."""

_SVG = re.compile(r"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*|<!DOCTYPE[^>]*>\s*)*<svg[\s>]", re.DOTALL | re.IGNORECASE)
_JSON = re.compile(r'\s*(\{\s*"|\[\s*([\[{"\d-]|true|false|null))')
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_NAME_LENGTH = 100


def media_type(head: bytes) -> str:
    """The media type of a file that begins with ``head`` (HEAD_BYTES of it, or all there is)."""
    text = _text(head)
    if text is not None:
        return _kind_of_text(text, complete=len(head) < HEAD_BYTES)
    kind = filetype.guess_mime(head)
    return _RENAMED.get(kind, kind) if kind else UNKNOWN


def _text(head: bytes) -> str | None:
    """The head as text, whose last character may be cut; None where it is none."""
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return None
    return text if text and not _CONTROL.search(text) else None


def _kind_of_text(text: str, *, complete: bool) -> str:
    if text.startswith("%PDF-"):
        return "application/pdf"
    if _SVG.match(text):
        return "image/svg+xml"
    if _JSON.match(text) and (not complete or _parses(text)):
        return "application/json"
    return "text/plain"


def _parses(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def filename_for(name: str, kind: str) -> str:
    """A file name that is safe in a path, a URL and a header, with an extension that fits the type."""
    path = PurePath(_UNSAFE.sub("_", name.replace("\\", "/").rpartition("/")[2]))
    stem = path.stem.strip("._-")[:_NAME_LENGTH] or "file"
    allowed = _extensions(kind)
    extension = path.suffix.lower()
    return stem + (extension if extension in allowed else allowed[0])


def _extensions(kind: str) -> tuple[str, ...]:
    if kind in _EXTENSIONS:
        return _EXTENSIONS[kind]
    known = tuple(dict.fromkeys(f".{each.extension}" for each in filetype.types if each.mime == kind))
    return known or _EXTENSIONS[UNKNOWN]
