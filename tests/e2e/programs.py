"""The hub and its workers as processes of their own, and what a test asks of them."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import tomlkit
from sqlalchemy import create_engine

T = TypeVar("T")

DEADLINE = 30.0
"""Seconds that anything may take, on a machine that has other things to do."""
PAUSE = 0.03
PORTS = (20_000, 32_000)
TRON = (sys.executable, "-m", "tron_core")

SERVER = os.environ.get("TRON_TEST_HUB_SERVER")
"""A MariaDB or MySQL server (``mysql+pymysql://root@127.0.0.1:3306/``) on which every hub has a database of its own;
SQLite without it."""

LIMITS = {"requests_per_minute": 1_000_000, "login_attempts_per_minute": 1_000_000}


def eventually(find: Callable[[], T | None], what: str, *, seconds: float = DEADLINE) -> T:
    """What ``find`` returns as soon as that is true of anything; fails after ``seconds``."""
    until = time.monotonic() + seconds
    while not (found := find()):
        if time.monotonic() > until:
            raise AssertionError(f"not within {seconds:g} s: {what} (last: {found!r})")
        time.sleep(PAUSE)
    return found


def free_port() -> int:
    """A port of this machine that nobody listens at now. A hub keeps it over its restarts, so it is not one of those
    that the system gives to connections meanwhile."""
    while True:
        port = random.randrange(*PORTS)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


class Program:
    """A process with its log. It leads a process group, so that nothing that it starts outlives the test."""

    def __init__(self, arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                arguments,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status, None while it runs."""
        return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL to this process alone, as an operator's ``kill -9``."""
        self._process.kill()
        self._process.wait(DEADLINE)

    def wait(self, seconds: float = DEADLINE) -> int:
        """The exit status, once it has ended."""
        return self._process.wait(seconds)

    def clear(self) -> None:
        """End it and everything that it started."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # the whole group has ended
        self._process.wait(DEADLINE)

    def words(self) -> str:
        """What it said."""
        return self.log.read_text(encoding="utf-8", errors="replace")


class Api:
    """The hub's REST side, as an administrator sees it. What is no success raises."""

    def __init__(self, base: str, token: str) -> None:
        self.base = base
        self.token = token
        self._client = httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=DEADLINE)

    def close(self) -> None:
        self._client.close()

    def call(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of the answer, None where it has none."""
        response = self._client.request(method, f"/api/v1{path}", **options)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def refused(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The problem document of the answer."""
        response = self._client.request(method, f"/api/v1{path}", **options)
        assert response.is_error, f"{method} {path}: {response.status_code} {response.text}"
        problem: dict[str, Any] = response.json()
        return problem

    def submit(self, capability: str = "work", **params: Any) -> str:
        """The id of a new job."""
        job: str = self.call("POST", "/jobs", json={"capability": capability, "params": params})["id"]
        return job

    def job(self, job: str) -> dict[str, Any]:
        shown: dict[str, Any] = self.call("GET", f"/jobs/{job}")
        return shown

    def state(self, job: str) -> str:
        state: str = self.job(job)["state"]
        return state

    def reached(self, job: str, state: str, *, seconds: float = DEADLINE) -> dict[str, Any]:
        """The job, once it is in ``state`` and, where that is an end, its reply stands; fails at once where it ended
        otherwise."""

        def find() -> dict[str, Any] | None:
            shown = self.job(job)
            over = shown["state"] not in ("queued", "running")
            assert not over or shown["state"] == state, f"{job} is {shown['state']}, not {state}: {shown['error']}"
            return shown if shown["state"] == state and (shown["reply"] or not over) else None

        return eventually(find, f"job {job} is {state}", seconds=seconds)

    def worker(self, name: str) -> dict[str, Any] | None:
        """A worker as operators see it, None where it is not known."""
        return next((worker for worker in self.call("GET", "/workers")["items"] if worker["name"] == name), None)

    def credential(self, username: str, scope: str = "worker") -> dict[str, Any]:
        """The content of an auth.json for a new user."""
        self.call("POST", "/users", json={"username": username, "password": "a long password", "scope": scope})
        auth: dict[str, Any] = self.call("POST", "/tokens", json={"username": username})
        return auth


@dataclass(frozen=True)
class Line:
    """A line of the journal: ``event`` is began, ended, stopped (by a worker) or delivered (by the hub)."""

    event: str
    job: str
    attempt: int
    at: float


class Journal:
    """What really happened, as the executors and the frontend of the test's plugin wrote it down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def release(self, hold: str) -> None:
        """Let the jobs go on that wait for ``hold``."""
        (self.folder / hold).touch()

    def lines(self, event: str, job: str | None = None) -> list[Line]:
        path = self.folder / "journal"
        if not path.exists():
            return []
        split = [line.split() for line in path.read_text().splitlines()]
        found = [Line(kind, whose, int(attempt), float(at)) for kind, whose, attempt, at in split]
        return [line for line in found if line.event == event and job in (None, line.job)]

    def attempts(self, event: str) -> dict[str, list[int]]:
        """For each job the numbers of the attempts at which ``event`` was written."""
        attempts = defaultdict(list)
        for line in self.lines(event):
            attempts[line.job].append(line.attempt)
        return dict(attempts)


class Site:
    """A hub with its folder, its ports, its workers and its journal. The hub may stop and start again."""

    hub: Program
    api: Api

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.python = sys.executable
        self.journal = Journal(folder / "journal")
        self.hub_port, self.http_port = free_port(), free_port()
        self.environment = {**environment, "WORK_JOURNAL": str(self.journal.folder)}
        self.worker_environment: dict[str, str] = {}
        self.programs: list[Program] = []
        self._apis: list[Api] = []
        self._database = Database(SERVER) if SERVER else None

    @property
    def hub_url(self) -> str:
        return f"ws://127.0.0.1:{self.hub_port}"

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def configure(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """Write tron.toml."""
        values: dict[str, dict[str, Any]] = {
            "hub": {"port": self.hub_port},
            "http": {"port": self.http_port},
            "limits": LIMITS,
            "scheduling": {"max_queued_per_user": 1000},
        }
        if self._database is not None:
            values["database"] = {"url": self._database.url}
        for section, more in settings.items():
            values[section] = values.get(section, {}) | dict(more)
        (self.folder / "tron.toml").write_text(tomlkit.dumps(values), encoding="utf-8")

    def tron(self, *arguments: str, log: str, environment: Mapping[str, str] | None = None) -> Program:
        """Start ``tron ARGUMENTS`` in the site's folder, its log ``LOG.log`` there."""
        program = Program(
            [self.python, "-m", "tron_core", *arguments],
            folder=self.folder,
            environment={**self.environment, **(environment or {})},
            log=self.folder / f"{log}.log",
        )
        self.programs.append(program)
        return program

    def start_hub(self) -> None:
        """Start the hub, and wait until it is ready."""
        if self._database is not None:
            assert self.tron("--config", "tron.toml", "db", "upgrade", log="upgrade").wait() == 0
        self.hub = self.tron("--config", "tron.toml", "run", log="hub")
        running = eventually(self._running, "the hub is ready")
        self.api = Api(running["http"], running["token"])
        self._apis.append(self.api)

    def _running(self) -> dict[str, Any] | None:
        assert self.hub.status is None, f"the hub ended with status {self.hub.status}:\n{self.hub.words()}"
        try:
            running: dict[str, Any] = json.loads((self.folder / "run.json").read_text())
            if running["pid"] != self.hub.pid:  # a killed hub's
                return None
            ready = httpx.get(f"{running['http']}/readyz").status_code == 200
        except (FileNotFoundError, httpx.HTTPError):
            return None
        return running if ready else None

    def auth_file(self, username: str) -> Path:
        """A new worker's auth.json."""
        path = self.folder / f"{username}.json"
        path.write_text(json.dumps(self.api.credential(username)))
        return path

    def stop_hub(self) -> int:
        """Stop the hub kindly; its exit status."""
        self.hub.signal(signal.SIGTERM)
        return self.hub.wait()

    def start_worker(
        self,
        name: str,
        *,
        slots: int = 1,
        auth: Path | None = None,
        hub: str | None = None,
        http: str | None = None,
        cancel_grace: float = 10.0,
    ) -> Program:
        """Start a worker with a credential of its own, and wait until the hub can give it work."""
        config = self.folder / f"{name}.toml"
        config.write_text(tomlkit.dumps({"worker": {"name": name, "slots": slots, "cancel_grace": cancel_grace}}))
        files = ["--config", str(config), "--auth", str(auth or self.auth_file(name))]
        addresses = ["--hub", hub or self.hub_url, "--http", http or self.http_url]
        program = self.tron("worker", *files, *addresses, log=name, environment=self.worker_environment)

        def find() -> bool:
            assert program.status is None, f"worker {name} ended with status {program.status}:\n{program.words()}"
            worker = self.api.worker(name)
            return worker is not None and worker["state"] == "idle"

        eventually(find, f"worker {name} is connected")
        return program

    def clear(self) -> None:
        """End everything."""
        for program in self.programs:
            program.clear()
        for api in self._apis:
            api.close()
        if self._database is not None:
            self._database.drop()


class Database:
    """A database of a hub's own on a server."""

    def __init__(self, server: str) -> None:
        self._engine = create_engine(server, isolation_level="AUTOCOMMIT")
        self._name = f"tron_e2e_{random.randrange(10**12)}"
        with self._engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {self._name} CHARACTER SET utf8mb4")

    @property
    def url(self) -> str:
        return self._engine.url.set(database=self._name).render_as_string(hide_password=False)

    def drop(self) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {self._name}")
        self._engine.dispose()


class Sites:
    """Makes sites; ``settings`` are sections of tron.toml."""

    def __init__(self, new_folder: Callable[[], Path], environment: Mapping[str, str]) -> None:
        self.made: list[Site] = []
        self._new_folder = new_folder
        self._environment = environment

    def __call__(self, *, start: bool = True, **settings: Mapping[str, Any]) -> Site:
        site = Site(self._new_folder(), self._environment)
        self.made.append(site)
        site.configure(settings)
        if start:
            site.start_hub()
        return site

    def clear(self) -> None:
        """End every site."""
        for site in self.made:
            site.clear()
