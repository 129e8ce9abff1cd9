"""Executors as they are found, configured and described."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pydantic
import pytest

import tron_core as tron
from tron_core.hub.protocol import Announced
from tron_core.plugins.discovery import Found
from tron_core.worker import Executor, hookimpl
from tron_core.worker.loading import Offer, load_offer, params_class

if TYPE_CHECKING:
    from somewhere import Unknown


class Params(tron.Params):
    text: str = tron.Prompt("What to say")


class Config(pydantic.BaseModel):
    voice: str = "anna"
    threads: int = pydantic.Field(2, ge=1)


class Speak(Executor):
    capability = "speak"
    config = Config

    def models(self) -> list[str]:
        return ["a", "b"]

    def choices(self) -> Mapping[str, list[str]]:
        return {"voice": [self.options.voice]}

    def run(self, params: Params, ctx: Unknown) -> dict[str, Any]:
        return {}


class Broken(Executor):
    capability = "broken"

    def models(self) -> list[str]:
        raise SystemExit("no models for you")


def found(monkeypatch: pytest.MonkeyPatch, name: str, executors: Any, *requires: str) -> Found:
    module = ModuleType(f"executors_{name}")

    @hookimpl
    def tron_register_executors() -> Any:
        if isinstance(executors, BaseException):
            raise executors
        return executors

    module.tron_register_executors = tron_register_executors  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    point = EntryPoint(name, module.__name__, "tron.executors")
    return Found(name, point, f"tron-plugin-{name}", "1.0", requires)


def reasons(offer: Offer) -> dict[str, str]:
    return {left_out.plugin: left_out.reason for left_out in offer.left_out}


def test_an_executor_is_offered_with_its_section(monkeypatch: pytest.MonkeyPatch) -> None:
    offer = load_offer({"speaking": {"voice": "bert"}}, [found(monkeypatch, "speaking", [Speak()])])
    assert offer.announced == {"speak": Announced(models=("a", "b"), choices={"voice": ("bert",)})}
    assert offer.executors["speak"].params is Params
    assert reasons(offer) == {}


@pytest.mark.parametrize(
    ("section", "words"),
    [({"voise": "bert"}, "did you mean voice?"), ({"threads": 0}, "executors.speaking.threads = 0")],
)
def test_a_bad_section_leaves_its_executor_out(
    monkeypatch: pytest.MonkeyPatch, section: dict[str, Any], words: str
) -> None:
    offer = load_offer({"speaking": section}, [found(monkeypatch, "speaking", [Speak()])])
    assert offer.announced == {}
    assert words in reasons(offer)["speaking"]


def test_a_section_for_an_executor_without_settings_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain(Executor):
        capability = "plain"

    offer = load_offer({"plain": {"speed": 2}}, [found(monkeypatch, "plain", [Plain()])])
    assert reasons(offer)["plain"] == "[executors.plain]: this plugin takes no settings, but has speed"


def test_an_executor_may_share_the_section_of_another_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    class Sing(Speak):
        capability = "sing"
        section = "speaking"

    plugins = [found(monkeypatch, "singing", [Sing()]), found(monkeypatch, "speaking", [Speak()])]
    offer = load_offer({"speaking": {"voice": "bert"}}, plugins)
    assert offer.announced["sing"].choices == offer.announced["speak"].choices == {"voice": ("bert",)}
    assert {offered.section for offered in offer.executors.values()} == {"speaking"}
    assert "executors.speaking.threads = 0" in reasons(load_offer({"speaking": {"threads": 0}}, plugins))["singing"]
    assert reasons(offer) == {}


def test_one_plugins_fault_leaves_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = [
        found(monkeypatch, "exits", SystemExit(3)),
        found(monkeypatch, "odd", [object()]),
        found(monkeypatch, "raises", [Broken()]),
        found(monkeypatch, "speaking", [Speak()]),
        found(monkeypatch, "too_new", [Speak()], "tron-core>=99"),
        found(monkeypatch, "too_late", [Speak()]),
    ]
    offer = load_offer({}, plugins)
    assert list(offer.announced) == ["speak"]
    assert reasons(offer) == {
        "exits": "cannot be loaded: SystemExit: 3",
        "odd": reasons(offer)["odd"],
        "raises": "broken: SystemExit: no models for you",
        "too_new": "tron-plugin-too_new 1.0 needs tron-core>=99, and this is tron-core 0.1.0",
        "too_late": "speak: the plugin speaking executes it already",
    }


def test_a_section_of_no_installed_plugin_is_noted() -> None:
    assert "no installed plugin has that name" in reasons(load_offer({"gone": {}}, []))["gone"]


def test_only_the_plugins_of_the_environment_variable_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRON_PLUGINS", "other")
    offer = load_offer({}, [found(monkeypatch, "speaking", [Speak()])])
    assert "TRON_PLUGINS" in reasons(offer)["speaking"]


def test_params_come_as_a_dict_where_no_params_class_is_named() -> None:
    class Untyped(Executor):
        capability = "untyped"

        def run(self, params, ctx):  # type: ignore[no-untyped-def]
            return {}

    assert params_class(Untyped()) is None
    assert params_class(Speak()) is Params
