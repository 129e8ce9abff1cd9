"""What a person is shown of a job that drew, and what they may do with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tron_core as tron
from tron_plugin_stable_diffusion import history
from tron_plugin_stable_diffusion.history import Drawn

DERIVED = ("full_prompt", "full_negative_prompt", "scheduler_config", "nsfw")
"""Fields of params that the hub derives anew for each request."""
SHORT = 200
"""Characters of a prompt that a reply repeats."""


def picture_reply(job: tron.Job, result: tron.Result, made_at: float) -> tron.Reply:
    """The prompt, with what it was drawn, and buttons to go on; the reply's transaction keeps it in the history."""
    drawn = _drawn(job, result.output, made_at)
    return tron.Reply(
        text=text_of(job.params, result),
        actions=actions_of(job, result),
        writes=lambda connection: history.add(connection, drawn),
    )


def text_of(params: Mapping[str, Any], result: tron.Result) -> str:
    """Some lines: the prompt, what it was drawn with, and what was not done as asked."""
    output = result.output
    lines = [_short(str(params.get("prompt") or ""))]
    lines.append("— " + " · ".join(_facts(result)))
    if ignored := _said_by_person(output.get("ignored") or (), str(params.get("prompt") or "")):
        lines.append(f"Drawn without: {', '.join(map(str, ignored))}.")
    if filtered := output.get("filtered"):
        held = "1 picture was" if filtered == 1 else f"{filtered} pictures were"
        lines.append(f"{held} held back by the safety filter.")
    lines += [str(note) for note in output.get("notes") or ()]
    return "\n".join(line for line in lines if line)


def _said_by_person(ignored: Sequence[Any], prompt: str) -> list[str]:
    """The ignored words that stand in the prompt itself, not those of a style or the model's own."""
    said = prompt.casefold()
    return [str(word) for word in ignored if str(word).casefold() in said]


def _facts(result: tron.Result) -> list[str]:
    output = result.output
    seeds = list(output.get("seeds") or ())
    facts = [str(output.get("model", "")), f"{output.get('width')} × {output.get('height')}"]
    if steps := output.get("steps"):
        facts.append(f"{steps} steps")
    if seeds:
        facts.append(f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}")
    if result.metrics is not None:
        facts.append(f"{result.metrics.seconds:.1f} s")
    return [fact for fact in facts if fact]


def actions_of(job: tron.Job, result: tron.Result) -> Sequence[tron.Action]:
    """Another seed, what may be taken over from the job, and its pictures once more; who presses need not be who
    asked."""
    pictures = [artifact.id for artifact in result.artifacts if artifact.role is tron.Role.RESULT]
    kept = {"images": pictures, "text": _short(str(job.params.get("prompt") or ""))}
    given = {key: value for key, value in job.params.items() if key not in DERIVED}
    return [
        tron.Action("New seed", job.capability, {**given, "seed": -1}, emoji="♻️"),
        tron.Action("My settings", job.capability, _content(job.params), emoji="📜"),
        tron.Action("Copy settings", "picture-copy-settings", {"job": job.id}, emoji="📋"),
        tron.Action("Copy seed", "picture-copy-seed", {"job": job.id}, emoji="🌱"),
        *([tron.Action("Save", "picture-keep", kept, emoji="💾")] if pictures else []),
    ]


def _content(params: Mapping[str, Any]) -> dict[str, Any]:
    """What a picture shows, without the settings: the presser's own hold instead."""
    content = ("prompt", "image", "mask")
    return {key: params[key] for key in content if params.get(key) is not None}


def _drawn(job: tron.Job, output: Mapping[str, Any], made_at: float) -> Drawn:
    seeds = list(output.get("seeds") or ())
    return Drawn(
        job=job.id,
        requester=job.requester,
        made_at=made_at,
        prompt=str(job.params.get("prompt") or ""),
        model=str(output.get("model", "")),
        pictures=len(seeds),
        seed=int(seeds[0] if seeds else job.params.get("seed", -1)),
    )


def _short(prompt: str) -> str:
    line = " ".join(prompt.split())
    return line if len(line) <= SHORT else f"{line[: SHORT - 1]}…"
