"""A hub of discord-tron-master as it stands on an operator's disk: its tables with their real types, its two files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    insert,
)

ON_BOTH = pytest.mark.parametrize(
    "original_url", ["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)], indirect=True
)
"""Marks a test that is to run with the original's tables on SQLite and on MariaDB."""

metadata = MetaData()

Table(
    "user",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("username", String(255), unique=True, nullable=False),
    Column("email", String(255), unique=True, nullable=False),
    Column("password", String(255), nullable=False),
)
Table(
    "oauth_client",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("client_id", String(40), unique=True, nullable=False),
    Column("client_secret", String(128), nullable=False),
    Column("user_id", ForeignKey("user.id")),
    Column("_redirect_uris", Text),
    Column("_default_scopes", Text),
)
Table(
    "api_key",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("api_key", String(255), unique=True, nullable=False),
    Column("client_id", ForeignKey("oauth_client.client_id"), nullable=False),
    Column("user_id", ForeignKey("user.id")),
    Column("expires", DateTime),
)
Table(
    "o_auth_token",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("access_token", String(255), unique=True, nullable=False),
    Column("refresh_token", String(255), unique=True, nullable=False),
    Column("expires_in", Integer),
    Column("client_id", ForeignKey("oauth_client.client_id"), nullable=False),
    Column("user_id", ForeignKey("user.id")),
    Column("scopes", Text),
    Column("issued_at", DateTime),
)
Table(
    "conversations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("owner", BigInteger, nullable=False),
    Column("role", String(255), nullable=False),
    Column("history", Text, nullable=False),
    Column("created", DateTime, nullable=False),
    Column("updated", DateTime, nullable=False),
)
Table(
    "transformers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("model_owner", String(255), nullable=False),
    Column("model_id", String(255), unique=True, nullable=False),
    Column("model_type", String(16), nullable=False),
    Column("description", String(255)),
    Column("recommended_positive", String(255)),
    Column("recommended_negative", String(255)),
    Column("approved", Boolean),
    Column("added_by", String(255), nullable=False),
    Column("tags", String(255)),
    Column("config_blob", Text),
)
Table(
    "schedulers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(255), unique=True, nullable=False),
    Column("scheduler", String(255), nullable=False),
    Column("use_cases", Text),
    Column("steps_range_begin", Integer),
    Column("steps_range_end", Integer),
    Column("description", String(255)),
    Column("config_blob", Text),
)
HISTORY = Table(
    "user_history",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user", String(255), nullable=False, index=True),
    Column("message", String(255), nullable=False, index=True),
    Column("prompt", String(768), nullable=False),
    Column("date_created", Integer, nullable=False),
    Column("config_blob", Text),
)

ANN, BOB, CYD = "111111111111111111", "222222222222222222", "333333333333333333"
GUILD, CHANNEL = "888888888888888888", "777777777777777777"
BCRYPT = "$2b$12$KIXQJ4Q4zQ5m8Jq2l5c1Ee0Z3m7q3v0m1b2n3v4c5x6z7a8s9d0fG"
CUT = 65_535
"""Bytes at which MySQL cuts a TEXT where it is not strict."""


class OriginalHub:
    """The database at ``url``, ``config.json`` and ``guilds.json`` in ``folder``. ``recent``: with the table that came
    after November 2023."""

    def __init__(self, url: str, folder: Path, *, recent: bool = True) -> None:
        self.url = url
        self.config = folder / "config.json"
        self.guilds = folder / "guilds.json"
        self.engine: Engine = create_engine(url)
        metadata.create_all(self.engine, [table for table in metadata.sorted_tables if recent or table is not HISTORY])
        self.configure()
        self.rule()

    def add(self, table: str, *rows: Mapping[str, Any]) -> None:
        """Insert rows."""
        with self.engine.begin() as connection:
            for row in rows:
                connection.execute(insert(metadata.tables[table]).values(row))

    def add_worker(
        self, number: int, username: str, *, email: str | None = None, expires: datetime | None = None
    ) -> None:
        """A user as ``create_worker_user`` and ``create_client_tokens`` make it."""
        user = {"id": number, "username": username, "email": email or f"{number}@example.com", "password": BCRYPT}
        self.add("user", user)
        client = f"client-{number}"
        self.add("oauth_client", {"id": number, "client_id": client, "client_secret": "s" * 55, "user_id": number})
        key = {"id": number, "api_key": f"key-{number}", "client_id": client, "user_id": number, "expires": expires}
        self.add("api_key", key)
        self.add("o_auth_token", self.token(number))

    def token(self, number: int, **changed: Any) -> dict[str, Any]:
        """A row of tokens, in clear as they are kept there."""
        row = {
            "id": number,
            "access_token": f"access-{number}",
            "refresh_token": f"refresh-{number}",
            "expires_in": 3600,
            "client_id": f"client-{number}",
            "user_id": number,
            "scopes": None,
            "issued_at": datetime.fromisoformat("2025-01-31T12:00:00"),
        }
        return row | changed

    def add_conversation(self, number: int, owner: str, history: Any, *, cut: bool = False) -> None:
        """A conversation; ``cut`` as MySQL cuts it."""
        text = history if isinstance(history, str) else json.dumps(history)
        then = datetime.fromisoformat("2025-02-01T09:30:00")
        row = {"id": number, "owner": int(owner), "role": "", "created": then, "updated": then}
        self.add("conversations", row | {"history": text[:CUT] if cut else text})

    def configure(self, users: Mapping[str, Any] | None = None, **keys: Any) -> None:
        """Write config.json."""
        self.config.write_text(json.dumps({"users": dict(users or {}), **keys}), encoding="utf-8")

    def rule(self, guilds: Mapping[str, Any] | None = None, **keys: Any) -> None:
        """Write guilds.json."""
        self.guilds.write_text(json.dumps({"guilds": dict(guilds or {}), **keys}), encoding="utf-8")


def profile(**chosen: Any) -> dict[str, Any]:
    """A person's profile as it is stored: every default, and over them what the person chose."""
    defaults: dict[str, Any] = {
        "seed": -1, "scheduler": "fast", "steps": 20, "gpt_role": "You are a Discord bot.", "tts_voice": "en_fiery",
        "df_guidance_scale_1": 9.2, "df_x4_upscaler": False, "df_controlnet_upscaler": True, "refiner_guidance": 7.5,
        "first_inference_step": None, "temperature": 0.9, "repeat_penalty": 1.1, "top_p": 0.95, "top_k": 40,
        "max_tokens": 1024, "strength": 0.5, "resize": 1, "guidance_scaling": 6, "guidance_rescale": 0.0,
        "model": "ptx0/s1", "positive_prompt": "", "tile_strength": 0.0, "hires_fix": False, "latent_refiner": True,
        "resolution": {"width": 1024, "height": 1024},
    }  # fmt: skip
    return defaults | chosen
