"""The catalogue in the plugin's tables: functions of a Connection."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from tron_plugin_stable_diffusion.catalogue import Catalogue, Model, Scheduler
from tron_plugin_stable_diffusion.tables import allowed_models, models, schedulers


def load(connection: Connection) -> Catalogue:
    """All of it."""
    by_rank = connection.execute(select(models).order_by(models.c.preference, models.c.name))
    known = [Model(**{**row._mapping, "facts": json.loads(row.facts)}) for row in by_rank]
    found = [
        Scheduler(**{**row._mapping, "args": json.loads(row.args), "uses": tuple(json.loads(row.uses))})
        for row in connection.execute(select(schedulers).order_by(schedulers.c.name))
    ]
    allowed: dict[str, frozenset[str]] = {}
    for row in connection.execute(select(allowed_models)):
        allowed[row.guild] = allowed.get(row.guild, frozenset()) | {row.model}
    return Catalogue({each.name: each for each in known}, {each.name: each for each in found}, allowed)


def add_model(connection: Connection, model: Model) -> None:
    """A model that is not there yet."""
    connection.execute(insert(models).values({**asdict(model), "facts": json.dumps(dict(model.facts))}))


def change_model(connection: Connection, name: str, changes: Mapping[str, Any]) -> None:
    """Change columns of a model."""
    connection.execute(update(models).where(models.c.name == name).values(dict(changes)))


def delete_model(connection: Connection, name: str) -> None:
    """A model, and that guilds allow it."""
    connection.execute(delete(models).where(models.c.name == name))
    connection.execute(delete(allowed_models).where(allowed_models.c.model == name))


def allow_model(connection: Connection, guild: str, name: str, allowed: bool) -> None:
    """Let a model be on a guild's list, or not."""
    row = {"guild": guild, "model": name}
    connection.execute(delete(allowed_models).where(allowed_models.c.guild == guild, allowed_models.c.model == name))
    if allowed:
        connection.execute(insert(allowed_models).values(row))


def add_scheduler(connection: Connection, scheduler: Scheduler) -> None:
    """A scheduler that is not there yet."""
    row = {**asdict(scheduler), "args": json.dumps(dict(scheduler.args)), "uses": json.dumps(list(scheduler.uses))}
    connection.execute(insert(schedulers).values(row))


def change_scheduler(connection: Connection, name: str, changes: Mapping[str, Any]) -> None:
    """Change columns of a scheduler; ``args`` and ``uses`` as they are, not as JSON."""
    row = {key: json.dumps(value) if key in ("args", "uses") else value for key, value in changes.items()}
    connection.execute(update(schedulers).where(schedulers.c.name == name).values(row))


def delete_scheduler(connection: Connection, name: str) -> None:
    """A scheduler; models that prefer it are left to the worker."""
    connection.execute(delete(schedulers).where(schedulers.c.name == name))
    connection.execute(update(models).where(models.c.scheduler == name).values(scheduler=None))
