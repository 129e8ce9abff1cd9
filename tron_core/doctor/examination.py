"""All checks, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tron_core.doctor.certificate import certificate
from tron_core.doctor.clock import clock
from tron_core.doctor.database import schema
from tron_core.doctor.discord import discord
from tron_core.doctor.disk import disk
from tron_core.doctor.finding import Check, Finding, Subject, fail
from tron_core.doctor.plugins import plugins
from tron_core.doctor.ports import ports
from tron_core.doctor.reach import reach
from tron_core.doctor.versions import versions

CHECKS: Mapping[str, Check] = {
    "versions": versions,
    "plugins": plugins,
    "database": schema,
    "disk": disk,
    "ports": ports,
    "reach": reach,
    "certificate": certificate,
    "clock": clock,
    "discord": discord,
}


def examine(subject: Subject) -> Iterator[Finding]:
    """Every finding, in an order in which the first failure is likely to be the cause of the others.

    A check that raises is a finding too: what is wrong with a machine is not always what was thought of.
    """
    for name, check in CHECKS.items():
        try:
            yield from check(subject)
        except Exception as error:
            fix = "This is most likely a fault of TRON's own: please report it with this line"
            yield fail(name, f"the check itself failed: {type(error).__name__}: {error}", fix)
