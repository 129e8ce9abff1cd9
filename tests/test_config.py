"""Settings come from tron.toml and the environment; what cannot be used is said with its key and its place."""

import errno
import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from tron_core import config
from tron_core.config import Settings, cannot_listen, load
from tron_core.errors import ConfigError
from tron_core.worker.config import WorkerSettings, load_worker

DEFAULTS = {
    "hub.host": "127.0.0.1", "hub.port": 6789, "hub.public_url": None, "hub.drain_seconds": 30,
    "hub.tls_certificate": None, "hub.tls_key": None, "hub.tls_client_ca": None, "hub.allow_plaintext": False,
    "http.host": "127.0.0.1", "http.port": 5000, "http.public_url": None,
    "database.url": "sqlite:///tron.db", "database.auto_upgrade": True, "database.synchronous": "full",
    "artifacts.url": "file:artifacts", "artifacts.public_url": None, "artifacts.keep_days": None,
    "artifacts.max_bytes": None, "bus.url": "local:",
    "scheduling.heartbeat_seconds": 10, "scheduling.resume_grace": 30, "scheduling.max_attempts": 3,
    "scheduling.no_worker": "queue", "scheduling.queue_ttl": 1800, "scheduling.max_queued_per_user": 20,
    "limits.requests_per_minute": 600, "limits.login_attempts_per_minute": 10,
    "limits.upload_bytes": 268435456, "limits.picture_pixels": 64_000_000,
    "discord.token": None, "discord.prefix": "!", "discord.api_url": "https://discord.com/api/v10",
    "logging.level": "info", "logging.format": "console", "plugins.disabled": [],
}  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRON_CONFIG", raising=False)
    return tmp_path


def write(here: Path, text: str, name: str = "tron.toml") -> Path:
    file = here / name
    file.write_text(text, encoding="utf-8")
    return file


def refused(path: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return caught.value.message


def test_without_a_file_every_key_has_its_default() -> None:
    loaded = load()
    assert loaded.path is None
    assert dict(config.shown(loaded.settings)) == DEFAULTS
    assert loaded.origins == {}


def test_the_file_here_is_read_and_its_folder_is_known(here: Path) -> None:
    file = write(here, "[hub]\nport = 0\n")
    loaded = load()
    assert (loaded.path, loaded.folder, loaded.settings.hub.port) == (file, here, 0)
    assert loaded.origins == {"hub.port": str(file)}


def test_a_named_file_goes_before_the_environments_and_that_before_the_one_here(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(here, "[hub]\nport = 1\n")
    monkeypatch.setenv("TRON_CONFIG", str(write(here, "[hub]\nport = 2\n", "two.toml")))
    assert load().settings.hub.port == 2
    assert load(write(here, "[hub]\nport = 3\n", "three.toml")).settings.hub.port == 3


def test_a_named_file_that_is_not_there_is_an_error(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--config" in refused(here / "none.toml")
    monkeypatch.setenv("TRON_CONFIG", str(here / "none.toml"))
    assert "TRON_CONFIG" in refused()


def test_a_file_that_is_not_toml_is_named_with_the_line(here: Path) -> None:
    write(here, "[hub\n")
    assert "tron.toml: is not TOML" in refused()
    assert "line 1" in refused()


def test_the_environment_goes_before_the_file_key_by_key(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(here, '[database]\nurl = "sqlite:///a.db"\nsynchronous = "normal"\n')
    monkeypatch.setenv("TRON_DATABASE__URL", "sqlite:///b.db")
    loaded = load()
    assert loaded.settings.database.url == "sqlite:///b.db"
    assert loaded.settings.database.synchronous == "normal"
    assert loaded.origins["database.url"] == "TRON_DATABASE__URL"


def test_an_unknown_key_names_the_file_and_the_nearest_known_key(here: Path) -> None:
    file = write(here, "[hub]\nprot = 1\n")
    assert refused() == f"{file}: hub.prot: unknown key; did you mean port?"


def test_an_unknown_section_lists_what_there_is(here: Path) -> None:
    write(here, "[zzz]\n")
    assert "zzz: unknown key; known: hub, http, database" in refused()


def test_an_unknown_variable_of_a_section_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRON_HUB__PRT", "1")
    assert refused().endswith("hub.prt: unknown key; did you mean port?")
    monkeypatch.delenv("TRON_HUB__PRT")
    monkeypatch.setenv("TRON_HBU__PORT", "1")
    assert refused() == "TRON_HBU__PORT: there is no section 'hbu'; did you mean hub?"


def test_variables_that_are_no_settings_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRON_PLUGINS", "TRON_TRACE_PLUGINS", "TRON_REQUIRE_SERVICES", "TRON_TEST_DATABASE__URL"):
        monkeypatch.setenv(name, "a,b")
    assert load().settings == Settings()


def test_every_wrong_key_is_said_with_its_value_and_what_is_allowed(here: Path) -> None:
    write(here, '[hub]\nport = 99999\n[database]\nsynchronous = "off"\n')
    port, synchronous = refused().splitlines()
    assert "hub.port = 99999: must be less than or equal to 65535" in port
    assert "database.synchronous = 'off': must be 'full' or 'normal'" in synchronous


@pytest.mark.parametrize("key", ["hub.host", "http.host"])
def test_a_bind_beyond_loopback_needs_tls_or_a_word_that_it_is_meant(here: Path, key: str) -> None:
    section = key.split(".", maxsplit=1)[0]
    write(here, f'[{section}]\nhost = "0.0.0.0"\n')
    assert f"{key} = '0.0.0.0' would be reached from other machines without encryption" in refused()
    write(here, f'[hub]\nallow_plaintext = true\n{"" if section == "hub" else "[http]"}\nhost = "0.0.0.0"\n')
    load()
    write(here, f'[hub]\ntls_certificate = "c"\ntls_key = "k"\n{"" if section == "hub" else "[http]"}\nhost = "::"\n')
    load()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_is_known_by_its_address(host: str) -> None:
    assert config.is_loopback(host)


def test_paths_of_certificates_are_relative_to_the_file(here: Path) -> None:
    write(here, '[hub]\ntls_certificate = "tls/hub.pem"\ntls_key = "/etc/hub.key"\n')
    hub = load().settings.hub
    assert (hub.tls_certificate, hub.tls_key) == (here / "tls" / "hub.pem", Path("/etc/hub.key"))


def test_a_certificate_without_its_key_is_refused(here: Path) -> None:
    write(here, '[hub]\ntls_certificate = "hub.pem"\n')
    assert "tls_certificate and tls_key are set together" in refused()


def test_a_secret_is_read_from_where_it_points_to(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT", "s3cret")
    write(here, '[discord]\ntoken = "env:BOT"\n')
    token = load().settings.discord.token
    assert token is not None
    assert token.get_secret_value() == "s3cret"
    (here / "token.txt").write_text("other\n", encoding="utf-8")
    write(here, '[discord]\ntoken = "file:token.txt"\n')
    token = load().settings.discord.token
    assert token is not None
    assert token.get_secret_value() == "other"


def test_a_secret_that_points_nowhere_names_its_key(here: Path) -> None:
    write(here, '[discord]\ntoken = "env:TRON_NO_SUCH"\n')
    assert refused() == "discord.token = 'env:TRON_NO_SUCH': the environment variable TRON_NO_SUCH is not set"
    write(here, '[discord]\ntoken = "file:none"\n')
    assert "discord.token = 'file:none': cannot read the file" in refused()


def test_the_databases_url_may_be_a_secret_too(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB", "mysql+pymysql://tron:pw@db/tron")
    write(here, '[database]\nurl = "env:DB"\n')
    assert load().settings.database.url == "mysql+pymysql://tron:pw@db/tron"


def test_an_empty_token_is_no_token(here: Path) -> None:
    write(here, '[discord]\ntoken = ""\n')
    assert load().settings.discord.token is None


def test_what_is_shown_holds_no_secret(here: Path) -> None:
    write(
        here,
        '[discord]\ntoken = "aaaa"\n[database]\nurl = "mysql+pymysql://u:bbbb@h/d"\n[plugins.x]\napi_key = "cccc"\n',
    )
    shown = json.dumps(dict(config.shown(load().settings)))
    assert not any(secret in shown for secret in ("aaaa", "bbbb", "cccc"))
    assert "mysql+pymysql://u:********@h/d" in shown


def test_a_plugins_table_is_kept_as_it_is(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(here, '[plugins]\ndisabled = ["b"]\n[plugins.some-thing]\nrequired = true\nn = 3\n')
    monkeypatch.setenv("TRON_PLUGINS__DISABLED", "c, d")
    plugins = load().settings.plugins
    assert plugins.disabled == ["c", "d"]
    assert plugins.sections == {"some-thing": {"required": True, "n": 3}}


def test_a_plain_value_among_the_plugins_is_refused(here: Path) -> None:
    write(here, '[plugins]\ndisable = ["b"]\n')
    assert "disable is neither a table [plugins.disable] nor a key of the core; did you mean disabled?" in refused()


def test_a_worker_without_a_file_has_defaults() -> None:
    settings = load_worker()
    assert (settings.worker.slots, settings.hub.url, settings.executors) == (1, None, {})


def test_a_workers_file_is_read_with_paths_relative_to_it(here: Path) -> None:
    (here / "kit").mkdir()
    text = '[hub]\nurl = "wss://h"\nauth = "auth.json"\n[worker]\nname = "w"\n[executors.x]\nmodel = "m"\n'
    settings = load_worker(write(here, text, "kit/worker.toml"))
    assert settings.hub.auth == here / "kit" / "auth.json"
    assert settings.executors == {"x": {"model": "m"}}


def test_a_wrong_key_of_a_worker_is_named(here: Path) -> None:
    file = write(here, "[worker]\nslot = 2\n", "worker.toml")
    with pytest.raises(ConfigError, match=r"worker.slot: unknown key; did you mean slots\?"):
        load_worker(file)
    with pytest.raises(ConfigError, match="no such configuration file"):
        load_worker(here / "none.toml")


PAGE = (Path(__file__).resolve().parent.parent / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")


HUBS, _, WORKERS = PAGE.partition("## worker.toml\n")


def documented(page: str, title: str) -> list[tuple[str, str]]:
    part = page.partition(f"# {title}\n")[2].partition("\n#")[0]
    return re.findall(r"^\| `(\w+)` \| (.*?) \|", part, re.M)


def as_documented(value: Any) -> str:
    if value is None:
        return ""
    return f'`"{value}"`' if isinstance(value, str) else f"`{str(value).lower()}`"


def expected(model: Any) -> list[tuple[str, str]]:
    return [(name, as_documented(field.get_default())) for name, field in model.model_fields.items()]


@pytest.mark.parametrize("section", Settings.model_fields)
def test_the_page_has_every_key_of_the_hub_with_its_default(section: str) -> None:
    assert documented(HUBS, f"[{section}]") == expected(Settings.model_fields[section].annotation)


@pytest.mark.parametrize("section", ["hub", "worker"])
def test_the_page_has_every_key_of_a_worker_with_its_default(section: str) -> None:
    assert documented(WORKERS, f"[{section}]") == expected(WorkerSettings.model_fields[section].annotation)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            OSError(errno.EADDRINUSE, "x"),
            "http.port = 80: another program listens at hub.test:80; end it, or set http.",
        ),
        (OSError(errno.EACCES, "x"), "http.port = 80: this user may not listen there"),
        (OSError(errno.EADDRNOTAVAIL, "x"), "http.host = 'hub.test': this machine has no such address"),
        (socket.gaierror(socket.EAI_NONAME, "x"), "http.host = 'hub.test': this machine has no such address"),
        (OSError(errno.EPERM, "not allowed"), "http.host, http.port: cannot listen at hub.test:80: not allowed"),
    ],
)
def test_an_address_that_cannot_be_bound_is_named_with_what_to_do(error: OSError, sentence: str) -> None:
    assert cannot_listen("http", "hub.test", 80, error).message.startswith(sentence)
