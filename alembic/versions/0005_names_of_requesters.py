"""What a requester was called where they asked for a job."""

from __future__ import annotations

from sqlalchemy import Column, String, inspect

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is not there yet, so that an interrupted run can be taken up again."""
    columns = {column["name"] for column in inspect(op.get_bind()).get_columns("jobs")}
    if "requester_name" not in columns:
        op.add_column("jobs", Column("requester_name", String(80)))
