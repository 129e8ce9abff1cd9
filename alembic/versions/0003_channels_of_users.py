"""The Discord channels to which a user may have replies sent."""

from __future__ import annotations

from sqlalchemy import Column, Text, inspect
from sqlalchemy.dialects.mysql import LONGTEXT

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is not there yet, so that an interrupted run can be taken up again."""
    columns = {column["name"] for column in inspect(op.get_bind()).get_columns("users")}
    if "channels" not in columns:
        op.add_column("users", Column("channels", Text().with_variant(LONGTEXT(), "mysql")))
