"""The list of plugins, made in a child process: one that hangs, crashes or ends the process is listed all the same.

The child writes one JSON object a line: ``{"trying": NAME}`` before any code of a plugin runs, ``{"records": [...]}``
at the end. Where it goes without an end, the plugin it tried last is at fault: the next child leaves that one out.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from tron_core.config import Loaded, load
from tron_core.plugins.records import PluginFailed, PluginRecord, PluginState
from tron_core.plugins.registry import Plugins

TIME_LIMIT = 20.0
"""Seconds that one plugin may take to be imported and to register."""


START_LIMIT = 60.0
"""Seconds until the child begins with the first: its interpreter has to start, on however busy a machine."""


def list_plugins(loaded: Loaded, *, no_plugins: bool = False, time_limit: float = TIME_LIMIT) -> list[PluginRecord]:
    """Every installed plugin as a hub with this configuration would have it; ``time_limit`` in seconds, for each."""
    return asyncio.run(_list(loaded.path, no_plugins, time_limit))


async def _list(path: Path | None, no_plugins: bool, time_limit: float) -> list[PluginRecord]:
    excluded: dict[str, str] = {}
    while True:
        order = {"path": str(path) if path else None, "no_plugins": no_plugins, "excluded": excluded}
        answer = await _ask_child(order, time_limit)
        if "records" in answer:
            return [_record(fields) for fields in answer["records"]]
        # Each round leaves one more plugin out, so that there is a last one.
        excluded[answer["culprit"]] = answer["reason"]


async def _ask_child(order: Mapping[str, Any], time_limit: float) -> dict[str, Any]:
    child = await asyncio.create_subprocess_exec(
        *[sys.executable, "-P", "-c", f"from {__name__} import answer; answer()"],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps(order).encode())
    child.stdin.close()
    tried = None
    try:
        while line := await asyncio.wait_for(child.stdout.readline(), time_limit if tried else START_LIMIT):
            said: dict[str, Any] = json.loads(line)
            if "records" in said:
                return said
            tried = said["trying"]
        end = _describe_end(await child.wait())
    except TimeoutError:
        end = f"is not done after {time_limit if tried else START_LIMIT:g} s"
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    if tried is None:
        raise PluginFailed(f"the process that lists plugins {end}")
    return {"culprit": tried, "reason": f"{end} while it is loaded"}


def _describe_end(status: int) -> str:
    if status < 0:
        return f"ends the process with {signal.Signals(-status).name}"
    return f"ends the process with exit status {status}"


def _record(fields: Mapping[str, Any]) -> PluginRecord:
    return PluginRecord(**{**fields, "state": PluginState(fields["state"])})


def answer() -> None:
    """The child's part: read the order, load, write what is there."""
    order = json.loads(sys.stdin.read())
    report = _keep_stdout()
    loaded = load(Path(order["path"]) if order["path"] else None)

    def announce(name: str) -> None:
        print(json.dumps({"trying": name}), file=report, flush=True)

    plugins = Plugins.load(
        loaded.settings.plugins,
        source=loaded.source_of,
        folder=loaded.folder,
        no_plugins=order["no_plugins"],
        excluded=order["excluded"],
        announce=announce,
    )
    print(json.dumps({"records": [record.as_json() for record in plugins.records]}), file=report, flush=True)
    # Threads that a plugin left behind must not hold up the end.
    os._exit(0)


def _keep_stdout() -> IO[str]:
    """Standard output for ourselves; what plugins print goes to standard error."""
    report = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return report
