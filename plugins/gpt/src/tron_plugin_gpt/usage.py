"""What each person used, by day (UTC) and model, and how much they may."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import Connection, delete, func, insert, select, update

from tron_plugin_gpt.config import Caps, GPTConfig
from tron_plugin_gpt.tables import usage as table

N = TypeVar("N", int, float)


@dataclass(frozen=True, slots=True)
class Used:
    """Sums over requests; ``cost`` in the currency of the configured prices."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0

    @property
    def tokens(self) -> int:
        """Of requests and replies together."""
        return self.prompt_tokens + self.completion_tokens


def day_of(seconds: float) -> str:
    """The day of a time since the epoch, as ``2026-11-24``."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def add(connection: Connection, requester: str, day: str, model: str, used: Used) -> None:
    """Add to what a person used."""
    where = (table.c.requester == requester, table.c.day == day, table.c.model == model)
    sums = {
        "requests": used.requests,
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": used.completion_tokens,
        "cost": used.cost,
    }
    raised = {name: table.c[name] + value for name, value in sums.items()}
    if connection.execute(update(table).where(*where).values(raised)).rowcount == 0:
        connection.execute(insert(table).values(requester=requester, day=day, model=model, **sums))


def of(connection: Connection, requester: str, day: str | None = None) -> Used:
    """What a person used, on one day or ever."""
    names = ("requests", "prompt_tokens", "completion_tokens", "cost")
    query = select(*(func.coalesce(func.sum(table.c[name]), 0) for name in names)).where(table.c.requester == requester)
    if day is not None:
        query = query.where(table.c.day == day)
    requests, prompt, completion, cost = connection.execute(query).one()
    return Used(int(requests), int(prompt), int(completion), float(cost))


def forget(connection: Connection, requester: str) -> None:
    """Erase what a person used."""
    connection.execute(delete(table).where(table.c.requester == requester))


def limits_of(config: GPTConfig, roles: Iterable[str]) -> Caps:
    """What a person with these roles may use: the most generous of what their roles allow, else everybody's."""
    own = [config.roles[role] for role in roles if role in config.roles]
    if not own:
        return Caps(daily_tokens=config.daily_tokens, daily_cost=config.daily_cost)
    return Caps(
        daily_tokens=_highest([caps.daily_tokens for caps in own]),
        daily_cost=_highest([caps.daily_cost for caps in own]),
    )


def _highest(limits: Sequence[N | None]) -> N | None:
    """None, which is no limit, is above all."""
    known = [limit for limit in limits if limit is not None]
    return max(known) if len(known) == len(limits) else None


def over(caps: Caps, used: Used) -> str | None:
    """One sentence why a person has to wait until tomorrow; None where they have something left."""
    if caps.daily_tokens is not None and used.tokens >= caps.daily_tokens:
        return f"You have used {used.tokens} of {caps.daily_tokens} tokens today; come back after midnight UTC."
    if caps.daily_cost is not None and used.cost >= caps.daily_cost:
        return f"You have used {used.cost:.2f} of {caps.daily_cost:.2f} today; come back after midnight UTC."
    return None


def as_output(used: Used) -> Mapping[str, int | float]:
    """As it stands in the output of a job."""
    return {
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": used.completion_tokens,
        "total_tokens": used.tokens,
        "cost": round(used.cost, 6),
    }
