"""What plugins that implement our hooks are told, and say: plain values, so that they need not import this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from tron_plugin_legacy.importing.taking import Choice as Choice
    from tron_plugin_legacy.importing.taking import GuildValue as GuildValue
    from tron_plugin_legacy.importing.taking import Row as Row
    from tron_plugin_legacy.importing.taking import Taking as Taking


@dataclass(frozen=True, slots=True)
class AnswerFile:
    """A file that a worker uploaded for a job. ``metadata`` is what it said of it, as texts: ``seed``, ``sampler`` …;
    ``seconds`` how long a sound is, 0.0 where that cannot be told."""

    name: str
    media_type: str
    size: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker sent for a job: ``text`` without the mention and the prompt that it repeats, the files in order,
    and ``model`` as the worker names it, if it does."""

    text: str = ""
    files: tuple[AnswerFile, ...] = ()
    model: str | None = None


class LegacyJob(Protocol):
    """One kind of job of the old protocol, as a job of a capability. There is no class to inherit from, and none to
    import: any object with these will do."""

    capability: str
    """Whose jobs these are, as ``llm``."""
    job_type: str
    """What a worker announces in ``supported_job_types`` to get them, and what the message is called, as ``llama``."""

    def offer(self) -> Mapping[str, Any]:
        """What such a worker has: ``{"models": [...], "choices": {field: [...]}}``; both may be left out. Asked when a
        worker connects, and every minute."""

    def to_wire(self, params: Mapping[str, Any], inputs: Sequence[tuple[str, str]]) -> Mapping[str, Any] | None:
        """The job's own keys of the message (``module_name``, ``module_command``, ``prompt``, ``config`` …), None
        where such a worker cannot do it. ``inputs`` are the files: the field's name and a URL."""

    def to_output(self, params: Mapping[str, Any], answer: Answer) -> Mapping[str, Any]:
        """The output of the capability's result. What it raises fails the attempt."""


class LegacyImport(Protocol):
    """What a plugin takes over. No class to inherit from: an object with these.

    Example::

        class SpeechSettings:
            tables = ()
            settings = ("tts_voice",)
            guild_values = ()

            def take(self, taking):
                for choice in taking.choices("tts_voice"):
                    with choice:
                        choice.save("tts.voice", choice.value)
    """

    @property
    def tables(self) -> Sequence[str]:
        """The tables of the original that it takes, as ``conversations``."""

    @property
    def settings(self) -> Sequence[str]:
        """The keys of people's profiles that it takes, as ``tts_voice``."""

    @property
    def guild_values(self) -> Sequence[str]:
        """The keys of guilds in guilds.json that it takes, as ``allowed_models``."""

    def take(self, taking: Taking) -> None:
        """Go through all of it, and say of each thing what became of it. Run in a thread, in the plugin's transaction,
        perhaps more than once. What it raises undoes the plugin's whole part, and is reported."""
