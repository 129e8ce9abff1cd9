"""One turn of the demo: inputs kept, a job submitted and watched, its results kept."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from tron_core.capability import Demo
from tron_core.cli.fields import command_line
from tron_core.cli.hub_client import HubClient
from tron_core.cli.output import shortened
from tron_core.cli.submit import post_job, watch, why
from tron_core.frontends.console import extension, follow, open_view, results, save
from tron_core.frontends.server_sent import ServerSent

NOTHING = "it has nothing to show"
"""Why a capability without a demo is skipped."""
SECONDS = 300.0
"""What one turn gets; its job is cancelled then."""


@dataclass(slots=True)
class Outcome:
    """What came of one turn. ``reason`` says why it did not succeed; ``seconds`` are from being asked to the end;
    ``pressed`` is the button that asked for it, and below what, where no command did."""

    capability: str
    state: Literal["succeeded", "failed", "skipped"]
    reason: str | None = None
    command: str | None = None
    worker: str | None = None
    seconds: float | None = None
    text: str | None = None
    files: list[str] = field(default_factory=list)
    job: str | None = None
    pressed: str | None = None

    def as_json(self) -> dict[str, Any]:
        """What ``tron demo --json`` prints."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Turn:
    """What is asked. ``name`` is what the files in ``folder`` are called."""

    capability: str
    name: str
    folder: Path

    def ask(self, client: HubClient, demo: Demo) -> Outcome:
        """Submit and wait; raises TronError where the hub takes no such job, or does not answer."""
        inputs = self._keep_inputs(demo)
        shown = {key: Path(shortened(file)) for key, file in inputs.items()}
        command = command_line(self.capability, demo.params, shown)
        params = {**demo.params, **{key: client.upload(file)["id"] for key, file in inputs.items()}}
        return self._watch(client, lambda: post_job(client, self.capability, params), command)

    def press(self, client: HubClient, job: str, action: int) -> Outcome:
        """Follow an action of a job's reply, and wait; raises TronError as ``ask`` does."""
        return self._watch(client, lambda: client.post(f"/jobs/{job}/actions/{action}"), None)

    def _watch(self, client: HubClient, submit: Callable[[], dict[str, Any]], command: str | None) -> Outcome:
        view = open_view(self.name, keep=True)
        try:
            job = submit()
            done = follow(_in_time(client, job["id"], watch(client, job["id"], view.status)), view)
        finally:
            view.end()
        if done is None:
            return Outcome(self.capability, "failed", f"it took longer than {SECONDS:g} s", command)
        outcome = Outcome(self.capability, "succeeded", None, command, *_effort(done), job=job["id"])
        if done["state"] != "succeeded":
            outcome.state, outcome.reason = "failed", why(done)
            return outcome
        outcome.text = (done["reply"] or {}).get("text", "")
        outcome.files = [str(file) for file in self._keep_results(client, done)]
        return outcome

    def _keep_inputs(self, demo: Demo) -> dict[str, Path]:
        """Copy the inputs beside the results; by field."""
        kept = {}
        for key, source in demo.inputs.items():
            name = f"{self.name}-input" if len(demo.inputs) == 1 else f"{self.name}-input-{key}"
            kept[key] = self.folder / f"{name}{source.suffix}"
            shutil.copyfile(source, kept[key])
        return kept

    def _keep_results(self, client: HubClient, job: Mapping[str, Any]) -> list[Path]:
        """Save the files, the second as ``NAME-2.png``; the text, where there is no file."""
        files = []
        for number, artifact in enumerate(results(job), start=1):
            name = self.name if number == 1 else f"{self.name}-{number}"
            files.append(save(artifact, self.folder / f"{name}{extension(artifact)}", client.download))
        if not files:
            files.append(self.folder / f"{self.name}.txt")
            files[0].write_text((job["reply"] or {}).get("text", "") + "\n", encoding="utf-8")
        return files


def _in_time(client: HubClient, job: str, events: Iterator[ServerSent]) -> Iterator[ServerSent]:
    """``events`` while there is time; then the job is cancelled, and they end."""
    deadline = time.monotonic() + SECONDS
    for event in events:
        yield event
        if event.name != "result" and time.monotonic() > deadline:
            client.delete(f"/jobs/{job}")
            return


def _effort(job: Mapping[str, Any]) -> tuple[str | None, float | None]:
    attempts = job["attempts"]
    if not attempts or job["finished_at"] is None:
        return None, None
    begun, ended = (datetime.fromisoformat(job[key]) for key in ("created_at", "finished_at"))
    return attempts[-1]["worker"], round((ended - begun).total_seconds(), 1)
