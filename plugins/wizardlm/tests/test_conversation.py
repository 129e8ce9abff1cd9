"""Turns in a prompt, and which of them fit."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tron_plugin_wizardlm.conversation import fit, messages_of
from tron_plugin_wizardlm.templates import Message

TALK = "User: Hi!\nAssistant: Hello.\nHow can I help?\nuser:  Sing.\nLoudly."


def test_a_prompt_that_begins_with_a_turn_is_a_conversation() -> None:
    assert messages_of(TALK) == [
        Message("user", "Hi!"),
        Message("assistant", "Hello.\nHow can I help?"),
        Message("user", "Sing.\nLoudly."),
    ]


def test_an_open_answer_at_the_end_is_the_one_to_be_written() -> None:
    assert messages_of(TALK + "\nAssistant:") == messages_of(TALK)


def test_what_one_side_says_in_a_row_is_one_message() -> None:
    assert messages_of("User: One.\nUser: Two.\nAssistant:\nUser: Three.") == [Message("user", "One.\nTwo.\nThree.")]


@pytest.mark.parametrize(
    "prompt",
    [
        "Why is the sky blue?",
        "Summarise this:\nUser: Hi!\nAssistant: Hello.",
        "Assistant: Hello.\nUser: Hi!",
        "User: Hi!\nAssistant: Hello.",
        "User:",
        "Users: everyone",
    ],
)
def test_any_other_prompt_is_one_message(prompt: str) -> None:
    assert messages_of(prompt) == [Message("user", prompt)]


def length(messages: Sequence[Message]) -> int:
    return sum(len(message.text) for message in messages)


@given(sizes=st.lists(st.integers(1, 50), min_size=1, max_size=41), budget=st.integers(0, 500))
def test_no_more_of_the_oldest_turns_go_than_must(sizes: list[int], budget: int) -> None:
    sizes = sizes[: len(sizes) - 1 + len(sizes) % 2] or sizes
    messages = [Message("assistant" if n % 2 else "user", "x" * size) for n, size in enumerate(sizes)]
    dropped = fit(messages, length, budget)
    kept = messages[2 * dropped :]
    assert kept
    assert kept[0].role == kept[-1].role == "user"
    assert length(kept) <= budget or len(kept) == 1
    assert dropped == 0 or length(messages[2 * (dropped - 1) :]) > budget
