"""A worker's kit: what is in it, what never is, and what is said about addresses that lead nowhere."""

from __future__ import annotations

import ssl
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tron_core.auth.certificate_folder import CertificateFolder
from tron_core.auth.certificates import load_chain, pem_of
from tron_core.cli import app
from tron_core.cli.addresses import addresses_of
from tron_core.cli.kit import kit_files, lacks_client_certificate, write_kit
from tron_core.config import Loaded, load
from tron_core.errors import ConfigError
from tron_core.worker.address import tls_context
from tron_core.worker.config import load_worker
from tron_core.worker.tokens import load_auth

PUBLIC = 'public_url = "wss://hub.example.org:6789"\n[http]\npublic_url = "https://hub.example.org:5000"\n'
TLS = '[hub]\nhost = "0.0.0.0"\ntls_certificate = "certs/server.pem"\ntls_key = "certs/server-key.pem"\n'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRON_CONFIG", raising=False)
    return tmp_path


@pytest.fixture
def certificates(here: Path) -> CertificateFolder:
    folder = CertificateFolder(here / "certs")
    folder.create(["hub.example.org"], datetime.now(UTC))
    return folder


def tron(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["--no-plugins", *arguments])


def configured(here: Path, config: str) -> Loaded:
    (here / "tron.toml").write_text(config)
    return load()


def kit_of(here: Path, config: str) -> tuple[Path, dict[str, Any]]:
    """A kit, and the [hub] section of its worker.toml."""
    loaded = configured(here, config)
    api_key = {"client_id": "c0ffee", "api_key": "secret"}
    write_kit(here / "kit", kit_files(loaded, addresses_of(loaded), api_key, {"access_token": "secret"}))
    section: dict[str, Any] = tomllib.loads((here / "kit" / "worker.toml").read_text())["hub"]
    return here / "kit", section


def test_a_kit_has_addresses_authority_and_credential(here: Path, certificates: CertificateFolder) -> None:
    configured(here, TLS + PUBLIC)
    tron("create-worker-user", "--username", "gpu-1", "--password", "a long password")
    result = tron("create-client-tokens", "--username", "gpu-1", "--kit", "kit")
    assert (result.exit_code, result.stderr) == (0, "kit is the worker's kit: carry it there, and see its README.txt\n")
    kit = here / "kit"
    assert sorted(path.name for path in kit.iterdir()) == ["README.txt", "auth.json", "ca.pem", "worker.toml"]
    assert tomllib.loads((kit / "worker.toml").read_text()) == {
        "hub": {
            "url": "wss://hub.example.org:6789",
            "http": "https://hub.example.org:5000",
            "auth": "auth.json",
            "ca": "ca.pem",
        }
    }
    assert (kit / "ca.pem").read_bytes() == certificates.ca.read_bytes()
    auth = load_auth(kit / "auth.json")
    assert auth.api_key is not None
    assert auth.token is not None
    assert "tron worker --kit .\n" in (kit / "README.txt").read_text()


def test_no_kit_has_a_key_of_the_hub_and_nobody_else_may_read_it(here: Path, certificates: CertificateFolder) -> None:
    kit, _ = kit_of(here, TLS + PUBLIC)
    content = b"".join(path.read_bytes() for path in kit.iterdir())
    assert b"PRIVATE KEY" not in content
    for key in (certificates.ca_key, certificates.server_key):
        assert key.read_bytes().splitlines()[1] not in content
    assert {f"{path.stat().st_mode & 0o077:o}" for path in (kit, *kit.iterdir())} == {"0"}


def test_a_certificate_that_every_system_trusts_needs_no_authority(here: Path, certificates: CertificateFolder) -> None:
    leaf = load_chain(certificates.server.read_bytes())[0]
    certificates.server.write_bytes(pem_of([leaf]))  # the chain of a public authority ends before its root
    kit, section = kit_of(here, TLS + PUBLIC)
    assert "ca" not in section
    assert not (kit / "ca.pem").exists()


def test_without_public_addresses_it_is_the_certificates_name_and_the_ports(
    here: Path, certificates: CertificateFolder
) -> None:
    _, section = kit_of(here, TLS + '[http]\nhost = "0.0.0.0"\n')
    assert (section["url"], section["http"]) == ("wss://hub.example.org:6789", "https://hub.example.org:5000")


def test_addresses_that_lead_nowhere_from_elsewhere_are_named(here: Path) -> None:
    warnings = list(addresses_of(configured(here, "")).warnings())
    assert len(warnings) == 2
    assert warnings[0].startswith("ws://127.0.0.1:6789 is reached from this machine alone: set hub.public_url")
    assert warnings[1].startswith("http://127.0.0.1:5000 is reached from this machine alone: set http.public_url")


def test_a_worker_that_has_to_speak_in_plain_text_is_told_how(here: Path) -> None:
    config = '[hub]\nhost = "192.0.2.7"\nallow_plaintext = true\n[http]\nhost = "192.0.2.7"\n'
    kit, section = kit_of(here, config)
    assert section["url"] == "ws://192.0.2.7:6789"
    assert "tron worker --kit . --allow-plaintext\n" in (kit / "README.txt").read_text()
    assert "nothing is encrypted" in " ".join(addresses_of(load()).warnings())


def test_a_port_that_nobody_knows_yet_makes_no_kit(here: Path) -> None:
    with pytest.raises(ConfigError, match=r"hub\.port = 0: a free port is taken at start; start the hub first"):
        addresses_of(configured(here, "[hub]\nport = 0\n"))


def test_a_kit_of_another_hub_is_not_made_here() -> None:
    result = tron(
        "create-client-tokens", "--username", "gpu-1", "--kit", "kit", "--url", "https://a.example", "--token", "t"
    )
    assert result.exit_code == 1
    assert "make it there" in result.stderr


def test_where_the_hub_wants_a_certificate_the_worker_gets_its_own(here: Path, certificates: CertificateFolder) -> None:
    kit, _ = kit_of(here, TLS + 'tls_client_ca = "certs/ca.pem"\n' + PUBLIC)
    hub = load_worker(kit / "worker.toml").hub
    assert isinstance(tls_context(hub.ca, hub.certificate, hub.key), ssl.SSLContext)
    assert hub.key is not None
    assert hub.key.read_bytes() not in (certificates.ca_key.read_bytes(), certificates.server_key.read_bytes())


def test_where_that_cannot_be_made_it_is_known(here: Path, certificates: CertificateFolder) -> None:
    (here / "clients.pem").write_bytes(certificates.ca.read_bytes())
    _, section = kit_of(here, TLS + 'tls_client_ca = "clients.pem"\n' + PUBLIC)
    assert "certificate" not in section
    assert lacks_client_certificate(load())
