"""Certificates of the hub's own: what they say, how long they are good, and that strict clients take them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509.verification import DNSName, PolicyBuilder, Store

from tron_core.auth import certificates
from tron_core.auth.certificate_folder import CertificateFolder
from tron_core.auth.certificates import is_for, issue_server, load_authority, load_chain, names_of, new_authority
from tron_core.errors import ConfigError

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
NAMES = ["hub.example.org", "*.example.net", "192.0.2.7", "2001:db8::7"]


def test_a_strict_client_that_trusts_the_authority_accepts_what_it_issued() -> None:
    authority = new_authority(NOW)
    leaf, *rest = issue_server(authority, NAMES, NOW).chain
    policy = PolicyBuilder().store(Store([authority.certificate])).time(NOW + timedelta(days=396))
    verified = policy.build_server_verifier(DNSName("hub.example.org")).verify(leaf, [])
    assert verified == [leaf, *rest]


def test_a_server_certificate_is_good_for_397_days_and_begins_an_hour_earlier() -> None:
    leaf = issue_server(new_authority(NOW), NAMES, NOW).chain[0]
    assert leaf.not_valid_before_utc == NOW - timedelta(hours=1)
    assert leaf.not_valid_after_utc == NOW + timedelta(days=397)


def test_no_certificate_outlives_its_authority() -> None:
    authority = new_authority(NOW, days=100)
    assert issue_server(authority, NAMES, NOW).chain[0].not_valid_after_utc == NOW + timedelta(days=100)


@pytest.mark.parametrize(
    ("host", "accepted"),
    [
        ("hub.example.org", True),
        ("HUB.Example.ORG", True),
        ("www.hub.example.org", False),
        ("any.example.net", True),
        ("example.net", False),
        ("a.b.example.net", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("2001:DB8:0::7", True),
    ],
)
def test_a_certificate_is_for_its_names_and_no_others(host: str, accepted: bool) -> None:
    assert is_for(issue_server(new_authority(NOW), NAMES, NOW).chain[0], host) is accepted


def test_a_name_beyond_ascii_stands_in_its_dns_form() -> None:
    assert names_of(issue_server(new_authority(NOW), ["bücher.example"], NOW).chain[0]) == ["xn--bcher-kva.example"]


@pytest.mark.parametrize("name", ["", "a b", "https://hub.example.org", "hub..example", "x" * 64 + ".example"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is no name of a host"):
        issue_server(new_authority(NOW), [name], NOW)


def test_a_certificate_that_clients_would_not_take_is_refused() -> None:
    with pytest.raises(ConfigError, match="days = 826: allowed are 1 to 825"):
        issue_server(new_authority(NOW), NAMES, NOW, days=826)
    with pytest.raises(ConfigError, match="needs a name"):
        issue_server(new_authority(NOW), [], NOW)


def test_an_authority_is_loaded_with_its_own_key_alone() -> None:
    one, other = new_authority(NOW), new_authority(NOW)
    assert load_authority(one.certificate_pem, one.key_pem).certificate == one.certificate
    with pytest.raises(ConfigError, match="the key is not that of the certificate"):
        load_authority(one.certificate_pem, other.key_pem)
    with pytest.raises(ConfigError, match="not a file of PEM certificates"):
        load_authority(one.key_pem, one.key_pem)


def test_a_key_with_a_password_is_said_to_be_of_no_use() -> None:
    key = rsa.generate_private_key(65537, 2048)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    with pytest.raises(ConfigError, match="not a private key in PEM without a password"):
        certificates.is_key_of(new_authority(NOW).certificate, locked)


def test_the_root_of_a_chain_is_the_self_signed_end_of_it() -> None:
    authority = new_authority(NOW)
    chain = issue_server(authority, NAMES, NOW).chain
    assert certificates.root_of(chain) == authority.certificate
    assert certificates.root_of(chain[:1]) is None


def test_a_folder_renews_under_the_same_authority(tmp_path: Path) -> None:
    folder = CertificateFolder(tmp_path / "certs")
    first = folder.create(["hub.example.org"], NOW)
    key = folder.server_key.read_bytes()
    later = folder.create(folder.names(), NOW + timedelta(days=300))
    assert (first.new_authority, later.new_authority) == (True, False)
    assert later.authority == first.authority
    assert later.server.not_valid_after_utc == NOW + timedelta(days=697)
    assert names_of(later.server) == ["hub.example.org"]
    assert folder.server_key.read_bytes() != key
    assert load_chain(folder.server.read_bytes()) == [later.server, later.authority]


def test_keys_are_their_owners_alone(tmp_path: Path) -> None:
    folder = CertificateFolder(tmp_path / "certs")
    folder.create(["hub.example.org"], NOW)
    modes = {path.name: f"{path.stat().st_mode & 0o777:o}" for path in folder.path.iterdir()}
    assert modes == {"ca.pem": "644", "ca-key.pem": "600", "server.pem": "644", "server-key.pem": "600"}


def test_another_authority_is_made_only_where_it_is_wanted(tmp_path: Path) -> None:
    folder = CertificateFolder(tmp_path)
    first = folder.create(["hub.example.org"], NOW)
    folder.ca_key.unlink()
    with pytest.raises(ConfigError, match=r"cannot sign \(No such file or directory\).*--new-ca"):
        folder.create(["hub.example.org"], NOW)
    assert folder.create(["hub.example.org"], NOW, new_authority=True).authority != first.authority


def test_an_authority_that_is_over_signs_nothing(tmp_path: Path) -> None:
    folder = CertificateFolder(tmp_path)
    folder.create(["hub.example.org"], NOW)
    with pytest.raises(ConfigError, match=r"has expired: make another with --new-ca"):
        folder.create(["hub.example.org"], NOW + timedelta(days=3653))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "certs").write_text("a file")
    with pytest.raises(ConfigError, match=r"certs: cannot be written"):
        CertificateFolder(tmp_path / "certs").create(["hub.example.org"], NOW)
