"""No request exceeds its limit: judged by the real tokenizer, counted as OpenAI's cookbook counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import tiktoken
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted_chat_server import ScriptedServer, answer, streamed

from tron_plugin_gpt.budget import Budget, TooLong, newest_that_fit
from tron_plugin_gpt.config import GPTConfig
from tron_plugin_gpt.history import Pair
from tron_plugin_gpt.prompt import Prompt, count_pair
from tron_plugin_gpt.tokens import BY_BYTES, Counter, Encodings

# Any characters, and runs of few, which byte pair encodings join most.
TEXTS = st.one_of(st.text(max_size=60), st.text("ab \n", max_size=120), st.text("猫🦊é", max_size=30))


def cookbook(messages: Sequence[dict[str, Any]], encoding: tiktoken.Encoding) -> int:
    """Tokens of a request, apart from the plugin's own counting."""
    texts = sum(len(encoding.encode(value, disallowed_special=())) for each in messages for value in each.values())
    return texts + 3 * len(messages) + 3


@pytest.fixture(scope="module")
def encoding(encodings: Path) -> tiktoken.Encoding:
    made = Encodings(encodings)
    made.prepare("gpt-4o-mini")
    made.wait(30)
    return tiktoken.get_encoding("o200k_base")


@pytest.fixture(scope="module")
def counter(encodings: Path, encoding: tiktoken.Encoding) -> Counter:
    made = Encodings(encodings)
    made.prepare("gpt-4o-mini")
    made.wait(30)
    return made.counter("gpt-4o-mini")


def pair(counter: Counter, number: int, message: str, said: str) -> Pair:
    tokens = count_pair(counter, message, said)
    return Pair(f"j{number}", "api:alice", message, said, tokens, counter.name, 0.0, id=number)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    system=TEXTS,
    message=TEXTS,
    said=st.lists(st.tuples(TEXTS, TEXTS), max_size=12),
    context=st.integers(512, 900),
    exact=st.booleans(),
)
def test_a_request_never_exceeds_its_limit(
    system: str,
    message: str,
    said: list[tuple[str, str]],
    context: int,
    exact: bool,
    counter: Counter,
    encoding: tiktoken.Encoding,
) -> None:
    how = counter if exact else BY_BYTES
    model = GPTConfig(context_tokens=context, reply_tokens=200).model_named("gpt-4o-mini")
    prompt = Prompt(system, message, how, model)
    pairs = [pair(how, number, *texts) for number, texts in enumerate(said, 1)]
    if prompt.tokens > context - 200:
        with pytest.raises(TooLong):
            prompt.history(reversed(pairs))
        return
    kept = prompt.history(reversed(pairs))
    messages = prompt.messages(kept)
    true = cookbook(messages, encoding)
    assert true <= context - 200
    if exact:
        assert true == prompt.tokens + sum(each.tokens for each in kept)
    # The newest, without a gap; the role first, the message last, every question with its answer.
    assert kept == pairs[len(pairs) - len(kept) :]
    assert [each["role"] for each in messages] == ["system", *["user", "assistant"] * len(kept), "user"]
    assert messages[0]["content"] == system
    # And no less than there is room for.
    if len(kept) < len(pairs):
        assert prompt.tokens + sum(each.tokens for each in pairs[-len(kept) - 1 :]) > context - 200


@given(costs=st.lists(st.integers(0, 50), max_size=30), room=st.integers(0, 300))
def test_the_newest_that_fit_are_kept_without_a_gap(costs: list[int], room: int) -> None:
    kept = newest_that_fit(reversed(list(enumerate(costs))), room, lambda each: each[1])
    assert kept == list(enumerate(costs))[len(costs) - len(kept) :]
    assert sum(cost for _, cost in kept) <= room


def test_what_does_not_fit_even_alone_is_said_with_its_size() -> None:
    with pytest.raises(TooLong, match="901 tokens, and there is room for 900"):
        Budget(1000, 100).room_beside(901)
    assert Budget(1000, 100).room_beside(900) == 0


@pytest.mark.slow
async def test_500_turns_roll_over_and_none_exceeds_the_limit(
    make_stage: Any, server: ScriptedServer, encoding: tiktoken.Encoding
) -> None:
    stage = await make_stage(base_url=server.url, context_tokens=1000, reply_tokens=300, kept_turns=60)
    for turn in range(500):
        server.script = [streamed(answer(f"Answer {turn}. " + "word " * (turn % 7)))]
        await stage.say(f"Message {turn}, 猫 and {'so on ' * (turn % 11)}")
        messages = server.requests[-1]["messages"]
        assert cookbook(messages, encoding) <= 700
        assert messages[0] == {"role": "system", "content": "You are a helpful assistant. Answer briefly."}
        told = [each["content"].split(",")[0] for each in messages if each["role"] == "user"]
        assert told == [f"Message {number}" for number in range(turn - len(told) + 1, turn + 1)]
    assert 10 < len(messages) < 60
    assert "Message 0" not in str(messages)


async def test_a_conversation_counted_by_bytes_goes_on_when_the_encoding_has_come(
    make_stage: Any, server: ScriptedServer, encoding: tiktoken.Encoding
) -> None:
    stage = await make_stage(base_url=server.url, context_tokens=600, reply_tokens=100)
    ready, stage.gpt.service.encodings._ready = stage.gpt.service.encodings._ready, {}
    for number in range(8):
        await stage.say(f"Message {number} " + "is about foxes in the snow, " * 3)
    by_bytes = len(server.sent())
    stage.gpt.service.encodings._ready = ready
    await stage.say("And?")
    assert len(server.sent()) > by_bytes
    assert cookbook(server.requests[-1]["messages"], encoding) <= 500
