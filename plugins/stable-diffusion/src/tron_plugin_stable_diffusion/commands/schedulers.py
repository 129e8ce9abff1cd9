"""The catalogue of schedulers: listed for everybody, changed by administrators."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import tron_core as tron
from tron_plugin_stable_diffusion.as_json import scheduler_json
from tron_plugin_stable_diffusion.catalogue import Scheduler
from tron_plugin_stable_diffusion.commands.base import HubCommand, NoParams, name_and_rest, wrong

MAX_DESCRIPTION = 500
MAX_USES = 20
CLASS = r"[A-Z][A-Za-z0-9]{0,53}Scheduler"
NAME = r"[a-z0-9][a-z0-9.+-]{0,31}"


class ListSchedulers(HubCommand):
    """All schedulers."""

    name = "picture-schedulers"
    command = tron.Command("scheduler-list", aliases=["schedulers"], summary="List the sampling methods of pictures")
    params = NoParams

    async def do(self, params: NoParams, asker: tron.Asker, job: str) -> Mapping[str, Any]:
        """A line for each."""
        known = list((await self.service.refresh()).schedulers.values())
        return {"text": "\n".join(map(_line, known)), "schedulers": [scheduler_json(each) for each in known]}


def _line(scheduler: Scheduler) -> str:
    steps = f"{scheduler.min_steps or 1} to {scheduler.max_steps or 150} steps"
    uses = f" · for {', '.join(scheduler.uses)}" if scheduler.uses else ""
    return f"**{scheduler.name}** · {scheduler.description or scheduler.class_name} · {steps}{uses}"


class AddParams(tron.Params):
    """A scheduler."""

    text: str = tron.Prompt("NAME CLASS FEWEST MOST DESCRIPTION", max_length=700)
    args: str = tron.Setting("{}", saved=False, max_length=1000, help="What the class is changed by, as JSON")


class AddScheduler(HubCommand):
    """Add a scheduler."""

    name = "picture-scheduler-add"
    command = tron.Command(
        "scheduler-add",
        summary="Add a sampling method",
        example="heun HeunDiscreteScheduler 5 100 Twice the time, finer",
    )
    params = AddParams
    for_administrators = True

    async def check(self, params: AddParams, request: tron.JobRequest) -> None:
        _parsed(params)

    async def do(self, params: AddParams, asker: tron.Asker, job: str) -> Mapping[str, Any]:
        """To be chosen from now on."""
        added = await self.service.add_scheduler(_parsed(params))
        return {"text": _line(added), "scheduler": scheduler_json(added)}


def _parsed(params: AddParams) -> Scheduler:
    words = params.text.split(maxsplit=4)
    expected = "NAME CLASS FEWEST MOST DESCRIPTION"
    if len(words) < 4 or not (words[2].isdecimal() and words[3].isdecimal()):
        raise wrong("text", params.text, "something is missing", expected)
    return new_scheduler(
        name=words[0],
        class_name=words[1],
        args=_object(params.args),
        description=words[4] if len(words) > 4 else "",
        steps=(int(words[2]), int(words[3])),
    )


def new_scheduler(
    *, name: str, class_name: str, args: Mapping[str, Any], description: str, steps: tuple[int, int]
) -> Scheduler:
    """A scheduler from what somebody gave; raises InvalidParams."""
    if not re.fullmatch(NAME, name):
        raise wrong("name", name, "that is no name", "up to 32 lower-case letters, digits, + . and -")
    if not re.fullmatch(CLASS, class_name):
        raise wrong("class_name", class_name, "that is no scheduler", "a class of diffusers, as EulerDiscreteScheduler")
    least, most = steps
    if not 1 <= least <= most <= 150:
        raise wrong("steps", f"{least} to {most}", "that is no range", "1 to 150")
    return Scheduler(name, class_name, dict(args), description[:MAX_DESCRIPTION], least, most)


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise wrong("args", text, "that is no JSON object", '{"use_karras_sigmas": true}')
    return found


class SchedulerParams(tron.Params):
    """Which scheduler."""

    scheduler: str = tron.Prompt("The scheduler", max_length=32)


class _OfScheduler(HubCommand):
    for_administrators = True

    def choices(self, field: str) -> Sequence[str]:
        return tuple(self.service.catalogue.schedulers) if field == "scheduler" else ()


class DeleteScheduler(_OfScheduler):
    """Take a scheduler out of the catalogue."""

    name = "picture-scheduler-delete"
    command = tron.Command("scheduler-delete", summary="Remove a sampling method")
    params = SchedulerParams

    async def do(self, params: SchedulerParams, asker: tron.Asker, job: str) -> Mapping[str, Any]:
        """Models that preferred it have none any more."""
        gone = await self.service.delete_scheduler(params.scheduler)
        return {"text": f"{gone.name} is not there any more."}


class TextParams(tron.Params):
    """Which scheduler, and a text about it."""

    text: str = tron.Prompt("The scheduler, then the text", max_length=33 + MAX_DESCRIPTION)


class DescribeScheduler(HubCommand):
    """Say what a scheduler is."""

    name = "picture-scheduler-description"
    command = tron.Command(
        "scheduler-description", summary="Describe a sampling method", example="euler Plain and quick"
    )
    params = TextParams
    for_administrators = True

    async def do(self, params: TextParams, asker: tron.Asker, job: str) -> Mapping[str, Any]:
        """From now on."""
        name, description = name_and_rest(params.text)
        changed = await self.service.change_scheduler(name, description=description[:MAX_DESCRIPTION])
        return {"text": _line(changed)}


class UseScheduler(HubCommand):
    """Say what a scheduler is good for."""

    name = "picture-scheduler-usage"
    command = tron.Command(
        "scheduler-usage", summary="Say what a sampling method is for", example='euler ["portraits", "landscapes"]'
    )
    params = TextParams
    for_administrators = True

    async def check(self, params: TextParams, request: tron.JobRequest) -> None:
        _uses(name_and_rest(params.text)[1])

    async def do(self, params: TextParams, asker: tron.Asker, job: str) -> Mapping[str, Any]:
        """From now on."""
        name, rest = name_and_rest(params.text)
        changed = await self.service.change_scheduler(name, uses=_uses(rest))
        return {"text": _line(changed)}


def _uses(text: str) -> list[str]:
    """A JSON list of words, or words with commas between them."""
    try:
        given = json.loads(text) if text.startswith("[") else [part.strip() for part in text.split(",")]
    except ValueError:
        given = None
    uses = [each for each in given or () if isinstance(each, str) and 0 < len(each) <= 50]
    if given is None or len(uses) != len(given) or not 0 < len(uses) <= MAX_USES:
        raise wrong("uses", text, "that is no list", 'words with commas between them, or ["portraits", "landscapes"]')
    return uses
