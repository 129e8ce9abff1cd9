"""The first run, as the tutorial has it: a hub, a worker, a question from the console, the same over REST, the end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from programs import DEADLINE, TRON, Api, Program, eventually
from typer.testing import CliRunner, Result

from tron_core.cli import app
from tron_core.run_file import RunFile, Running

SAMPLE = Path(__file__).resolve().parents[2] / "docs" / "samples" / "tron-plugin-echo"
POINTS = "[tron.plugins]\necho = tron_plugin_echo\n\n[tron.executors]\necho = tron_plugin_echo.executor\n"


DEMO = "\n\nEcho.demo = lambda self: tron.Demo({'text': 'hello', 'times': 2})\n"
ON_THE_HUB = """
async def _run(self, params, ctx):
    return {"text": params.text}


Echo.runs_on, Echo.run = "hub", _run
"""


def _install_echo(target: Path, addition: str = "") -> dict[str, str]:
    """The environment of a process that has the sample plugin ``echo``, as if pip had installed it, and it alone."""
    shutil.copytree(SAMPLE / "src", target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    with (target / "tron_plugin_echo" / "__init__.py").open("a") as module:
        module.write(addition)
    info = target / "tron_plugin_echo-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tron-plugin-echo\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(POINTS)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRON_")}
    return {**kept, "PYTHONPATH": str(target), "PYTHONUNBUFFERED": "1", "TRON_PLUGINS": "echo"}


@pytest.fixture(scope="module")
def echo_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The sample plugin as it stands in the documentation."""
    return _install_echo(tmp_path_factory.mktemp("echo"))


class Place:
    """A folder with a hub's configuration, and the programs that run there."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self._environment = environment
        self._programs: list[Program] = []
        (folder / "tron.toml").write_text("[hub]\nport = 0\n\n[http]\nport = 0\n")

    def start(self, *arguments: str) -> Program:
        """``tron ARGUMENTS`` in the background, its log ``COMMAND.log``."""
        program = Program(
            [*TRON, *arguments],
            folder=self.folder,
            environment=self._environment,
            log=self.folder / f"{arguments[0]}.log",
        )
        self._programs.append(program)
        return program

    def tron(self, *arguments: str) -> Result:
        """``tron ARGUMENTS``, in this process: a new one takes its time to start."""
        return CliRunner().invoke(app, ["--config", str(self.folder / "tron.toml"), *arguments])

    def start_and_wait(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """``tron ARGUMENTS`` as a process of its own, to its end."""
        return subprocess.run(
            [*TRON, *arguments],
            cwd=self.folder,
            env=self._environment,
            text=True,
            capture_output=True,
            timeout=DEADLINE,
            check=False,
        )

    def running(self) -> Running:
        """The hub's addresses, once it has started."""
        return eventually(RunFile(self.folder).read, f"a hub runs in {self.folder}")

    def worker_is_idle(self, api: Api) -> bool:
        """Whether a worker waits for work."""
        return any(worker["state"] == "idle" for worker in api.call("GET", "/workers")["items"])

    def clear(self) -> None:
        """End everything."""
        for program in self._programs:
            program.clear()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, echo_environment: dict[str, str]) -> Iterator[Place]:
    """A hub and a worker with the sample plugin, started as the tutorial says."""
    place = Place(tmp_path_factory.mktemp("place"), echo_environment)
    try:
        assert place.tron("create-worker-user", "--username", "gpu", "--password", "a long password").exit_code == 0
        place.tron("create-client-tokens", "--username", "gpu", "--output", str(place.folder / "auth.json"))
        place.start("run")
        running = place.running()
        place.start("worker", "--hub", running.hub, "--http", running.http, "--auth", "auth.json", "--name", "gpu-1")
        api = Api(running.http, running.token)
        eventually(lambda: place.worker_is_idle(api), "the worker is idle")
        api.close()
        yield place
    finally:
        place.clear()


def test_the_console_is_answered(place: Place) -> None:
    result = place.start_and_wait("submit", "echo", "--text", "hello", "--times", "2")
    assert (result.returncode, result.stdout) == (0, "hello hello\n"), result.stderr


def test_words_without_a_flag_are_the_text(place: Place) -> None:
    assert place.tron("submit", "echo", "hello", "there").stdout == "hello there\n"


def test_json_is_the_whole_job_and_nothing_else(place: Place) -> None:
    job = json.loads(place.tron("submit", "echo", "--text", "hello", "--json").stdout)
    assert job["state"] == "succeeded"
    assert job["reply"]["text"] == "hello"
    assert [attempt["worker"] for attempt in job["attempts"]] == ["gpu-1"]


def test_rest_answers_the_same(place: Place) -> None:
    running = place.running()
    api = Api(running.http, running.token)
    job = api.reached(api.submit("echo", text="hello", times=2), "succeeded")
    api.close()
    assert job["reply"]["text"] == "hello hello"
    shown = place.tron("jobs", "show", job["id"], "--json")
    assert json.loads(shown.stdout) == job


def test_who_does_not_wait_is_told_the_id(place: Place) -> None:
    job = place.tron("submit", "echo", "--text", "later", "--no-wait").stdout.strip()
    assert json.loads(place.tron("jobs", "show", job, "--json").stdout)["params"]["text"] == "later"


def test_the_help_of_a_capability_shows_its_fields(place: Place) -> None:
    lines = place.tron("submit", "echo", "--help").stdout.splitlines()
    assert any(line.startswith("--times") and "from 1 to 5" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("echo", "--txet", "hello"), "there is no field --txet; did you mean --text"),
        (("echo", "--text", "hello", "--times", "many"), "--times (many): must be a whole number from 1 to 5"),
        (("echo", "--text", "hello", "--times", "-1"), "times (-1)"),
        (("ecko", "--text", "hello"), "there is no capability 'ecko'; did you mean echo?"),
        ((), "say first which capability"),
    ],
)
def test_what_cannot_be_submitted_is_an_error_of_usage(place: Place, arguments: list[str], sentence: str) -> None:
    result = place.tron("submit", *arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stdout == ""


def test_what_is_created_while_the_hub_runs_goes_through_it(place: Place) -> None:
    made = place.tron("users", "create", "--username", "alice", "--password", "a long password", "--json")
    assert json.loads(made.stdout)["scope"] == "user"
    assert "alice" in place.tron("users", "list").stdout
    assert place.tron("workers", "list").stdout.splitlines()[1].split()[:2] == ["gpu-1", "idle"]


def test_a_person_is_forgotten(place: Place) -> None:
    place.tron("users", "create", "--username", "mallory", "--password", "a long password")
    assert place.tron("users", "forget", "mallory").stdout == "api:mallory is forgotten, with 0 jobs and 0 files\n"
    assert "mallory" not in place.tron("users", "list").stdout


def test_the_database_of_a_running_hub_is_left_alone(place: Place) -> None:
    result = place.tron("db", "upgrade")
    assert result.exit_code == 1
    assert "in use by process" in result.stderr
    assert place.tron("db", "check").exit_code == 0


def test_a_configuration_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "tron.toml").write_text("[hub]\nprot = 1\n")
    result = CliRunner().invoke(app, ["--config", str(tmp_path / "tron.toml"), "run"])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert "prot" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_hub_with_a_worker_needs_nothing_else_and_ends_with_status_0(
    tmp_path: Path, echo_environment: dict[str, str]
) -> None:
    place = Place(tmp_path, echo_environment)
    try:
        hub = place.start("run", "--with-worker")
        running = place.running()
        api = Api(running.http, running.token)
        eventually(lambda: place.worker_is_idle(api), "the worker is idle")
        api.close()
        assert place.tron("submit", "echo", "--text", "hello").stdout == "hello\n"
        assert running.http in hub.words()
        assert "Only this machine reaches them" in hub.words()
        hub.signal(signal.SIGTERM)
        assert hub.wait() == 0
        assert not (tmp_path / "run.json").exists()
        assert "stopping" in (tmp_path / "worker.log").read_text()
        assert (tmp_path / "auth.json").stat().st_mode & 0o777 == 0o600
    finally:
        place.clear()


@pytest.mark.slow
@pytest.mark.timeout(8 * DEADLINE)
def test_the_demo_runs_twice_in_one_folder(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    environment = _install_echo(tmp_path_factory.mktemp("echo"), DEMO)
    environment["TRON_DATABASE__URL"] = "mysql+pymysql://nobody@127.0.0.1:1/nothing"  # another hub's: not the demo's
    for _ in range(2):
        result = subprocess.run(
            [*TRON, "demo", "--dir", "shown", "--json"],
            cwd=tmp_path,
            env=environment,
            text=True,
            capture_output=True,
            timeout=3 * DEADLINE,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        (outcome,) = json.loads(result.stdout)
        assert (outcome["capability"], outcome["state"], outcome["worker"]) == ("echo", "succeeded", "demo")
        assert outcome["command"] == "tron submit echo --text hello --times 2"
        assert Path(outcome["files"][0]).read_text() == "hello hello\n"
        assert "hello hello" in (tmp_path / "shown" / "results" / "index.html").read_text()
    assert not (tmp_path / "shown" / "run.json").exists()


@pytest.mark.timeout(4 * DEADLINE)
def test_the_demo_of_what_the_hub_does_itself_needs_no_worker(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    result = subprocess.run(
        [*TRON, "demo", "--dir", "shown", "--json"],
        cwd=tmp_path,
        env=_install_echo(tmp_path_factory.mktemp("echo"), DEMO + ON_THE_HUB),
        text=True,
        capture_output=True,
        timeout=3 * DEADLINE,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    (outcome,) = json.loads(result.stdout)
    assert (outcome["state"], outcome["worker"]) == ("succeeded", "hub")
    assert not (tmp_path / "shown" / "worker.log").exists()
