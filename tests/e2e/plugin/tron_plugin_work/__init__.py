"""The plugin that these tests run: a capability whose work can be held, failed and followed, and a frontend that
writes down what it delivers."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import tron_core as tron
from tron_plugin_work.journal import write
from tron_plugin_work.lag import Lag

_measuring: list[Lag] = []


class WorkParams(tron.Params):
    """``hold``: go on until the journal's folder has a file of that name, and no longer than ``seconds``."""

    label: str = tron.Prompt("Which job of the test this is")
    seconds: float = tron.Setting(0.0, ge=0, le=120, help="How long it takes")
    hold: str = tron.Setting("", help="Wait for this file")
    megabytes: int = tron.Setting(0, ge=0, le=200, help="The size of the artifact that it makes")
    crash: bool = tron.Setting(False, help="End the executor process with a segmentation fault, at attempt 1")
    stubborn: bool = tron.Setting(False, help="Do not listen to a cancel")
    model: str = tron.Setting("", help="A worker that has this model; unset, any")
    deadline: float = tron.Setting(300.0, ge=0.1, help="Seconds that it may run")
    noted: str | None = tron.Setting(None, derived=True, help="What the hub fills in")
    file: tron.Attachment | None = tron.Input("A file whose size is told", default=None)


class Work(tron.Capability):
    name = "work"
    command = tron.Command("work", summary="Work for the tests")
    params = WorkParams

    def expected_seconds(self, params: WorkParams) -> float:
        return max(0.1, params.seconds)

    def deadline(self, params: WorkParams) -> float:
        return params.deadline

    async def handle_result(self, job: tron.Job, result: tron.Result) -> tron.Reply:
        return tron.Reply(text=f"{result.output.get('label')} is done")


class JournalFrontend:
    """Shows a reply by writing it down."""

    name = "journal"

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def deliver(self, delivery: str, job: tron.Job, reply: object) -> None:
        write("delivered", job.id, job.attempt)

    def show(self, job: tron.Job, event: tron.JobEvent) -> None:
        pass


@tron.hookimpl
def tron_register_capabilities() -> list[tron.Capability]:
    return [Work()]


@tron.hookimpl
def tron_register_frontends() -> list[tron.Frontend]:
    return [JournalFrontend()]


@tron.hookimpl
async def tron_startup() -> None:
    if file := os.environ.get("WORK_LAG"):
        _measuring.append(Lag(Path(file)))


@tron.hookimpl
async def tron_shutdown() -> None:
    for lag in _measuring:
        lag.stop()


@tron.hookimpl
async def tron_job_submitting(request: tron.JobRequest) -> tron.JobRequest:
    """Every reply that Discord does not show goes to the journal, so that a test can count them."""
    if request.target is not None and request.target.frontend == "discord":
        return request
    return replace(request, target=tron.Target("journal", {}))
