"""The files of a client of discord-tron-master: `tron create-client-tokens --legacy DIR`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import tron_core as tron

CERTIFICATE = "server_cert.pem"
KEY = "server_key.pem"
YEARS = 10

README = """\
These files make a discord-tron-client a worker of the hub at {hub}.
Keep them to yourself: auth.json and config.json hold secrets. `tron tokens revoke {client_id}` on the hub ends them.

Copy auth.json, server_cert.pem and server_key.pem into the client's folder config, and the keys of config.json into its
config/config.json, beside what stands there. Start the hub before the client.

server_cert.pem and server_key.pem were made for this client alone, because it does not start without such a pair. They
are not the hub's and open nothing.{trust}
"""
UNTRUSTED = """

The hub's certificate is its own authority's, which this client does not know: verify_ssl is false, so the line is
encrypted and the hub's name is not checked. With a publicly trusted certificate, set it to true."""


def kit() -> tron.Kit:
    """The kit that `--legacy` makes."""
    return tron.Kit(
        "legacy",
        "Make the files of a discord-tron-client: auth.json, config.json and a throw-away certificate.",
        files,
        "{folder} is for the folder config of a discord-tron-client: see {folder}/README.txt",
    )


def files(contents: tron.KitContents) -> dict[str, bytes]:
    """The content of each file, by its name."""
    certificate, key = throw_away_pair(str(contents.api_key["client_id"]))
    trust = UNTRUSTED if contents.authority is not None else ""
    readme = README.format(hub=contents.hub, client_id=contents.api_key["client_id"], trust=trust)
    return {
        "auth.json": _json({**contents.token, "scopes": None}),
        "config.json": _json(config(contents)),
        CERTIFICATE: certificate,
        KEY: key,
        "README.txt": readme.encode(),
    }


def config(contents: tron.KitContents) -> dict[str, Any]:
    """What the client's config.json must say of the hub."""
    hub = urlsplit(contents.hub)
    secure = hub.scheme == "wss"
    return {
        "master_api_key": contents.api_key["api_key"],
        "master_url": contents.http,
        "websocket_hub": {
            "host": hub.hostname or "",
            "port": hub.port or (443 if secure else 80),
            "tls": secure,
            "verify_ssl": secure and contents.authority is None,
            "server_pem_path": f"config/{CERTIFICATE}",
            "server_key_path": f"config/{KEY}",
        },
    }


def throw_away_pair(name: str) -> tuple[bytes, bytes]:
    """A self-signed certificate and its key, as PEM."""
    # Imported here: only this command needs it.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"tron client {name}"[:64])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(pem), private


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=2).encode() + b"\n"
