from pathlib import Path

import pytest

from tron_core.errors import ConfigError
from tron_core.worker.address import hub_address


@pytest.mark.parametrize(
    ("url", "http"),
    [
        ("wss://hub.example.org:6789/", "https://hub.example.org:5000"),
        ("ws://localhost:6789", "http://localhost:5000"),
        ("ws://[::1]:6789", "http://[::1]:5000"),
    ],
)
def test_the_rest_side_is_beside_the_hub(url: str, http: str) -> None:
    assert hub_address(url).http == http


def test_the_rest_side_may_be_elsewhere() -> None:
    assert hub_address("wss://a:6789", http="https://b.example/tron/").http == "https://b.example/tron"


def test_plain_websockets_stay_on_this_machine_unless_it_is_said() -> None:
    with pytest.raises(ConfigError, match="can read the worker's token"):
        hub_address("ws://hub.example.org:6789")
    assert not hub_address("ws://hub.example.org:6789", allow_plaintext=True).loopback


@pytest.mark.parametrize("url", ["hub.example.org:6789", "https://hub.example.org", "wss://", ""])
def test_another_kind_of_address_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ConfigError, match="for example wss://"):
        hub_address(url)


def test_a_certificate_of_its_own_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"certificate, key = .*client\.pem, .*key\.pem: cannot be used"):
        hub_address("wss://a:6789", certificate=tmp_path / "client.pem", key=tmp_path / "key.pem")


def test_a_ca_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for path in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
        with pytest.raises(ConfigError, match="PEM"):
            hub_address("wss://hub:6789", ca=path)
