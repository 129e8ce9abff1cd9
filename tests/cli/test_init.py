"""``tron init``: what is asked, what is written, and that no secret is shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tron_core.cli import app
from tron_core.config import load

ORACLE = '''
    import tron_core as tron
    from pydantic import BaseModel, ConfigDict, SecretStr

    class Config(BaseModel):
        model_config = ConfigDict(use_attribute_docstrings=True)

        api_key: SecretStr | None = None
        """The oracle's key, best written ``env:OPENAI_API_KEY``."""

    @tron.hookimpl
    def tron_register_config():
        return Config
'''


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRON_CONFIG", raising=False)
    return tmp_path


def tron(*arguments: str, answers: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=answers)


def test_with_yes_nothing_is_asked_and_a_hub_can_be_started(here: Path, shelf: Any) -> None:
    result = tron("init", "--yes")
    assert result.exit_code == 0, result.output
    settings = load().settings
    assert (settings.hub.host, settings.database.url) == ("127.0.0.1", "sqlite:///tron.db")
    assert re.search(r"the administrator is admin, with the password \S{16}  \(shown this once\)", result.stdout)
    assert "admin     admin" in tron("users", "list").stdout
    assert not (here / "certs").exists()


def test_for_workers_elsewhere_there_are_certificates_and_public_addresses(here: Path, shelf: Any) -> None:
    result = tron("init", "--yes", "--public", "hub.example.org", "--admin-password", "of the test")
    assert result.exit_code == 0, result.output
    hub = load().settings.hub
    assert (hub.host, hub.public_url) == ("0.0.0.0", "wss://hub.example.org:6789")
    assert hub.tls_key is not None
    assert hub.tls_key.is_file()
    assert "create-client-tokens --username gpu-1 --kit kit-gpu-1" in result.stdout
    assert "password" not in result.stdout


def test_secrets_go_where_they_are_asked_for_and_are_never_shown(here: Path, shelf: Any) -> None:
    shelf.install("oracle", ORACLE)
    keys = ("--discord-token", "d1sc0rd", "--openai-key", "0pena1", "--huggingface-token", "hugg1ng")
    result = tron("init", "--yes", *keys, "--secret", "OTHER_KEY=env:OTHER_KEY")
    assert result.exit_code == 0, result.output
    assert not re.search("d1sc0rd|0pena1|hugg1ng", result.output + (here / "tron.toml").read_text())
    loaded = load()
    assert loaded.settings.discord.token is not None
    assert loaded.settings.discord.token.get_secret_value() == "d1sc0rd"
    assert loaded.settings.plugins.sections == {"oracle": {"api_key": "file:secrets/openai-api-key"}}
    assert "no installed plugin asks for HF_TOKEN; where one does, write 'file:secrets/hf-token' there" in result.stdout
    assert "no installed plugin asks for OTHER_KEY; where one does, write 'env:OTHER_KEY' there" in result.stdout


def test_what_no_option_says_is_asked(here: Path, shelf: Any) -> None:
    shelf.install("oracle", ORACLE)
    answers = ["y", "hub.example.org", "", "", "0pena1", "of the test", "of the test"]
    result = tron("init", answers="\n".join(answers) + "\n")
    assert result.exit_code == 0, result.output
    assert "OPENAI_API_KEY for plugins.oracle.api_key" in result.stdout
    assert not re.search("0pena1|of the test", result.stdout)
    settings = load().settings
    assert settings.hub.public_url == "wss://hub.example.org:6789"
    assert settings.discord.token is None
    assert settings.plugins.sections == {"oracle": {"api_key": "file:secrets/openai-api-key"}}


def test_a_configuration_is_replaced_only_by_force_and_kept(here: Path, shelf: Any) -> None:
    (here / "tron.toml").write_text("# mine\n")
    result = tron("init", "--yes")
    assert result.exit_code == 1
    assert "is there already; --force replaces it and keeps it as tron.toml.old" in result.stderr
    assert (here / "tron.toml").read_text() == "# mine\n"
    assert tron("init", "--yes", "--force").exit_code == 0
    assert (here / "tron.toml.old").read_text() == "# mine\n"
    again = tron("init", "--yes", "--force")
    assert "there is a user admin already" in again.stdout
    assert "shown this once" not in again.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--elsewhere"], "--elsewhere needs --public HOST"),
        (["--public", "wss://hub.example.org"], "is no name of a host"),
        (["--database", "postgresql://a/b"], "'postgresql' is not supported"),
        (["--database", "mysql+pymysql://tron:s3cret@127.0.0.1:1/tron"], "mysql+pymysql://tron:***@127.0.0.1:1/tron?"),
        (["--secret", "OPENAI"], "expected is VARIABLE=KEY"),
        (["--discord-token", "two\nlines"], "what was given is not one line of text"),
    ],
)
def test_what_cannot_be_used_configures_nothing(here: Path, shelf: Any, arguments: list[str], sentence: str) -> None:
    result = tron("init", "--yes", *arguments)
    assert result.exit_code == 1
    assert sentence in result.stderr
    assert "s3cret" not in result.output
    assert not (here / "tron.toml").exists()


@pytest.mark.mariadb
def test_a_password_in_the_databases_url_is_kept_apart(here: Path, shelf: Any, mariadb_url: str) -> None:
    url = mariadb_url.replace("root@", "root:@")
    result = tron("init", "--yes", "--database", url)
    assert result.exit_code == 0, result.output
    assert 'url = "file:secrets/database-url"' in (here / "tron.toml").read_text()
    assert "admin     admin" in tron("users", "list").stdout


def test_a_variable_that_is_not_set_here_is_said(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISCORD_TOKEN", raising=False)
    result = tron("init", "--yes", "--discord-token", "env:DISCORD_TOKEN")
    assert result.exit_code == 0
    assert "before the hub starts: discord.token = 'env:DISCORD_TOKEN': the environment variable" in result.stderr
