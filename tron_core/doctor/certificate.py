"""The certificate of both ports: there, readable, of this key, for the public names, and for how long."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from tron_core.auth import certificates
from tron_core.config import is_loopback
from tron_core.doctor.finding import Finding, Subject, fail, ok, warn
from tron_core.errors import ConfigError

CHECK = "certificate"
SOON = timedelta(days=21)
RENEW = "Renew it: tron certs create (or with the ACME client that made it); a hub that runs takes it by itself"


def certificate(subject: Subject) -> Iterator[Finding]:
    """Everything that clients or the hub itself would stumble over."""
    settings = subject.loaded.settings
    certificate, key = settings.hub.tls_certificate, settings.hub.tls_key
    if certificate is None or key is None:
        yield from _none(subject)
        return
    try:
        chain = certificates.load_chain(certificate.read_bytes())
        fits = certificates.is_key_of(chain[0], key.read_bytes())
    except OSError as error:
        fix = "tron certs create makes both; a hub that runs as another user needs the right to read them"
        yield fail(CHECK, f"{error.filename}: cannot be read: {error.strerror}", fix)
        return
    except ConfigError as error:
        yield fail(CHECK, f"{certificate}, {key}: {error.message}", "tron certs create, or put the PEM files right")
        return
    wrong = [*_key(key, certificate, fits), *_names(subject, chain[0]), *_validity(subject, chain)]
    yield from wrong
    if not wrong:
        named = ", ".join(certificates.names_of(chain[0]))
        yield ok(CHECK, f"for {named}, until {chain[0].not_valid_after_utc:%Y-%m-%d}")


def _none(subject: Subject) -> Iterator[Finding]:
    settings = subject.loaded.settings
    beyond = [host for host in (settings.hub.host, settings.http.host) if not is_loopback(host)]
    if beyond:
        sentence = f"hub.allow_plaintext: what comes to {beyond[0]} is not encrypted, keys and passwords included"
        yield warn(CHECK, sentence, "Let only a proxy that has TLS reach it, or: tron certs create")
    else:
        yield ok(CHECK, "none, and none is needed on this machine alone")


def _key(key: Path, certificate: Path, fits: bool) -> Iterator[Finding]:
    if not fits:
        yield fail(
            CHECK, f"{key} is not the key of {certificate}", "tron certs create makes a pair; or name the right files"
        )
    if os.name == "posix" and key.stat().st_mode & 0o077:
        yield fail(CHECK, f"{key} can be read by others on this machine", f"chmod 600 {key}")


def _names(subject: Subject, own: x509.Certificate) -> Iterator[Finding]:
    settings = subject.loaded.settings
    hosts = {urlsplit(url).hostname for url in (settings.hub.public_url, settings.http.public_url) if url}
    for host in sorted(filter(None, hosts)):
        if not certificates.is_for(own, host):
            named = ", ".join(certificates.names_of(own)) or "no name"
            yield fail(CHECK, f"it is for {named}, and workers dial {host}", f"tron certs create --name {host}")


def _validity(subject: Subject, chain: list[x509.Certificate]) -> Iterator[Finding]:
    for each, what in zip(chain, ("it", *["its authority"] * len(chain)), strict=False):
        ends, begins = each.not_valid_after_utc, each.not_valid_before_utc
        fix = RENEW if each is chain[0] else "tron certs create --new-ca, and give each worker the new ca.pem"
        if ends <= subject.moment:
            yield fail(CHECK, f"{what} expired on {ends:%Y-%m-%d}", fix)
        elif begins > subject.moment:
            yield fail(
                CHECK, f"{what} is good from {begins:%Y-%m-%d} on: this machine's clock is behind", "Set the clock"
            )
        elif ends - subject.moment < SOON:
            yield warn(CHECK, f"{what} expires on {ends:%Y-%m-%d}", fix)
