"""The files of a client: what `tron create-client-tokens --legacy` writes, and that a client gets in with them."""

from __future__ import annotations

import json
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from typer.testing import CliRunner, Result

from tron_core import KitContents
from tron_core.auth.certificate_folder import CertificateFolder
from tron_core.cli import app
from tron_plugin_legacy.kit import config, files

SERVED = (
    '[hub]\nhost = "0.0.0.0"\npublic_url = "wss://hub.example.org:6789"\ntls_certificate = "certs/server.pem"\n'
    'tls_key = "certs/server-key.pem"\n[http]\npublic_url = "https://hub.example.org:5000"\n'
)
KEY = {"api_key": "trk_secret", "client_id": "c0ffee"}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRON_PLUGINS", "legacy")
    return tmp_path


def tron(*arguments: str) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result


def contents(hub: str = "wss://hub.example.org:6789", authority: bytes | None = None) -> KitContents:
    return KitContents(KEY, {"access_token": "tra_x"}, hub, "https://hub.example.org:5000", authority)


def test_the_command_writes_what_a_client_reads(here: Path) -> None:
    CertificateFolder(here / "certs").create(["hub.example.org"], datetime.now(UTC))
    (here / "tron.toml").write_text(SERVED)
    tron("create-worker-user", "--username", "gpu-1", "--password", "a long password")
    result = tron("create-client-tokens", "--username", "gpu-1", "--legacy", "kit")
    assert "kit is for the folder config of a discord-tron-client" in result.stderr
    kit = here / "kit"
    names = ["README.txt", "auth.json", "config.json", "server_cert.pem", "server_key.pem"]
    assert sorted(path.name for path in kit.iterdir()) == names
    ticket = json.loads((kit / "auth.json").read_text())
    assert set(ticket) == {
        "id", "access_token", "refresh_token", "expires_in", "client_id", "user_id", "scopes", "issued_at",
    }  # fmt: skip
    settings = json.loads((kit / "config.json").read_text())
    assert settings["master_url"] == "https://hub.example.org:5000"
    assert settings["master_api_key"] == json.loads(result.stdout.partition("}\n")[0] + "}")["api_key"]
    assert settings["websocket_hub"] == {
        "host": "hub.example.org",
        "port": 6789,
        "tls": True,
        "verify_ssl": False,
        "server_pem_path": "config/server_cert.pem",
        "server_key_path": "config/server_key.pem",
    }
    for name in ("server.pem", "server-key.pem", "ca-key.pem"):
        assert not (kit / name).exists()
    assert (here / "certs" / "server-key.pem").read_bytes() != (kit / "server_key.pem").read_bytes()


def test_a_client_makes_a_context_of_the_pair(tmp_path: Path) -> None:
    for name, content in files(contents()).items():
        (tmp_path / name).write_bytes(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(tmp_path / "server_cert.pem", tmp_path / "server_key.pem")
    context.load_verify_locations(tmp_path / "server_cert.pem")
    assert context.get_ca_certs()


def test_each_client_has_a_pair_of_its_own() -> None:
    first, second = (files(contents())["server_cert.pem"] for _ in range(2))
    assert first != second
    certificate = x509.load_pem_x509_certificate(first)
    assert (certificate.not_valid_after_utc - datetime.now(UTC)).days > 3000


@pytest.mark.parametrize(
    ("hub", "authority", "expected"),
    [
        ("wss://hub.example.org", None, {"port": 443, "tls": True, "verify_ssl": True}),
        ("wss://[2001:db8::1]:6789", b"PEM", {"host": "2001:db8::1", "tls": True, "verify_ssl": False}),
        ("ws://127.0.0.1:6789", None, {"host": "127.0.0.1", "port": 6789, "tls": False, "verify_ssl": False}),
    ],
)
def test_the_client_checks_what_it_can(hub: str, authority: bytes | None, expected: dict[str, Any]) -> None:
    section = config(contents(hub, authority))["websocket_hub"]
    assert {key: section[key] for key in expected} == expected
