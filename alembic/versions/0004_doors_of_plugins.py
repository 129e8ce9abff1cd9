"""Credentials that are good for one plugin's doors alone, and the grace time that a worker's protocol asks for."""

from __future__ import annotations

from sqlalchemy import Column, Double, String, inspect

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is not there yet, so that an interrupted run can be taken up again."""
    doors = Column("plugin", String(64), comment="whose doors alone take it; null: the hub's own")
    grace = Column("grace", Double, comment="what its protocol says instead of scheduling.resume_grace")
    for table, column in (("credentials", doors), ("workers", grace)):
        if column.name not in {known["name"] for known in inspect(op.get_bind()).get_columns(table)}:
            op.add_column(table, column)
