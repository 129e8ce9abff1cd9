"""How a database differs from what it should be. Each owner is compared with its own tables alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Inspector, MetaData, StaticPool, create_engine, inspect

from tron_core.storage.revisions import Owner

Columns = Mapping[str, Set[str]]
"""The columns of each table."""


def of_metadata(connection: Connection, metadata: MetaData) -> Iterator[str]:
    """In what the database differs from ``metadata``'s tables, a sentence each."""

    def ours(name: str | None, kind: str, _parents: Any) -> bool:
        return kind != "table" or name in metadata.tables

    options = {"include_name": ours, "compare_type": True}
    for change in compare_metadata(MigrationContext.configure(connection, opts=options), metadata):
        # What is to be modified comes as a list of changes to one column, the rest by itself.
        for difference in change if isinstance(change, list) else [change]:
            yield _sentence(difference)


def _sentence(difference: tuple[Any, ...]) -> str:
    kind = difference[0]
    if kind in ("add_column", "remove_column"):
        thing = f"column {difference[2]}.{difference[3].name}"
    elif kind.startswith("modify_"):
        _, _, table, column, _, old, new = difference
        return f"column {table}.{column}: {kind.removeprefix('modify_')} is {old!r}, should be {new!r}"
    else:
        what, item = kind.split("_", 1)[1], difference[1]
        table = getattr(item, "table", None)
        thing = f"{what} {item.name}" + (f" of {table.name}" if table is not None else "")
    return f"{thing} is {'missing' if kind.startswith('add_') else 'not expected'}"


def of_revisions(connection: Connection, owner: Owner, others: Iterable[str], core: Set[str]) -> Iterator[str]:
    """In what a plugin's tables differ from what its revisions make, by names of tables and columns.

    The revisions run on an empty database in memory, since a plugin's metadata cannot be had without importing it.
    ``others`` are the prefixes of the other plugins, ``core`` the tables of the core.
    """
    longer = tuple(prefix for prefix in others if prefix.startswith(owner.prefix) and prefix != owner.prefix)

    def own(table: str) -> bool:
        return table.startswith(owner.prefix) and not table.startswith(longer) and table not in core

    yield from _missing(_made_by(owner), _columns(inspect(connection), own))


def _made_by(owner: Owner) -> Columns:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    try:
        with engine.connect() as connection:
            owner.upgrade(connection)
            return _columns(inspect(connection), lambda table: table != owner.version_table)
    finally:
        engine.dispose()


def _columns(inspector: Inspector, wanted: Any) -> Columns:
    tables = filter(wanted, inspector.get_table_names())
    return {table: {column["name"] for column in inspector.get_columns(table)} for table in tables}


def _missing(expected: Columns, found: Columns) -> Iterator[str]:
    for table in sorted(expected.keys() | found.keys()):
        if table not in found:
            yield f"table {table} is missing"
        elif table not in expected:
            yield f"table {table} is not expected"
        else:
            yield from (f"column {table}.{name} is missing" for name in sorted(expected[table] - found[table]))
            yield from (f"column {table}.{name} is not expected" for name in sorted(found[table] - expected[table]))
