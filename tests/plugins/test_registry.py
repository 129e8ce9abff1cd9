"""Each plugin stands or falls by itself, with its reason; what the loaded ones declare is checked and kept."""

from __future__ import annotations

import textwrap
from types import ModuleType
from typing import Any

import pydantic
import pytest

import tron_core as tron
from tron_core.config import PluginSettings
from tron_core.plugins import EXECUTORS, PluginFailed, PluginRecord, Plugins, PluginState

CAPABILITY = """
    import tron_core as tron

    class {name}Params(tron.Params):
        text: str = tron.Prompt("What")

    class {name}(tron.Capability):
        name = "{capability}"
        command = tron.Command("{command}", aliases={aliases!r})
        params = {name}Params

    @tron.hookimpl
    def tron_register_capabilities():
        return [{name}()]
"""


def a_capability(capability: str, command: str | None = None, aliases: tuple[str, ...] = ()) -> str:
    text = CAPABILITY.format(name="Thing", capability=capability, command=command or capability, aliases=aliases)
    return textwrap.dedent(text)


def shown(plugins: Plugins) -> dict[str, tuple[str, str | None]]:
    wanted = [record for record in plugins.records if record.reason != "not among those that TRON_PLUGINS names"]
    return {record.name: (record.state.value, record.reason) for record in wanted}


def settings(**sections: Any) -> PluginSettings:
    return PluginSettings.model_validate(sections)


def module(source: str, name: str = "plugin_under_test") -> ModuleType:
    made = ModuleType(name)
    exec(textwrap.dedent(source), vars(made))  # noqa: S102 - the test's own text
    return made


def registered(source: str, name: str = "one") -> PluginRecord:
    return Plugins().register(name, module(source))


def test_an_installed_plugin_is_active_with_all_that_it_declares(shelf: Any) -> None:
    shelf.install("enlarge", a_capability("enlarge", aliases=("big",)), version="2.1")
    plugins = Plugins.load()
    [record] = [record for record in plugins.records if record.name == "enlarge"]
    assert record.as_json() == {
        "name": "enlarge",
        "distribution": "tron-plugin-enlarge",
        "version": "2.1",
        "state": "active",
        "reason": None,
        "hooks": ["tron_register_capabilities"],
        "capabilities": ["enlarge"],
    }
    assert plugins.capabilities["enlarge"] is plugins.commands["big"] is plugins.commands["enlarge"]
    assert plugins.plugin_of("enlarge") == "enlarge"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("raise ValueError('no good')", "raised at import: ValueError: no good"),
        ("import no_such_module", "raised at import: ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit(3)", "raised at import: SystemExit: 3"),
        ("import asyncio; raise asyncio.CancelledError", "raised at import: CancelledError"),
        ("raise BaseExceptionGroup('all', [GeneratorExit()])", "raised at import: BaseExceptionGroup"),
        ("def broken(:", "raised at import: SyntaxError"),
    ],
)
def test_what_a_plugin_raises_at_import_stops_no_other(shelf: Any, statement: str, said: str) -> None:
    shelf.install("a-bad", statement)
    shelf.install("b-good", a_capability("enlarge"))
    state, reason = shown(plugins := Plugins.load())["a-bad"]
    assert state == "failed"
    assert reason is not None
    assert reason.startswith(said)
    assert "\n" not in reason
    assert plugins.record("b-good").state is PluginState.ACTIVE


def test_an_interrupt_at_the_keyboard_is_nobodys_fault_but_stops_the_load(shelf: Any) -> None:
    shelf.install("slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        Plugins.load()


def test_a_plugin_for_another_core_is_not_imported(shelf: Any) -> None:
    shelf.install("late", "raise AssertionError('imported')", requires="tron-core>=99")
    state, reason = shown(Plugins.load())["late"]
    assert state == "incompatible"
    assert reason == f"tron-plugin-late 1.0 needs tron-core>=99, and this is tron-core {tron.__version__}"


def test_a_requirement_of_another_extra_is_no_requirement(shelf: Any) -> None:
    shelf.install("fine", "", requires='tron_core[hub]>=99; extra == "future"')
    assert shown(Plugins.load())["fine"] == ("active", None)


def test_a_half_registration_is_undone(shelf: Any) -> None:
    source = a_capability("enlarge") + textwrap.dedent(
        """
        @tron.hookimpl
        def tron_register_settings():
            raise RuntimeError("half way")

        @tron.hookimpl
        def tron_message(message):
            return "called"
        """
    )
    shelf.install("half", source)
    plugins = Plugins.load()
    assert shown(plugins)["half"] == ("failed", "raised in tron_register_settings: RuntimeError: half way")
    assert not plugins.has("tron_message")
    assert not plugins.capabilities
    assert plugins.record("half").hooks == []


def test_names_that_are_not_wanted_are_not_imported(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.install("a", "raise AssertionError('imported')")
    shelf.install("b", "")
    plugins = Plugins.load(settings(disabled=["a"]))
    assert shown(plugins)["a"] == ("disabled", "disabled in the configuration (tron plugins enable a)")
    assert {record.state.value for record in Plugins.load(no_plugins=True).records} == {"disabled"}
    monkeypatch.setenv("TRON_PLUGINS", "b, bb")
    records = {record.name: record for record in Plugins.load().records}
    assert (records["a"].state, records["b"].state) == (PluginState.DISABLED, PluginState.ACTIVE)
    assert records["bb"].reason == "named in TRON_PLUGINS, and no such plugin is installed; did you mean b?"


def test_strict_ends_at_the_first_plugin_that_is_not_well(shelf: Any) -> None:
    shelf.install("bad", "raise ValueError('no good')")
    with pytest.raises(PluginFailed, match="plugin bad is failed: raised at import: ValueError: no good") as caught:
        Plugins.load(strict=True)
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize(
    ("first", "second", "word"),
    [
        (("one", "one", ()), ("one", "two", ()), "capability 'one'"),
        (("one", "same", ()), ("two", "same", ()), "command 'same'"),
        (("one", "one", ("same",)), ("two", "same", ()), "command 'same'"),
        (("one", "same", ()), ("two", "two", ("same",)), "alias 'same'"),
    ],
)
def test_the_later_of_two_that_clash_fails_and_names_both(shelf: Any, first: Any, second: Any, word: str) -> None:
    shelf.install("b", a_capability(*second), version="0.3")
    shelf.install("a", a_capability(*first), version="1.2")
    plugins = Plugins.load()
    assert shown(plugins)["a"] == ("active", None)
    said = f"{word} is already taken by tron-plugin-a 1.2 (plugin a); tron-plugin-b 0.3 (plugin b) cannot have it too"
    assert shown(plugins)["b"] == ("failed", said)
    assert list(plugins.capabilities) == ["one"]


def test_two_plugins_of_one_name_do_not_share_it(shelf: Any) -> None:
    shelf.install("same", "", distribution="tron-plugin-x")
    shelf.install("same", "", distribution="tron-plugin-y")
    first, second = [record for record in Plugins.load().records if record.name == "same"]
    assert first.state is PluginState.ACTIVE
    assert second.reason == "the name same is already taken by tron-plugin-x 1.0 (plugin same)"


@pytest.mark.parametrize("name", ["Upper", "1st", "a b"])
def test_a_name_that_cannot_be_used_everywhere_is_refused(name: str) -> None:
    assert Plugins().register("core", object()).reason == "the name core is reserved"
    assert "a plugin's name is lower-case letters" in (Plugins().register(name, object()).reason or "")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            """
            @tron.hookimpl
            def tron_mesage(message): ...
            """,
            "no hook is named tron_mesage; did you mean tron_message?",
        ),
        (
            """
            @tron.hookimpl
            def tron_message(mesage): ...
            """,
            "tron_message has no argument mesage; it has message",
        ),
        (
            """
            @tron.hookimpl(wrapper=True)
            def tron_message(message):
                yield
            """,
            "tron_message is a hook wrapper",
        ),
        (
            """
            @tron.hookimpl(hookwrapper=True)
            def tron_message(message):
                yield
            """,
            "tron_message is a hook wrapper",
        ),
        (
            """
            @tron.hookimpl
            async def tron_register_capabilities(): ...
            """,
            "tron_register_capabilities is not an async hook",
        ),
        (
            """
            def tron_register_capabilities():
                return []
            """,
            "tron_register_capabilities has the name of a hook, but no @tron_core.hookimpl above it",
        ),
        (
            """
            @tron.hookimpl
            def tron_register_capabilities():
                return [int]
            """,
            "tron_register_capabilities returned <class 'int'>, which is no Capability instance",
        ),
        (
            """
            @tron.hookimpl
            def tron_register_capabilities():
                return "enlarge"
            """,
            "tron_register_capabilities returns a list, not 'enlarge'",
        ),
        (
            """
            @tron.hookimpl
            def tron_register_settings():
                return [tron.SettingSpec("k", 1, "h"), tron.SettingSpec("k", 2, "h")]
            """,
            "the setting 'k' is declared twice",
        ),
        (
            """
            @tron.hookimpl
            def tron_register_config():
                return dict
            """,
            "tron_register_config returns a pydantic model class, not <class 'dict'>",
        ),
        (
            """
            @tron.hookimpl
            def tron_register_hookspecs():
                return tron
            """,
            "tron_register_hookspecs returned nothing that is marked",
        ),
    ],
)
def test_what_is_declared_wrongly_is_said_in_a_sentence(source: str, said: str) -> None:
    record = registered("import tron_core as tron\n" + textwrap.dedent(source))
    assert record.state is PluginState.FAILED
    assert record.reason is not None
    assert record.reason.startswith(said)


class Text(tron.Params):
    text: str = tron.Prompt("What")


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"name": "No Good"}, "a capability's name is 1 to 32 lower-case letters"),
        ({"name": "x" * 33}, "a capability's name is 1 to 32 lower-case letters"),
        ({"command": "enlarge"}, "capability enlarge: command is a tron_core.Command"),
        ({"params": pydantic.BaseModel}, "capability enlarge: params is a subclass of tron_core.Params"),
        ({"handle_result": lambda self, job: None}, "capability enlarge: handle_result takes (self, job, result)"),
        ({"handle_result": lambda self, job, result: None}, "capability enlarge: handle_result is awaited"),
        ({"runs_on": "moon"}, "capability enlarge: runs_on is 'worker' or 'hub', not 'moon'"),
        ({"runs_on": "hub"}, "capability enlarge runs on the hub and must implement run(params, ctx)"),
        ({"command": tron.Command("enlarge", aliases=["enlarge"])}, "alias 'enlarge' is already taken by plugin one"),
        (
            {"params": type("Many", (tron.Params,), {"__annotations__": {f"f{n}": int for n in range(26)}})},
            "capability enlarge shows 26 options in its slash command, and Discord has room for 25",
        ),
    ],
)
def test_a_capability_that_no_frontend_could_show_is_refused(attributes: dict[str, Any], said: str) -> None:
    whole = {"name": "enlarge", "command": tron.Command("enlarge"), "params": Text, **attributes}
    capability = type("Enlarge", (tron.Capability,), whole)()

    class Plugin:
        @tron.hookimpl
        def tron_register_capabilities(self) -> list[tron.Capability]:
            return [capability]

    record = Plugins().register("one", Plugin())
    assert (record.reason or "").startswith(said)


def test_a_module_may_have_attributes_and_a_listing_of_its_own_making() -> None:
    source = a_capability("enlarge") + "\ndef __getattr__(name):\n    raise AttributeError(name)\n\ndef __dir__():\n"
    record = registered(source + "    return sorted(globals())\n")
    assert (record.state, record.reason) == (PluginState.ACTIVE, None)


def test_options_beyond_25_are_fine_where_slash_does_not_show_them() -> None:
    fields = {f"f{n}": tron.Setting(1, slash=n < 25) for n in range(40)}
    params = type("Many", (tron.Params,), {"__annotations__": dict.fromkeys(fields, int), **fields})

    class Enlarge(tron.Capability):
        name = "enlarge"
        command = tron.Command("enlarge")

    Enlarge.params = params

    class Plugin:
        @tron.hookimpl
        def tron_register_capabilities(self) -> list[tron.Capability]:
            return [Enlarge()]

    assert Plugins().register("one", Plugin()).reason is None


HOOKS = """
    import tron_core as tron

    class Hooks:
        @tron.hookspec
        def tron_write_prompt(self, theme): "Write about theme."

    @tron.hookimpl
    def tron_register_hookspecs():
        return Hooks
"""

WRITER = """
    import tron_core as tron

    @tron.hookimpl
    def tron_write_prompt(theme):
        return "about " + theme
"""


def test_a_plugins_own_hook_may_be_implemented_by_one_that_loads_before_it(shelf: Any) -> None:
    shelf.install("a-writer", WRITER)
    shelf.install("b-asker", HOOKS)
    plugins = Plugins.load()
    assert shown(plugins)["a-writer"] == ("active", None)
    assert [answer.value for answer in plugins.call_all_now("tron_write_prompt", theme="foxes")] == ["about foxes"]


def test_a_hook_that_nobody_declares_may_be_implemented_where_that_is_said(shelf: Any) -> None:
    shelf.install("a-writer", WRITER.replace("@tron.hookimpl", "@tron.hookimpl(optionalhook=True)"))
    shelf.install("b-writer", WRITER)
    records = shown(Plugins.load())
    assert records["a-writer"] == ("active", None)
    assert records["b-writer"][0] == "failed"


def test_a_hook_is_declared_once(shelf: Any) -> None:
    shelf.install("a", HOOKS)
    shelf.install("b", HOOKS)
    assert shown(Plugins.load())["b"] == ("failed", "the hook tron_write_prompt is already declared")


CONFIG = """
    import pydantic
    import tron_core as tron

    class Section(pydantic.BaseModel):
        shout: bool = False
        token: pydantic.SecretStr | None = None

    @tron.hookimpl
    def tron_register_config():
        return Section
"""


def test_a_section_is_validated_as_its_plugin_declares(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.install("a-echo", CONFIG)
    monkeypatch.setenv("ECHO_TOKEN", "s3cret")
    section = {"shout": "true", "token": "env:ECHO_TOKEN", "required": True}
    config: Any = Plugins.load(settings(**{"a-echo": section})).config("a-echo")
    assert (config.shout, config.token.get_secret_value()) == (True, "s3cret")


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"shuot": True}, "tron.toml: plugins.echo.shuot: unknown key; did you mean shout?"),
        ({"shout": 7}, "tron.toml: plugins.echo.shout = 7: must be a valid boolean"),
        ({"token": "env:NO_SUCH"}, "plugins.echo.token = 'env:NO_SUCH': the environment variable NO_SUCH is not set"),
    ],
)
def test_a_section_that_does_not_fit_fails_its_plugin(shelf: Any, section: dict[str, Any], said: str) -> None:
    shelf.install("echo", CONFIG)
    shelf.install("other", "")
    records = shown(Plugins.load(settings(echo=section)))
    assert records["echo"][0] == "failed"
    assert (records["echo"][1] or "").startswith(said)
    assert records["other"] == ("active", None)


def test_a_section_of_a_plugin_that_declares_none_may_only_say_required(shelf: Any) -> None:
    shelf.install("plain", "")
    assert shown(Plugins.load(settings(plain={"required": True})))["plain"] == ("active", None)
    said = "plugins.plain.shout: unknown key; the plugin has no settings"
    assert shown(Plugins.load(settings(plain={"shout": 1})))["plain"] == ("failed", said)


def test_a_section_of_a_plugin_that_is_not_there_is_noted(shelf: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    Plugins.load(settings(gone={"shout": 1}))
    assert "[plugins.gone] is kept unread: the plugin is not installed" in caplog.text


def test_required_plugins_that_are_not_active_are_known(shelf: Any) -> None:
    shelf.install("bad", "raise ValueError")
    shelf.install("good", "")
    wanted = {name: {"required": True} for name in ("bad", "good", "gone")}
    assert Plugins.load(settings(**wanted, other={"required": False})).missing_required() == ["bad", "gone"]


def test_executors_are_loaded_from_their_own_group(shelf: Any) -> None:
    source = """
        from tron_core.worker import Executor, hookimpl

        class Enlarger(Executor):
            capability = "enlarge"

        @hookimpl
        def tron_register_executors():
            return [Enlarger()]
    """
    shelf.install("a", source, group=EXECUTORS)
    shelf.install("b", source, group=EXECUTORS)
    shelf.install("c", "raise OSError('no gpu')", group=EXECUTORS)
    plugins = Plugins.load(group=EXECUTORS)
    assert plugins.executors["enlarge"].plugin == "a"
    assert plugins.record("a").capabilities == ["enlarge"]
    assert "executor 'enlarge' is already taken by tron-plugin-a 1.0" in (plugins.record("b").reason or "")
    assert plugins.record("c").reason == "raised at import: OSError: no gpu"
    assert not shown(Plugins.load())


def test_a_part_of_the_core_is_called_and_not_listed() -> None:
    plugins = Plugins()
    plugins.register(
        "console", module(WRITER.replace("tron_write_prompt(theme)", "tron_message(message)")), built_in=True
    )
    assert plugins.records == []
    assert plugins.has("tron_message")
