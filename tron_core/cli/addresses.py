"""Where workers elsewhere find the hub of a configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tron_core.config import is_loopback
from tron_core.errors import ConfigError

if TYPE_CHECKING:
    from tron_core.config import Loaded

EVERY_ADDRESS = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Addresses:
    """The two addresses to dial, without a trailing slash."""

    hub: str
    http: str

    @property
    def plaintext(self) -> bool:
        """Whether a worker elsewhere would have to speak in plain text."""
        return self.hub.startswith("ws:") and not _is_here(self.hub)

    def warnings(self) -> Iterator[str]:
        """What will not work from elsewhere, or not safely, as sentences."""
        for key, url in (("hub.public_url", self.hub), ("http.public_url", self.http)):
            if _is_here(url):
                yield f"{url} is reached from this machine alone: set {key} to the address that workers elsewhere dial"
        if self.plaintext:
            yield f"{self.hub}: nothing is encrypted, and the worker's token can be read on the way"


def addresses_of(loaded: Loaded) -> Addresses:
    """The public addresses, else those at which the hub listens, or would.

    Raises ConfigError where nothing says which port that is, or the certificate cannot be read.
    """
    hub, http = loaded.settings.hub, loaded.settings.http
    secure = "" if hub.tls_certificate is None else "s"
    ports = _ports(loaded)
    return Addresses(
        (hub.public_url or f"ws{secure}://{_host(loaded, hub.host)}:{ports[0]}").rstrip("/"),
        (http.public_url or f"http{secure}://{_host(loaded, http.host)}:{ports[1]}").rstrip("/"),
    )


def _ports(loaded: Loaded) -> tuple[int, int]:
    """Those of the hub that runs, else those that are configured."""
    from tron_core.cli.hub_client import find_running

    running = find_running(loaded)
    if running is not None:
        return urlsplit(running.hub).port or 0, urlsplit(running.http).port or 0
    hub, http = loaded.settings.hub, loaded.settings.http
    for key, section in (("hub", hub), ("http", http)):
        if section.port == 0 and section.public_url is None:
            raise ConfigError(f"{key}.port = 0: a free port is taken at start; start the hub first")
    return hub.port, http.port


def _host(loaded: Loaded, bound: str) -> str:
    """A host to dial for the one that is bound: where that is every address, one of the certificate's names, or else
    this machine's."""
    import socket

    if bound not in EVERY_ADDRESS:
        return bracketed(bound)
    return bracketed(next((name for name in _certified(loaded) if not is_loopback(name)), socket.getfqdn()))


def _certified(loaded: Loaded) -> list[str]:
    from tron_core.auth.certificates import load_chain, names_of

    file = loaded.settings.hub.tls_certificate
    return names_of(load_chain(file.read_bytes())[0]) if file is not None and file.is_file() else []


def bracketed(host: str) -> str:
    """``host`` as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def _is_here(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname or "")
