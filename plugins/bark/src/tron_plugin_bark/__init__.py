"""Speech: the hub's half, which imports no library for sound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tron_core as tron
from tron_plugin_bark.commands import Actors, Voice, Voices
from tron_plugin_bark.speech import RANDOM, VOICES, Speech, SpeechParams

__all__ = ["RANDOM", "SPEECH", "VOICES", "Speech", "SpeechParams"]

SPEECH = Speech()
_CHECKED = {each.name: each for each in (SPEECH, Voice(SPEECH), Voices(SPEECH), Actors(SPEECH))}


@tron.hookimpl
def tron_register_capabilities() -> Sequence[tron.Capability]:
    return list(_CHECKED.values())


@tron.hookimpl
async def tron_job_submitting(request: tron.JobRequest) -> None:
    """Tell a person at once that a voice or an actor is misspelt."""
    capability = _CHECKED.get(request.capability)
    if capability is not None:
        capability.check(capability.parse(request.params))


@tron.hookimpl(optionalhook=True)
def tron_legacy_job() -> list[Any]:
    """Let workers of discord-tron-master speak."""
    from tron_plugin_bark.legacy import OldBark

    return [OldBark()]


@tron.hookimpl(optionalhook=True)
def tron_legacy_import() -> list[Any]:
    """Take the voices that people of a discord-tron-master had chosen."""
    from tron_plugin_bark.legacy_import import SpeechImport

    return [SpeechImport()]
