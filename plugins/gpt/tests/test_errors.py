"""What can go wrong with the server, and what people are told."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from aiohttp import web
from scripted_chat_server import ScriptedServer, answer, refused, streamed

from tron_plugin_gpt import client as client_module
from tron_plugin_gpt.client import ChatClient, ChatError, Question

QUESTION = Question("gpt-4o-mini", [{"role": "user", "content": "hi"}], 16)
KEY = "sk-very-secret"


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repetitions come at once."""
    monkeypatch.setattr(client_module, "FIRST_DELAY", 0.001)


class Patience:
    """Stands in for sleeping: notes how long it was to be."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)


@pytest.fixture
def patience() -> Patience:
    return Patience()


@pytest.fixture
async def client(server: ScriptedServer, patience: Patience) -> Any:
    chat_client = ChatClient(server.url, KEY, timeout=5, retries=3, sleep=patience)
    yield chat_client
    await chat_client.close()


async def silent(request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def silent_after_a_word(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b'data: {"choices": [{"delta": {"content": "well"}, "finish_reason": null}]}\n\n')
    await asyncio.Event().wait()
    raise AssertionError


MALFORMED = [
    pytest.param(["{not json"], id="no JSON"),
    pytest.param(['{"choices": 7}'], id="choices that are no list"),
    pytest.param(['{"choices": [{"index": 0}]}'], id="a choice without delta"),
    pytest.param(["[1, 2]"], id="a list"),
    pytest.param(['"text"'], id="a text"),
    pytest.param(["[DONE]"], id="nothing"),
    pytest.param(['{"error": {"message": "the model fell over"}}'], id="an error in the stream"),
]


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(refused(429), id="429"),
        pytest.param(refused(500), id="500"),
        pytest.param(refused(503), id="503"),
        pytest.param(refused(408), id="408"),
        pytest.param(streamed([], cut=True), id="cut before a word"),
    ],
)
async def test_what_may_go_well_again_is_repeated(
    behaviour: Any, client: ChatClient, server: ScriptedServer, patience: Patience
) -> None:
    server.script = [behaviour, behaviour]
    assert (await client.answer(QUESTION)).text == "Fine."
    assert len(patience.waited) == 2


@pytest.mark.parametrize("chunks", MALFORMED)
async def test_what_is_no_answer_is_asked_for_again(
    chunks: list[str], client: ChatClient, server: ScriptedServer
) -> None:
    server.script = [streamed(chunks)]
    assert (await client.answer(QUESTION)).text == "Fine."


@pytest.mark.parametrize("chunks", MALFORMED)
async def test_a_server_that_never_answers_properly_is_given_up(
    chunks: list[str], client: ChatClient, server: ScriptedServer, patience: Patience
) -> None:
    server.otherwise = streamed(chunks)
    with pytest.raises(ChatError, match="chat server") as caught:
        await client.answer(QUESTION)
    assert not caught.value.transient
    assert len(server.requests) == 4


async def test_the_wait_grows_and_has_a_limit(
    client: ChatClient, server: ScriptedServer, patience: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "FIRST_DELAY", 8.0)
    server.otherwise = refused(500)
    with pytest.raises(ChatError, match="HTTP 500"):
        await client.answer(QUESTION)
    first, second, third = patience.waited
    assert 4 <= first <= 8 <= second <= 16
    assert 10 <= third <= client_module.LONGEST_DELAY


async def test_the_servers_own_wish_for_patience_counts(
    client: ChatClient, server: ScriptedServer, patience: Patience
) -> None:
    server.script = [refused(429, Retry_After="7"), refused(503, Retry_After_Ms="1500")]
    await client.answer(QUESTION)
    assert patience.waited == [7.0, 1.5]


async def test_a_server_that_wants_too_much_patience_is_not_waited_for(
    client: ChatClient, server: ScriptedServer, patience: Patience
) -> None:
    server.script = [refused(429, Retry_After="3600")]
    with pytest.raises(ChatError, match="asked too much"):
        await client.answer(QUESTION)
    assert patience.waited == []


@pytest.mark.parametrize(
    ("behaviour", "sentence"),
    [
        (refused(429, "insufficient_quota"), "quota is used up"),
        (refused(402), "quota is used up"),
        (refused(401, message=f"Incorrect API key {KEY}"), "does not accept the key"),
        (refused(403), "does not accept the key"),
        (refused(404, message="no model x"), r"refused the request \(HTTP 404\): no model x"),
        (refused(400, "context_length_exceeded", f"too long, {KEY}"), r"HTTP 400\): too long, \[key\]"),
    ],
)
async def test_what_will_not_go_well_is_not_repeated(
    behaviour: Any, sentence: str, client: ChatClient, server: ScriptedServer, patience: Patience
) -> None:
    server.script = [behaviour]
    with pytest.raises(ChatError, match=sentence) as caught:
        await client.answer(QUESTION)
    assert KEY not in str(caught.value)
    assert patience.waited == []


@pytest.mark.parametrize("behaviour", [silent, silent_after_a_word])
async def test_a_silent_server_is_given_up(behaviour: Any, server: ScriptedServer) -> None:
    server.otherwise = behaviour
    client = ChatClient(server.url, KEY, timeout=0.1, retries=1)
    with pytest.raises(ChatError, match="in time"):
        await client.answer(QUESTION)
    await client.close()


async def test_a_server_that_is_not_there_is_said_to_be_away(patience: Patience) -> None:
    client = ChatClient("http://127.0.0.1:9/v1", KEY, retries=2, sleep=patience)
    with pytest.raises(ChatError, match="cannot be reached"):
        await client.answer(QUESTION)
    assert len(patience.waited) == 2
    await client.close()


async def test_what_was_said_is_never_said_twice(client: ChatClient, server: ScriptedServer) -> None:
    server.otherwise = streamed(answer("one two three")[:2], cut=True)
    said: list[str] = []
    with pytest.raises(ChatError) as caught:
        await client.answer(QUESTION, said.append)
    assert said == ["one ", "two "]
    assert caught.value.transient, "the hub may begin anew"


async def test_a_cut_answer_begins_anew_and_is_remembered_once(stage: Any, server: ScriptedServer) -> None:
    server.script = [streamed(answer("one two three")[:2], cut=True), streamed(answer("One two three."))]
    job = await stage.ask("Count.")
    assert job.reply.text == "One two three."
    assert [attempt.outcome for attempt in job.attempts] == ["error", "succeeded"]
    await stage.say("Again.")
    assert [text for _, text in server.sent()][1:] == ["Count.", "One two three.", "Again."]


async def test_the_message_after_a_cut_one_waits_for_it(stage: Any, server: ScriptedServer) -> None:
    server.script = [streamed(answer("one two")[:1], cut=True), streamed(answer("One two."))]
    first = await stage.submit("Count.")
    second = await stage.submit("And?")
    await stage.end(first)
    await stage.end(second)
    assert [text for _, text in server.sent()][1:] == ["Count.", "One two.", "And?"]


async def test_a_failed_turn_leaves_nothing_and_says_why(
    make_stage: Any, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stage = await make_stage(base_url=server.url, api_key=KEY, retries=1)
    server.script = [refused(500, message=f"oops {KEY}")] * 2
    job = await stage.ask("hello")
    assert job.state == "failed"
    assert job.error.message == "The chat server failed (HTTP 500)."
    assert len(job.attempts) == 1
    await stage.say("hello?")
    assert [text for _, text in server.sent()][1:] == ["hello?"]
    assert server.keys[0] == f"Bearer {KEY}"
    assert KEY not in caplog.text


async def test_the_library_is_told_the_limit_in_the_words_of_each_server(
    server: ScriptedServer, client: ChatClient
) -> None:
    await client.answer(QUESTION)
    assert server.requests[0]["max_tokens"] == 16
    assert server.requests[0]["stream_options"] == {"include_usage": True}
    assert "temperature" not in server.requests[0]


async def test_two_who_ask_at_once_share_one_client_so_that_none_stays_open() -> None:
    client = ChatClient("http://127.0.0.1:9/v1", KEY)
    first, second = await asyncio.gather(client._client(), client._client())
    assert first is second
    await client.close()
