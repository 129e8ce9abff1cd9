"""Looking through what one had drawn."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import tron_core as tron
from tron_plugin_stable_diffusion import history
from tron_plugin_stable_diffusion.commands.base import HubCommand, wrong
from tron_plugin_stable_diffusion.history import Drawn

HITS = 10
MAX_RANDOM = 25
LINE = 180
"""Characters of a prompt in a list."""


class SearchParams(tron.Params):
    """What to look for."""

    terms: str = tron.Prompt("Words of the prompt, and --not before those that it must not have", max_length=500)


class Search(HubCommand):
    """Prompts of one's own that have certain words."""

    name = "picture-search"
    command = tron.Command(
        "search", summary="Find a prompt of yours again", flags="leading", example="fox sn?w* --not night"
    )
    params = SearchParams

    async def check(self, params: SearchParams, request: tron.JobRequest) -> None:
        _parsed(params)

    async def do(self, params: SearchParams, asker: tron.Asker, job: str) -> Mapping[str, Any]:
        """The newest that fit."""
        search = _parsed(params)
        entries = await self.app.database.read(lambda connection: history.newest(connection, asker.requester))
        found = [entry for entry in history.unique(entries) if search.finds(entry.prompt)]
        shown = found[:HITS]
        head = f"{len(found)} of your prompts fit" + (f"; the newest {HITS}:" if len(found) > HITS else ":")
        return {"text": listed(head, shown) if shown else "None of your prompts fits.", "prompts": _prompts(shown)}


class RandomParams(tron.Params):
    """How many, and how they are shown."""

    text: str = tron.Prompt("How many, and raw for the prompts alone: 5 raw", max_length=20, default="")


class Random(HubCommand):
    """Some prompts of one's own, to be surprised by."""

    name = "picture-random"
    command = tron.Command("random", summary="Some prompts of yours, at random", example="5")
    params = RandomParams

    async def check(self, params: RandomParams, request: tron.JobRequest) -> None:
        _number_and_raw(params.text)

    async def do(self, params: RandomParams, asker: tron.Asker, job: str) -> Mapping[str, Any]:
        """Chosen by the job's id: a repeat of the job shows the same."""
        number, raw = _number_and_raw(params.text)
        entries = history.unique(
            await self.app.database.read(lambda connection: history.newest(connection, asker.requester))
        )
        chosen = random.Random(job).sample(entries, min(number, len(entries)))
        if not chosen:
            return {"text": "You have had nothing drawn yet.", "prompts": []}
        text = "\n".join(_prompts(chosen)) if raw else listed("From what you had drawn:", chosen)
        return {"text": text, "prompts": _prompts(chosen)}


def _parsed(params: SearchParams) -> history.Search:
    try:
        return history.Search.parse(params.terms)
    except ValueError as error:
        raise wrong("terms", params.terms, str(error), "words, and --not WORD") from None


def _number_and_raw(text: str) -> tuple[int, bool]:
    words = text.casefold().split()
    raw = "raw" in words
    numbers = [word for word in words if word != "raw"]
    if not numbers:
        return HITS, raw
    if len(numbers) > 1 or not numbers[0].isdecimal() or not 1 <= int(numbers[0]) <= MAX_RANDOM:
        raise wrong("text", text, "that is no number", f"1 to {MAX_RANDOM}, and raw")
    return int(numbers[0]), raw


def _prompts(entries: Sequence[Drawn]) -> list[str]:
    return [entry.prompt for entry in entries]


def listed(head: str, entries: Sequence[Drawn]) -> str:
    """A line for each prompt, with what it was drawn with."""
    lines = [f"- {_line(entry.prompt)} · {entry.model}, seed {entry.seed}" for entry in entries]
    return "\n".join([head, *lines])


def _line(prompt: str) -> str:
    line = " ".join(prompt.split())
    return line if len(line) <= LINE else f"{line[: LINE - 1]}…"
