"""The audit log of administrative actions."""

from __future__ import annotations

from sqlalchemy import Column, Double, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects.mysql import LONGTEXT

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("actor", String(96), nullable=False),
    Column("action", String(32), nullable=False),
    Column("target", String(128), nullable=False),
    Column("detail", Text().with_variant(LONGTEXT(), "mysql"), nullable=False),
    Index(None, "actor", "id"),
)


def upgrade() -> None:
    """Create what is not there yet, so that an interrupted run can be taken up again."""
    connection = op.get_bind()
    audit.create(connection, checkfirst=True)
    for index in audit.indexes:
        index.create(connection, checkfirst=True)
