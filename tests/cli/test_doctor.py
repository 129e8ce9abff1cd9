"""``tron doctor``: ten set-ups, each broken in its own way, each diagnosed and given its cure."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import threading
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tron_core.auth.certificate_folder import CertificateFolder
from tron_core.cli import app
from tron_core.doctor import examination, versions
from tron_core.storage import migrations

NOW = datetime.now(UTC)
TOKEN = "bm90IGEgcmVhbCB0b2tlbiBvZg.Gabcde.YW55Ym9keSBpdCBpcyBtYWRlIHVw"
TLS = 'tls_certificate = "certs/server.pem"\ntls_key = "certs/server-key.pem"\n'
WELL = "import tron_core"

Diagnose = Callable[..., dict[str, list[dict[str, Any]]]]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shelf: Any) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRON_CONFIG", raising=False)
    shelf.install("well", WELL)
    return tmp_path


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Leaves one check: each of these tests is about one."""

    def leave(name: str) -> None:
        monkeypatch.setattr(examination, "CHECKS", {name: examination.CHECKS[name]})

    return leave


def config(text: str = "") -> None:
    """A tron.toml whose ports are free ones unless it says others."""
    Path("tron.toml").write_text(text or "[hub]\nport = 0\n[http]\nport = 0\n")


def certificates(name: str = "hub.example.org", days: int = 397, now: datetime = NOW) -> CertificateFolder:
    folder = CertificateFolder(Path("certs"))
    folder.create([name], now, days=days)
    return folder


def findings(*options: str) -> tuple[int, list[dict[str, Any]]]:
    result = CliRunner().invoke(app, [*options, "doctor", "--json"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, json.loads(result.stdout)


def diagnosed(status: str, sentence: str, cure: str) -> None:
    """One finding says ``sentence`` and how to cure it; the exit status is that of the worst."""
    code, found = findings()
    matching = [each for each in found if sentence in each["sentence"]]
    assert [each["status"] for each in matching] == [status], found
    assert cure in matching[0]["fix"]
    assert code == (1 if any(each["status"] == "fail" for each in found) else 0)


class Discord(BaseHTTPRequestHandler):
    """Discord's API, as far as a doctor asks it."""

    flags = 0
    date: float | None = None

    def do_GET(self) -> None:
        right = self.headers["Authorization"] == f"Bot {TOKEN}"
        bodies = {"/users/@me": {"username": "Tron"}, "/applications/@me": {"flags": self.flags}}
        body = json.dumps(bodies.get(self.path, {}) if right else {"message": "401: Unauthorized"}).encode()
        self.send_response(200 if right else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(int(self.date or time.time()))

    def log_message(self, format: str, *args: Any) -> None:
        pass  # pytest's output is for failures


@pytest.fixture
def discord() -> Iterator[type[Discord]]:
    """A bot with every right; a test takes some away."""
    handler = type("Handler", (Discord,), {"flags": 1 << 19})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        api = f"http://127.0.0.1:{server.server_port}"
        config(f'[hub]\nport = 0\n[http]\nport = 0\n[discord]\ntoken = "{TOKEN}"\napi_url = "{api}"\n')
        yield handler
        server.shutdown()
        thread.join()


def test_a_set_up_that_is_well_is_said_to_be(discord: type[Discord]) -> None:
    code, found = findings()
    assert [each for each in found if each["status"] != "ok"] == []
    assert {each["check"] for each in found} == {"configuration", *examination.CHECKS}
    assert code == 0


def test_for_people_each_fix_stands_below_its_line(only: Callable[[str], None]) -> None:
    only("certificate")
    config('[hub]\nallow_plaintext = true\nhost = "0.0.0.0"\n')
    lines = CliRunner().invoke(app, ["doctor"]).stdout.splitlines()
    assert lines[1].startswith("warn  certificate    hub.allow_plaintext: what comes to 0.0.0.0 is not encrypted")
    assert lines[2].strip() == "fix: Let only a proxy that has TLS reach it, or: tron certs create"


def test_1_a_configuration_that_cannot_be_read_is_the_only_finding() -> None:
    config("[hub]\nprot = 6789\n")
    code, found = findings()
    assert (code, len(found)) == (1, 1)
    assert "hub.prot: unknown key; did you mean port?" in found[0]["sentence"]


def test_2_a_port_that_is_taken(only: Callable[[str], None]) -> None:
    only("ports")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        config(f"[hub]\nport = {port}\n[http]\nport = 0\n")
        diagnosed("fail", f"127.0.0.1:{port} is taken by another program", f"ss -ltnp 'sport = :{port}'")


def test_2_one_port_for_both(only: Callable[[str], None]) -> None:
    only("ports")
    config("[hub]\nport = 5000\n")
    diagnosed("fail", "hub.port and http.port are both 5000", "another port")


def test_2_an_address_of_another_machine(only: Callable[[str], None]) -> None:
    only("ports")
    config('[hub]\nhost = "192.0.2.7"\nallow_plaintext = true\nport = 0\n[http]\nport = 0\n')
    diagnosed("fail", "192.0.2.7 is no address of this machine", '"0.0.0.0"')


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as closing:
        port: int = closing.getsockname()[1]
        return port


def test_3_a_public_address_and_a_hub_on_loopback(only: Callable[[str], None]) -> None:
    only("reach")
    config(f'[hub]\npublic_url = "wss://localhost:{closed_port()}"\n')
    diagnosed("fail", "hub.host = '127.0.0.1' is reached from this machine alone", 'hub.host = "0.0.0.0"')


def test_3_no_public_address_and_a_hub_for_everybody(only: Callable[[str], None]) -> None:
    only("reach")
    config('[http]\nhost = "0.0.0.0"\n[hub]\nallow_plaintext = true\n')
    diagnosed("warn", "http.public_url is not set", 'http.public_url = "https://NAME:PORT"')


def test_3_a_public_address_where_something_else_answers(only: Callable[[str], None], discord: type[Discord]) -> None:
    only("reach")
    port = int(Path("tron.toml").read_text().rpartition(":")[2].strip('"\n'))
    config(f'[hub]\npublic_url = "wss://localhost:{port}"\n')
    diagnosed("fail", f"wss://localhost:{port}: no TLS there", "does it speak TLS?")


def test_4_a_certificate_that_is_missing(only: Callable[[str], None]) -> None:
    only("certificate")
    config(f"[hub]\n{TLS}")
    diagnosed("fail", "certs/server.pem: cannot be read: No such file or directory", "tron certs create")


def test_4_a_certificate_that_has_expired(only: Callable[[str], None]) -> None:
    only("certificate")
    config(f"[hub]\n{TLS}")
    certificates(days=10, now=NOW - timedelta(days=11))
    diagnosed("fail", f"it expired on {NOW - timedelta(days=1):%Y-%m-%d}", "Renew it: tron certs create")


def test_4_a_certificate_that_soon_does(only: Callable[[str], None]) -> None:
    only("certificate")
    config(f"[hub]\n{TLS}")
    certificates(days=20)
    diagnosed("warn", "it expires on", "Renew it: tron certs create")


def test_4_a_certificate_for_another_name(only: Callable[[str], None]) -> None:
    only("certificate")
    config(f'[hub]\n{TLS}public_url = "wss://tron.example.org:6789"\n')
    certificates("hub.example.org")
    diagnosed("fail", "it is for hub.example.org, and workers dial tron.example.org", "--name tron.example.org")


def test_4_a_key_of_another_certificate(only: Callable[[str], None]) -> None:
    only("certificate")
    config(f"[hub]\n{TLS}")
    key = certificates().server_key
    shutil.copy(key, "old-key.pem")
    certificates()
    shutil.copy("old-key.pem", key)
    diagnosed("fail", "server-key.pem is not the key of", "tron certs create makes a pair")


def test_4_a_key_that_others_can_read(only: Callable[[str], None]) -> None:
    only("certificate")
    config(f"[hub]\n{TLS}")
    certificates().server_key.chmod(0o644)
    diagnosed("fail", "can be read by others on this machine", "chmod 600")


def test_5_tables_of_an_older_version(only: Callable[[str], None], here: Path) -> None:
    only("database")
    migrations.upgrade("sqlite:///tron.db", here)
    with sqlite3.connect("tron.db") as database:
        database.execute("UPDATE tron_version SET version_num = '0000'")
    database.close()
    config()
    diagnosed("warn", "the tables of core are at 0000, and the newest is", "tron db upgrade")
    config("[database]\nauto_upgrade = false\n")
    diagnosed("fail", "the hub does not start", "tron db upgrade")


def test_5_a_database_that_does_not_answer(only: Callable[[str], None]) -> None:
    only("database")
    config('[database]\nurl = "mysql+pymysql://tron:s3cret@127.0.0.1:1/tron"\n')
    diagnosed("fail", "Can't connect to MySQL server", "Start the server")
    assert "s3cret" not in json.dumps(findings())


def test_6_a_clock_that_is_not_that_of_others(only: Callable[[str], None], discord: type[Discord]) -> None:
    only("clock")
    discord.date = time.time() - 600
    diagnosed("fail", "s ahead of that of http://127.0.0.1", "timedatectl set-ntp true")


def test_6_a_clock_that_was_set_back(only: Callable[[str], None], here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only("clock")
    migrations.upgrade("sqlite:///tron.db", here)
    future = time.time() + 3600
    with sqlite3.connect("tron.db") as database:
        columns = [row[1:3] for row in database.execute("PRAGMA table_info(jobs)")]
        values = [future if name == "created_at" else "" if kind != "DOUBLE" else 0 for name, kind in columns]
        database.execute(f"INSERT INTO jobs VALUES ({','.join('?' * len(values))})", values)
    database.close()
    config()
    diagnosed("fail", "s in the future: the clock was set back", "timedatectl")


def test_7_a_token_that_discord_does_not_accept(only: Callable[[str], None], discord: type[Discord]) -> None:
    only("discord")
    written = Path("tron.toml").read_text()
    Path("tron.toml").write_text(written.replace(TOKEN, TOKEN[:-1] + "x"))
    diagnosed("fail", "Discord does not accept the token", "Reset the token on the page Bot")
    Path("tron.toml").write_text(written.replace(TOKEN, "0123456789abcdef0123456789abcdef"))
    diagnosed("fail", "it does not even look like one", "not its client secret")


def test_7_without_discord_the_shape_of_the_token_is_all_that_is_known(only: Callable[[str], None]) -> None:
    only("discord")
    away = f'api_url = "http://127.0.0.1:{closed_port()}"\n'
    config(f'[discord]\ntoken = "0123456789abcdef"\n{away}')
    diagnosed("fail", "the token does not look like one", "page Bot")
    config(f'[discord]\ntoken = "{TOKEN}"\n{away}')
    diagnosed("warn", "does not answer (ConnectError), so that the token was not tried", "port 443")


def test_8_a_bot_that_may_not_read_messages(only: Callable[[str], None], discord: type[Discord]) -> None:
    only("discord")
    discord.flags = 1 << 15
    diagnosed("fail", "the bot may not read messages", "Switch on Message Content Intent")


DiskUsage = namedtuple("DiskUsage", "total used free")


def test_9_a_disk_that_is_full(only: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    only("disk")
    config()
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: DiskUsage(2**40, 2**40 - 2**20, 2**20))
    diagnosed("fail", "0.0 GiB are free; the hub will soon not be able to store anything", "artifacts.max_bytes")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: DiskUsage(2**40, 2**40 - 2**30, 2**30))
    diagnosed("warn", "1.0 GiB are free", "artifacts.keep_days")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that not even root can write")
def test_9_a_folder_that_cannot_be_written(only: Callable[[str], None]) -> None:
    only("disk")
    config('[artifacts]\nurl = "file:/proc/self/artifacts"\n')
    diagnosed("fail", f"/proc/{'self'}: cannot be written", "chown -R")


def test_10_plugins_that_are_not_well(only: Callable[[str], None], shelf: Any) -> None:
    only("plugins")
    shelf.install("bad", "raise ValueError('no good')")
    shelf.install("old", WELL, requires="tron-core<0.0.1")
    config('[plugins.gone]\nkey = "value"\n')
    diagnosed("fail", "bad is failed: raised at import: ValueError: no good", "tron plugins disable bad")
    diagnosed("fail", "old is incompatible", "pip install --upgrade tron-plugin-old tron-core")
    diagnosed("warn", "[plugins.gone] is for a plugin that is not installed", "pip install tron-plugin-gone")


def test_10_libraries_that_do_not_fit(only: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    only("versions")
    config()
    monkeypatch.setattr(versions, "requires", lambda name: ["pluggy<1", "nowhere-to-be-found>=2", 'x; extra == "docs"'])
    diagnosed("fail", "and needed is <1", 'pip install "pluggy<1"')
    diagnosed("fail", "nowhere-to-be-found is not installed", "tron-core[hub]")
    monkeypatch.setattr(versions.sqlite3, "sqlite_version_info", (3, 7, 0))
    diagnosed("fail", "and needed is 3.24.0 or later", "MariaDB")


def test_a_check_that_raises_is_a_finding_and_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(subject: Any) -> Any:
        raise ZeroDivisionError("of its own")

    monkeypatch.setattr(examination, "CHECKS", {"disk": raises, "certificate": examination.CHECKS["certificate"]})
    config()
    code, found = findings()
    assert code == 1
    assert [each["check"] for each in found] == ["configuration", "disk", "certificate"]
    assert found[1]["sentence"] == "the check itself failed: ZeroDivisionError: of its own"
