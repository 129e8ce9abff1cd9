"""Conversations of the original go on where they ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from original_hub import ANN, BOB, CHANNEL, OriginalHub, profile
from reports import item

from tron_plugin_gpt.history import Pair, append

HI = {"role": "user", "content": "Hi, who are you?"}
BOT = {"role": "assistant", "content": "A bot, äöü 🙂."}
MORE = {"role": "user", "content": "What else?"}
NOTHING = {"role": "assistant", "content": "Nothing."}
LONG = [{"role": "user", "content": "ä" * 40_000}, BOT]


def said(hub: Any, key: str) -> list[tuple[Any, ...]]:
    """What a conversation holds, the oldest first."""
    query = "SELECT speaker, message, answer FROM gpt_messages WHERE conversation = :key ORDER BY id"
    found: list[tuple[Any, ...]] = hub.rows(query, key=key)
    return found


def conversations(report: dict[str, Any]) -> dict[str, Any]:
    return item(report, "table", "conversations")


def test_a_persons_conversation_is_theirs(original: OriginalHub, hub: Any) -> None:
    original.configure({ANN: profile()})
    original.add_conversation(1, ANN, [HI, BOT, MORE, NOTHING])
    assert conversations(hub.take(original)) == {"plugin": "gpt", "taken": 1, "why": []}
    requester = f"discord:{ANN}"
    assert said(hub, f"@{requester}") == [
        (requester, HI["content"], BOT["content"]),
        (requester, MORE["content"], NOTHING["content"]),
    ]
    assert hub.rows("SELECT owner FROM gpt_conversations") == [(requester,)]


def test_a_conversation_of_nobody_known_is_a_channels(original: OriginalHub, hub: Any) -> None:
    original.add_conversation(1, CHANNEL, [HI, BOT])
    report = conversations(hub.take(original))
    assert report["mapped"] == 1
    assert "as the conversation of a channel" in report["why"][0]
    assert said(hub, f"channel:{CHANNEL}") == [("discord:somebody", HI["content"], BOT["content"])]
    assert hub.rows("SELECT owner FROM gpt_conversations") == [(None,)]


def test_who_asked_for_pictures_is_known_as_a_person(original: OriginalHub, hub: Any) -> None:
    original.add("user_history", {"user": BOB, "message": "1", "prompt": "a cat", "date_created": 1_700_000_000})
    original.add_conversation(1, BOB, [HI, BOT])
    hub.take(original)
    assert len(said(hub, f"@discord:{BOB}")) == 1


def test_in_2023_every_conversation_was_a_persons(hub: Any, tmp_path: Path) -> None:
    folder = tmp_path / "2023"
    folder.mkdir()
    original = OriginalHub(f"sqlite:///{folder / 'original.db'}", folder, recent=False)
    original.add_conversation(1, CHANNEL, [HI, BOT])
    hub.take(original)
    original.engine.dispose()
    assert len(said(hub, f"@discord:{CHANNEL}")) == 1


def test_a_history_that_was_cut_is_reported_and_stops_nobody(original: OriginalHub, hub: Any) -> None:
    original.configure({ANN: profile(), BOB: profile()})
    original.add_conversation(1, ANN, LONG, cut=True)
    original.add_conversation(2, BOB, [HI, BOT])
    report = conversations(hub.take(original))
    assert (report["taken"], report["left"]) == (1, 1)
    assert report["why"][0].startswith("broken: the history is no JSON: ")
    assert "cuts it at 64 KiB" in report["why"][0]
    assert said(hub, f"@discord:{ANN}") == []


@pytest.mark.parametrize("history", ["{}", "[]", '"[]"', [HI], [{"role": "system", "message": "You are a bot."}]])
def test_where_nothing_was_answered_nothing_is_taken(original: OriginalHub, hub: Any, history: Any) -> None:
    original.add_conversation(1, ANN, history)
    report = conversations(hub.take(original))
    assert report == {"plugin": "gpt", "left": 1, "why": ["nothing was said, or nothing that was answered"]}


def test_what_cannot_be_paired_is_dropped_and_said(original: OriginalHub, hub: Any) -> None:
    original.configure({ANN: profile()})
    history = [BOT, HI, MORE, {"role": "tool", "content": "x"}, BOT, NOTHING, {"role": "user", "content": None}, HI]
    original.add_conversation(1, ANN, history)
    report = conversations(hub.take(original))
    assert report["mapped"] == 1
    assert report["why"] == ["without messages that have no answer, and answers that have no message"]
    [(_, message, answer)] = said(hub, f"@discord:{ANN}")
    assert message == f"{HI['content']}\n{MORE['content']}"
    assert answer == f"{BOT['content']}\n{NOTHING['content']}"


def test_a_conversation_that_grew_there_grows_here(original: OriginalHub, hub: Any) -> None:
    original.configure({ANN: profile()})
    original.add_conversation(1, ANN, [HI, BOT])
    hub.take(original)
    original.add_conversation(2, ANN, [HI, BOT, MORE, NOTHING])
    assert conversations(hub.take(original)) == {"plugin": "gpt", "taken": 1, "there": 1, "why": []}
    assert [message for _, message, _ in said(hub, f"@discord:{ANN}")] == [HI["content"], MORE["content"]]


def test_a_conversation_that_went_on_here_is_left_as_it_is(original: OriginalHub, hub: Any) -> None:
    original.configure({ANN: profile()})
    original.add_conversation(1, ANN, [HI, BOT])
    key, requester = f"@discord:{ANN}", f"discord:{ANN}"
    with hub.engine.begin() as connection:
        append(connection, key, requester, Pair("01JZ", requester, "new", "answer", 9, "utf-8", 1.0), keep=10)
    report = conversations(hub.take(original))
    assert report == {"plugin": "gpt", "left": 1, "why": ["the conversation has gone on here meanwhile"]}
    assert [message for _, message, _ in said(hub, key)] == ["new"]


def test_the_same_words_twice_are_two_messages(original: OriginalHub, hub: Any) -> None:
    original.configure({ANN: profile()})
    original.add_conversation(1, ANN, [HI, BOT, HI, BOT])
    hub.take(original)
    assert len(said(hub, f"@discord:{ANN}")) == 2
    assert hub.take(original)["taken"] == 0
