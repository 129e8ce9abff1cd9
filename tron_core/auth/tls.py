"""TLS of the hub's ports: one context for both, whose certificate can be renewed while the hub runs."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence
from pathlib import Path

from tron_core.errors import ConfigError

WATCH_SECONDS = 20.0
"""Between two looks at the files."""

FileState = tuple[int, int, int] | None

logger = logging.getLogger(__name__)


class HubTls:
    """``context`` is for servers: TLS 1.2 or newer, client certificates of ``client_ca`` where that is set.

    Raises ConfigError where a file cannot be used.
    """

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None = None) -> None:
        self._certificate = certificate
        self._key = key
        self._seen = self._look()
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._load(self.context)
        if client_ca is not None:
            _demand_certificates_of(client_ca, self.context)

    def reload(self) -> bool:
        """Serve the certificate that the files hold now, to new connections; a pair that cannot be used is logged, and
        the one before it kept. Authorities of clients are read at start alone."""
        self._seen = self._look()
        try:
            self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))  # a pair that does not fit would spoil the live one
            self._load(self.context)
        except ConfigError as error:
            logger.error("%s; the hub goes on with the certificate it has", error.message)
            return False
        logger.info("the certificate in %s is served from now on", self._certificate)
        return True

    def reload_if_changed(self) -> bool:
        """As ``reload``, where a file is another than at the last look."""
        return self._look() != self._seen and self.reload()

    async def watch(self, seconds: float = WATCH_SECONDS) -> None:
        """Look at the files every so often, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            self.reload_if_changed()

    def _look(self) -> Sequence[FileState]:
        return [_state_of(self._certificate), _state_of(self._key)]

    def _load(self, context: ssl.SSLContext) -> None:
        for key, file in (("tls_certificate", self._certificate), ("tls_key", self._key)):
            if not file.is_file():
                raise ConfigError(f"hub.{key} = {str(file)!r}: there is no such file; tron certs create makes one")
        try:
            context.load_cert_chain(self._certificate, self._key)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(
                f"hub.tls_certificate, hub.tls_key: {self._certificate}, {self._key}: cannot be used: {error}"
            ) from None


def _state_of(file: Path) -> FileState:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _demand_certificates_of(authority: Path, context: ssl.SSLContext) -> None:
    try:
        context.load_verify_locations(authority)
    except OSError as error:
        raise ConfigError(f"hub.tls_client_ca: {authority}: cannot be used: {error}") from None
    context.verify_mode = ssl.CERT_REQUIRED
