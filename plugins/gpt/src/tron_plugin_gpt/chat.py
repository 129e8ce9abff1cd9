"""The capability ``chat``: a message goes to the server with what was said before, and its answer comes back."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

import tron_core as tron
from tron_core.worker import ExecutionContext, ExecutorError, InputFile
from tron_plugin_gpt import conversation, history, usage
from tron_plugin_gpt.budget import TooLong
from tron_plugin_gpt.client import Answer, ChatError, Question
from tron_plugin_gpt.conversation import Place
from tron_plugin_gpt.demo_server import unavailable
from tron_plugin_gpt.history import Pair
from tron_plugin_gpt.prompt import Prompt, count_pair
from tron_plugin_gpt.service import Draft, Service, too_long
from tron_plugin_gpt.usage import Used

PICTURES = "image/png,image/jpeg,image/webp,image/gif"


class ChatParams(tron.Params):
    """A message, and where it belongs."""

    text: str = tron.Prompt("What to say", max_length=32_000)
    conversation: str | None = tron.Setting(
        None, pattern=conversation.NAME, saved=False, help="Your own name for a conversation; without it, the usual one"
    )
    images: list[tron.Attachment] = tron.Input("Pictures to look at", accept=PICTURES, default=[])


class Chat(tron.Capability):
    """A conversation that remembers."""

    name = "chat"
    command = tron.Command(
        "chat",
        aliases=["gpt"],
        summary="Talk with a model that remembers",
        flags="leading",
        example="Why is the sky blue?",
    )
    params = ChatParams
    runs_on = "hub"
    # Most of them wait: for the server, or for the message before them.
    concurrency = 64

    def __init__(self, service: Service) -> None:
        self._service = service

    def expected_seconds(self, params: ChatParams) -> float:
        """A few seconds, for a model that is not small."""
        return 5.0

    def deadline(self, params: ChatParams) -> float:
        """Long enough for a slow server, and for the messages before."""
        return 300.0 + 5 * self._service.config.timeout

    def demo(self) -> Sequence[tron.Demo]:
        """Two turns, the second of which can only be answered by who remembers the first; nothing where the demo's
        own server cannot start."""
        if unavailable() is not None:
            return []
        config = {"demo_server": True, "temperature": 0.0, "reply_tokens": 48}
        texts = ("The secret word is banana.", "What is the secret word?")
        return [tron.Demo({"text": text, "conversation": "demo"}, config=config) for text in texts]

    async def run(self, params: ChatParams, ctx: ExecutionContext) -> Mapping[str, Any]:
        """Answer, in the order of the conversation."""
        assert ctx.asker is not None, "runs on the hub"
        asker = ctx.asker
        place = place_of(params.conversation, asker.requester, asker.channel)
        draft = Draft(place, asker.requester, asker.guild, params.text, len(params.images), name=asker.requester_name)
        # Nothing is awaited before this, so that the order of the turns is the one in which the jobs were handed out.
        try:
            await self._service.turns.enter(place.key, ctx.job)
            return await self._answer(draft, ctx)
        finally:
            self._service.turns.expect_end(ctx.job)

    async def handle_result(self, job: tron.Job, result: tron.Result) -> tron.Reply:
        """The answer; with it, in one transaction, what was said is remembered and what it cost is added up."""
        place = place_of(job.params.get("conversation"), job.requester, job.channel)
        text, pictures = str(job.params["text"]), len(job.params.get("images") or ())
        draft = Draft(place, job.requester, job.guild, text, pictures, name=job.requester_name)
        output = result.output
        answer = str(output["text"]).strip()
        pair = await self._pair(job, draft, answer, str(output["model"]))
        counts = output["usage"]
        used = Used(1, counts["prompt_tokens"], counts["completion_tokens"], counts["cost"])
        day, keep = usage.day_of(pair.said_at), self._service.config.kept_turns

        def writes(connection: Connection) -> None:
            if answer:
                history.append(connection, place.key, place.owner, pair, keep=keep)
            usage.add(connection, job.requester, day, str(output["model"]), used)

        return tron.Reply(text=answer or "(The model answered with nothing.)", writes=writes)

    async def _answer(self, draft: Draft, ctx: ExecutionContext) -> Mapping[str, Any]:
        service = self._service
        try:
            prompt, pairs = await service.compose(draft)
            pictures = await asyncio.to_thread(_as_urls, ctx.inputs("images"))
            messages = replace(prompt, pictures=pictures).messages(pairs)
            budget, temperature = prompt.model.budget, service.config.temperature
            question = Question(prompt.model.name, messages, budget.reply, temperature)
            answer = await (await service.client()).answer(question, ctx.partial)
        except TooLong as error:
            raise ExecutorError(too_long(error), "invalid") from error
        except ChatError as error:
            kind = "transient" if error.transient else "internal"
            raise ExecutorError(str(error), kind, retryable=error.transient) from error
        used = _used(prompt, pairs, answer)
        return {"text": answer.text, "usage": usage.as_output(used), "model": prompt.model.name}

    async def _pair(self, job: tron.Job, draft: Draft, answer: str, model: str) -> Pair:
        counter = self._service.counter(self._service.config.model_named(model))
        message = draft.message + _note(draft.picture_count)
        tokens = await asyncio.to_thread(count_pair, counter, message, answer)
        said_at = job.finished_at or job.created_at
        return Pair(job.id, job.requester, message, answer, tokens, counter.name, said_at)


def place_of(named: str | None, requester: str, channel: str | None) -> Place:
    """The conversation of a job. Its request was looked at when it came: where the conversation is shared, that is
    named in the params."""
    return conversation.find(named, requester=requester, channel=channel, mode="user")


def _used(prompt: Prompt, pairs: Sequence[Pair], answer: Answer) -> Used:
    """What the server counted, or what we did where it counted nothing."""
    sent, said = answer.prompt_tokens, answer.completion_tokens
    if sent is None:
        sent = prompt.tokens + sum(prompt.pair_tokens(pair) for pair in pairs)
    if said is None:
        said = prompt.counter.length(answer.text)
    return Used(1, sent, said, prompt.model.cost(sent, said))


def _note(pictures: int) -> str:
    """What is remembered of pictures."""
    if pictures == 0:
        return ""
    return f" ({pictures} picture{'' if pictures == 1 else 's'} came with this)"


def _as_urls(files: Sequence[InputFile]) -> list[str]:
    return [f"data:{file.media_type};base64,{base64.b64encode(file.path.read_bytes()).decode()}" for file in files]
