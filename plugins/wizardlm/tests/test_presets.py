"""`!vicuna`, `!stablelm` and `!wizard`: requests for `llm`, as the hub takes them in."""

from collections.abc import Collection
from typing import Any, cast

import pytest

import tron_core as tron
import tron_plugin_wizardlm
from tron_core.plugins import Plugins
from tron_core.scheduling.intake import Intake, Prepared
from tron_core.worker import ExecutorError


class Hub:
    """As much of App as a preset asks for."""

    def __init__(self, *models: str) -> None:
        self.models = models

    def choices(self, capability: str, field: str) -> tuple[str, ...]:
        assert (capability, field) == ("llm", "model")
        return self.models


class Saved:
    """What somebody saved."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    async def layered(self, keys: Collection[str], **owners: Any) -> dict[str, Any]:
        return {key: value for key, value in self.values.items() if key in keys}


async def taken_in(command: str, hub: Hub, saved: dict[str, Any] | None = None, **params: Any) -> Prepared:
    """A request as it becomes a job."""
    plugins = Plugins()
    record = plugins.register("wizardlm", tron_plugin_wizardlm)
    assert record.state == "active", record.reason
    for capability in plugins.capabilities.values():
        capability.app = cast(Any, hub)
    intake = Intake(plugins, cast(Any, None), cast(Any, Saved(saved or {})))
    request = tron.JobRequest(plugins.commands[command].name, {"prompt": "hi", **params}, "api:alice")
    return await intake.prepare(request)


@pytest.mark.parametrize(
    ("command", "template"),
    [("vicuna", "vicuna"), ("stablelm", "stablelm"), ("wizard", "wizardlm"), ("llama", None), ("llm", None)],
)
async def test_a_command_is_a_request_for_llm_with_its_template(command: str, template: str | None) -> None:
    prepared = await taken_in(command, Hub(), temperature=0.5)
    assert prepared.capability.name == "llm"
    assert prepared.values["template"] == template
    assert (prepared.values["prompt"], prepared.values["temperature"], prepared.values["model"]) == ("hi", 0.5, None)


async def test_a_model_of_the_family_is_asked_where_a_worker_has_one() -> None:
    hub = Hub("tiny", "Vicuna-13B", "vicuna-7b")
    assert (await taken_in("vicuna", hub)).values["model"] == "Vicuna-13B"
    assert (await taken_in("vicuna", hub, model="tiny")).values["model"] == "tiny"
    assert (await taken_in("stablelm", hub)).values["model"] is None


async def test_what_was_saved_for_llm_counts_but_for_its_model() -> None:
    saved = {"llm.temperature": 0.1, "llm.system": "Be brief.", "llm.model": "tiny", "llm.template": "chatml"}
    values = (await taken_in("vicuna", Hub(), saved)).values
    assert (values["temperature"], values["system"]) == (0.1, "Be brief.")
    assert (values["model"], values["template"]) == (None, "vicuna")
    assert (await taken_in("vicuna", Hub(), {"vicuna.model": "old"})).values["model"] == "old"


async def test_wrong_params_are_told_as_ever() -> None:
    with pytest.raises(tron.InvalidParams, match=r"^temperature \(9\)"):
        await taken_in("wizard", Hub(), temperature=9)


async def test_a_preset_that_the_hub_runs_itself_says_what_to_do() -> None:
    for preset in tron_plugin_wizardlm.PRESETS.values():
        with pytest.raises(ExecutorError, match="template="):
            await preset.run(cast(Any, None), cast(Any, None))
        assert preset.requirements(preset.parse({"prompt": "hi", "model": "x"})) == tron.Requirements()
