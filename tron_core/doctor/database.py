"""The database: whether it can be reached, and whether its tables are those of this version."""

from __future__ import annotations

from collections.abc import Iterator

from tron_core.doctor.finding import Finding, Subject, fail, ok, warn
from tron_core.errors import ConfigError
from tron_core.setup import mysql
from tron_core.storage import migrations
from tron_core.storage.engine import resolve_url, sqlite_file

CHECK = "database"
PUT_RIGHT = "Start the server, or put database.url right"


def schema(subject: Subject) -> Iterator[Finding]:
    """The server's rights where there is a server, then the tables."""
    url, folder = subject.database_url, subject.folder
    try:
        file = sqlite_file(resolve_url(url, folder))
        if file is not None and not file.exists():
            yield from _to_be_made(subject, str(file))
            return
        problems = list(_server(subject)) if mysql.is_mysql(url) else []
        yield from problems
        if not problems:
            yield from _tables(subject)
    except ConfigError as error:
        yield fail(CHECK, error.message, PUT_RIGHT)


def _to_be_made(subject: Subject, file: str) -> Iterator[Finding]:
    if subject.loaded.settings.database.auto_upgrade:
        yield ok(CHECK, f"{file} is made at the first start")
    else:
        yield fail(CHECK, f"there is no {file}", "tron db upgrade")


def _server(subject: Subject) -> Iterator[Finding]:
    found = mysql.inspect_server(subject.database_url, subject.folder)
    if found.statements:
        fix = "As the server's administrator: " + " ".join(found.statements)
    else:
        fix = "Upgrade the server" if found.server else PUT_RIGHT
    for problem in found.problems:
        yield fail(CHECK, problem, fix)


def _tables(subject: Subject) -> Iterator[Finding]:
    url, settings = subject.database_url, subject.loaded.settings.database
    outdated = [each for each in migrations.current(url, subject.folder) if each.installed and not each.up_to_date]
    for each in outdated:
        sentence = f"the tables of {each.owner} are at {each.revision or 'nothing'}, and the newest is {each.head}"
        if each.problem is not None:
            yield fail(CHECK, f"the tables of {each.owner}: {each.problem}", "Install that plugin again, or remove it")
        elif settings.auto_upgrade and url.startswith("sqlite"):
            yield warn(CHECK, f"{sentence}; the next start of the hub upgrades them", "tron db upgrade does so now")
        else:
            yield fail(CHECK, f"{sentence}; the hub does not start", "tron db upgrade")
    if not outdated:
        yield ok(CHECK, "the tables are those of this version")
