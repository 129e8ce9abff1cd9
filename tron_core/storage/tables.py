"""The core's tables. Times are seconds since the epoch (UTC) as doubles; JSON columns hold JSON text.

The schema is made by the migrations in alembic/, and ``tron db check`` compares it with this module.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.mysql import BINARY, LONGTEXT

from tron_core.job import MAX_NAME

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Json = Text().with_variant(LONGTEXT(), "mysql")
Id = String(26)
"""A ULID: sorts by time of making."""
Hash = LargeBinary(32).with_variant(BINARY(32), "mysql")
"""A SHA-256 digest; a BLOB can have no index on MySQL."""

hub = Table(
    "hub",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    comment="Facts about this hub: its secret for upload tickets, the hash of the synced commands",
)

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("username", String(64), nullable=False, unique=True),
    Column("email", String(254)),
    Column("password_hash", String(255), nullable=False),
    Column("scope", String(16), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("banned_at", Double),
    Column("ban_reason", Text),
    Column("channels", Json),
)

credentials = Table(
    "credentials",
    metadata,
    Column("client_id", String(40), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("api_key_hash", Hash, nullable=False),
    Column("scopes", String(64), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("last_used_at", Double),
    Column("plugin", String(64), comment="whose doors alone take it; null: the hub's own"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("client_id", ForeignKey("credentials.client_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("access_hash", Hash, nullable=False, unique=True),
    Column("refresh_hash", Hash, nullable=False, unique=True),
    Column("family", String(26), nullable=False, index=True),
    Column("scopes", String(64), nullable=False),
    Column("issued_at", Double, nullable=False),
    Column("access_expires_at", Double, nullable=False),
    Column("refresh_expires_at", Double, nullable=False),
    Column("refreshed_at", Double),
    Column("revoked_at", Double),
)

settings = Table(
    "settings",
    metadata,
    Column("owner", String(96), primary_key=True),
    Column("plugin", String(64), primary_key=True),
    Column("key", String(96), primary_key=True),
    Column("value", Json, nullable=False),
    Column("updated_at", Double, nullable=False),
)

guild_rules = Table(
    "guild_rules",
    metadata,
    Column("guild", String(64), primary_key=True),
    Column("key", String(96), primary_key=True),
    Column("value", Json, nullable=False),
    Column("updated_at", Double, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("client_id", String(40), nullable=False),
    Column("protocol", String(32), nullable=False),
    Column("software", String(200), nullable=False),
    Column("hardware", Json, nullable=False),
    Column("draining", Boolean, nullable=False),
    Column("grace", Double, comment="what its protocol says instead of scheduling.resume_grace"),
    Column("first_seen_at", Double, nullable=False),
    Column("last_seen_at", Double, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("capability", String(64), nullable=False),
    Column("params", Json, nullable=False),
    Column("state", String(16), nullable=False),
    Column("requester", String(96), nullable=False),
    Column("priority", String(8), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column(
        "losses",
        Integer,
        nullable=False,
        comment="attempts that count towards max_attempts since the last retry",
    ),
    Column("expected_seconds", Double, nullable=False),
    Column("deadline_seconds", Double, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("queued_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("not_before", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("output", Json),
    Column("reply", Json),
    Column("reply_attempts", Integer, nullable=False),
    Column("error_code", String(64)),
    Column("error_message", Text),
    Column("target", Json),
    Column("guild", String(64)),
    Column("channel", String(64)),
    Column("parent", Id),
    Column("idempotency_key", String(128)),
    Column("request_hash", Hash, comment="of the request as given, to tell a repeat from a reused key"),
    Column("requester_name", String(MAX_NAME)),
    UniqueConstraint("requester", "idempotency_key"),
    Index(None, "state", "created_at"),
    Index(None, "requester", "id"),
    Index(None, "capability", "id"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("job", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("worker", String(64), nullable=False),
    Column("client_id", String(40), nullable=False),
    Column("model", String(255)),
    Column("started_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("outcome", String(16)),
    Column("reason", Text),
    Column("seconds", Double),
    Column("load_seconds", Double),
    Column("energy_wh", Double),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("job", ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("frontend", String(32), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("ready_at", Double, nullable=False),
    Column("settled_at", Double),
    Column("failure", Text),
    Index(None, "settled_at", "ready_at"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("job", String(26), index=True),
    Column("attempt", Integer),
    Column("name", String(128), nullable=False),
    Column("role", String(16), nullable=False),
    Column("key", String(64), nullable=False, unique=True),
    Column("filename", String(160), nullable=False),
    Column("media_type", String(128), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("owner", String(96)),
    Column("position", Integer, comment="its place in the result; null until the attempt settled with it"),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("job", "attempt", "name"),
    Index(None, "created_at"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("actor", String(96), nullable=False),
    Column("action", String(32), nullable=False),
    Column("target", String(128), nullable=False),
    Column("detail", Json, nullable=False),
    Index(None, "actor", "id"),
)
