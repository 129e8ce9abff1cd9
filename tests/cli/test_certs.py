"""``tron certs``: certificates for the names that are asked for, configured, or there already."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tron_core.cli import app

OWN = ["localhost", "127.0.0.1", "::1"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRON_CONFIG", raising=False)
    return tmp_path


def create(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["--no-plugins", "certs", "create", *arguments])


def created(*arguments: str) -> dict[str, Any]:
    result = create("--json", *arguments)
    assert result.exit_code == 0, result.output
    made: dict[str, Any] = json.loads(result.stdout)
    return made


def test_the_first_call_makes_an_authority_and_says_what_to_write(here: Path) -> None:
    result = create("--name", "hub.example.org")
    assert result.exit_code == 0
    assert 'tls_certificate = "certs/server.pem"\ntls_key = "certs/server-key.pem"' in result.stdout
    assert sorted(path.name for path in (here / "certs").iterdir()) == [
        "ca-key.pem", "ca.pem", "server-key.pem", "server.pem",
    ]  # fmt: skip


def test_the_same_call_again_renews_under_the_same_authority(here: Path) -> None:
    first, again = created("--name", "hub.example.org"), created()
    assert (first["new_ca"], again["new_ca"]) == (True, False)
    assert again["names"] == ["hub.example.org", *OWN]
    assert created("--new-ca")["new_ca"]


def test_the_names_are_those_of_the_public_addresses(here: Path) -> None:
    (here / "tron.toml").write_text(
        '[hub]\npublic_url = "wss://hub.example.org:6789"\n[http]\npublic_url = "https://tron.example.org"\n'
    )
    assert created()["names"] == ["hub.example.org", "tron.example.org", *OWN]


def test_without_any_name_it_is_this_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "shed")
    assert created()["names"] == ["shed", *OWN]


def test_a_certificate_that_is_configured_is_renewed_without_further_words(here: Path) -> None:
    created("--dir", "tls")
    (here / "tron.toml").write_text('[hub]\ntls_certificate = "tls/server.pem"\ntls_key = "tls/server-key.pem"\n')
    result = create("--dir", "tls")
    assert "takes the new certificate within half a minute" in result.stdout
    assert "tron.toml" not in result.stdout


def test_what_is_no_name_is_one_line_and_status_1() -> None:
    result = create("--name", "https://hub.example.org")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error: 'https://hub.example.org' is no name of a host" in result.stderr
