"""The folder in which a hub keeps its certificate authority and its server certificate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from tron_core.auth import certificates
from tron_core.auth.certificates import SERVER_DAYS, Authority, Issued
from tron_core.errors import ConfigError
from tron_core.private_file import PUBLIC, write_whole

CA = "ca.pem"
CA_KEY = "ca-key.pem"
SERVER = "server.pem"
SERVER_KEY = "server-key.pem"


@dataclass(frozen=True, slots=True)
class Made:
    """What ``create`` made: the server certificate, and whether its authority is new."""

    server: x509.Certificate
    authority: x509.Certificate
    new_authority: bool


class CertificateFolder:
    """``ca.pem`` may be given to everybody; ``ca-key.pem`` and ``server-key.pem`` are their owner's alone (0600).
    ``server.pem`` is the chain: the server's certificate, then the authority's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ca = path / CA
        self.ca_key = path / CA_KEY
        self.server = path / SERVER
        self.server_key = path / SERVER_KEY

    def create(
        self, names: Sequence[str], now: datetime, *, days: int = SERVER_DAYS, new_authority: bool = False
    ) -> Made:
        """Make a server certificate for ``names``, with a new key, under the authority that is there; one is made
        where there is none, or where a new one is wanted. Raises ConfigError where that cannot be."""
        authority, is_new = self._authority(now, new_authority)
        issued = certificates.issue_server(authority, names, now, days=days)
        try:
            self._write(authority if is_new else None, issued)
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be written: {error.strerror}") from None
        return Made(issued.chain[0], authority.certificate, is_new)

    def names(self) -> list[str]:
        """The names of the server certificate that is there; none where there is none."""
        return certificates.names_of(certificates.load_chain(self.server.read_bytes())[0]) if self._has_server else []

    @property
    def _has_server(self) -> bool:
        return self.server.is_file()

    def _authority(self, now: datetime, new_authority: bool) -> tuple[Authority, bool]:
        if new_authority or not self.ca.exists():
            return certificates.new_authority(now), True
        try:
            authority = certificates.load_authority(self.ca.read_bytes(), self.ca_key.read_bytes())
        except (OSError, ConfigError) as error:
            why = error.message if isinstance(error, ConfigError) else error.strerror
            raise ConfigError(
                f"{self.ca}, {self.ca_key}: this authority cannot sign ({why}): put both files back, or make another "
                "with --new-ca, after which each worker needs the new ca.pem"
            ) from None
        if authority.certificate.not_valid_after_utc <= now:
            raise ConfigError(f"{self.ca}: has expired: make another with --new-ca, and give it to each worker")
        return authority, False

    def _write(self, authority: Authority | None, issued: Issued) -> None:
        if authority is not None:
            write_whole(self.ca_key, authority.key_pem)
            write_whole(self.ca, authority.certificate_pem, mode=PUBLIC)
        # The key first: a hub that looks in between finds a pair that does not fit, and looks again.
        write_whole(self.server_key, issued.key_pem)
        write_whole(self.server, issued.chain_pem, mode=PUBLIC)
