"""Where the hub is, and how the way to it is protected."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tron_core.errors import ConfigError

HTTP_PORT = 5000
"""The port of the hub's REST side, unless something else is said."""
EXAMPLE = "wss://hub.example.org:6789/"


@dataclass(frozen=True, slots=True)
class HubAddress:
    """``websocket`` is where the worker connects, ``http`` the base of the REST side without a trailing slash.
    ``tls`` verifies what is encrypted. ``loopback``: on this very machine."""

    websocket: str
    http: str
    tls: ssl.SSLContext
    loopback: bool


def hub_address(
    url: str,
    *,
    http: str | None = None,
    ca: Path | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    allow_plaintext: bool = False,
) -> HubAddress:
    """Check ``url`` (``--hub``) and load ``ca``, a file of certificates to trust besides the system's, and the worker's
    own ``certificate`` with its ``key``.

    Raises ConfigError: not a WebSocket address, an unreadable file, or ``ws://`` to another machine, over which
    anybody on the way could read the access token.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise ConfigError(f"hub = {url!r}: must be a WebSocket address, for example {EXAMPLE}")
    loopback = is_loopback(parts.hostname)
    if parts.scheme == "ws" and not (loopback or allow_plaintext):
        raise ConfigError(
            f"hub = {url!r}: over ws:// anybody on the way to {parts.hostname} can read the worker's token and take "
            "its place. Use wss://, or say --allow-plaintext on a network that you trust"
        )
    return HubAddress(
        websocket=url,
        http=(http or _derived_http(parts.scheme, parts.hostname)).rstrip("/"),
        tls=tls_context(ca, certificate, key),
        loopback=loopback,
    )


def _derived_http(scheme: str, host: str) -> str:
    bracketed = f"[{host}]" if ":" in host else host
    return f"{'https' if scheme == 'wss' else 'http'}://{bracketed}:{HTTP_PORT}"


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def tls_context(ca: Path | None, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """Verifies against the system's certificates and those in ``ca``, and shows ``certificate``; raises ConfigError
    where a file cannot be read."""
    context = ssl.create_default_context()
    if ca is not None:
        try:
            context.load_verify_locations(ca)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"ca = {str(ca)!r}: is not a readable file of PEM certificates ({error})") from None
    if certificate is not None:
        try:
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"certificate, key = {certificate}, {key}: cannot be used ({error})") from None
    return context
