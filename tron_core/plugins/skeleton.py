"""The files that ``tron plugins new`` writes: a plugin that works, to be changed into another."""

from __future__ import annotations

from pathlib import Path
from string import Template

from tron_core import __version__
from tron_core.errors import ConfigError, Conflict
from tron_core.plugins.declarations import check_plugin_name
from tron_core.plugins.records import PluginFault

PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "tron-plugin-$name"
version = "0.1.0"
description = "$title for TRON."
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["tron-core>=$core"]

[project.optional-dependencies]
worker = []  # what the executor needs and the hub does not

[project.entry-points."tron.plugins"]
$name = "$module"

[project.entry-points."tron.executors"]
$name = "$module.executor"

[tool.hatch.build.targets.wheel]
packages = ["src/$module"]
"""

HUB = '''\
"""The hub's half of $name: what can be asked for, and how it is answered."""

import tron_core as tron


class ${kind}Params(tron.Params):
    """What a person may say."""

    text: str = tron.Prompt("What to say back")
    times: int = tron.Setting(1, ge=1, le=5, help="How often")


class $kind(tron.Capability):
    """Say it back."""

    name = "$name"
    command = tron.Command("$name", summary="Say it back", example="hello --times 2")
    params = ${kind}Params

    def demo(self) -> tron.Demo:
        return tron.Demo({"text": "hello", "times": 2})

    async def handle_result(self, job: tron.Job, result: tron.Result) -> tron.Reply:
        return tron.Reply(text=result.output["text"])


@tron.hookimpl
def tron_register_capabilities() -> list[tron.Capability]:
    return [$kind()]
'''

EXECUTOR = '''\
"""The worker's half of $name. Only workers import it, so heavy libraries are imported here."""

from $module import ${kind}Params
from tron_core.worker import ExecutionContext, Executor, hookimpl


class ${kind}Executor(Executor):
    capability = "$name"

    def run(self, params: ${kind}Params, ctx: ExecutionContext) -> dict[str, str]:
        ctx.progress(0.5, "halfway")
        return {"text": " ".join([params.text] * params.times)}


@hookimpl
def tron_register_executors() -> list[Executor]:
    return [${kind}Executor()]
'''

TEST = """\
from pathlib import Path

from $module import ${kind}Params
from $module.executor import ${kind}Executor
from tron_core.testing.executors import RecordingContext


def test_it_says_it_twice(tmp_path: Path) -> None:
    ctx = RecordingContext(tmp_path)
    assert ${kind}Executor().run(${kind}Params(text="hi", times=2), ctx) == {"text": "hi hi"}
    assert ctx.fractions == [0.5]
"""

README = """\
# tron-plugin-$name

A plugin of TRON. Where it is installed, `!$name hello --times 2` in Discord, `/$name`, the web page, REST and
`tron submit $name --text hello` are answered.

    pip install -e .
    tron plugins check .
    tron run --with-worker
"""

FILES = {
    "pyproject.toml": PYPROJECT,
    "README.md": README,
    "src/$module/__init__.py": HUB,
    "src/$module/executor.py": EXECUTOR,
    "src/$module/py.typed": "",
    "tests/test_$module.py": TEST,
}
"""Templates by path; paths are templates themselves."""


def write_skeleton(name: str, folder: Path) -> list[Path]:
    """Write the plugin ``name`` into the new folder ``folder``; returns its files.

    Raises ConfigError for a name that a plugin cannot have, Conflict where the folder is there and not empty.
    """
    name = name.removeprefix("tron-plugin-")
    try:
        check_plugin_name(name)
    except PluginFault as fault:
        raise ConfigError(f"NAME ({name}): {fault}") from None
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict(f"{folder} is there already, and not an empty folder", code="folder_exists")
    words = {
        "name": name,
        "module": "tron_plugin_" + name.replace("-", "_"),
        "kind": "".join(part.capitalize() for part in name.replace("-", "_").split("_")),
        "title": name.replace("-", " ").replace("_", " ").capitalize(),
        "core": ".".join(__version__.split(".")[:2]),
    }
    written = []
    for path, content in FILES.items():
        target = folder / Template(path).substitute(words)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template(content).substitute(words), encoding="utf-8")
        written.append(target)
    return written
