"""What was said, in the plugin's tables: functions of a Connection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from tron_plugin_gpt.conversation import CHANNEL, speaker_name, spoken
from tron_plugin_gpt.tables import conversations, messages

PAGE = 50
"""Pairs that are read at once."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What holds for a whole conversation. ``role`` and ``model`` are None where nobody chose; ``summary`` tells of
    everything up to the message ``summarised``."""

    key: str
    role: str | None = None
    model: str | None = None
    summary: str | None = None
    summarised: int = 0


@dataclass(frozen=True, slots=True)
class Pair:
    """A message and its answer. ``tokens`` are those of both, as ``counted_by`` counts; ``id`` is 0 until stored."""

    job: str
    speaker: str
    message: str
    answer: str
    tokens: int
    counted_by: str
    said_at: float
    id: int = 0


def fetch(connection: Connection, key: str) -> Conversation:
    """A conversation, new where there is none."""
    row = connection.execute(select(conversations).where(conversations.c.key == key)).first()
    if row is None:
        return Conversation(key)
    return Conversation(key, row.role, row.model, row.summary, row.summarised)


def newest_first(connection: Connection, key: str, after: int = 0) -> Iterator[Pair]:
    """The pairs of a conversation, read page by page; ``after``: no pair up to that one."""
    before: int | None = None
    while True:
        query = select(messages).where(messages.c.conversation == key, messages.c.id > after)
        if before is not None:
            query = query.where(messages.c.id < before)
        rows = connection.execute(query.order_by(messages.c.id.desc()).limit(PAGE)).all()
        for row in rows:
            yield Pair(
                row.job, row.speaker, row.message, row.answer, row.tokens, row.counted_by, row.said_at, id=row.id
            )  # fmt: skip
        if len(rows) < PAGE:
            return
        before = rows[-1].id


def append(connection: Connection, key: str, owner: str | None, pair: Pair, *, keep: int) -> None:
    """Add a pair, which is there once however often it is added, and delete all but the newest ``keep``."""
    _ensure(connection, key, owner)
    connection.execute(delete(messages).where(messages.c.job == pair.job))
    row = {
        "conversation": key,
        "job": pair.job,
        "speaker": pair.speaker,
        "message": pair.message,
        "answer": pair.answer,
        "tokens": pair.tokens,
        "counted_by": pair.counted_by,
        "said_at": pair.said_at,
    }
    connection.execute(insert(messages).values(row))
    of_it = messages.c.conversation == key
    oldest = select(messages.c.id).where(of_it).order_by(messages.c.id.desc()).offset(keep).limit(1)
    beyond = connection.execute(oldest).scalar()
    if beyond is not None:
        connection.execute(delete(messages).where(of_it, messages.c.id <= beyond))


def conversation_of(connection: Connection, job: str) -> str | None:
    """The conversation that a job's message is kept in; None where it is not, or the job was no chat."""
    return connection.execute(select(messages.c.conversation).where(messages.c.job == job)).scalar()


def begin_with(connection: Connection, key: str, job: str, name: str | None) -> None:
    """Let a shared conversation that is still empty begin with the message of a job, wherever that was said; ``name``
    is how its speaker is shown."""
    said = connection.execute(select(messages).where(messages.c.job == job)).first()
    if said is None or count(connection, key) > 0:
        return
    _ensure(connection, key, None)
    moved = {"conversation": key}
    if not said.conversation.startswith(CHANNEL):  # nobody else was there, so that nobody was named
        message = spoken(said.message, speaker_name(said.speaker, name))
        moved |= {"message": message, "counted_by": ""}  # "": the tokens are counted anew when it is sent
    connection.execute(update(messages).where(messages.c.job == job).values(moved))


def choose(connection: Connection, key: str, owner: str | None, **chosen: Any) -> None:
    """Set ``role``, ``model``, or ``summary`` with ``summarised`` of a conversation."""
    _ensure(connection, key, owner)
    connection.execute(update(conversations).where(conversations.c.key == key).values(chosen))


def clear(connection: Connection, key: str) -> int:
    """Delete what was said; the role and the model stay. Returns how many pairs there were."""
    connection.execute(update(conversations).where(conversations.c.key == key).values(summary=None, summarised=0))
    return connection.execute(delete(messages).where(messages.c.conversation == key)).rowcount


def forget(connection: Connection, requester: str) -> None:
    """Erase a person: their conversations, and what they said and were answered in shared ones."""
    spoke_in = select(messages.c.conversation).where(messages.c.speaker == requester).distinct()
    shared = connection.execute(spoke_in).scalars().all()
    connection.execute(delete(messages).where(messages.c.speaker == requester))
    connection.execute(delete(conversations).where(conversations.c.owner == requester))
    # A summary cannot be searched for what one person said.
    connection.execute(update(conversations).where(conversations.c.key.in_(shared)).values(summary=None))


def count(connection: Connection, key: str) -> int:
    """How many pairs a conversation has."""
    query = select(func.count()).select_from(messages).where(messages.c.conversation == key)
    return connection.execute(query).scalar_one()


def _ensure(connection: Connection, key: str, owner: str | None) -> None:
    there = connection.execute(select(conversations.c.key).where(conversations.c.key == key)).first()
    if there is None:
        connection.execute(insert(conversations).values(key=key, owner=owner, summarised=0))
