"""Hooks are called one implementation after the other; what one of them does wrong stays its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import tron_core as tron
from tron_core.errors import TooMany
from tron_core.plugin_app import PluginHooks
from tron_core.plugins import Answer, Outcome, PerPlugin, Plugins, PluginState


def implementing(hook: str, function: Callable[..., Any], **options: Any) -> object:
    """A plugin whose implementation of ``hook`` is ``function``."""
    return type("Plugin", (), {hook: staticmethod(tron.hookimpl(**options)(function))})()


def loaded(**plugins: object) -> Plugins:
    made = Plugins()
    for name, plugin in plugins.items():
        record = made.register(name, plugin)
        assert record.reason is None
    return made


def on_message(function: Callable[..., Any], **options: Any) -> object:
    return implementing("tron_message", function, **options)


def says(value: Any, **options: Any) -> object:
    async def answer(message: Any) -> Any:
        await asyncio.sleep(0)
        return value

    return on_message(answer, **options)


def raises(error: BaseException) -> object:
    async def fail(message: Any) -> None:
        await asyncio.sleep(0)
        raise error

    return on_message(fail)


def raises_at_once(error: BaseException) -> object:
    def fail(message: Any) -> None:
        raise error

    return on_message(fail)


async def test_implementations_run_tryfirst_then_by_name_then_trylast() -> None:
    plugins = loaded(d=says("d"), a=says("a", trylast=True), c=says("c"), e=says("e", tryfirst=True), b=says("b"))
    answers = await plugins.call_all("tron_message", message=None)
    assert answers == [Answer(name, name) for name in "ebcda"]


async def test_each_gets_the_arguments_that_it_takes_and_may_be_async_or_not() -> None:
    plugins = loaded(a=on_message(lambda: "none"), b=on_message(lambda message: message), c=says("async"))
    answers = await plugins.call_all("tron_message", message="m")
    assert [answer.value for answer in answers] == ["none", "m", "async"]


async def test_a_plugin_may_have_arguments_of_its_own() -> None:
    plugins = loaded(a=on_message(lambda message: message), b=on_message(lambda message: message))
    answers = await plugins.call_all("tron_message", message=PerPlugin(lambda plugin: f"for {plugin}"))
    assert [answer.value for answer in answers] == ["for a", "for b"]


async def test_none_is_no_answer_and_the_first_answer_ends_a_call() -> None:
    asked = []
    plugins = loaded(a=says(None), b=says("b"), c=on_message(lambda: asked.append("c")))
    assert await plugins.call_first("tron_message", message=None) == "b"
    assert asked == []
    assert [answer.plugin for answer in await plugins.call_all("tron_message", message=None)] == ["b"]


FAULTS = [ValueError("x"), SystemExit(1), asyncio.CancelledError(), GeneratorExit(), TimeoutError()]


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("way", [raises, raises_at_once])
async def test_what_one_raises_is_logged_with_its_name_and_the_next_is_asked(
    error: BaseException, way: Callable[[BaseException], object], caplog: pytest.LogCaptureFixture
) -> None:
    plugins = loaded(a=way(error), b=says("b"))
    assert await plugins.call_first("tron_message", message=None) == "b"
    [entry] = [entry for entry in caplog.records if entry.levelno == logging.ERROR]
    assert entry.__dict__["plugin"] == "a"
    assert entry.getMessage() == "plugin a raised in tron_message"
    assert entry.exc_info is not None


async def test_an_interrupt_at_the_keyboard_goes_through() -> None:
    with pytest.raises(KeyboardInterrupt):
        await loaded(a=raises_at_once(KeyboardInterrupt())).call_all("tron_message", message=None)


async def test_one_that_does_not_answer_in_time_is_given_up() -> None:
    cancelled = asyncio.Event()

    async def hang(message: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    plugins = loaded(a=on_message(hang), b=says("b"))
    assert [answer.plugin for answer in await plugins.call_all("tron_message", timeout=0.01, message=None)] == ["b"]
    await asyncio.wait_for(cancelled.wait(), 5)


async def test_one_that_ignores_its_cancellation_holds_up_nobody() -> None:
    release = asyncio.Event()

    async def stubborn(message: Any) -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    plugins = loaded(a=on_message(stubborn), b=says("b"))
    assert await plugins.call_first("tron_message", timeout=0.01, message=None) == "b"
    release.set()


async def test_cancelling_the_caller_ends_the_call_and_the_implementation() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait(message: Any) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    plugins = loaded(a=on_message(wait), b=says("b"))
    call = asyncio.create_task(plugins.call_all("tron_message", message=None))
    await begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.wait_for(ended.wait(), 5)
    assert plugins.record("a").state is PluginState.ACTIVE


async def test_a_long_call_warns_before_it_gives_up(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tron_core.plugins.calling.TIME_LIMIT", 0.01)

    async def hang(app: Any) -> None:
        await asyncio.Event().wait()

    plugins = loaded(a=implementing("tron_startup", hang))
    await plugins.call_all("tron_startup", timeout=0.1, app=None)
    first, second = [entry.getMessage() for entry in caplog.records]
    assert first == "plugin a has been busy in tron_startup for 0.01 s; it is given up after 0.1 s"
    assert second == "plugin a raised in tron_startup"


async def test_five_failures_in_a_row_quarantine_a_plugin() -> None:
    plugins = loaded(a=raises(ValueError("again")), b=says("b"))
    for _ in range(4):
        await plugins.call_all("tron_message", message=None)
    assert plugins.record("a").state is PluginState.ACTIVE
    await plugins.call_all("tron_message", message=None)
    record = plugins.record("a")
    assert record.state is PluginState.QUARANTINED
    assert record.reason == "raised 5 times in a row, last in tron_message: ValueError: again"
    outcomes = [outcome async for outcome in plugins.call_each("tron_message", message=None)]
    assert outcomes == [Outcome("b", "b")]


async def test_a_success_begins_the_count_anew() -> None:
    answers: list[Any] = [ValueError()] * 4 + ["fine"] + [ValueError()] * 4

    def next_answer(message: Any) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    plugins = loaded(a=on_message(next_answer))
    while answers:
        await plugins.call_all("tron_message", message=None)
    assert plugins.record("a").state is PluginState.ACTIVE


async def test_a_quarantined_plugin_can_be_called_again() -> None:
    plugins = loaded(a=raises(ValueError()))
    for _ in range(5):
        await plugins.call_all("tron_message", message=None)
    assert not plugins.has("tron_message")
    plugins.reinstate("a")
    assert plugins.has("tron_message")
    await plugins.call_all("tron_message", message=None)
    assert plugins.record("a").state is PluginState.ACTIVE


@pytest.mark.parametrize("refusal", [tron.Refused("not here"), TooMany("not here", retry_after=1)])
async def test_a_refusal_is_an_answer_and_no_failure(refusal: tron.TronError) -> None:
    plugins = loaded(a=raises(refusal), b=says("b"))
    for _ in range(9):
        with pytest.raises(type(refusal), match="not here"):
            await plugins.call_first("tron_message", message=None)
    assert [answer.plugin for answer in await plugins.call_all("tron_message", message=None)] == ["b"]
    assert plugins.record("a").state is PluginState.ACTIVE


async def test_each_outcome_is_handed_over_and_a_change_reaches_the_next() -> None:
    def add(name: str) -> Callable[[Any], Awaitable[Any]]:
        async def append(request: Any) -> Any:
            return [*request, name]

        return append

    async def fail(request: Any) -> None:
        raise ValueError("no")

    hook = "tron_job_submitting"
    plugins = loaded(a=implementing(hook, add("a")), b=implementing(hook, fail), c=implementing(hook, add("c")))
    arguments: dict[str, Any] = {"request": []}
    errors = []
    async for outcome in plugins.call_each(hook, arguments):
        if outcome.error is not None:
            errors.append((outcome.plugin, repr(outcome.error)))
        else:
            arguments["request"] = outcome.value
    assert arguments["request"] == ["a", "c"]
    assert errors == [("b", "ValueError('no')")]


def test_hooks_that_are_not_async_are_called_at_once() -> None:
    hook = "tron_select_worker"

    def fail(job: Any) -> None:
        raise SystemExit

    plugins = loaded(
        a=implementing(hook, fail),
        b=implementing(hook, lambda candidates: candidates[0]),
        c=implementing(hook, lambda candidates: candidates[1]),
    )
    assert [answer.value for answer in plugins.call_all_now(hook, job=None, candidates=["x", "y"])] == ["x", "y"]


def test_an_awaitable_from_a_hook_that_is_not_async_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    async def later() -> str:
        return "x"

    plugins = loaded(a=implementing("tron_select_worker", lambda: later()))
    assert plugins.call_all_now("tron_select_worker", job=None, candidates=[]) == []
    assert "tron_select_worker is not async" in str(caplog.records[0].exc_info)


async def test_where_nobody_implements_a_hook_a_call_is_empty() -> None:
    plugins = loaded(a=says("a"))
    assert plugins.has("tron_message")
    assert not plugins.has("tron_startup")
    assert await plugins.call_all("tron_startup", app=None) == []
    assert await plugins.call_first("tron_startup", app=None) is None
    assert plugins.call_all_now("tron_select_worker", job=None, candidates=[]) == []


def test_a_hook_that_nobody_declared_cannot_be_called() -> None:
    with pytest.raises(LookupError, match="no hook is named 'tron_mesage'"):
        Plugins().has("tron_mesage")


async def test_tracing_prints_every_call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TRON_TRACE_PLUGINS", "1")
    plugins = loaded(a=says("hello"), b=raises(ValueError("no")))
    await plugins.call_all("tron_message", message=None)
    await plugins.call_all("tron_startup", app=None)
    assert capsys.readouterr().err.splitlines() == [
        "tron_message: implemented by a, b",
        "tron_message: a -> 'hello'",
        "tron_message: b -> raised ValueError('no')",
        "tron_startup: implemented by nobody",
    ]


async def test_a_plugin_calls_the_hooks_that_it_declared_by_the_same_rules() -> None:
    class Hooks:
        @tron.hookspec
        async def tron_write_prompt(self, theme: str) -> str | None:
            """Write about theme."""

    plugins = loaded(
        asker=implementing("tron_register_hookspecs", lambda: Hooks),
        a=implementing("tron_write_prompt", lambda theme: f"a {theme}"),
        b=implementing("tron_write_prompt", lambda theme: 1 / 0),
    )
    hooks = PluginHooks(plugins)
    assert await hooks.call_all("tron_write_prompt", theme="fox") == ["a fox"]
    assert await hooks.call_first("tron_write_prompt", theme="fox") == "a fox"
