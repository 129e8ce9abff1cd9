"""Choosing a style, size, model or scheduler: saved for the person who asks, as ``!settings`` would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import tron_core as tron
from tron_plugin_stable_diffusion import resolutions
from tron_plugin_stable_diffusion.commands.base import HubCommand, NoParams, wrong
from tron_plugin_stable_diffusion.deriving import Situation, choose_model, style_named
from tron_plugin_stable_diffusion.params import GROUP, MAX_SEED
from tron_plugin_stable_diffusion.styles import STYLES

FORGET = ("none", "default", "reset", "random")
"""Instead of a value: as if nothing was saved."""


class ChoiceParams(tron.Params):
    """What is chosen."""

    value: str = tron.Prompt("What is chosen; without it, what is chosen now", max_length=128, default="")


class Choose(HubCommand):
    """Saves one setting; a value that is not allowed is refused before anything is saved."""

    params = ChoiceParams
    field: ClassVar[str]
    """The setting."""
    usual: ClassVar[str] = "the usual one"
    """What it is where nothing was saved, in words."""

    async def check(self, params: ChoiceParams, request: tron.JobRequest) -> None:
        await self._value(params, request.guild)

    async def do(self, params: ChoiceParams, asker: tron.Asker, job: str) -> Mapping[str, Any]:
        """Save it, or tell it."""
        value = await self._value(params, asker.guild)
        if params.value:
            await self.app.settings.save(asker.requester, f"{GROUP}.{self.field}", value)
            said = self._said(value, " from now on")
            return {"text": said, self.field: value}
        saved = await self.app.settings.get(asker.requester, asker.guild, f"{GROUP}.{self.field}")
        return {"text": "\n".join([self._said(saved), *await self.more(saved, asker)]), self.field: saved}

    def _said(self, value: Any, since: str = "") -> str:
        shown = self.usual if value is None else f"**{value}**{since}"
        return f"Your {self.field} is {shown}."

    async def _value(self, params: ChoiceParams, guild: str | None) -> Any:
        text = params.value.strip()
        return None if not text or text.casefold() in FORGET else await self.named(text, guild)

    async def named(self, text: str, guild: str | None) -> Any:
        """The value that a text means; raises Refused or InvalidParams."""
        raise NotImplementedError

    async def more(self, saved: str | None, asker: tron.Asker) -> Sequence[str]:
        """Further lines of what is told."""
        return ()


class ChooseStyle(Choose):
    """The style of one's pictures."""

    name = "picture-style"
    command = tron.Command("style", summary="Choose the style of your pictures", example="anime")
    field = "style"

    def choices(self, field: str) -> Sequence[str]:
        return tuple(STYLES) if field == "value" else ()

    async def named(self, text: str, guild: str | None) -> str:
        style_named(text)
        return text.casefold()


class ListStyles(HubCommand):
    """All styles."""

    name = "picture-styles"
    command = tron.Command("styles", summary="List the styles of pictures")
    params = NoParams

    def demo(self) -> tron.Demo:
        """Those there are."""
        return tron.Demo({})

    async def do(self, params: NoParams, asker: tron.Asker, job: str) -> Mapping[str, Any]:
        """Their names; the asker's own is marked."""
        saved = await self.app.settings.get(asker.requester, asker.guild, f"{GROUP}.style")
        names = [f"**{name}**" if name == saved else name for name in STYLES]
        return {"text": f"{', '.join(names)}\nIn a prompt: --style {next(iter(STYLES))}", "styles": list(STYLES)}


class ChooseResolution(Choose):
    """The size of one's pictures."""

    name = "picture-resolution"
    command = tron.Command("resolution", summary="Choose the size of your pictures", example="1024x768")
    field = "resolution"

    def choices(self, field: str) -> Sequence[str]:
        return resolutions.RESOLUTIONS if field == "value" else ()

    async def named(self, text: str, guild: str | None) -> str:
        try:
            width, height = resolutions.parse(text)
        except ValueError as error:
            raise wrong("resolution", text, str(error).partition("; allowed")[0], resolutions.ALLOWED) from None
        return f"{width}x{height}"

    async def more(self, saved: str | None, asker: tron.Asker) -> Sequence[str]:
        return [resolutions.table(saved), f"Also {resolutions.ALLOWED}."]


class ChooseModel(Choose):
    """The model that draws one's pictures."""

    name = "picture-model"
    command = tron.Command("model", summary="Choose the model that draws your pictures", example="tron/shapes")
    field = "model"

    def choices(self, field: str) -> Sequence[str]:
        return [model.name for model in self.service.catalogue.offered(None)] if field == "value" else ()

    async def complete(self, field: str, text: str, asker: tron.Asker) -> Sequence[str]:
        """Those of the guild."""
        found = await super().complete(field, text, asker)
        return [name for name in found if self.service.catalogue.allows(asker.guild, name)]

    async def named(self, text: str, guild: str | None) -> str:
        name, _ = choose_model(text, await self._where(guild))
        return str(name)

    async def more(self, saved: str | None, asker: tron.Asker) -> Sequence[str]:
        if saved:
            return ()
        name, _ = choose_model(None, await self._where(asker.guild))
        return [f"That is {name} now." if name else "That is the first one of whichever worker comes."]

    async def _where(self, guild: str | None) -> Situation:
        return await self.service.situation(guild=guild)


class ChooseScheduler(Choose):
    """The sampling method of one's pictures."""

    name = "picture-scheduler"
    command = tron.Command("scheduler", summary="Choose how noise becomes your pictures", example="euler-a")
    field = "scheduler"

    def choices(self, field: str) -> Sequence[str]:
        return tuple(self.service.catalogue.schedulers) if field == "value" else ()

    async def named(self, text: str, guild: str | None) -> str:
        return (await self.service.refresh()).scheduler(text).name


class ChooseSeed(Choose):
    """The seed of one's pictures. A command of its own, because other plugins have settings of this name, too."""

    name = "picture-seed"
    command = tron.Command("seed", summary="Choose the seed of your pictures", example="42")
    field = "seed"
    usual = "another each time"

    async def named(self, text: str, guild: str | None) -> int:
        if not (text.isascii() and text.isdecimal() and int(text) <= MAX_SEED):
            raise wrong("seed", text, "it is no seed", f"0 to {MAX_SEED}, or random")
        return int(text)
