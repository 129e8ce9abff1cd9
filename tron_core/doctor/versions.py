"""Python, SQLite and the libraries: whether they are what this version needs."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from tron_core.doctor.finding import Finding, Subject, fail, ok

CHECK = "versions"
LEAST_PYTHON = (3, 11)
LEAST_SQLITE = (3, 24, 0)
"""INSERT … ON CONFLICT."""
EXTRA = {"extra": "hub"}


def versions(subject: Subject) -> Iterator[Finding]:
    """One finding for each that is too old or missing."""
    wrong = [*_python(), *_sqlite(), *_libraries()]
    yield from wrong
    if not wrong:
        python = ".".join(map(str, sys.version_info[:3]))
        yield ok(CHECK, f"tron-core {version('tron-core')}, Python {python}, SQLite {sqlite3.sqlite_version}")


def _python() -> Iterator[Finding]:
    if sys.version_info < LEAST_PYTHON:
        has, needs = (".".join(map(str, numbers)) for numbers in (sys.version_info[:2], LEAST_PYTHON))
        yield fail(
            CHECK, f"Python is {has}, and needed is {needs} or later", "Make the environment anew with a later one"
        )


def _sqlite() -> Iterator[Finding]:
    if sqlite3.sqlite_version_info < LEAST_SQLITE:
        least = ".".join(map(str, LEAST_SQLITE))
        yield fail(
            CHECK,
            f"SQLite is {sqlite3.sqlite_version}, and needed is {least} or later",
            "Use a Python that was built with a later SQLite, or a MariaDB server (database.url)",
        )


def _libraries() -> Iterator[Finding]:
    for line in requires("tron-core") or []:
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate(EXTRA):
            continue
        try:
            found = version(wanted.name)
        except PackageNotFoundError:
            yield fail(CHECK, f"{wanted.name} is not installed", 'pip install "tron-core[hub]"')
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            yield fail(
                CHECK,
                f"{wanted.name} is {found}, and needed is {wanted.specifier}",
                f'pip install "{wanted.name}{wanted.specifier}"',
            )
