"""Several pictures by one command: the same prompt again and again, or prompts that another plugin writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import tron_core as tron
from tron_core.worker import ExecutionContext, ExecutorError
from tron_plugin_stable_diffusion.commands.base import HubCommand, count, wrong
from tron_plugin_stable_diffusion.params import MAX_SEED, PictureParams
from tron_plugin_stable_diffusion.replies import DERIVED

CAPABILITY = "txt2img"
USUAL = 3
"""Jobs where nobody says how many."""
MOST = 16
"""Jobs of one command, whatever the configuration says."""


class RepeatParams(PictureParams):
    """A prompt, which may begin with how many times."""

    times: int = tron.Setting(USUAL, ge=1, le=MOST, saved=False, help="How many times; or say it first: 5 a red fox")


class RepeatRandomParams(RepeatParams):
    """A theme, or nothing."""

    prompt: str = tron.Prompt("What the prompts are about; may begin with how many", max_length=500, default="")


class Repeat(HubCommand):
    """The same prompt several times, each time a job with its own message and seed."""

    name = "picture-repeat"
    command = tron.Command("generate-x", summary="Draw the same several times", example="5 a red fox in snow")
    params: ClassVar[type[tron.Params]] = RepeatParams

    async def check(self, params: RepeatParams, request: tron.JobRequest) -> None:
        """Everything that would be wrong with the jobs is said before there is one."""
        times, text = times_and_text(params)
        if not text:
            raise wrong("prompt", params.prompt, "say what to draw", "a text, as in: 5 a red fox")
        self._check_times(times)
        await self.service.derive(_child(request, params, text, 0))

    def _check_times(self, times: int) -> None:
        most = self.service.config.max_repeats
        if not 1 <= times <= most:
            raise wrong("times", times, "so many are not drawn at once", f"1 to {most}")

    async def run(self, params: RepeatParams, ctx: ExecutionContext) -> Mapping[str, Any]:
        """Ask for the jobs; what comes of them is in their own messages."""
        own = await self.app.job(ctx.job)
        times, text = times_and_text(params)
        jobs: list[str] = []
        for number in range(times):
            ctx.progress(number / times, step=number, steps=times)
            prompt = await self.prompt(text)
            request = _child(_request_of(own, params), params, prompt, number)
            try:
                jobs.append((await self.app.submit(request)).id)
            except tron.TronError as error:
                if error.code == "idempotency_mismatch":
                    continue  # asked for before the hub restarted, with the prompt that was written then
                if not jobs:
                    raise ExecutorError(error.message, "invalid") from error
                asked = f"{count(len(jobs), 'picture')} of {times} are asked for; then: {error.message}"
                return {"text": asked, "jobs": jobs}
        return {"text": f"{count(times, 'picture')} asked for.", "jobs": jobs}

    async def prompt(self, text: str) -> str:
        """The prompt of the next job."""
        return text


class RepeatRandom(Repeat):
    """Prompts about a theme, each written by whichever plugin can."""

    name = "picture-repeat-random"
    command = tron.Command(
        "generate-random-x", summary="Draw prompts that are made up for you", example="2 lighthouses in winter"
    )
    params = RepeatRandomParams

    async def check(self, params: RepeatParams, request: tron.JobRequest) -> None:
        times, theme = times_and_text(params)
        self._check_times(times)
        await self.service.derive(_child(request, params, theme or "a picture", 0))

    async def prompt(self, text: str) -> str:
        """Ask the other plugins; raises ExecutorError where none answers."""
        written = await self.app.hooks.call_first("tron_write_image_prompt", theme=text)
        if not isinstance(written, str) or not written.strip():
            raise ExecutorError(
                "Nobody here writes prompts now: that takes a plugin for chat that is set up and answers.",
                "invalid",
            )
        return written.strip()


def times_and_text(params: RepeatParams) -> tuple[int, str]:
    """How many times, and what."""
    first, _, rest = params.prompt.strip().partition(" ")
    if first.isascii() and first.isdecimal() and len(first) < 6 and (rest.strip() or not params.prompt.strip(first)):
        return int(first), rest.strip()
    return params.times, params.prompt.strip()


def _request_of(job: tron.Job, params: RepeatParams) -> tron.JobRequest:
    """A request from where the job was asked for, its reply beside the job's."""
    return tron.JobRequest(
        CAPABILITY,
        {},
        job.requester,
        job.target and job.target.beside(),
        priority=job.priority,
        guild=job.guild,
        channel=job.channel,
        parent=job.id,
        nsfw=params.nsfw,
    )


def _child(request: tron.JobRequest, params: RepeatParams, prompt: str, number: int) -> tron.JobRequest:
    """The request for job ``number``; with a seed, each goes on where the one before ended."""
    values = {key: value for key, value in params.model_dump(mode="json").items() if key not in ("times", *DERIVED)}
    seed = params.seed if params.seed < 0 else (params.seed + number * params.count) % (MAX_SEED + 1)
    given = {**values, "prompt": prompt, "seed": seed}
    key = f"{request.parent}-{number}" if request.parent else None
    return tron.JobRequest(
        CAPABILITY,
        given,
        request.requester,
        request.target,
        priority=request.priority,
        guild=request.guild,
        channel=request.channel,
        roles=request.roles,
        idempotency_key=key,
        parent=request.parent,
        nsfw=request.nsfw,
    )
