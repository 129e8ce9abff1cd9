"""Commands that ask ``llm`` in the way of a family of models. None of them is a job of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import tron_core as tron
from tron_core.worker import ExecutionContext, ExecutorError
from tron_plugin_wizardlm.params import TextParams
from tron_plugin_wizardlm.templates import Name


class Preset(tron.Capability):
    """A family of models: its template, and one of its models where a worker has one."""

    params = TextParams
    # The hub takes it and makes it a job for `llm`, so no worker is asked for it by this name.
    runs_on = "hub"
    template: ClassVar[Name]

    def requirements(self, params: TextParams) -> tron.Requirements:
        """Nothing: those of ``llm`` count."""
        return tron.Requirements()

    def choices(self, field: str) -> Sequence[str]:
        return self.app.choices("llm", "model") if field == "model" else ()

    async def run(self, params: TextParams, ctx: ExecutionContext) -> Mapping[str, Any]:
        """Reached only where the hub has left out this plugin's hook."""
        raise ExecutorError(
            f"The hub did not make a request for `llm` of this; ask `llm` with template={self.template}"
        )

    def as_llm(self, request: tron.JobRequest) -> tron.JobRequest:
        """The request for ``llm`` that stands for this one."""
        model = request.params.get("model") or self._model()
        params = {**request.params, "model": model, "template": self.template}
        return replace(request, capability="llm", params=params)

    def _model(self) -> str | None:
        """A model whose name is of this family."""
        return next((model for model in self.app.choices("llm", "model") if self.name in model.casefold()), None)


class Vicuna(Preset):
    """Ask Vicuna."""

    name = "vicuna"
    command = tron.Command("vicuna", summary="Ask Vicuna, or any model in its way", flags="leading")
    template = "vicuna"


class StableLM(Preset):
    """Ask StableLM."""

    name = "stablelm"
    command = tron.Command("stablelm", summary="Ask StableLM, or any model in its way", flags="leading")
    template = "stablelm"


class Wizard(Preset):
    """Ask WizardLM."""

    name = "wizard"
    command = tron.Command("wizard", summary="Ask WizardLM, or any model in its way", flags="leading")
    template = "wizardlm"
