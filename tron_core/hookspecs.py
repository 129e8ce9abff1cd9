"""Every hook of the core. A plugin implements the ones it needs with ``@tron.hookimpl``.

How hooks are called: implementations run one by one, ``tryfirst`` ones before the rest, the rest in the order of the
plugins' names, ``trylast`` ones after. An implementation may be ``async def`` where its spec is; it has 10 seconds
(60 at start-up). What it raises is logged and counted, and means "no answer", except in ``tron_job_submitting``;
after 5 in a row the plugin is quarantined. A hook whose docstring says Experimental may change; the others are stable.
Argument names are the contract: an implementation takes those that it needs. Hook wrappers are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tron_core.hooks import hookspec

if TYPE_CHECKING:
    import typer
    from pydantic import BaseModel

    from tron_core.api import App, Candidate, Frontend, Message, SettingSpec, StoreFactory, WorkerProtocol
    from tron_core.capability import Action, Capability, Reply
    from tron_core.discord import Bot
    from tron_core.job import Job, JobEvent, JobRequest
    from tron_core.kits import Kit
    from tron_core.worker import Executor


@hookspec
def tron_register_hookspecs() -> Any:
    """Hooks of a plugin's own, which other plugins may implement.

    Called once while plugins load, before any other hook, on the main thread; must not block. Return a module or class
    whose functions are marked with ``tron_core.hookspec``. Names begin with ``tron_``. Raising makes the plugin
    ``failed``, as does a hook that is declared already.

    Example::

        class Hooks:
            @tron.hookspec
            def tron_write_image_prompt(self, theme):
                "Write a prompt about theme."

        @tron.hookimpl
        def tron_register_hookspecs():
            return Hooks
    """


@hookspec
def tron_register_capabilities() -> Sequence[Capability]:
    """The capabilities of a plugin.

    Called once when plugins load, on the main thread; must not block. Return a list of Capability instances. A name,
    command or alias that an earlier plugin has makes this plugin ``failed``, as does raising.

    Example::

        @tron.hookimpl
        def tron_register_capabilities():
            return [Echo()]
    """


@hookspec
def tron_register_executors() -> Sequence[Executor]:
    """The executors of a plugin, from its entry point in the group ``tron.executors``.

    Called once in each executor process of a worker, never on the hub; heavy imports belong here or into the
    executor, not into the plugin's hub half. Return a list of Executor instances. Raising leaves the plugin out on
    that worker, with the reason on its console.

    Example::

        @hookimpl
        def tron_register_executors():
            return [EchoExecutor()]
    """


@hookspec
def tron_register_settings() -> Sequence[SettingSpec]:
    """Settings that people or guilds may save, beyond the fields of a Params class.

    Called once when plugins load, on the main thread; must not block. Return a list of SettingSpec. Raising makes the
    plugin ``failed``.

    Example::

        @tron.hookimpl
        def tron_register_settings():
            return [tron.SettingSpec("conversation", default="user", help="Who shares a conversation")]
    """


@hookspec
def tron_register_config() -> type[BaseModel]:
    """The plugin's own section ``[plugins.NAME]`` of tron.toml.

    Called once when plugins load, on the main thread; must not block. Return a pydantic model class (unknown keys are
    refused whatever its ``extra`` says). A section that does not fit makes the plugin ``failed``, as does raising.

    Example::

        class EchoConfig(pydantic.BaseModel):
            shout: bool = False

        @tron.hookimpl
        def tron_register_config():
            return EchoConfig
    """


@hookspec
def tron_register_cli(cli: typer.Typer) -> None:
    """Commands for the ``tron`` program.

    Called once, on the main thread, when a command is typed that the core does not have, and for ``tron --help``; must
    not block or do I/O. Add commands or groups to ``cli``, a Typer app of the plugin's own; a name that the core has is
    left out. Raising leaves the plugin's commands out. So that ``--help`` imports no plugin in vain, it shows commands
    of plugins only where the word ``tron_register_cli`` stands in the module that an entry point names.

    Example::

        @tron.hookimpl
        def tron_register_cli(cli):
            @cli.command()
            def shout(text: str):
                print(text.upper())
    """


@hookspec
def tron_register_kits() -> Sequence[Kit]:
    """What a worker of the plugin's own protocol is given: an option of ``tron create-client-tokens``. Experimental.

    Called once, on the main thread, when that command is typed; must not block or do I/O. Return a list of Kit. An
    option that the command has already is left out. Raising leaves the plugin's kits out.

    Example::

        @tron.hookimpl
        def tron_register_kits():
            return [tron.Kit("paper", "Make a folder for a worker that speaks paper.", paper_files)]
    """


@hookspec
def tron_register_routes(router: Any) -> Any:
    """REST routes.

    Called once when the http frontend starts, on the event loop; must not block. ``router`` is a FastAPI APIRouter
    mounted at ``/api/v1/plugins/<name>``; add routes to it. Return None, or another APIRouter whose routes are to
    stand at the root; a path that is taken is refused. Raising leaves the plugin's routes out.

    Example::

        @tron.hookimpl
        def tron_register_routes(router):
            @router.get("/ping")
            async def ping() -> dict[str, bool]:
                return {"pong": True}
    """


@hookspec
def tron_register_worker_protocols(app: App) -> Sequence[WorkerProtocol]:
    """Another wire protocol for workers, chosen by WebSocket subprotocol.

    Called once when the hub starts, on the event loop; must not block. Return a list of WorkerProtocol. A subprotocol
    that is taken makes the hub leave the later one out and log it. Raising leaves the plugin's protocols out.

    Example::

        @tron.hookimpl
        def tron_register_worker_protocols(app):
            return [LegacyProtocol(app)]
    """


@hookspec
def tron_register_frontends(app: App) -> Sequence[Frontend]:
    """Another place where people ask and are answered; the core's own register through this hook too.

    Called once when the hub starts, on the event loop; must not block. Return a list of Frontend. One whose name is
    taken is left out and logged. Raising is logged, and leaves the plugin's frontends out.

    Example::

        @tron.hookimpl
        def tron_register_frontends(app):
            return [MatrixFrontend(app)]
    """


@hookspec
def tron_register_buses() -> Mapping[str, Any]:
    """Backends of the Bus, by the scheme of ``bus.url``. Experimental.

    Called once when the hub starts, on the main thread; must not block. Return a dict of scheme to a function that
    takes the URL and returns a Bus. Raising leaves them out; a hub whose ``bus.url`` needs one of them does not start.

    Example::

        @tron.hookimpl
        def tron_register_buses():
            return {"nats": NatsBus}
    """


@hookspec
def tron_register_artifact_stores() -> Mapping[str, StoreFactory]:
    """Backends of the artifact store, by the scheme of ``artifacts.url``.

    Called once when the hub starts, on the main thread; must not block. Return a dict of scheme to a function that
    takes the URL and the folder that relative paths are relative to, and returns an ArtifactStore. Raising leaves them
    out; a hub whose ``artifacts.url`` needs one of them does not start.

    Example::

        @tron.hookimpl
        def tron_register_artifact_stores():
            return {"s3": S3Store.from_url}
    """


@hookspec
async def tron_startup(app: App) -> None:
    """Start services of the plugin's own.

    Awaited once, on the event loop, after the database is ready and before any frontend starts; a warning is
    logged after 10 seconds, after 60 it is given up. Raising is logged; the hub starts all the same.

    Example::

        @tron.hookimpl
        async def tron_startup(app):
            await app.database.write(prepare)
    """


@hookspec
async def tron_shutdown(app: App) -> None:
    """Stop what ``tron_startup`` started.

    Awaited once, on the event loop, after the frontends stopped, in the same order as start-up; it has 10 seconds.
    Raising is logged; the others are still called.

    Example::

        @tron.hookimpl
        async def tron_shutdown(app):
            await client.close()
    """


@hookspec
async def tron_job_submitting(request: JobRequest) -> JobRequest | None:
    """Refuse or alter a request before it becomes a job: moderation, quota.

    Awaited for every request, on the event loop, with its params complete and valid. Raise ``tron.Refused(reason)``
    to refuse; return a JobRequest to replace it (params are validated again), or None. Anything else that is raised,
    and a time-out, refuses the request with the code ``plugin_failed``.

    Example::

        @tron.hookimpl
        async def tron_job_submitting(request):
            if "forbidden" in str(request.params.get("text", "")):
                raise tron.Refused("That word is not allowed here.")
    """


@hookspec
async def tron_job_event(event: JobEvent) -> None:
    """Observe every state change, progress and partial text.

    Awaited in a task of its own per plugin, in order, behind a bounded queue: when an implementation is slow,
    progress events are dropped for it, state changes are not. Raising is logged; the next event is still handed over.

    Example::

        @tron.hookimpl
        async def tron_job_event(event):
            if event.kind == "state":
                counter[event.data["state"]] += 1
    """


@hookspec(firstresult=True)
def tron_select_worker(job: Job, candidates: Sequence[Candidate]) -> str | None:
    """Override where a job goes.

    Called on the event loop for each hand-out; must not block. Return the name of one of ``candidates``, or
    None for the core's own choice; the first answer counts. Raising is logged, and the next plugin is asked.

    Example::

        @tron.hookimpl
        def tron_select_worker(job, candidates):
            return next((c.name for c in candidates if c.name.startswith("big-")), None)
    """


@hookspec(firstresult=True)
async def tron_message(message: Message) -> JobRequest | None:
    """Claim a message that is not a command: a mention, a direct message, a message in a thread.

    Awaited on the event loop, plugin by plugin, until one answers. Return a JobRequest to make a job of it, or None.
    ``tron.Refused(reason)`` is an answer too: the person is shown the reason. Anything else that is raised is logged,
    and the next plugin is asked.

    Example::

        @tron.hookimpl
        async def tron_message(message):
            if message.mentions_bot:
                return tron.JobRequest("echo", {"text": message.text}, message.requester)
    """


@hookspec
async def tron_discord_setup(bot: Bot) -> None:
    """Add discord.py code of one's own to the bot: cogs, commands, listeners. ``tron_core.discord`` has what it needs.

    Awaited on the event loop once for each bot, before it logs in: where the connection has to be made anew, there is
    a new bot. What a plugin adds whose call raises, or that takes the name of a command that is there, is undone, and
    the log says why. What its commands and listeners raise later is logged.

    Example::

        @tron.hookimpl
        async def tron_discord_setup(bot):
            await bot.add_cog(Zoo(bot))
    """


@hookspec
async def tron_forget_requester(requester: str) -> None:
    """Erase what the plugin keeps about a person (``discord:1234``, ``api:alice``).

    Awaited on the event loop when a person or an operator asks for it. Must be repeatable. Raising is reported
    to whoever asked, and the others are still called.

    Example::

        @tron.hookimpl
        async def tron_forget_requester(requester):
            await app.database.write(lambda c: c.execute(delete(notes).where(notes.c.owner == requester)))
    """


@hookspec
async def tron_stats(requester: str) -> str | None:
    """A section of what a person is shown about themselves (``!stats`` in Discord). Experimental.

    Awaited on the event loop when a person asks for it. Return some lines of text, or None where there is nothing to
    say. Raising is logged; the other sections are shown.

    Example::

        @tron.hookimpl
        async def tron_stats(requester):
            return f"You were echoed {await count(requester)} times."
    """


@hookspec
def tron_reply_actions(job: Job, reply: Reply) -> Sequence[Action]:
    """Offer actions on any reply, also on another plugin's (an Enlarge button on every picture).

    Called on the event loop once for each reply before it is stored; must not block. ``job.artifacts`` are the
    result's. Return a list of Action. Raising is logged; the reply goes out without the plugin's actions.

    Example::

        @tron.hookimpl
        def tron_reply_actions(job, reply):
            pictures = [a for a in job.artifacts if a.media_type.startswith("image/")]
            return [tron.Action(f"Enlarge #{n}", "enlarge", {"image": a.id}) for n, a in enumerate(pictures, 1)]
    """
