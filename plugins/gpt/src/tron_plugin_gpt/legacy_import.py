"""Conversations of a discord-tron-master, for ``tron import-upstream`` of the plugin ``legacy``."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, exists, select

from tron_plugin_gpt import conversation, history
from tron_plugin_gpt.conversation import CHANNEL, Place
from tron_plugin_gpt.history import Pair
from tron_plugin_gpt.prompt import count_pair
from tron_plugin_gpt.tables import messages
from tron_plugin_gpt.tokens import BY_BYTES

if TYPE_CHECKING:
    from tron_plugin_legacy.api import Row, Taking

MARK = "up"
"""Begins what stands for the job of an imported message; ids of jobs begin with a digit."""
KEEP = 1_000_000
"""No limit: a history of the original is short, and the next message here keeps to ``kept_turns``."""
SOMEBODY = "discord:somebody"
"""Who spoke in a shared conversation, which the original does not keep."""

AS_CHANNELS = "as the conversation of a channel, as nobody is known by that id; who said what is not kept there"
UNPAIRED = "without messages that have no answer, and answers that have no message"
OF_ONES_OWN = "a conversation of one's own instead of the channel's"
GONE_ON = "the conversation has gone on here meanwhile"


class ConversationImport:
    """The table ``conversations``, and what people had chosen for theirs."""

    tables = ("conversations",)
    settings = ("gpt_role", "group_chat")
    guild_values = ()

    def take(self, taking: Taking) -> None:
        """Every conversation that can be read, then the settings."""
        for row in taking.rows("conversations"):
            with row:
                _take_conversation(taking, row)
        for choice in taking.choices("gpt_role"):
            with choice:
                choice.save("gpt.role", choice.value)
        for choice in taking.choices("group_chat"):
            with choice:
                choice.save("gpt.conversation", "channel" if choice.value else "user", OF_ONES_OWN)


def _take_conversation(taking: Taking, row: Row) -> None:
    said, dropped = pairs_of(_entries(row["history"]))
    place, hows = _place(taking, str(row["owner"]))
    stored = _stored(place, said, _time(row["updated"]))
    missing = [pair for pair in stored if not _is_there(taking.connection, pair)]
    if not stored:
        row.left("nothing was said, or nothing that was answered")
    elif not missing:
        row.there()
    elif _has_gone_on(taking.connection, place.key):
        row.left(GONE_ON)
    else:
        for pair in missing:
            history.append(taking.connection, place.key, place.owner, pair, keep=KEEP)
        row.taken("; ".join([*hows, *([UNPAIRED] if dropped else [])]))


def _entries(stored: str) -> list[Any]:
    """The history as a list; raises ValueError. Some versions keep the JSON of JSON."""
    try:
        entries = json.loads(stored)
        if isinstance(entries, str):
            entries = json.loads(entries)
    except ValueError as error:
        size = len(stored.encode("utf-8", "replace"))
        cut = "; the original cuts it at 64 KiB" if size > 65_000 else ""
        raise ValueError(f"the history is no JSON: {error.args[0].split(':')[0]} ({size} bytes{cut})") from None
    if not isinstance(entries, list):
        return []
    return entries


def pairs_of(entries: list[Any]) -> tuple[list[tuple[str, str]], bool]:
    """Messages with their answers, and whether something had to be dropped. What one side said several times in a row
    is one text."""
    turns: list[tuple[str, str]] = []
    dropped = False
    for entry in entries:
        role, content = (entry.get("role"), entry.get("content")) if isinstance(entry, dict) else (None, None)
        if role == "system":
            continue
        if role not in ("user", "assistant") or not isinstance(content, str) or not content.strip():
            dropped = True
        elif turns and turns[-1][0] == role:
            turns[-1] = (role, f"{turns[-1][1]}\n{content}")
        else:
            turns.append((role, content))
    if turns and turns[0][0] == "assistant":
        del turns[0]
        dropped = True
    texts = [text for _, text in turns]
    return list(zip(texts[::2], texts[1::2], strict=False)), dropped or len(texts) % 2 == 1


def _place(taking: Taking, owner: str) -> tuple[Place, list[str]]:
    """Whose conversation it is. A recent version keeps those of channels under the same number as those of people."""
    if taking.is_recent and owner not in taking.people:
        return Place(CHANNEL + owner, None), [AS_CHANNELS]
    return conversation.find(None, requester=f"discord:{owner}", channel=None, mode="user"), []


def _stored(place: Place, said: list[tuple[str, str]], said_at: float) -> list[Pair]:
    """The pairs as they are kept, with the same ids each time."""
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for message, answer in said:
        seen[message, answer] += 1
        told = json.dumps([place.key, message, answer, seen[message, answer]]).encode()
        tokens = count_pair(BY_BYTES, message, answer)
        speaker = place.owner or SOMEBODY
        job = MARK + hashlib.sha256(told).hexdigest()[:24]
        found.append(Pair(job, speaker, message, answer, tokens, BY_BYTES.name, said_at))
    return found


def _is_there(connection: Connection, pair: Pair) -> bool:
    return bool(connection.scalar(select(exists().where(messages.c.job == pair.job))))


def _has_gone_on(connection: Connection, key: str) -> bool:
    """Whether something was said in the conversation that was not imported."""
    here = exists().where(messages.c.conversation == key, messages.c.job.not_like(MARK + "%"))
    return bool(connection.scalar(select(here)))


def _time(value: Any) -> float:
    """A time of the original in seconds since the epoch; it is the server's local time, which is not told: as UTC."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment.replace(tzinfo=UTC).timestamp()
