"""Conversations, what was said in them, and what it cost."""

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import LONGTEXT

from alembic import op

revision = "gpt_0001"
down_revision = None
branch_labels = None
depends_on = None

LONG = sa.Text().with_variant(LONGTEXT(), "mysql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "gpt_conversations",
        sa.Column("key", sa.String(192), primary_key=True),
        sa.Column("owner", sa.String(96)),
        sa.Column("role", sa.Text),
        sa.Column("model", sa.String(128)),
        sa.Column("summary", LONG),
        sa.Column("summarised", SERIAL, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "gpt_messages",
        sa.Column("id", SERIAL, primary_key=True, autoincrement=True),
        sa.Column("conversation", sa.String(192), nullable=False),
        sa.Column("job", sa.String(26), nullable=False, unique=True),
        sa.Column("speaker", sa.String(96), nullable=False),
        sa.Column("message", LONG, nullable=False),
        sa.Column("answer", LONG, nullable=False),
        sa.Column("tokens", sa.Integer, nullable=False),
        sa.Column("counted_by", sa.String(32), nullable=False),
        sa.Column("said_at", sa.Double, nullable=False),
        sa.Index("ix_gpt_messages_conversation_id", "conversation", "id"),
        sa.Index("ix_gpt_messages_speaker", "speaker"),
        if_not_exists=True,
    )
    op.create_table(
        "gpt_usage",
        sa.Column("requester", sa.String(96), primary_key=True),
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("model", sa.String(128), primary_key=True),
        sa.Column("requests", sa.Integer, nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
        sa.Column("completion_tokens", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.Double, nullable=False),
        if_not_exists=True,
    )
