"""How Alembic runs revisions: the core's, and every plugin's.

``tron_core.storage.migrations`` hands over a connection and what differs between them in ``config.attributes``. A
maintainer's ``alembic revision --autogenerate -m …`` (see [tool.alembic] in pyproject.toml) hands over nothing and
compares the core's tables with the database that TRON_DATABASE__URL names.
"""

import os
from pathlib import Path

from sqlalchemy import Connection

from alembic import context
from tron_core.storage.engine import Access, make_engine, resolve_url
from tron_core.storage.tables import metadata


def run(connection: Connection) -> None:
    attributes = context.config.attributes
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=attributes.get("version_table", "tron_version"),
        on_version_apply=attributes.get("on_version_apply"),
        include_name=lambda name, kind, _parents: kind != "table" or name in metadata.tables,
        transaction_per_migration=True,
        render_as_batch=True,
    )
    with context.begin_transaction():
        context.run_migrations()


if "connection" in context.config.attributes:
    run(context.config.attributes["connection"])
else:
    url = resolve_url(os.environ.get("TRON_DATABASE__URL", "sqlite:///tron.db"), Path.cwd())
    with make_engine(url, Access.MIGRATE).connect() as own:
        run(own)
