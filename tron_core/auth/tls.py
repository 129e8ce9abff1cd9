"""TLS of the hub's ports."""

from __future__ import annotations

import ssl
from pathlib import Path

from tron_core.errors import ConfigError


def server_context(certificate: Path | None, key: Path | None, client_ca: Path | None) -> ssl.SSLContext | None:
    """The context of a port: TLS 1.2 or newer, client certificates where ``client_ca`` is set; None without a
    certificate. Raises ConfigError where a file cannot be used."""
    if certificate is None or key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
        if client_ca is not None:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"hub.tls_certificate, hub.tls_key: {certificate}, {key}: cannot be used: {error}") from None
    return context
