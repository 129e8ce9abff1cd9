"""What a server has to have, read from what it says; and a real one that lacks some of it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tron_core.errors import ConfigError
from tron_core.setup.mysql import (
    RIGHTS,
    Found,
    create_database,
    create_user,
    grant,
    inspect_server,
    missing_rights,
    require_usable,
)


@pytest.mark.parametrize(
    ("line", "covered"),
    [
        ("GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION", True),
        ("GRANT ALL PRIVILEGES ON `tron_db`.* TO `tron`@`%`", True),
        (r"GRANT ALL PRIVILEGES ON `tron\_db`.* TO `tron`@`%`", True),
        ("GRANT ALL PRIVILEGES ON `tron%`.* TO `tron`@`%`", True),
        (r"GRANT ALL PRIVILEGES ON `tronx\_db`.* TO `tron`@`%`", False),
        ("GRANT ALL PRIVILEGES ON `tron_db`.`jobs` TO `tron`@`%`", False),
        ("GRANT USAGE ON *.* TO `tron`@`%`", False),
        ("GRANT `operators` TO `tron`@`%`", False),
    ],
)
def test_rights_count_where_they_cover_every_table(line: str, covered: bool) -> None:
    assert missing_rights([line], "tron_db") == ([] if covered else list(RIGHTS))


def test_rights_of_several_lines_add_up() -> None:
    lines = ["GRANT SELECT, INSERT, UPDATE ON *.* TO `t`@`%`", "GRANT DELETE, CREATE, ALTER ON `tron`.* TO `t`@`%`"]
    assert missing_rights(lines, "tron") == ["DROP", "INDEX", "REFERENCES"]


def test_statements_quote_what_they_name() -> None:
    assert (
        create_database("my`db") == "CREATE DATABASE IF NOT EXISTS `my``db` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;"
    )
    assert create_user("o'hara", "%").startswith("CREATE USER 'o''hara'@'%' IDENTIFIED BY '…';")
    assert grant("tron", "tron", "localhost").endswith("ON `tron`.* TO 'tron'@'localhost';")


def test_problems_are_one_error_with_what_to_run() -> None:
    require_usable(Found("11.4"))
    with pytest.raises(ConfigError) as caught:
        require_usable(Found("", ("no such database",), ("CREATE DATABASE `tron`;",)))
    assert caught.value.message == (
        "database.url: no such database\nAs the server's administrator, run:\n\n    CREATE DATABASE `tron`;"
    )


@dataclass
class Account:
    """A user of the server without any right, and a database."""

    server: Engine
    name: str
    password: str = "of the test"

    @property
    def url(self) -> str:
        return self.server.url.set(username=self.name, password=self.password, database=self.name).render_as_string(
            hide_password=False
        )

    def run(self, *statements: str) -> None:
        with self.server.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement.replace("%", "%%"))


@pytest.fixture
def account(mariadb_server: Engine) -> Iterator[Account]:
    made = Account(mariadb_server, f"tron_test_{secrets.token_hex(6)}")
    yield made
    with mariadb_server.connect() as connection:
        hosts = connection.exec_driver_sql(f"SELECT host FROM mysql.user WHERE user = '{made.name}'").scalars().all()
    made.run(f"DROP DATABASE IF EXISTS `{made.name}`", *(f"DROP USER '{made.name}'@'{host}'" for host in hosts))


@pytest.mark.mariadb
def test_the_statements_that_are_printed_make_a_server_usable(account: Account, tmp_path: Path) -> None:
    unknown = inspect_server(account.url, tmp_path)
    assert [statement.split()[0] for statement in unknown.statements] == ["CREATE", "CREATE", "GRANT"]
    assert account.password not in str(unknown)
    create, user, right = unknown.statements
    account.run(create, user.replace("…", account.password))
    assert inspect_server(account.url, tmp_path).statements[-1].startswith("GRANT")
    account.run(right.replace("CREATE, ", ""))
    lacking = inspect_server(account.url, tmp_path)
    assert lacking.problems[0].endswith(f"lacks CREATE on the database {account.name}")
    account.run(*lacking.statements)
    assert inspect_server(account.url, tmp_path).usable


def test_a_server_that_does_not_answer_is_a_problem_without_statements(tmp_path: Path) -> None:
    found = inspect_server("mysql+pymysql://tron:secret@127.0.0.1:1/tron", tmp_path)
    assert found.statements == ()
    assert "mysql+pymysql://tron:***@127.0.0.1:1/tron" in found.problems[0]
