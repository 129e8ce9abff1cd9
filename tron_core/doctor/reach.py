"""Whether workers and people elsewhere can reach the hub."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from tron_core.config import is_loopback
from tron_core.doctor.finding import Finding, Subject, fail, ok, warn
from tron_core.doctor.ports import SECONDS, answers

CHECK = "reach"
USUAL = {"ws": 80, "http": 80, "wss": 443, "https": 443}


def reach(subject: Subject) -> Iterator[Finding]:
    """Each side once."""
    settings = subject.loaded.settings
    for section, host, url in (
        ("hub", settings.hub.host, settings.hub.public_url),
        ("http", settings.http.host, settings.http.public_url),
    ):
        yield from _side(subject, section, host, url)


def _side(subject: Subject, section: str, host: str, url: str | None) -> Iterator[Finding]:
    if url is None:
        if is_loopback(host):
            yield ok(CHECK, f"{section}.host = {host!r}: for this machine alone")
        else:
            fix = f'Set {section}.public_url = "{"wss" if section == "hub" else "https"}://NAME:PORT"'
            yield warn(CHECK, f"{section}.public_url is not set, so that no kit or reply knows the address", fix)
        return
    parts = urlsplit(url)
    if parts.scheme not in USUAL or not parts.hostname:
        yield fail(CHECK, f"{section}.public_url = {url!r} is no address", "Write it as wss://NAME:PORT, https://NAME")
    elif answers(parts.hostname, _port(parts)):
        yield _verified(subject, section, parts)
    elif is_loopback(host):
        yield fail(
            CHECK,
            f"{section}.public_url is {url}, and {section}.host = {host!r} is reached from this machine alone",
            f'Set {section}.host = "0.0.0.0", or start the proxy that listens at {parts.netloc}',
        )
    elif subject.running is not None:
        yield warn(
            CHECK,
            f"nothing answers at {url} from here; not every router lets its own side dial its outer address",
            f"Open port {_port(parts)} in firewall and router, and try from another network",
        )
    else:
        yield ok(CHECK, f"{url}: to be seen while the hub runs")


def _verified(subject: Subject, section: str, parts: SplitResult) -> Finding:
    """As a worker does it: name and authority count."""
    url = parts.geturl()
    if parts.scheme in ("ws", "http"):
        if is_loopback(str(parts.hostname)):
            return ok(CHECK, f"{url} answers")
        return warn(
            CHECK, f"{url} answers, and nothing is encrypted on the way", "tron certs create, then wss and https"
        )
    try:
        with (
            socket.create_connection((str(parts.hostname), _port(parts)), SECONDS) as plain,
            subject.trusted.wrap_socket(plain, server_hostname=parts.hostname),
        ):
            return ok(CHECK, f"{url} answers, with a certificate that workers accept")
    except ssl.SSLCertVerificationError as error:
        fix = f"tron certs create --name {parts.hostname}; where a proxy has the certificate, renew it there"
        return fail(CHECK, f"{url}: workers refuse the certificate: {error.verify_message}", fix)
    except (OSError, ssl.SSLError) as error:
        fix = f"Is that port {section}'s, and does it speak TLS? ws:// and http:// are for plain text"
        return fail(CHECK, f"{url}: no TLS there: {getattr(error, 'reason', None) or error}", fix)


def _port(parts: SplitResult) -> int:
    return parts.port or USUAL[parts.scheme]
