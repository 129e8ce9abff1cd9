"""The import as a whole: once, again, without effect, beside plugins that are absent or fail, and on MariaDB alone."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from original_hub import ANN, BOB, CHANNEL, GUILD, ON_BOTH, OriginalHub, profile
from reports import item
from sqlalchemy import make_url

NOBODY = "no plugin that is installed and active takes it; install that and import again"

HISTORY = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}]


@pytest.fixture
def lived_in(original: OriginalHub) -> OriginalHub:
    """An original with something of everything, some of it broken."""
    original.add_worker(1, "gpu-1")
    original.add_worker(2, "gpu of bob")
    original.add_conversation(1, ANN, HISTORY)
    original.add_conversation(2, CHANNEL, HISTORY)
    original.add_conversation(3, BOB, HISTORY * 2000, cut=True)
    model = {"model_owner": "me", "model_id": "mine", "model_type": "image", "approved": True, "added_by": ANN}
    original.add("transformers", model)
    original.add("schedulers", {"name": "fast", "scheduler": "UniPCMultistepScheduler"})
    made = {"user": ANN, "message": "1", "prompt": "a cat", "date_created": 1_700_000_000}
    original.add("user_history", *({**made, "message": str(n)} for n in range(3)))
    original.configure({ANN: profile(temperature="0.2", tts_voice="v2/en_speaker_1"), BOB: profile(steps=30)})
    original.rule({GUILD: {"banned_channels": [int(CHANNEL)], "allowed_models": ["me/mine"]}}, home_guild=int(GUILD))
    return original


@ON_BOTH
def test_what_was_taken_once_is_not_taken_again(lived_in: OriginalHub, hub: Any) -> None:
    first = hub.take(lived_in)
    before = hub.everything()
    second = hub.take(lived_in)
    assert first["taken"] > 0
    assert (second["taken"], second["mapped"]) == (0, 0)
    assert second["there"] == first["taken"] + first["mapped"]
    assert second["left"] == first["left"]
    assert hub.everything() == before
    assert "Nothing new was taken" in hub.run_import(lived_in).stdout


@ON_BOTH
def test_a_dry_run_says_the_same_and_writes_nothing(lived_in: OriginalHub, hub: Any) -> None:
    before = hub.everything()
    rehearsed = hub.take(lived_in, "--dry-run")
    assert hub.everything() == before
    assert hub.rows("SELECT * FROM audit") == []
    report = hub.take(lived_in)
    assert rehearsed == {**report, "dry_run": True}
    assert "Nothing was written: this was --dry-run." in hub.run_import(lived_in, "--dry-run").stdout


def test_tables_of_absent_plugins_are_left(lived_in: OriginalHub, hub: Any) -> None:
    report = hub.take(lived_in)
    for table, rows in (("transformers", 1), ("schedulers", 1), ("user_history", 3)):
        assert item(report, "table", table) == {"plugin": None, "left": rows, "why": [NOBODY]}
    assert item(report, "guilds", "allowed_models") == {"plugin": None, "left": 1, "why": [NOBODY]}


def test_a_plugin_that_comes_later_takes_its_part_then(
    lived_in: OriginalHub, hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRON_PLUGINS", "legacy")
    assert item(hub.take(lived_in), "table", "conversations") == {"plugin": None, "left": 3, "why": [NOBODY]}
    monkeypatch.setenv("TRON_PLUGINS", "gpt,legacy")
    report = hub.take(lived_in)
    assert item(report, "table", "conversations")["plugin"] == "gpt"
    assert (report["taken"], report["mapped"]) == (1, 1)


def test_a_plugin_that_fails_takes_nothing_and_stops_nobody(lived_in: OriginalHub, hub: Any) -> None:
    with hub.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE gpt_messages")
    result = hub.run_import(lived_in, "--json")
    assert result.exit_code == 1
    assert "error: plugin gpt took nothing: " in result.stderr
    assert "no such table: gpt_messages" in json.loads(result.stdout)["failed"]["gpt"]
    assert hub.rows("SELECT * FROM gpt_conversations") == []
    assert len(hub.rows("SELECT * FROM users")) == 2
    assert hub.settings(f"discord:{ANN}")["tts.voice"] == "v2/en_speaker_1"


def test_the_table_for_people_names_counts_and_reasons(lived_in: OriginalHub, hub: Any) -> None:
    lines = hub.run_import(lived_in).stdout.splitlines()
    assert lines[0].split() == ["FROM", "NAME", "PLUGIN", "TAKEN", "MAPPED", "THERE", "LEFT"]
    [users] = [line for line in lines if line.startswith("table") and " user " in line]
    assert users.split() == ["table", "user", "legacy", "1", "1", "0", "0"]
    assert "    1 mapped: under the name gpu-of-bob-2, as 'gpu of bob' is taken by a person or not allowed (2)" in lines
    assert f"    3 left: {NOBODY}" in lines
    assert lines[-1].startswith("In all: ")


def test_the_import_stands_in_the_audit_log(lived_in: OriginalHub, hub: Any) -> None:
    report = hub.take(lived_in)
    [entry] = json.loads(hub.tron("audit", "--json").stdout)
    assert (entry["action"], entry["target"]) == ("data.imported", "upstream")
    assert entry["detail"] == {key: report[key] for key in ("taken", "mapped", "there", "left")}


@ON_BOTH
def test_the_original_is_only_read(lived_in: OriginalHub, hub: Any) -> None:
    def content() -> Any:
        with lived_in.engine.connect() as connection:
            return [connection.exec_driver_sql(f"SELECT * FROM {name}").all() for name in ("api_key", "conversations")]

    before, files = content(), [file.read_bytes() for file in (lived_in.config, lived_in.guilds)]
    hub.take(lived_in)
    assert content() == before
    assert [file.read_bytes() for file in (lived_in.config, lived_in.guilds)] == files


@pytest.mark.mariadb
def test_both_hubs_may_be_on_mariadb(
    make_database: Callable[[], str], hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = OriginalHub(make_database(), tmp_path)
    original.add_worker(1, "gpu-1")
    original.add_worker(2, "GPU-2")
    original.configure({ANN: profile(temperature=0.2)})
    original.add_conversation(1, ANN, HISTORY)
    original.rule({GUILD: {"banned_channels": [int(CHANNEL)]}})
    target = make_database()
    monkeypatch.setenv("TRON_DATABASE__URL", target)
    refused = hub.run_import(original)
    assert "run `tron db upgrade` first" in refused.stderr
    assert hub.tron("db", "upgrade").exit_code == 0
    hub.connect(target)
    rehearsed = hub.take(original, "--dry-run")
    assert hub.rows("SELECT * FROM users") == []
    report = hub.take(original)
    assert rehearsed == {**report, "dry_run": True}
    assert hub.settings(f"discord:{ANN}") == {"llm.temperature": 0.2}
    assert hub.rules(GUILD) == {"banned_channels": [CHANNEL]}
    assert item(report, "table", "conversations")["taken"] == 1
    again = hub.take(original)
    assert (again["taken"], again["mapped"]) == (0, 0)
    original.engine.dispose()


@pytest.mark.mariadb
def test_the_database_may_be_the_one_that_config_json_names(
    make_database: Callable[[], str], hub: Any, tmp_path: Path
) -> None:
    original = OriginalHub(make_database(), tmp_path)
    original.add_worker(1, "gpu-1")
    url = make_url(original.url)
    if url.password or url.port not in (None, 3306):
        pytest.skip("config.json of the original knows no port, and this server needs one")
    section = {"user": url.username, "password": None, "hostname": url.host, "dbname": url.database}
    original.configure({}, mysql=section)
    result = hub.tron("import-upstream", "--config", str(original.config), "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["taken"] > 0
    original.engine.dispose()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), "error: --database-url is missing"),
        (("--database-url", "nonsense"), "error: --database-url: this is no URL of a database"),
        (("--database-url", "postgresql://me:pw@host/db"), "'postgresql' is not supported"),
        (("--database-url", "sqlite:///nowhere.db"), "error: --database-url: there is no file nowhere.db"),
        (("--database-url", "mysql+mysqlconnector://me:secret@127.0.0.1:1/db"), "cannot open mysql+pymysql://me:***@"),
        (("--config", "nowhere.json"), "error: --config: nowhere.json: cannot be read: No such file"),
        (("--guilds", "broken.json"), "error: --guilds: broken.json: is no JSON: "),
        (("--guilds", "list.json"), "error: --guilds: list.json: holds no object of JSON"),
    ],
)
def test_what_cannot_be_read_is_said(
    hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], error: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    result = hub.tron("import-upstream", *arguments)
    assert result.exit_code == 1
    assert error in result.stderr
    assert "secret" not in result.stderr


def test_a_dry_run_needs_no_database_and_makes_none(lived_in: OriginalHub, hub: Any) -> None:
    (hub.folder / "tron.db").unlink()
    rehearsed = hub.take(lived_in, "--dry-run")
    assert not (hub.folder / "tron.db").exists()
    assert hub.take(lived_in) == {**rehearsed, "dry_run": False}


def test_an_import_beside_a_process_that_has_the_database_is_refused(lived_in: OriginalHub, hub: Any) -> None:
    with (hub.folder / "tron.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = hub.run_import(lived_in)
    assert result.exit_code == 1
    assert "stop that one first" in result.stderr
