from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tron_core.hub import protocol
from tron_core.hub.protocol import (
    Hello,
    ProgressMessage,
    ProtocolError,
    encode,
    parse_from_hub,
    parse_from_worker,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
TYPES = ["hello", "progress", "partial", "upload", "result", "error", "heartbeat", "status", "drain", "fault"]
FIELDS = ["worker", "capabilities", "slots", "resuming", "job", "attempt", "fraction", "seq", "text", "output"]
frames = st.builds(
    lambda type, fields: json.dumps({"type": type, **fields}),
    st.sampled_from([*TYPES, "unknown"]),
    st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=6),
)


@given(st.text() | st.binary() | json_values.map(json.dumps) | frames)
def test_whatever_comes_is_a_message_or_a_protocol_error(frame: str | bytes) -> None:
    for parse in (parse_from_worker, parse_from_hub):
        assert isinstance(_parsed(parse, frame), protocol.Message | str)


@given(st.floats(min_value=0, max_value=1), st.none() | st.integers(0, 1000), st.none() | st.text(max_size=1000))
def test_a_message_survives_the_wire(fraction: float, step: int | None, text: str | None) -> None:
    message = ProgressMessage(job="01J", attempt=1, fraction=fraction, step=step, message=text)
    assert parse_from_worker(encode(message)) == message


def test_unknown_fields_are_ignored_and_fields_that_are_none_left_out() -> None:
    message = parse_from_worker('{"type": "progress", "job": "a", "attempt": 1, "fraction": 0, "mood": "fine"}')
    assert json.loads(encode(message)) == {"type": "progress", "job": "a", "attempt": 1, "fraction": 0.0}


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        ('{"type": "hello", "capabilities": {}}', "hello.worker: Field required"),
        ('{"type": "hello", "worker": "a b", "capabilities": {}}', "hello.worker: String should match"),
        ('{"type": "progress", "job": "a", "attempt": 0, "fraction": 0}', "progress.attempt: Input should be greater"),
        ('{"type": "progress", "job": "a", "attempt": "1", "fraction": 0}', "progress.attempt: Input should be a"),
        ('{"type": "progress", "job": "a", "attempt": true, "fraction": 0}', "progress.attempt: Input should be a"),
        ('{"type": "progress", "job": "a", "attempt": 2147483648, "fraction": 0}', "progress.attempt: Input should be"),
        (
            '{"type": "result", "job": "a", "attempt": 1, "output": {}, "metrics": {"seconds": 1e999}}',
            "result.metrics.seconds: Input should be less than",
        ),
        ('{"type": "dance"}', "frame: Input tag 'dance'"),
        ("{}", "frame: Unable to extract tag"),
        ("[]", "frame: Input should be"),
        ("{", "frame: Invalid JSON"),
        (b"{}", "binary frames are not spoken here"),
        ('{"type": "result", "job": "a", "attempt": 1, "output": {"x": NaN}}', "result.output: NaN is no JSON"),
    ],
)
def test_an_error_names_the_field_and_what_is_expected(frame: str | bytes, sentence: str) -> None:
    with pytest.raises(ProtocolError, match=sentence.replace("(", r"\(")):
        parse_from_worker(frame)


def _parsed(parse: Callable[[str | bytes], protocol.Message], frame: str | bytes) -> protocol.Message | str:
    try:
        return parse(frame)
    except ProtocolError as error:
        sentence = str(error)
    assert 0 < len(sentence) <= protocol.MAX_SENTENCE
    return sentence


def test_an_error_knows_which_message_it_was_about() -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_from_worker('{"type": "hello"}')
    assert caught.value.type == "hello"
    with pytest.raises(ProtocolError) as caught:
        parse_from_worker('{"type": "dance"}')
    assert caught.value.type is None


def test_the_word_nan_in_a_text_is_fine() -> None:
    message = parse_from_worker('{"type": "result", "job": "a", "attempt": 1, "output": {"text": "NaN, Infinity"}}')
    assert isinstance(message, protocol.ResultMessage)


@pytest.mark.parametrize(
    "fields",
    [
        {"resuming": [0] * 300_000},
        {"capabilities": {"x": {"models": [0] * 300_000}}},
        {"capabilities": {str(number): 0 for number in range(80_000)}},
    ],
    ids=["list", "names", "mapping"],
)
def test_a_frame_full_of_errors_is_refused_quickly(fields: dict[str, Any]) -> None:
    frame = json.dumps({"type": "hello", "worker": "box", "capabilities": {}} | fields)
    started = time.process_time()
    with pytest.raises(ProtocolError):
        parse_from_worker(frame)
    assert time.process_time() - started < 0.3


def test_a_hello_says_what_the_worker_has() -> None:
    hello = parse_from_worker(
        '{"type": "hello", "worker": "box", "capabilities": {"txt": {"models": ["a", "b"], "loaded": ["a"]}},'
        ' "hardware": {"gpu": "RTX", "gpu_memory_mb": 24000, "fans": 3}, "resuming": [{"job": "j", "attempt": 2}]}'
    )
    assert isinstance(hello, Hello)
    assert hello.capabilities["txt"].models == ("a", "b")
    assert hello.hardware.model_dump(exclude_none=True) == {"gpu": "RTX", "gpu_memory_mb": 24000, "fans": 3}
    assert (hello.resuming[0].job, hello.resuming[0].attempt) == ("j", 2)
