"""``tron plugins check``: a plugin in a folder, as a hub and a worker would find it once it is installed.

Its code runs in two child processes, one for each half, with a time limit; there the folder stands in for an
installation: the source on the path, and the metadata that an installer would have written.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tron_core.capability import Attachment, Capability, Demo, fields_of, parse_params
from tron_core.errors import ConfigError, InvalidParams
from tron_core.plugins.discovery import CORE, EXECUTORS, PLUGINS
from tron_core.plugins.records import PluginState
from tron_core.plugins.registry import Plugins

TIME_LIMIT = 60.0
"""Seconds that each half may take: a worker's may load a big library."""

HEAVY = ("torch", "tensorflow", "jax", "diffusers", "transformers", "onnxruntime", "cv2", "ncnn", "numpy")
"""Libraries that belong to the worker's half; a hub on a small machine pays for each that is imported."""

Level = Literal["ok", "advice", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about the plugin; a ``problem`` keeps it from working."""

    level: Level
    sentence: str


def check_plugin(folder: Path, *, time_limit: float = TIME_LIMIT) -> list[Finding]:
    """What there is to say about the plugin whose ``pyproject.toml`` lies in ``folder``, in the order of a reader.

    Raises ConfigError where there is none that can be read.
    """
    project = _read_project(folder)
    points = project.get("entry-points", {})
    halves = {group: dict(points.get(group, {})) for group in (PLUGINS, EXECUTORS)}
    findings = list(_check_metadata(project, halves))
    if not any(halves.values()):
        return findings
    with tempfile.TemporaryDirectory() as site:
        _install(Path(site), project, points)
        path = [str(folder / "src"), str(folder), site]
        for group in (half for half in halves if halves[half]):
            findings += _ask_child(group, list(halves[group]), path, time_limit)
            if any(finding.level == "problem" for finding in findings):
                break  # the other half imports this one, and would say the same
    return findings


def _read_project(folder: Path) -> Mapping[str, Any]:
    file = folder / "pyproject.toml"
    try:
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
    except FileNotFoundError:
        raise ConfigError(f"PATH ({folder}): there is no pyproject.toml; name the folder of a plugin") from None
    except KeyError:
        raise ConfigError(f"{file} has no table [project]") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from None
    if not isinstance(project, dict) or not isinstance(project.get("name"), str):
        raise ConfigError(f"{file}: [project] has no name")
    return project


def _check_metadata(project: Mapping[str, Any], halves: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    names = {name for points in halves.values() for name in points}
    if not names:
        yield Finding("problem", f'no entry point: [project.entry-points."{PLUGINS}"] NAME = "tron_plugin_NAME"')
    for name in sorted(names):
        if project["name"].replace("_", "-") != f"tron-plugin-{name}".replace("_", "-"):
            yield Finding("advice", f"the distribution of a plugin {name} is called tron-plugin-{name}")
    if not any(line.replace("_", "-").startswith(CORE) for line in project.get("dependencies", ())):
        yield Finding("advice", f'dependencies: say which core it is for, "{CORE}>=0.1"')
    for key in ("description", "readme", "license", "requires-python"):
        if key not in project:
            yield Finding("advice", f"[project] has no {key}, which people look for on PyPI")


def _install(site: Path, project: Mapping[str, Any], points: Mapping[str, Mapping[str, str]]) -> None:
    version = str(project.get("version", "0"))
    info = site / f"{project['name'].replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {version}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in project.get("dependencies", ())]
    (info / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points[group].items()) for group in points
    ]
    (info / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")


def _ask_child(group: str, names: list[str], path: list[str], time_limit: float) -> list[Finding]:
    half = "the hub's half" if group == PLUGINS else "the worker's half"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRON_")}
    environment["PYTHONPATH"] = os.pathsep.join([*path, *filter(None, [os.environ.get("PYTHONPATH")])])
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", f"from {__name__} import answer; answer()"],
            input=json.dumps({"group": group, "names": names}),
            env=environment,
            capture_output=True,
            text=True,
            timeout=time_limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [Finding("problem", f"{half} is not loaded after {time_limit:g} s")]
    last = done.stdout.rstrip().rpartition("\n")[2]
    if done.returncode != 0 or not last.startswith("["):
        said = done.stderr.strip().rpartition("\n")[2]
        return [Finding("problem", f"{half} ends the process with status {done.returncode}: {said}")]
    return [Finding(level, sentence) for level, sentence in json.loads(last)]


def answer() -> None:
    """The child's part: load one half and say what it is."""
    order = json.loads(sys.stdin.read())
    imported: list[tuple[str, set[str]]] = []
    # Everything that is installed: a clash with another plugin is worth knowing.
    plugins = Plugins.load(group=order["group"], announce=lambda name: imported.append((name, set(sys.modules))))
    look = _look_at_hub if order["group"] == PLUGINS else _look_at_worker
    findings = [finding for name in order["names"] for finding in look(plugins, name)]
    if order["group"] == PLUGINS:
        findings += _find_heavy(order["names"], [*imported, ("", set(sys.modules))])
    print("\n" + json.dumps([[finding.level, finding.sentence] for finding in findings]), flush=True)
    os._exit(0)  # threads that a plugin left behind must not hold up the end


def _find_heavy(names: list[str], imported: list[tuple[str, set[str]]]) -> Iterator[Finding]:
    """``imported``: each plugin, in the order in which they were loaded, with the modules that were there before."""
    for (name, before), (_, after) in itertools.pairwise(imported):
        if name in names:
            for library in (each for each in HEAVY if each in after - before):
                yield Finding("advice", f"the hub's half of {name} imports {library}, which belongs to the worker's")


def _state_of(plugins: Plugins, name: str) -> Finding | None:
    """Why a plugin is not active, None where it is."""
    try:
        record = plugins.record(name)
    except KeyError:
        refused = next((record for record in plugins.records if record.name == name), None)
        return Finding("problem", f"{name}: {refused.reason if refused else 'it is not found'}")
    if record.state is not PluginState.ACTIVE:
        return Finding("problem", f"{name} is {record.state}: {record.reason}")
    return None


def _look_at_hub(plugins: Plugins, name: str) -> Iterator[Finding]:
    if problem := _state_of(plugins, name):
        yield problem
        return
    record = plugins.record(name)
    yield Finding("ok", f"{name} {record.version} loads; hooks: {', '.join(record.hooks) or 'none'}")
    for capability in (plugins.capabilities[each] for each in record.capabilities):
        yield from _look_at_capability(capability)


def _look_at_capability(capability: Capability) -> Iterator[Finding]:
    command = capability.command
    fields = ", ".join(spec.name for spec in fields_of(capability.params)) or "none"
    yield Finding("ok", f"capability {capability.name}: !{command.name}, fields: {fields}")
    if not command.summary:
        yield Finding("advice", f"{capability.name}: its command has no summary, which help and the slash command show")
    for spec in fields_of(capability.params):
        if not spec.help:
            yield Finding("advice", f"{capability.name}.{spec.name} has no help")
    shown = capability.demo()
    demos = [shown] if isinstance(shown, Demo) else list(shown or ())
    if not demos:
        yield Finding("advice", f"{capability.name} has no demo(), so that `tron demo` and the docs cannot show it")
    for reason in filter(None, (_fault_of(capability, demo) for demo in demos)):
        yield Finding("problem", f"{capability.name}: its demo() is not valid: {reason}")


def _fault_of(capability: Capability, demo: Demo) -> str | None:
    missing = [str(file) for file in demo.inputs.values() if not file.is_file()]
    if missing:
        return f"there is no file {', '.join(missing)}"
    types = {spec.name: spec.type for spec in fields_of(capability.params)}
    stand_in = Attachment("file")
    inputs = {name: [stand_in] if types.get(name) == "attachments" else stand_in for name in demo.inputs}
    try:
        parse_params(capability.params, {**demo.params, **inputs})
    except InvalidParams as error:
        return error.message
    return None


def _look_at_worker(plugins: Plugins, name: str) -> Iterator[Finding]:
    if problem := _state_of(plugins, name):
        yield problem
        return
    for capability, answered in plugins.executors.items():
        if answered.plugin != name:
            continue
        yield Finding("ok", f"executor of {capability}: {type(answered.value).__name__}")
        if reason := answered.value.unavailable():
            yield Finding("advice", f"the executor of {capability} cannot run here: {reason}")
