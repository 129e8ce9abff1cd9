"""users, tokens, jobs, workers and db, where no hub runs: in the database itself."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tron_core.cli import app
from tron_core.clock import SystemClock
from tron_core.job import Job, JobState, Target
from tron_core.storage.database import Database
from tron_core.storage.deliveries import open_deliveries
from tron_core.storage.jobs import Claim, NewJob, claim_attempts, insert_jobs
from tron_core.storage.workers import draining_workers, remember_worker

ID = "01JZ8QW2Y3V5M9K7N4T6B1C0DF"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which no hub runs, is the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("TRON_CONFIG", "TRON_URL", "TRON_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def tron(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=text)


def data(*arguments: str) -> Any:
    """What the command prints with --json; nothing else is on standard output."""
    result = tron(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects that follow each other in ``text``."""
    found, decoder, text = [], json.JSONDecoder(), text.strip()
    while text:
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:].strip()
    return found


def make_worker_user(name: str = "gpu") -> None:
    assert tron("create-worker-user", "--username", name, "--password", "a long password").exit_code == 0


def write(*units: Any) -> None:
    """Run units of work in the folder's database."""

    async def run() -> None:
        database = Database("sqlite:///tron.db", folder=Path.cwd())
        await database.start()
        for unit in units:
            await database.write(unit)
        await database.stop()

    assert tron("db", "upgrade").exit_code == 0
    asyncio.run(run())


def read(fn: Any) -> Any:
    async def run() -> Any:
        database = Database("sqlite:///tron.db", folder=Path.cwd(), open_exclusive=False)
        await database.start()
        try:
            return await database.read(fn)
        finally:
            await database.stop()

    return asyncio.run(run())


def insert_job(state: str = "queued") -> None:
    job = Job(ID, "echo", {"text": "hi"}, JobState.QUEUED, "discord:1", SystemClock().now(), target=Target("discord"))
    write(lambda c: insert_jobs(c, [NewJob(job, 1.0, 60.0, job.created_at + 60)]))
    if state == "running":
        write(lambda c: claim_attempts(c, [Claim(ID, 1, "gpu-1", "client", None, job.created_at)]))


@pytest.mark.parametrize("command", ["create-worker-user", "create_worker_user"])
def test_a_worker_user_may_connect_workers_and_nothing_else(command: str) -> None:
    made = data(command, "--username", "gpu", "--password", "a long password", "--email", "me@example.org")
    assert (made["username"], made["scope"], made["email"]) == ("gpu", "worker", "me@example.org")
    assert data("users", "list") == [made]


@pytest.mark.parametrize("command", ["create-client-tokens", "create_client_tokens"])
def test_client_tokens_are_exactly_two_objects(command: str, folder: Path) -> None:
    make_worker_user()
    result = tron(command, "--username", "gpu", "--output", "auth.json")
    api_key, token = objects(result.stdout)
    assert set(api_key) == {"api_key", "client_id", "user_id", "expires"}
    assert set(token) == {
        "id", "access_token", "refresh_token", "expires_in", "client_id", "user_id", "scopes", "issued_at",
    }  # fmt: skip
    assert token["scopes"] == ["worker"]
    assert token["issued_at"].endswith("+00:00")
    assert json.loads((folder / "auth.json").read_text()) == {"api_key": api_key, "token": token}
    assert (folder / "auth.json").stat().st_mode & 0o777 == 0o600


def test_a_second_pair_leaves_the_first_valid() -> None:
    make_worker_user()
    first, second = (objects(tron("create-client-tokens", "--username", "gpu").stdout)[0] for _ in range(2))
    assert first["client_id"] != second["client_id"]
    assert [each["revoked_at"] for each in data("tokens", "list")] == [None, None]


def test_who_asks_in_a_folder_without_a_hub_makes_no_database_there(folder: Path) -> None:
    for command in (("users", "list"), ("jobs", "list"), ("users", "ban", "alice"), ("create-client-tokens",)):
        result = tron(*command, *(("--username", "gpu") if command == ("create-client-tokens",) else ()))
        assert (result.exit_code, result.stdout) == (1, "")
        assert f"there is no database {folder / 'tron.db'} yet" in result.stderr
    assert not list(folder.iterdir())


def test_tokens_for_nobody_are_refused_in_one_sentence() -> None:
    make_worker_user()
    result = tron("create-client-tokens", "--username", "nobody", "--output", "auth.json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: There is no user 'nobody'\n"
    assert not Path("auth.json").exists()


def test_a_token_is_revoked_by_its_number_and_an_api_key_by_its_client_id() -> None:
    make_worker_user()
    api_key, token = objects(tron("create-client-tokens", "--username", "gpu").stdout)
    assert data("tokens", "revoke", str(token["id"])) == {"id": str(token["id"]), "revoked": True}
    assert data("tokens", "list", "--username", "gpu")[0]["revoked_at"] is not None
    assert tron("tokens", "revoke", api_key["client_id"]).exit_code == 0
    assert tron("tokens", "revoke", "99").stderr == "error: There is no token 99\n"


def test_a_password_that_is_not_given_is_asked_for_twice() -> None:
    result = tron("users", "create", "--username", "alice", text="a long password\na long password\n")
    assert result.exit_code == 0
    assert "a long password" not in result.stdout
    assert tron("users", "create", "--username", "bob", text="one\ntwo\n").exit_code != 0


def test_a_user_is_promoted_banned_let_in_again_and_deleted() -> None:
    tron("users", "create", "--username", "alice", "--password", "a long password", "--scope", "user")
    assert data("users", "promote", "alice", "--scope", "admin")["scope"] == "admin"
    assert data("users", "ban", "alice", "--reason", "rude")["ban_reason"] == "rude"
    assert "rude" in tron("users", "list").stdout
    assert data("users", "ban", "alice", "--undo")["banned_at"] is None
    assert tron("users", "delete", "alice").stdout == "alice is deleted\n"
    assert data("users", "list") == []
    assert tron("users", "delete", "alice").exit_code == 1


@pytest.mark.parametrize("scope", ["root", "", "USER "])
def test_a_scope_that_there_is_not_is_an_error_of_usage(scope: str) -> None:
    result = tron("users", "create", "--username", "alice", "--password", "p", "--scope", scope)
    assert result.exit_code == 2
    assert "'user', 'admin', 'worker'" in result.stderr


def test_jobs_are_listed_and_shown() -> None:
    insert_job()
    assert [job["id"] for job in data("jobs", "list", "--state", "queued", "--requester", "discord:1")] == [ID]
    assert data("jobs", "list", "--state", "failed") == []
    assert data("jobs", "show", ID)["params"] == {"text": "hi"}
    assert "params.text" in tron("jobs", "show", ID).stdout
    assert tron("jobs", "show", "01X").stderr == "error: There is no job 01X.\n"


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_cancelled_job_is_over_and_its_requester_will_be_told(state: str) -> None:
    insert_job(state)
    job = data("jobs", "cancel", ID)
    assert (job["state"], job["error"]["code"]) == ("cancelled", "cancelled")
    assert [attempt["outcome"] for attempt in job["attempts"]] == ([] if state == "queued" else ["cancelled"])
    assert [delivery[1] for delivery in read(lambda c: open_deliveries(c, ["discord"]))] == [ID]
    again = tron("jobs", "cancel", ID)
    assert (again.exit_code, again.stderr) == (1, f"error: Job {ID} is over already: cancelled.\n")


def test_a_known_worker_is_drained_and_let_work_again() -> None:
    write(
        lambda c: remember_worker(c, "gpu-1", client_id="c", protocol="tron.v1", software="", hardware={}, now=1.0),
    )
    assert data("workers", "drain", "gpu-1") == {"name": "gpu-1", "draining": True}
    assert read(draining_workers) == {"gpu-1"}
    assert tron("workers", "drain", "gpu-1", "--undo").exit_code == 0
    assert read(draining_workers) == set()
    assert tron("workers", "drain", "gpu-9").stderr == "error: There is no worker 'gpu-9'; known: gpu-1.\n"


@pytest.mark.parametrize("command", [("workers", "list"), ("submit", "echo")])
def test_what_only_a_running_hub_knows_is_not_guessed(command: tuple[str, ...]) -> None:
    result = tron(*command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no hub runs in" in result.stderr


def test_another_hub_needs_a_token() -> None:
    result = tron("users", "list", "--url", "https://hub.example.org")
    assert (result.exit_code, result.stderr) == (
        1,
        "error: --url needs an access token of that hub: --token, or the variable TRON_TOKEN\n",
    )
    assert "must be http:// or https://" in tron("users", "list", "--url", "hub", "--token", "t").stderr


@pytest.mark.parametrize("command", ["current", "check"])
def test_a_database_that_there_is_not_is_not_made_by_looking_at_it(command: str) -> None:
    result = tron("db", command)
    assert result.exit_code == 1
    assert "`tron db upgrade` makes it" in result.stderr
    assert not Path("tron.db").exists()


def test_a_database_is_made_and_stands_at_the_newest_revision(shelf: Any) -> None:
    shelf.install("broken", "raise RuntimeError('never imported')")
    core = data("db", "upgrade")[0]  # after it, the plugins that are installed here
    assert (core["owner"], core["error"]) == ("core", None)
    assert all(standing["up_to_date"] for standing in data("db", "current"))
    assert data("db", "check") == []
    assert tron("db", "upgrade").stdout.startswith("core: up to date already\n")
