"""The two ports: whether the hub that runs answers there, or a hub could listen there."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from tron_core.doctor.finding import Finding, Subject, fail, ok

CHECK = "ports"
SECONDS = 3.0


def ports(subject: Subject) -> Iterator[Finding]:
    """Each port once."""
    settings = subject.loaded.settings
    wanted = {"hub": (settings.hub.host, settings.hub.port), "http": (settings.http.host, settings.http.port)}
    if wanted["hub"] == wanted["http"] and wanted["hub"][1] != 0:
        yield fail(CHECK, f"hub.port and http.port are both {settings.hub.port}", "Give one of them another port")
        return
    if subject.running is not None:
        for section, url in (("hub", subject.running.hub), ("http", subject.running.http)):
            yield _answers(section, url)
        return
    for section, (host, port) in wanted.items():
        yield _can_be_taken(section, host, port)


def _answers(section: str, url: str) -> Finding:
    parts = urlsplit(url)
    if answers(str(parts.hostname), parts.port or 0):
        return ok(CHECK, f"the hub that runs answers at {url}")
    return fail(CHECK, f"a hub runs, and nothing answers at {url}", f"Restart the hub; {section}.port is in its log")


def answers(host: str, port: int) -> bool:
    """Whether a TCP connection is taken."""
    try:
        socket.create_connection((host, port), SECONDS).close()
    except OSError:
        return False
    return True


def _can_be_taken(section: str, host: str, port: int) -> Finding:
    keys = f"{section}.host, {section}.port"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            if os.name == "posix":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen()
    except OSError as error:
        return _refused(keys, host, port, error)
    return ok(CHECK, f"{host}:{port} is free for the hub ({keys})")


def _refused(keys: str, host: str, port: int, error: OSError) -> Finding:
    if error.errno == errno.EADDRINUSE:
        fix = f"Stop the program that has it (ss -ltnp 'sport = :{port}'), or set another port"
        return fail(CHECK, f"{keys}: {host}:{port} is taken by another program", fix)
    if error.errno in (errno.EACCES, errno.EPERM):
        return fail(CHECK, f"{keys}: this user may not listen at port {port}", "Set a port of 1024 or above")
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return fail(CHECK, f"{keys}: {host} is no address of this machine", 'Set "0.0.0.0" for all of its addresses')
    return fail(CHECK, f"{keys}: {host}:{port}: {error.strerror}", "Set another host or port")
