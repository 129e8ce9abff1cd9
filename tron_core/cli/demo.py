"""``tron demo``: every capability that can run here, once, through the real path."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tron_core.cli.context import Context, context_of
from tron_core.cli.output import AsJson, print_json, shortened
from tron_core.errors import TronError

if TYPE_CHECKING:
    from tron_core.capability import Capability, Demo
    from tron_core.cli.hub_client import HubClient
    from tron_core.cli.local_hub import LocalHub
    from tron_core.cli.turns import Outcome, Turn
    from tron_core.plugins import Plugins

WORKER = "demo"


def register(cli: typer.Typer) -> None:
    """Add the command to the program."""
    cli.command("demo")(demo)


def demo(
    ctx: typer.Context,
    directory: Annotated[
        Path, typer.Option("--dir", metavar="DIR", help="Where everything lies; made if missing.")
    ] = Path("tron-demo"),
    as_json: AsJson = False,
) -> None:
    """Run every installed capability that can run here, once: a hub and a worker are started as processes of their
    own, with a throw-away configuration, and stopped again.

    What came of it lies in DIR/results, with a page that shows it all. Exit status 0 if something ran and all of it
    succeeded.

    Example: tron demo --dir tron-demo
    """
    from tron_core.cli.local_hub import LocalHub, without_settings

    context = context_of(ctx)
    begun = time.monotonic()
    with without_settings(), _ended_by_signals():
        hub = LocalHub(directory, _options(context))
        try:
            outcomes = _play(hub, context, quiet=as_json)
        finally:
            hub.stop()
    from tron_core.cli.demo_page import write_page

    page = write_page(hub.folder / "results", outcomes)
    if as_json:
        print_json([outcome.as_json() for outcome in outcomes])
    else:
        typer.echo(_summary(outcomes, time.monotonic() - begun, hub.folder))
        typer.echo(f"all of it on one page: {page.resolve().as_uri()}")
    states = {outcome.state for outcome in outcomes}
    if "failed" in states or "succeeded" not in states:
        raise typer.Exit(1)


def _options(context: Context) -> list[str]:
    given = {"--strict": context.strict, "--no-plugins": context.no_plugins}
    return [option for option, is_given in given.items() if is_given]


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM ends as Ctrl-C does, so that no process is left behind."""

    def end(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _play(hub: LocalHub, context: Context, *, quiet: bool) -> list[Outcome]:
    """Start both, take every turn, and print what comes of each, unless ``quiet``."""
    from tron_core.cli.hub_client import client_of
    from tron_core.frontends.console import open_view

    loaded = hub.prepare()
    plugins = context.load_plugins(loaded)
    if not plugins.capabilities:
        raise TronError("no installed plugin brings a capability; `tron plugins list` shows what there is")
    demos = {name: _demos(capability) for name, capability in sorted(plugins.capabilities.items())}
    hub.configure(_sections(plugins, demos))
    view = open_view("tron demo")
    try:
        view.status("starting the hub")
        running = hub.start(loaded)
        with client_of(running, loaded) as client:
            # A worker that has nothing to execute ends at once.
            if any(capability.runs_on == "worker" for capability in plugins.capabilities.values()):
                view.status("starting a worker, which loads its executors")
                hub.start_worker(loaded, running, client, WORKER)
            view.end()
            known = {each["name"]: each for each in client.items("/capabilities")}
            outcomes = []
            for name, shown in demos.items():
                reason = _missing(hub, plugins.capabilities[name], known.get(name))
                for outcome in _perform(hub, client, plugins, name, shown, reason):
                    outcomes.append(outcome)
                    if not quiet:
                        typer.echo(_told(outcome))
            return outcomes
    finally:
        view.end()


def _missing(hub: LocalHub, capability: Capability, known: dict[str, Any] | None) -> str | None:
    """Why nobody here can do it; None where somebody can."""
    if known is None:
        return f"the hub has no such capability; see {hub.folder / 'hub.log'}"
    if known["available"] or capability.runs_on == "hub":
        return None
    return hub.not_offered(str(known["plugin"])) or "no executor for it is installed here"


def _demos(capability: Capability) -> Sequence[Demo] | Outcome:
    """What a capability shows; where it cannot say that, a failure."""
    from tron_core.capability import Demo
    from tron_core.cli.turns import Outcome

    try:
        shown = capability.demo()
    except Exception as error:  # the plugin's own code: the others go on
        return Outcome(capability.name, "failed", f"its demo() raised {type(error).__name__}: {error}")
    return [] if shown is None else [shown] if isinstance(shown, Demo) else list(shown)


def _sections(plugins: Plugins, demos: Mapping[str, Sequence[Demo] | Outcome]) -> dict[str, dict[str, Any]]:
    """What the demos want to stand in the plugins' sections of tron.toml."""
    from tron_core.cli.turns import Outcome

    sections: dict[str, dict[str, Any]] = {}
    for name, shown in demos.items():
        for demo in () if isinstance(shown, Outcome) else shown:
            if demo.config:
                sections.setdefault(plugins.plugin_of(name), {}).update(demo.config)
    return sections


def _perform(
    hub: LocalHub,
    client: HubClient,
    plugins: Plugins,
    name: str,
    shown: Sequence[Demo] | Outcome,
    missing: str | None,
) -> Iterator[Outcome]:
    """Take the turns of one capability, until one fails."""
    from tron_core.cli.turns import NOTHING, Outcome, Turn

    if isinstance(shown, Outcome):
        yield shown
        return
    if missing is not None or not shown:
        yield Outcome(name, "skipped", missing or NOTHING)
        return
    folder = hub.folder / "results"
    folder.mkdir(exist_ok=True)
    for number, demo in enumerate(shown, start=1):
        turn = Turn(name, name if number == 1 else f"{name}-turn-{number}", folder)
        outcome = _taken(name, partial(turn.ask, client, demo))
        yield outcome
        if outcome.state != "succeeded":
            return
        # What is made from words alone shows what the others make of it.
        if outcome.job and not demo.inputs:
            yield from _follow(client, plugins, turn, outcome.job)


def _follow(client: HubClient, plugins: Plugins, turn: Turn, job: str) -> Iterator[Outcome]:
    """Press one button of each capability of another plugin's that a worker executes, below what ``turn`` made."""
    from tron_core.cli.turns import Turn

    reply = client.get(f"/jobs/{job}")["reply"] or {}
    pressed = set()
    for number, action in enumerate(reply.get("actions", ())):
        name = action["capability"]
        other = plugins.capabilities.get(name)
        foreign = other is not None and plugins.plugin_of(name) != plugins.plugin_of(turn.capability)
        if other is None or not foreign or other.runs_on != "worker" or name in pressed:
            continue
        pressed.add(name)
        following = Turn(name, f"{turn.name}-{name}", turn.folder)
        outcome = _taken(name, partial(following.press, client, job, number))
        outcome.pressed = f"{action['label']}, below {turn.name}"
        yield outcome


def _taken(name: str, take: Callable[[], Outcome]) -> Outcome:
    """What ``take`` returns; a failure where it raises."""
    from tron_core.cli.turns import Outcome

    try:
        return take()
    except (TronError, OSError) as error:
        return Outcome(name, "failed", str(error))


def _told(outcome: Outcome) -> str:
    lines = [f"{outcome.capability}: {outcome.state}" + (f": {outcome.reason}" if outcome.reason else "")]
    if outcome.command:
        lines.append(f"  $ {outcome.command}")
    if outcome.pressed:
        lines.append(f"  button {outcome.pressed}")
    if outcome.worker:
        lines.append(f"  worker {outcome.worker}, {outcome.seconds} s")
    if outcome.text:
        lines += [f"  {line}" for line in outcome.text.splitlines() if line]
    return "\n".join([*lines, *(f"  -> {shortened(file)}" for file in outcome.files), ""])


def _summary(outcomes: list[Outcome], seconds: float, folder: Path) -> str:
    counts = {state: sum(each.state == state for each in outcomes) for state in ("succeeded", "failed", "skipped")}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    shown = shortened(folder)
    return f"{told} in {seconds:.0f} s; results are in {shown}/results, logs and the configuration in {shown}"
