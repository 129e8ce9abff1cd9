"""The plugin that the README and the tutorial show, as a distribution that pip installs."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import distribution
from pathlib import Path
from types import ModuleType

import pytest

import tron_core as tron
from tron_core.errors import InvalidParams
from tron_core.plugins import EXECUTORS, PLUGINS, Plugins
from tron_core.testing.executors import RecordingContext
from tron_core.worker import Executor

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def echo(installed_echo: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The sample's module in this process, which forgets it afterwards."""
    monkeypatch.syspath_prepend(installed_echo)
    yield import_module("tron_plugin_echo")
    for name in [name for name in sys.modules if name.startswith("tron_plugin_echo")]:
        del sys.modules[name]


@pytest.fixture
def capability(echo: ModuleType) -> tron.Capability:
    (capability,) = echo.tron_register_capabilities()
    assert isinstance(capability, tron.Capability)
    return capability


@pytest.fixture
def executor(echo: ModuleType) -> Executor:
    (executor,) = import_module("tron_plugin_echo.executor").tron_register_executors()
    assert isinstance(executor, Executor)
    return executor


@pytest.mark.usefixtures("echo")
def test_its_entry_points_lead_to_both_halves() -> None:
    points = {point.group: point for point in distribution("tron-plugin-echo").entry_points}
    assert set(points) == {"tron.plugins", "tron.executors"}
    assert {point.name for point in points.values()} == {"echo"}
    assert hasattr(points["tron.plugins"].load(), "tron_register_capabilities")
    assert hasattr(points["tron.executors"].load(), "tron_register_executors")


@pytest.mark.parametrize("group", [PLUGINS, EXECUTORS])
@pytest.mark.usefixtures("echo")
def test_the_loader_takes_it_without_a_word(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRON_PLUGINS", "echo")
    plugins = Plugins.load(group=group, strict=True)
    assert plugins.record("echo").state == "active"
    offered = plugins.capabilities if group == PLUGINS else plugins.executors
    assert set(offered) == {"echo"}


def test_what_it_says_back_reaches_the_person(capability: tron.Capability, executor: Executor, tmp_path: Path) -> None:
    ctx = RecordingContext(tmp_path)
    output = executor.run(capability.parse({"text": "hello", "times": 2}), ctx)
    assert output == {"text": "hello hello"}
    assert [(report.fraction, report.message) for report in ctx.reports] == [(0.5, "halfway")]


async def test_its_reply_is_the_text(capability: tron.Capability) -> None:
    job = tron.Job("1", "echo", {"text": "hello"}, tron.JobState.SUCCEEDED, "api:alice", 0.0)
    assert (await capability.handle_result(job, tron.Result({"text": "hello"}))).text == "hello"


def test_it_says_things_five_times_at_most(capability: tron.Capability) -> None:
    with pytest.raises(InvalidParams, match=r"times \(6\).*a whole number from 1 to 5"):
        capability.parse({"text": "hello", "times": 6})


def test_it_stays_out_of_the_environment_of_the_workspace() -> None:
    script = "import importlib.util; print(importlib.util.find_spec('tron_plugin_echo'))"
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert found.strip() == "None"


def test_its_process_environment_shows_it_to_others(echo_environment: dict[str, str]) -> None:
    script = "from importlib.metadata import entry_points; print(*entry_points(group='tron.plugins').names)"
    ran = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, env=echo_environment
    )
    assert "echo" in ran.stdout.split()


def test_its_own_tests_pass(echo_environment: dict[str, str]) -> None:
    tests = ROOT / "docs" / "samples" / "tron-plugin-echo" / "tests"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, env=echo_environment)
    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr


def test_the_tutorial_includes_each_of_its_files() -> None:
    page = (ROOT / "docs" / "tutorial" / "first-plugin.md").read_text(encoding="utf-8")
    sample = ROOT / "docs" / "samples" / "tron-plugin-echo"
    for path in [sample / "pyproject.toml", *sample.glob("**/*.py")]:
        assert f'--8<-- "{path.relative_to(ROOT).as_posix()}"' in page, path.name


def test_it_names_its_python_and_core() -> None:
    project = tomllib.loads((ROOT / "docs/samples/tron-plugin-echo/pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    assert project["name"] == "tron-plugin-echo"
    assert project["dependencies"] == ["tron-core>=0.1"]
