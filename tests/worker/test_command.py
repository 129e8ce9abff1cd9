"""``tron worker`` as a program: options, signals, exit statuses."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from scripted_hub import PATIENCE, ScriptedHub, until
from typer.testing import CliRunner

from tron_core.cli import app
from tron_core.hub.protocol import Drain, Partial, ResultMessage


@pytest.fixture
async def hub() -> AsyncIterator[ScriptedHub]:
    hub = ScriptedHub()
    await hub.start()
    yield hub
    await hub.stop()


def write_kit(folder: Path, hub_url: str, more: str = "") -> Path:
    (folder / "worker.toml").write_text(f'[hub]\nurl = "{hub_url}"\n[worker]\nname = "from-kit"\n{more}')
    (folder / "auth.json").write_text(json.dumps({"token": {"access_token": "good"}}))
    return folder


async def start(site: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tron_core", "worker", *arguments),
        env={**os.environ, "PYTHONPATH": str(site)},
        stderr=asyncio.subprocess.PIPE,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    _, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
    return process.returncode, errors.decode()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
async def test_the_first_signal_drains(sample_plugin: Path, hub: ScriptedHub, tmp_path: Path) -> None:
    process = await start(sample_plugin, "--kit", str(write_kit(tmp_path, hub.url)), "--slots", "2")
    session = await hub.session()
    assert (session.hello.worker, session.hello.slots) == ("from-kit", 2)
    await session.welcome()
    await session.job("j", "gate", {"file": str(tmp_path / "go")})
    await session.expect(Partial, "j")

    process.send_signal(signal.SIGTERM)
    await session.expect(Drain)
    (tmp_path / "go").touch()
    await session.settle(await session.expect(ResultMessage, "j"))
    assert (await ended(process))[0] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_the_second_signal_ends_it_and_leaves_no_process(
    sample_plugin: Path, hub: ScriptedHub, tmp_path: Path
) -> None:
    process = await start(sample_plugin, "--kit", str(write_kit(tmp_path, hub.url)))
    session = await hub.session()
    await session.welcome()
    await session.job("pid", "files", {"names": []})
    result = await session.expect(ResultMessage, "pid")
    await session.settle(result)
    await session.job("j", "misbehave", {"how": "stubborn"})

    process.send_signal(signal.SIGINT)
    await session.expect(Drain)
    process.send_signal(signal.SIGINT)
    code, errors = await ended(process)
    assert code == 1
    assert "stopping: 1 job is finished first" in errors
    assert "misbehave j failed (internal): the worker was ended while it ran" in errors
    assert not alive(result.output["pid"])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_executor_processes_do_not_outlive_a_killed_worker(
    sample_plugin: Path, hub: ScriptedHub, tmp_path: Path
) -> None:
    process = await start(sample_plugin, "--kit", str(write_kit(tmp_path, hub.url)))
    session = await hub.session()
    await session.welcome()
    await session.job("pid", "files", {"names": [], "wait_for": str(tmp_path / "go")})
    await session.job("j", "misbehave", {"how": "stubborn"})
    (tmp_path / "go").touch()
    result = await session.expect(ResultMessage, "pid")

    process.kill()
    await process.communicate()
    await until(lambda: not alive(result.output["pid"]))


async def test_a_refused_credential_has_an_exit_status_of_its_own(
    sample_plugin: Path, hub: ScriptedHub, tmp_path: Path
) -> None:
    hub.good_tokens, hub.token_status = set(), 401
    auth = {"api_key": {"client_id": "c1", "api_key": "k"}, "token": {"access_token": "old"}, "http": hub.http}
    (tmp_path / "auth.json").write_text(json.dumps(auth))
    code, errors = await ended(await start(sample_plugin, "--hub", hub.url, "--auth", str(tmp_path / "auth.json")))
    assert code == 4
    assert "does not accept the credential c1" in errors


async def test_a_worker_with_nothing_to_offer_says_why(
    hub: ScriptedHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRON_PLUGINS", "none-of-these")
    more = "[executors.nowhere]\nspeed = 1\n"
    code, errors = await ended(await start(tmp_path, "--kit", str(write_kit(tmp_path, hub.url, more))))
    assert code == 3
    assert "[executors.nowhere] is in worker.toml, but no installed plugin has that name" in errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no credential: say --auth"),
        (("--auth", "missing.json"), "missing.json': cannot be read"),
        (("--auth", "auth.json"), "hub.url is not set"),
        (("--auth", "auth.json", "--hub", "ws://elsewhere.example"), "--allow-plaintext"),
        (("--auth", "auth.json", "--hub", "ws://localhost", "--name", "a b"), "worker.name = 'a b'"),
        (("--config", "missing.toml"), "there is no such configuration file"),
        (("--kit", "missing"), "missing: there is no such folder"),
    ],
)
def test_what_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "auth.json").write_text(json.dumps({"token": {"access_token": "t"}}))
    result = CliRunner().invoke(app, ["worker", *arguments])
    assert result.exit_code == 2
    assert words in result.output
