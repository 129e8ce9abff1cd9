"""Built-in commands that show: help, queue, jobs, workers, plugins; and those that act on one's jobs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from tron_core.capability import Capability, FieldSpec, allowed_values, offered_fields
from tron_core.errors import NotFound, Refused
from tron_core.forgetting import Forgetting
from tron_core.frontends.discord.builtins import Asked, BuiltIn, Option
from tron_core.frontends.discord.grammar import example
from tron_core.frontends.discord.wording import about, one_line
from tron_core.job import JobState
from tron_core.scheduling.views import LiveJob
from tron_core.sections import nearest
from tron_core.storage.job_queries import count_by_state

OPEN = (JobState.QUEUED, JobState.RUNNING)
SHOWN = 10
"""Jobs in a list."""
NAMES = 12
"""Names in a line."""
PAGE = 20
MOST_PAGES = 50


async def help_(asked: Asked) -> str:
    """All commands, or one."""
    wanted = (asked.get("command") or "").lower().removeprefix(_prefix(asked))
    if not wanted:
        return _overview(asked)
    capability = asked.services.plugins.commands.get(wanted)
    if capability is not None:
        return _about(asked, capability)
    found = [command for command in asked.bot.builtins if wanted in (command.name, command.name.split()[0])]
    if found:
        return "\n".join(_line(asked, command) for command in found)
    near = nearest(wanted, [*asked.services.plugins.commands, *asked.bot.builtins.names])
    hint = f" Did you mean `{_prefix(asked)}{near}`? `{_prefix(asked)}help {near}` says more." if near else ""
    raise NotFound(f"There is no command {wanted!r}.{hint}")


def _prefix(asked: Asked) -> str:
    return asked.services.settings.discord.prefix


def _overview(asked: Asked) -> str:
    prefix, plugins = _prefix(asked), asked.services.plugins
    lines = ["**Ask for**"]
    for capability in plugins.capabilities.values():
        there = asked.services.scheduler.availability(capability.name).available
        note = "" if there else " *(no worker now)*"
        lines.append(f"`{prefix}{capability.command.name}` {capability.command.summary}{note}")
    own = [command for command in asked.bot.builtins if not command.name.startswith("admin ")]
    lines += ["", "**Also**", *(_line(asked, command) for command in own)]
    lines += ["", f"-# `{prefix}help NAME` says more. All of it is there as slash commands too."]
    return "\n".join(lines)


def _line(asked: Asked, command: BuiltIn) -> str:
    options = " ".join(
        option.name.upper() if option.required else f"[{option.name.upper()}]" for option in command.options
    )
    return f"`{_prefix(asked)}{command.name}{' ' + options if options else ''}` {command.summary}"


def _about(asked: Asked, capability: Capability) -> str:
    command, fields = capability.command, offered_fields(capability.params)
    prefix = _prefix(asked)
    also = f" (also {', '.join(f'`{prefix}{alias}`' for alias in command.aliases)})" if command.aliases else ""
    lines = [f"**{prefix}{command.name}**{also} {command.summary}"]
    lines.append(f"`{example(prefix, command, fields)}`")
    lines += [_field_line(asked, capability, spec) for spec in fields]
    return "\n".join(lines)


def _field_line(asked: Asked, capability: Capability, spec: FieldSpec) -> str:
    name = {"prompt": "the text", "input": "a file"}.get(spec.kind, f"`--{spec.name.replace('_', '-')}`")
    offered = asked.services.scheduler.choices(capability.name, spec.name)
    allowed = ", ".join(offered[:8]) if offered else allowed_values(spec)
    default = "" if spec.default in (None, "", []) or spec.required else f", else {spec.default}"
    return one_line(f"{name}: {spec.help or spec.name}. {allowed}{default}", 300)


async def queue(asked: Asked) -> str:
    """How much waits, and one's own."""
    waiting = asked.services.scheduler.queue_length()
    own = await _own(asked, OPEN)
    lines = [f"{waiting} job{'' if waiting == 1 else 's'} waiting."]
    return "\n".join([*lines, *(_job_line(live) for live in own)])


async def jobs(asked: Asked) -> str:
    """One's latest jobs."""
    found = await _own(asked, ())
    if not found:
        return "You have not asked for anything yet."
    return "\n".join(["**Your jobs**, newest first", *(_job_line(live) for live in found)])


async def history(asked: Asked) -> str:
    """All of one's jobs, in pages."""
    page, cursor = asked.get("page") or "1", None
    if not page.isdecimal() or not 1 <= int(page) <= MOST_PAGES:
        raise Refused(f"page ({page}): a whole number from 1 to {MOST_PAGES}.")
    scheduler, requester = asked.services.scheduler, asked.caller.requester
    for _ in range(int(page)):
        found, cursor = await scheduler.list_jobs(requester=requester, limit=PAGE, cursor=cursor)
        if cursor is None:
            break
    lines = [_job_line(live) for live in found] or ["You have not asked for anything yet."]
    return "\n".join([*lines, *(["-# There are more pages."] if cursor else [])])


def _job_line(live: LiveJob) -> str:
    job = live.job
    said = next((str(value) for value in job.params.values() if isinstance(value, str) and value), "")
    state = str(job.state)
    if live.position is not None:
        state += f", position {live.position}"
    if live.eta_seconds is not None:
        state += f", {about(live.eta_seconds)}"
    return f"`{job.id[-8:]}` {job.capability}: {one_line(said, 60)} · {state}"


async def _own(asked: Asked, states: Sequence[JobState], limit: int = SHOWN) -> Sequence[LiveJob]:
    scheduler = asked.services.scheduler
    found, _ = await scheduler.list_jobs(requester=asked.caller.requester, states=states, limit=limit)
    return found


async def cancel(asked: Asked) -> str:
    """Cancel one's latest open job, or the one that is named."""
    live = await _named(asked, OPEN, "waits or runs")
    await asked.services.scheduler.cancel(live.job.id)
    return f"Cancelled `{live.job.id[-8:]}` ({live.job.capability})."


async def retry(asked: Asked) -> str:
    """Try one's latest failed job again, or the one that is named."""
    live = await _named(asked, (JobState.FAILED,), "failed")
    await asked.services.scheduler.retry(live.job.id)
    return f"`{live.job.id[-8:]}` ({live.job.capability}) is in the queue again."


async def _named(asked: Asked, states: Sequence[JobState], what: str) -> LiveJob:
    """The caller's job whose id ends as the option says, in one of the states."""
    found = await _own(asked, states, 100)
    wanted = (asked.get("job") or "").strip("`").upper()
    found = [live for live in found if live.job.id.endswith(wanted)]
    if not found:
        raise NotFound(f"You have no job{f' {wanted}' if wanted else ''} that {what}.")
    return found[0]


async def open_ids(asked: Asked, text: str) -> Sequence[str]:
    return [live.job.id for live in await _own(asked, OPEN, 25) if text.upper() in live.job.id]


async def failed_ids(asked: Asked, text: str) -> Sequence[str]:
    return [live.job.id for live in await _own(asked, (JobState.FAILED,), 25) if text.upper() in live.job.id]


async def workers(asked: Asked) -> str:
    """Who does the work, and what waits for whom."""
    found = asked.services.scheduler.workers()
    if not found:
        return "No worker is connected. What runs on the hub itself works all the same."
    lines = []
    for worker in found:
        offers = _some(sorted(worker.offers)) or "nothing"
        line = f"**{worker.name}** {worker.state} · {len(worker.running)} of {worker.slots} slots · {offers}"
        skipped = "; ".join(f"{reason} ({count})" for reason, count in worker.skipped.items())
        lines.append(line + (f"\n-# not given: {skipped}" if skipped else ""))
    return "\n".join(lines)


def _some(names: Sequence[str]) -> str:
    """The names, or the first ones and how many more there are."""
    left = len(names) - NAMES
    return ", ".join(names) if left < 2 else f"{', '.join(names[:NAMES])} and {left} more"


async def plugins(asked: Asked) -> str:
    """Every plugin and its state."""
    records = asked.services.plugins.records
    lines = [f"**{each.name}** {each.version or ''} {each.state}{_reason(each)}" for each in records]
    return "\n".join(lines) or "No plugin is installed."


def _reason(record: Any) -> str:
    return f": {one_line(record.reason)}" if record.reason else ""


async def stats(asked: Asked) -> str:
    """What one has asked for so far, and what plugins have to say about that."""
    requester = asked.caller.requester
    counted = await asked.services.database.read(lambda connection: count_by_state(connection, requester))
    lines = ["**You asked for**"] if counted else ["You have not asked for anything yet."]
    for capability, counts in groupby(counted, key=lambda each: each[0]):
        lines.append(f"{capability}: " + ", ".join(f"{count} {state}" for _, state, count in counts))
    for answer in await asked.services.plugins.call_all("tron_stats", requester=requester):
        lines += ["", f"**{answer.plugin}**", str(answer.value)]
    return "\n".join(lines)


async def forget_me(asked: Asked) -> str:
    """Erase what is kept about the caller."""
    if (asked.get("sure") or "").lower() != "yes":
        text = "This erases your settings, your jobs with their files, and what plugins keep about you."
        raise Refused(f"{text} Say `{_prefix(asked)}forget-me yes`.")
    hub = asked.services
    forgetting = Forgetting(hub.auth, hub.database, hub.artifacts, hub.saved_settings, hub.scheduler, hub.plugins)
    forgotten = await forgetting.forget(asked.caller.requester)
    what = f"Your settings, {forgotten.jobs} jobs and {forgotten.artifacts} files are erased."
    if forgotten.failed:
        return f"{what} {', '.join(forgotten.failed)} could not erase what they keep; ask an administrator."
    return f"{what} So is what plugins kept about you."


async def command_names(asked: Asked, text: str) -> Sequence[str]:
    names = [*asked.services.plugins.capabilities.values()]
    known = [*(capability.command.name for capability in names), *asked.bot.builtins.names]
    return [name for name in known if text.lower() in name][:25]


_COMMAND = Option("command", "A command", complete=command_names)
_OPEN = Option("job", "The end of its id", complete=open_ids)
_FAILED = Option("job", "The end of its id", complete=failed_ids)
COMMANDS = (
    BuiltIn("help", "What there is, or how one command is used", help_, (_COMMAND,)),
    BuiltIn("queue", "How much is waiting, and your place", queue),
    BuiltIn("jobs", "Your latest jobs", jobs),
    BuiltIn("history", "All that you asked for, page by page", history, (Option("page", "Which page: 1, 2, …"),)),
    BuiltIn("stats", "What you asked for so far", stats),
    BuiltIn("cancel", "Cancel a job of yours", cancel, (_OPEN,)),
    BuiltIn("retry", "Try a failed job again", retry, (_FAILED,)),
    BuiltIn("workers", "Who does the work now", workers),
    BuiltIn("plugins", "What is installed, and how it is", plugins),
    BuiltIn("forget-me", "Erase what is kept about you", forget_me, (Option("sure", "yes"),)),
)
