"""What a MySQL or MariaDB server has to have for the hub, and the statements that give it what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import DBAPIError

from tron_core.errors import ConfigError
from tron_core.storage.engine import Access, make_engine, reason, resolve_url

RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "INDEX", "REFERENCES")
CHARACTER_SET = "utf8mb4"
COLLATION = "utf8mb4_bin"
LEAST = {"MariaDB": (10, 6), "MySQL": (8, 0)}

ACCESS_DENIED, NO_RIGHT_TO_DATABASE, NO_DATABASE = 1045, 1044, 1049
ACCESS_DENIED_NO_PASSWORD = 1698
"""What MariaDB says too, of users that there are not: it does not let on that there are none."""
_ACCOUNT = re.compile(r"for user '.*'@'(?P<host>[^']+)'")
"""How the server sees who is turned away: the host's name or address, as its accounts have to name it."""
_GRANT = re.compile(r"GRANT (?P<rights>.+?) ON (?P<what>\S+) TO ", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """A server as it was found. ``problems`` are sentences, ``statements`` what its administrator runs."""

    server: str = ""
    problems: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        return not self.problems


def is_mysql(url: str) -> bool:
    """Whether the database is a server's."""
    return url.startswith("mysql")


def inspect_server(url: str, folder: Path) -> Found:
    """Look at the server of ``database.url``: version, character set, rights. Raises ConfigError for what is no URL."""
    resolved = resolve_url(url, folder)
    engine = make_engine(resolved, Access.READ)
    try:
        with engine.connect() as connection:
            return _judge(connection, resolved)
    except DBAPIError as error:
        return _unreachable(error, resolved)
    finally:
        engine.dispose()


def _judge(connection: Connection, url: URL) -> Found:
    version = str(connection.scalar(text("SELECT VERSION()")))
    grants = [str(row[0]) for row in connection.exec_driver_sql("SHOW GRANTS FOR CURRENT_USER()")]
    character_set = str(connection.scalar(text("SELECT @@character_set_database")))
    user = str(connection.scalar(text("SELECT CURRENT_USER()")))
    problems = [*_too_old(version)]
    statements = []
    missing = missing_rights(grants, str(url.database))
    if missing:
        problems.append(f"the user {user} lacks {', '.join(missing)} on the database {url.database}")
        statements.append(grant(str(url.database), *user.rpartition("@")[::2]))
    if character_set != CHARACTER_SET and "ALTER" in missing:
        problems.append(f"the database {url.database} has the character set {character_set}, not {CHARACTER_SET}")
        statements.append(
            f"ALTER DATABASE {quoted(str(url.database))} CHARACTER SET {CHARACTER_SET} COLLATE {COLLATION};"
        )
    return Found(version, tuple(problems), tuple(statements))


def _unreachable(error: DBAPIError, url: URL) -> Found:
    """What the server says to somebody whom it does not let in."""
    number = error.orig.args[0] if error.orig is not None and error.orig.args else None
    database, user = str(url.database), url.username or "tron"
    seen = _ACCOUNT.search(reason(error))
    host = seen["host"] if seen else "%"
    statements = {
        NO_DATABASE: [create_database(database)],
        NO_RIGHT_TO_DATABASE: [create_database(database), grant(database, user, host)],
        ACCESS_DENIED: [create_database(database), create_user(user, host), grant(database, user, host)],
    }
    statements[ACCESS_DENIED_NO_PASSWORD] = statements[ACCESS_DENIED]
    shown = url.render_as_string(hide_password=True)
    return Found("", (f"{shown}: {reason(error)}",), tuple(statements.get(number or 0, ())))


def missing_rights(grants: Iterable[str], database: str) -> list[str]:
    """Which of ``RIGHTS`` on ``database`` the lines of SHOW GRANTS do not give; those of roles are not seen."""
    held: set[str] = set()
    for line in grants:
        found = _GRANT.match(line)
        if found is not None and _covers(found["what"], database):
            held |= {right.strip().upper() for right in found["rights"].split(",")}
    if held & {"ALL PRIVILEGES", "ALL"}:
        return []
    return [right for right in RIGHTS if right not in held]


def _covers(what: str, database: str) -> bool:
    """Whether ``*.*`` or a pattern (``_`` and ``%`` are wildcards) stands for every table of ``database``."""
    scope, _, tables = what.rpartition(".")
    if tables != "*":
        return False
    if scope == "*":
        return True
    pattern = re.sub(r"\\?.", _as_regex, scope.strip("`").replace("``", "`"))
    return re.fullmatch(pattern, database) is not None


def _as_regex(found: re.Match[str]) -> str:
    character = found[0]
    return {"%": ".*", "_": "."}.get(character) or re.escape(character.removeprefix("\\"))


def _too_old(version: str) -> Sequence[str]:
    product = "MariaDB" if "mariadb" in version.lower() else "MySQL"
    numbers = re.match(r"(\d+)\.(\d+)", version)
    least = LEAST[product]
    if numbers is None or (int(numbers[1]), int(numbers[2])) >= least:
        return ()
    return (f"the server is {product} {version}; needed is {'.'.join(map(str, least))} or later",)


def create_database(database: str) -> str:
    """The statement that makes the database."""
    return f"CREATE DATABASE IF NOT EXISTS {quoted(database)} CHARACTER SET {CHARACTER_SET} COLLATE {COLLATION};"


def create_user(user: str, host: str) -> str:
    """The statement that makes the user, its password left out."""
    return f"CREATE USER {_account(user, host)} IDENTIFIED BY '…';  -- the password of database.url"


def grant(database: str, user: str, host: str) -> str:
    """The statement that gives the user what the hub needs."""
    return f"GRANT {', '.join(RIGHTS)} ON {quoted(database)}.* TO {_account(user, host)};"


def quoted(name: str) -> str:
    """``name`` as an identifier in MySQL."""
    return "`" + name.replace("`", "``") + "`"


def _account(user: str, host: str) -> str:
    return "@".join("'" + part.replace("\\", "\\\\").replace("'", "''") + "'" for part in (user, host))


def require_usable(found: Found) -> None:
    """Raises ConfigError that has the problems, and the statements to run."""
    if found.usable:
        return
    lines = [f"database.url: {problem}" for problem in found.problems]
    if found.statements:
        lines += ["As the server's administrator, run:", "", *(f"    {line}" for line in found.statements)]
    raise ConfigError("\n".join(lines))
