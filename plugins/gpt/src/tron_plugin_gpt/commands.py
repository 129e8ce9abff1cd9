"""What people may do with a conversation beside talking: capabilities that are done at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import tron_core as tron
from tron_core.worker import ExecutionContext, ExecutorError
from tron_plugin_gpt import conversation, history, usage
from tron_plugin_gpt.chat import place_of
from tron_plugin_gpt.conversation import Place
from tron_plugin_gpt.service import Service

MAX_ROLE = 4000
"""Characters of a role."""


def _conversation() -> Any:
    return tron.Setting(
        None, pattern=conversation.NAME, saved=False, help="Your own name for a conversation; without it, the usual one"
    )


class ClearParams(tron.Params):
    """Which conversation."""

    conversation: str | None = _conversation()


class RoleParams(tron.Params):
    """The role, and of which conversation."""

    text: str = tron.Prompt("Who answers, and how", max_length=MAX_ROLE, default="")
    reset: bool = tron.Setting(False, saved=False, help="Back to the usual role")
    conversation: str | None = _conversation()


class ModelParams(tron.Params):
    """The model, and of which conversation."""

    model: str = tron.Prompt("Which model answers", max_length=128, default="")
    reset: bool = tron.Setting(False, saved=False, help="Back to the usual model")
    conversation: str | None = _conversation()


class UsageParams(tron.Params):
    """Nothing has to be said."""


class _Command(tron.Capability):
    """Runs in its turn among the messages of the conversation."""

    runs_on: ClassVar[Any] = "hub"
    concurrency = 64

    def __init__(self, service: Service) -> None:
        self._service = service

    def requirements(self, params: Any) -> tron.Requirements:
        """A field named ``model`` asks no worker for one."""
        return tron.Requirements()

    def expected_seconds(self, params: Any) -> float:
        """No time, as nobody is asked."""
        return 0.1

    async def run(self, params: Any, ctx: ExecutionContext) -> Mapping[str, Any]:
        """Do it, and say what was done."""
        assert ctx.asker is not None, "runs on the hub"
        place = place_of(params.conversation, ctx.asker.requester, ctx.asker.channel)
        try:
            await self._service.turns.enter(place.key, ctx.job)
            return {"text": await self.do(params, place)}
        finally:
            self._service.turns.expect_end(ctx.job)

    async def do(self, params: Any, place: Place) -> str:
        """The work; returns the reply's text."""
        raise NotImplementedError


class Clear(_Command):
    """Forget what was said in a conversation."""

    def demo(self) -> tron.Demo:
        """What the demo of ``chat`` said is forgotten."""
        return tron.Demo({"conversation": "demo"})

    name = "chat-clear"
    command = tron.Command("clear", summary="Forget what was said in this conversation")
    params = ClearParams

    async def do(self, params: ClearParams, place: Place) -> str:
        """Delete the history."""
        count = await self._service.app.database.write(lambda connection: history.clear(connection, place.key))
        return f"Forgotten: {count} message{'' if count == 1 else 's'} and what was answered."


class Role(_Command):
    """Choose who answers in a conversation, or see who does."""

    def demo(self) -> tron.Demo:
        """A pirate answers from now on."""
        return tron.Demo({"text": "You are a pirate and answer in rhymes.", "conversation": "demo"})

    name = "chat-role"
    command = tron.Command(
        "chat-role",
        summary="Choose who answers here",
        flags="leading",
        example="You are a pirate and answer in rhymes.",
    )
    params = RoleParams

    async def do(self, params: RoleParams, place: Place) -> str:
        """Save the role, or tell it."""
        database = self._service.app.database
        if params.text or params.reset:
            role = None if params.reset else params.text
            await database.write(lambda connection: history.choose(connection, place.key, place.owner, role=role))
        found = await database.read(lambda connection: history.fetch(connection, place.key))
        return f"The role here: {found.role}" if found.role else "Here the usual role answers."


class Model(_Command):
    """Choose which model answers in a conversation, or see which one does."""

    def demo(self) -> tron.Demo:
        """Which one answers, and which there are."""
        return tron.Demo({"conversation": "demo"})

    name = "chat-model"
    command = tron.Command("chat-model", summary="Choose which model answers here", flags="leading")
    params = ModelParams

    def choices(self, field: str) -> Sequence[str]:
        """The models of the configuration."""
        return self._service.config.names if field == "model" else ()

    async def do(self, params: ModelParams, place: Place) -> str:
        """Save the model, or tell it."""
        service = self._service
        names = service.config.names
        if params.model and params.model not in names:
            raise ExecutorError(
                f"model ({params.model}): there is no such model here; allowed: {', '.join(names)}", "invalid"
            )
        if params.model or params.reset:
            model = None if params.reset else params.model
            await service.app.database.write(
                lambda connection: history.choose(connection, place.key, place.owner, model=model)
            )
        found = await service.app.database.read(lambda connection: history.fetch(connection, place.key))
        return f"Here answers {service.model_of(found).name} (of {', '.join(names)})."


class Usage(tron.Capability):
    """What a person used, today and ever."""

    name = "chat-usage"
    command = tron.Command("chat-usage", summary="What your conversations have cost")
    params = UsageParams
    runs_on = "hub"

    def __init__(self, service: Service) -> None:
        self._service = service

    def demo(self) -> tron.Demo:
        """What the demo itself used."""
        return tron.Demo({})

    async def run(self, params: UsageParams, ctx: ExecutionContext) -> Mapping[str, Any]:
        """Add it up."""
        assert ctx.asker is not None, "runs on the hub"
        requester, day = ctx.asker.requester, usage.day_of(self._service.now())
        today, ever = await self._service.app.database.read(
            lambda connection: (usage.of(connection, requester, day), usage.of(connection, requester))
        )
        return {"text": f"Today (UTC): {_sentence(today)}. In all: {_sentence(ever)}.", "usage": usage.as_output(ever)}


class ReportParams(tron.Params):
    """What the operators are told."""

    text: str = tron.Prompt("What happened")


class Report(tron.Capability):
    """Tells the operators' channel what the moderation held back: a job, so that it is delivered for sure. The plugin
    alone asks for it."""

    name = "chat-report"
    command = tron.Command("chat-report", summary="Used by the moderation")
    params = ReportParams
    runs_on = "hub"

    async def run(self, params: ReportParams, ctx: ExecutionContext) -> Mapping[str, Any]:
        """Say it."""
        return {"text": params.text}


def _sentence(used: usage.Used) -> str:
    return f"{used.requests} answers, {used.tokens} tokens, {used.cost:.4f} in cost"
