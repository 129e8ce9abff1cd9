"""Who says what: a text with ``{NAME}:`` in it, and the actors that the names stand for. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MAX_ACTORS = 20
MAX_NAME = 32
"""Characters."""

_MARK = re.compile(r"\{[ \t]*([^{}\n]{0,32}?)[ \t]*\}:")
_NAME = re.compile(rf"[^\s{{}}=,:]{{1,{MAX_NAME}}}")


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of text and who says it; None is whoever says what has no name before it."""

    speaker: str | None
    text: str


def parts_of(text: str) -> list[Part]:
    """Cut ``text`` at its marks. ``{NAME}:`` holds until the next one; ``{}:`` gives the word back to the narrator."""
    speaker, start, parts = None, 0, []
    for match in _MARK.finditer(text):
        parts.append(Part(speaker, text[start : match.start()].strip()))
        speaker, start = match[1] or None, match.end()
    parts.append(Part(speaker, text[start:].strip()))
    return [part for part in parts if part.text]


def check_name(name: str) -> str:
    """An actor's name as it is kept: in capitals, so that ``{ann}:`` is ANN. Raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is no name of an actor: 1 to {MAX_NAME} characters without spaces or any of {{}}=,:"
        )
    return name.upper()


def read_actors(text: str) -> dict[str, str]:
    """The voices by actor, from ``ANN=en_US-joe-medium, BOB=v2/en_speaker_6``; raises ValueError."""
    actors = {}
    for pair in filter(None, map(str.strip, text.split(","))):
        name, equals, voice = (each.strip() for each in pair.partition("="))
        if not equals or not voice or " " in voice:
            raise ValueError(f"{pair!r} is no actor; write NAME=VOICE, several with commas between them")
        actors[check_name(name)] = voice
    if len(actors) > MAX_ACTORS:
        raise ValueError(f"{len(actors)} actors are more than {MAX_ACTORS}")
    return actors


def write_actors(actors: Mapping[str, str]) -> str:
    """The reverse of ``read_actors``."""
    return ", ".join(f"{name}={voice}" for name, voice in actors.items())
