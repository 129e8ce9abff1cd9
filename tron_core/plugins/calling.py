"""Calling hooks: one implementation after the other, each guarded, so that none stops another.

pluggy's own call cannot do this: an async implementation returns a coroutine, so that a firstresult hook would stop
at the first, and one exception ends the call.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pluggy import HookImpl, PluginManager

from tron_core.errors import TronError
from tron_core.hooks import PROJECT

logger = logging.getLogger(__name__)

TIME_LIMIT = 10.0
"""Seconds that an async implementation has; also when a call with a longer limit warns."""

STRIKES = 5
"""Failures in a row after which a plugin is quarantined."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a plugin's implementation returned."""

    plugin: str
    value: Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one implementation ended: with ``value`` (None: no answer) or ``error``, a refusal included."""

    plugin: str
    value: Any = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class PerPlugin:
    """As an argument of a hook call: each plugin gets ``make(plugin name)`` for itself."""

    make: Callable[[str], Any]


class HookCalls:
    """Walks the implementations of a hook in pluggy's precedence: tryfirst, then plugin name ascending, then trylast.

    What an implementation raises is logged and counted and means "no answer"; a success begins the count anew. A
    ``Refused``, or another TronError, is an answer that a person is shown, and never counted: ``call_first`` raises it,
    ``call_each`` hands it over, ``call_all`` passes on. Only a KeyboardInterrupt goes through, as it cannot be told
    from the one of the person at the keyboard.
    """

    def __init__(self) -> None:
        self._manager = PluginManager(PROJECT)
        self._chains: dict[str, tuple[HookImpl, ...]] = {}
        self._strikes: dict[str, int] = {}
        self._abandoned: set[asyncio.Task[Outcome]] = set()
        self._tracing = os.environ.get("TRON_TRACE_PLUGINS", "") not in ("", "0")

    def has(self, hook: str) -> bool:
        """Whether anybody implements ``hook``: a look into a dict, for the hot path."""
        chain = self._chains.get(hook)
        return bool(self._chain(hook) if chain is None else chain)

    async def call_all(self, hook: str, /, *, timeout: float = TIME_LIMIT, **arguments: Any) -> list[Answer]:
        """What all implementations answered, None left out. ``timeout`` in seconds, for each."""
        outcomes = [await self._ask(hook, each, arguments, timeout) for each in self._begin(hook)]
        return [Answer(outcome.plugin, outcome.value) for outcome in outcomes if outcome.value is not None]

    async def call_first(self, hook: str, /, *, timeout: float = TIME_LIMIT, **arguments: Any) -> Any:
        """The first answer, None where nobody has one; raises the TronError that a plugin answers with."""
        for implementation in self._begin(hook):
            outcome = await self._ask(hook, implementation, arguments, timeout)
            if isinstance(outcome.error, TronError):
                raise outcome.error
            if outcome.value is not None:
                return outcome.value
        return None

    async def call_each(
        self, hook: str, arguments: Mapping[str, Any] | None = None, /, *, timeout: float = TIME_LIMIT, **more: Any
    ) -> AsyncIterator[Outcome]:
        """How each implementation ended, failures too, for a hook whose caller must not pass over one.

        ``arguments`` is read anew before each call: a caller that changes it hands what one plugin altered to the next.
        """
        for implementation in self._begin(hook):
            yield await self._ask(hook, implementation, {**(arguments or {}), **more}, timeout)

    def call_each_now(self, hook: str, /, **arguments: Any) -> list[Outcome]:
        """``call_each`` for hooks that are not async."""
        return [self._ask_now(hook, each, arguments) for each in self._begin(hook)]

    def call_all_now(self, hook: str, /, **arguments: Any) -> list[Answer]:
        """``call_all`` for hooks that are not async."""
        outcomes = self.call_each_now(hook, **arguments)
        return [Answer(outcome.plugin, outcome.value) for outcome in outcomes if outcome.value is not None]

    def _begin(self, hook: str) -> tuple[HookImpl, ...]:
        chain = self._chain(hook)
        if self._tracing:
            names = ", ".join(each.plugin_name for each in chain) or "nobody"
            print(f"{hook}: implemented by {names}", file=sys.stderr)
        return chain

    def _chain(self, hook: str) -> tuple[HookImpl, ...]:
        chain = self._chains.get(hook)
        if chain is None:
            caller = getattr(self._manager.hook, hook, None)
            if caller is None:
                raise LookupError(f"no hook is named {hook!r}")
            wanted = [each for each in caller.get_hookimpls() if self._is_called(each.plugin_name)]
            chain = self._chains[hook] = tuple(sorted(wanted, key=_precedence))
        return chain

    def _is_called(self, plugin: str) -> bool:
        """Whether the plugin's hooks are called; the chains are forgotten when that changes."""
        raise NotImplementedError

    def _quarantine(self, plugin: str, reason: str) -> None:
        raise NotImplementedError

    async def _ask(self, hook: str, implementation: HookImpl, arguments: Mapping[str, Any], timeout: float) -> Outcome:
        outcome = _call(implementation, arguments)
        if inspect.isawaitable(outcome.value):
            outcome = await self._wait(hook, outcome.plugin, outcome.value, timeout)
        return self._judge(hook, outcome)

    def _ask_now(self, hook: str, implementation: HookImpl, arguments: Mapping[str, Any]) -> Outcome:
        outcome = _call(implementation, arguments)
        if inspect.isawaitable(outcome.value):
            if inspect.iscoroutine(outcome.value):
                outcome.value.close()
            outcome = Outcome(outcome.plugin, error=TypeError(f"{hook} is not async, and an awaitable was returned"))
        return self._judge(hook, outcome)

    async def _wait(self, hook: str, plugin: str, awaitable: Awaitable[Any], timeout: float) -> Outcome:
        # A task of its own: a CancelledError of the plugin's own ends that task alone, one of ours ends this wait.
        task = asyncio.ensure_future(_contain(plugin, awaitable))
        warning = None
        if timeout > TIME_LIMIT:
            warning = asyncio.get_running_loop().call_later(TIME_LIMIT, _warn_slow, hook, plugin, timeout)
        try:
            await asyncio.wait({task}, timeout=timeout)
        finally:
            if warning is not None:
                warning.cancel()
            if not task.done():
                self._abandon(task)
        if not task.done():
            return Outcome(plugin, error=TimeoutError(f"no answer within {timeout:g} s"))
        if task.cancelled():
            return Outcome(plugin, error=asyncio.CancelledError("it cancelled itself"))
        return task.result()

    def _abandon(self, task: asyncio.Task[Outcome]) -> None:
        """Cancel without waiting: what ignores its cancellation would hold up everybody."""
        task.cancel()
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)

    def _judge(self, hook: str, outcome: Outcome) -> Outcome:
        if self._tracing:
            shown = repr(outcome.value) if outcome.error is None else f"raised {outcome.error!r}"
            print(f"{hook}: {outcome.plugin} -> {shown}", file=sys.stderr)
        if outcome.error is None:
            self._strikes.pop(outcome.plugin, None)
        elif not isinstance(outcome.error, TronError):
            self._strike(hook, outcome.plugin, outcome.error)
        return outcome

    def _strike(self, hook: str, plugin: str, error: BaseException) -> None:
        strikes = self._strikes[plugin] = self._strikes.get(plugin, 0) + 1
        logger.error("plugin %s raised in %s", plugin, hook, exc_info=error, extra={"plugin": plugin})
        if strikes >= STRIKES:
            self._quarantine(plugin, f"raised {strikes} times in a row, last in {hook}: {describe(error)}")


def describe(error: BaseException, limit: int = 300) -> str:
    """An exception in one line of at most ``limit`` characters."""
    text = " ".join(str(error).split())
    line = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _precedence(implementation: HookImpl) -> tuple[int, str]:
    if implementation.trylast:
        return 2, implementation.plugin_name
    return 0 if implementation.tryfirst else 1, implementation.plugin_name


def _call(implementation: HookImpl, arguments: Mapping[str, Any]) -> Outcome:
    plugin = implementation.plugin_name
    wanted = [*implementation.argnames, *(name for name in implementation.kwargnames if name in arguments)]
    passed = {name: _for_plugin(arguments[name], plugin) for name in wanted}
    try:
        return Outcome(plugin, value=implementation.function(**passed))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return Outcome(plugin, error=error)


def _for_plugin(argument: Any, plugin: str) -> Any:
    return argument.make(plugin) if isinstance(argument, PerPlugin) else argument


async def _contain(plugin: str, awaitable: Awaitable[Any]) -> Outcome:
    # Inside the task: a SystemExit that leaves a task ends the event loop.
    try:
        return Outcome(plugin, value=await awaitable)
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise
    except BaseException as error:
        return Outcome(plugin, error=error)


def _warn_slow(hook: str, plugin: str, timeout: float) -> None:
    text = "plugin %s has been busy in %s for %g s; it is given up after %g s"
    logger.warning(text, plugin, hook, TIME_LIMIT, timeout, extra={"plugin": plugin})
