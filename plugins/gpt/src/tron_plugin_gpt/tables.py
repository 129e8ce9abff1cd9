"""The plugin's tables, as its newest migration leaves them. Times are seconds since the epoch."""

from sqlalchemy import BigInteger, Column, Double, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects.mysql import LONGTEXT

metadata = MetaData()

_LONG = Text().with_variant(LONGTEXT(), "mysql")
_SERIAL = BigInteger().with_variant(Integer(), "sqlite")

conversations = Table(
    "gpt_conversations",
    metadata,
    Column("key", String(192), primary_key=True),
    Column("owner", String(96), comment="whose it is; null where a channel shares it"),
    Column("role", Text),
    Column("model", String(128)),
    Column("summary", _LONG),
    Column("summarised", _SERIAL, nullable=False, comment="the newest message that the summary tells of"),
)

messages = Table(
    "gpt_messages",
    metadata,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("conversation", String(192), nullable=False),
    Column("job", String(26), nullable=False, unique=True),
    Column("speaker", String(96), nullable=False),
    Column("message", _LONG, nullable=False),
    Column("answer", _LONG, nullable=False),
    Column("tokens", Integer, nullable=False, comment="of message and answer, as they are sent"),
    Column("counted_by", String(32), nullable=False, comment="the way of counting that gave them"),
    Column("said_at", Double, nullable=False),
    Index("ix_gpt_messages_conversation_id", "conversation", "id"),
    Index("ix_gpt_messages_speaker", "speaker"),
    comment="A message and its answer: a pair is one row, so that it is never split",
)

usage = Table(
    "gpt_usage",
    metadata,
    Column("requester", String(96), primary_key=True),
    Column("day", String(10), primary_key=True, comment="of UTC, as 2026-11-24"),
    Column("model", String(128), primary_key=True),
    Column("requests", Integer, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("cost", Double, nullable=False),
)
