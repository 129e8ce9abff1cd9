"""What speaks: the contract between the executor and the libraries that turn a sentence into sound.

Nothing heavy is imported here; an engine imports its library when it first speaks.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tron_core.worker import ExecutionContext

if TYPE_CHECKING:
    from tron_plugin_bark.audio import Samples

SHARED = {"numpy": "worker", "PIL": "worker", "soundfile": "worker", "soxr": "worker"}
"""What every engine needs to be importable, and the extra that brings it."""


@dataclass(frozen=True, slots=True)
class Line:
    """A piece of text that is said in one breath, and the voice that says it."""

    voice: str
    text: str


@dataclass(frozen=True, slots=True)
class Breath:
    """The longest line that an engine says well."""

    characters: int
    words: int


@dataclass(frozen=True, slots=True)
class Sound:
    """What a line sounds like; ``rate`` in samples a second. No samples: the line has no sound."""

    rate: int
    samples: Samples


class Engine(Protocol):
    """One library with its voices; made before it is known whether it works here."""

    breath: Breath

    def unavailable(self) -> str | None:
        """One sentence why it cannot speak here, None where it can; quick, and nothing is loaded."""

    def voices(self) -> Sequence[str]:
        """The voices that it has now, the default first."""

    def loaded(self) -> Sequence[str]:
        """The models in memory."""

    def speak(self, lines: Sequence[Line], seed: int | None, ctx: ExecutionContext) -> Iterator[tuple[int, Sound]]:
        """Say the lines, in whatever order is cheapest, and give each with its number. ``seed``: None is another
        reading each time. Raises ExecutorError, and Cancelled where it looks in the middle of a line."""

    def facts(self) -> Mapping[str, Any]:
        """What goes into the job's output about the model that spoke."""

    def close(self) -> None:
        """Give up what it holds; the engine may be used again."""


def missing(libraries: Mapping[str, str]) -> str | None:
    """A sentence that names those of ``libraries`` that are not installed, and the extras that bring them."""
    absent = {name: extra for name, extra in libraries.items() if importlib.util.find_spec(name) is None}
    if not absent:
        return None
    extras = ",".join(dict.fromkeys(absent.values()))
    return f"{', '.join(absent)} not installed: pip install 'tron-plugin-bark[{extras}]'"
