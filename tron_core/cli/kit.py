"""A worker's kit: the folder that is carried to another machine, where `tron worker --kit` needs nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tron_core.errors import ConfigError

if TYPE_CHECKING:
    from tron_core.cli.addresses import Addresses
    from tron_core.config import Loaded

AUTH = "auth.json"
SETTINGS = "worker.toml"
CA = "ca.pem"
CERTIFICATE = "client.pem"
KEY = "client-key.pem"
README = "README.txt"

README_TEXT = """\
This folder makes a machine a worker of the hub at {hub}.
Keep it to yourself: auth.json is a secret. `tron tokens revoke {client_id}` on the hub ends it.

In this folder on that machine, with Python 3.11 or later (leave out what it is not to do):

    pip install {packages}
    tron worker --kit .{options}

The worker dials the hub and is never dialled itself: no port has to be opened on its side.
"""


def kit_files(
    loaded: Loaded, found: Addresses, api_key: dict[str, Any], token: dict[str, Any], ca: Path | None = None
) -> dict[str, bytes]:
    """The kit's files by name. The hub's own key, and that of its authority, are never among them.

    ``ca`` is the authority of a proxy in front, unset that of the hub's own certificate. Raises ConfigError where a
    certificate cannot be read.
    """
    import json

    import tomlkit

    section = {"url": found.hub, "http": found.http, "auth": AUTH}
    files = {AUTH: json.dumps({"api_key": api_key, "token": token}, indent=2).encode() + b"\n"}
    authority = authority_pem(loaded, ca)
    if authority is not None:
        section["ca"] = CA
        files[CA] = authority
    if (client := _client_certificate(loaded, str(api_key["client_id"]))) is not None:
        section |= {"certificate": CERTIFICATE, "key": KEY}
        files |= client
    files[SETTINGS] = tomlkit.dumps({"hub": section}).encode()
    files[README] = _readme(found, str(api_key["client_id"])).encode()
    return files


def write_kit(folder: Path, files: dict[str, bytes]) -> None:
    """Write a kit, for its owner alone; raises ConfigError where that cannot be."""
    from tron_core.private_file import write_whole

    try:
        for name, content in files.items():
            write_whole(folder / name, content)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written: {error.strerror}") from None


def authority_pem(loaded: Loaded, ca: Path | None = None) -> bytes | None:
    """What a worker must be given to trust the hub's certificate; None where every system trusts it already, or where
    the hub has none. ``ca`` says otherwise, and is only held to be certificates: a key has no place in a kit.

    Raises ConfigError where the file cannot be read.
    """
    from tron_core.auth import certificates

    file = ca or loaded.settings.hub.tls_certificate
    if file is None:
        return None
    try:
        chain = certificates.load_chain(file.read_bytes())
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    if ca is not None:
        return certificates.pem_of(chain)
    root = certificates.root_of(chain)
    return None if root is None else certificates.pem_of([root])


def lacks_client_certificate(loaded: Loaded) -> bool:
    """Whether the hub wants a certificate of its clients that cannot be made here."""
    authority = loaded.settings.hub.tls_client_ca
    return authority is not None and not _signing_key(authority).is_file()


def _client_certificate(loaded: Loaded, client_id: str) -> dict[str, bytes] | None:
    """A certificate and key of the worker's own, where the hub wants one and its authority's key lies here."""
    from datetime import UTC, datetime

    from tron_core.auth.certificates import issue_client, load_authority

    authority = loaded.settings.hub.tls_client_ca
    if authority is None or lacks_client_certificate(loaded):
        return None
    signer = load_authority(authority.read_bytes(), _signing_key(authority).read_bytes())
    issued = issue_client(signer, client_id, datetime.now(UTC))
    return {CERTIFICATE: issued.chain_pem, KEY: issued.key_pem}


def _signing_key(authority: Path) -> Path:
    from tron_core.auth.certificate_folder import CA_KEY

    return authority.with_name(CA_KEY)


def _readme(found: Addresses, client_id: str) -> str:
    options = " --allow-plaintext" if found.plaintext else ""
    packages = " ".join(f'"{name}[worker]"' for name in _worker_packages()) or "tron-core"
    return README_TEXT.format(hub=found.hub, client_id=client_id, packages=packages, options=options)


def _worker_packages() -> list[str]:
    """The distributions that are installed here and bring executors."""
    from importlib.metadata import entry_points

    return sorted({point.dist.name for point in entry_points(group="tron.executors") if point.dist is not None})
