"""What a capability says that a job needs and costs."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from tron_core.capability import Capability, Requirements
from tron_core.errors import Refused, TronError

LONGEST = 1e9
"""Seconds that a job may be said to take or wait: thirty years; infinity would spoil everybody's order."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Needs:
    """Times in seconds; ``queue_ttl`` None stands for the configured one."""

    requirements: Requirements = field(default_factory=Requirements)
    expected_seconds: float = 10.0
    deadline_seconds: float = 300.0
    queue_ttl: float | None = None


def needs_of(capability: Capability, params: Any) -> Needs:
    """Ask the capability. What it raises refuses the job and stops nothing else; a refusal of its own passes on."""
    try:
        ttl = capability.queue_ttl(params)
        return Needs(
            capability.requirements(params),
            _seconds("expected_seconds", capability.expected_seconds(params)),
            _seconds("deadline", capability.deadline(params)),
            None if ttl is None else _seconds("queue_ttl", ttl),
        )
    except TronError:
        raise
    except Exception as error:
        logger.exception("%s cannot say what its job needs", capability.name)
        raise Refused(f"Not now: {capability.name} failed ({error}).", code="plugin_failed") from error


def _seconds(name: str, value: float) -> float:
    seconds = float(value)
    if not 0 <= seconds <= LONGEST:
        raise ValueError(f"{name} is {seconds:g} s; allowed: 0 to {LONGEST:g}")
    return seconds
