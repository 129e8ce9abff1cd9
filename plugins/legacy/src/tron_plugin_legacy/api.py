"""What plugins that implement ``tron_legacy_job`` are told, and say: plain values, so that they need not import it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker sent for a job. ``text`` is without the mention and the prompt that it repeats; ``media_types``
    are those of the files, in order; ``prompt`` and ``model`` as the worker names them, if it does."""

    text: str = ""
    media_types: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


class LegacyJob(Protocol):
    """One kind of job of the old protocol, as a job of a capability. No class to inherit from: an object with these."""

    capability: str
    """Whose jobs these are, as ``llm``."""
    job_type: str
    """What a worker announces in ``supported_job_types`` to get them, as ``llama``."""

    def offer(self) -> Mapping[str, Any]:
        """What such a worker has: ``{"models": [...], "choices": {field: [...]}}``; both may be left out."""

    def to_wire(self, params: Mapping[str, Any], inputs: Sequence[tuple[str, str]]) -> Mapping[str, Any] | None:
        """The job's own keys of the message (``module_name``, ``module_command``, ``prompt``, ``config``, …), None
        where such a worker cannot do it. ``inputs`` are the files: the field's name and a URL."""

    def to_output(self, params: Mapping[str, Any], answer: Answer) -> Mapping[str, Any]:
        """The output of the capability's result."""
