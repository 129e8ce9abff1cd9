"""Frames of the old protocol, without a connection."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tron_plugin_legacy import wire
from tron_plugin_legacy.sound import wav_seconds
from tron_plugin_legacy.tarpit import FORGET_AFTER, MAX_ADDRESSES, Tarpit
from tron_plugin_legacy.wire import WireError


def registration(**arguments: Any) -> wire.Registration:
    return wire.parse_registration({"worker_id": "box-1", "supported_job_types": {"gpu": True}, **arguments})


def test_a_frame_is_its_command_data_and_arguments() -> None:
    text = '{"module_name": "message", "module_command": "edit", "data": {"a": 1}, "arguments": {"b": 2}, "more": 3}'
    assert wire.parse_frame(text) == wire.Frame("message/edit", {"a": 1}, {"b": 2})
    assert wire.parse_frame('{"module_name": "a", "module_command": "b", "data": null}') == wire.Frame("a/b")


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "7", "{", "[" * 100_000, '{"module_name": "a"}', '{"module_name": 1, "module_command": "b"}',
     '{"module_name": "a", "module_command": "b", "arguments": 7}', b"\xff\xfe"],
)  # fmt: skip
def test_anything_else_is_no_frame(text: str | bytes) -> None:
    with pytest.raises(WireError):
        wire.parse_frame(text)


def test_only_what_is_true_is_offered() -> None:
    types = {"gpu": True, "llama": False, "ollama": 1, "new": True, "odd": "yes"}
    assert registration(supported_job_types=types).job_types == {"gpu", "new"}
    assert registration(supported_job_types=None).job_types == frozenset()


@pytest.mark.parametrize("worker_id", [None, 7, "", "  "])
def test_a_worker_without_an_id_does_not_register(worker_id: object) -> None:
    with pytest.raises(WireError, match="worker_id"):
        registration(worker_id=worker_id)


@pytest.mark.parametrize(
    ("amount", "mebibytes"),
    [(24.0, 24576), (8, 8192), ("Unknown", None), (-1, None), (True, None), (float("nan"), None), (1e300, 2**31 - 1)],
)
def test_video_memory_may_be_unknown(amount: object, mebibytes: int | None) -> None:
    told = {"gpu": "RTX", "cpu": 7, "video_memory_amount": amount}
    hardware = registration(hardware=told, supported_job_types={}).hardware
    assert hardware.get("gpu_memory_mb") == mebibytes
    assert (hardware["gpu"], "cpu" in hardware) == ("RTX", False)


def test_who_draws_has_the_least_that_it_takes() -> None:
    assert registration(hardware={"video_memory_amount": "Unknown"}).hardware == {"gpu_memory_mb": 8192}
    limits = {"gpu": 12.0, "memory": 30}
    assert registration(hardware_limits=limits).hardware == {"gpu_memory_mb": 12288, "memory_mb": 30720}


def test_a_worker_is_known_by_a_name_that_can_be_one() -> None:
    assert registration(worker_id="Ann's box / 1-2").name == "Ann-s-box---1-2"
    assert len(registration(worker_id="x" * 300).name) == 64


@pytest.mark.parametrize(
    ("worker_id", "base"), [("box-1", "box"), ("box-1-2", "box-1"), ("box", "box"), ("box-a", "box-a")]
)
def test_processes_of_one_worker_differ_in_a_number(worker_id: str, base: str) -> None:
    assert wire.base_of(worker_id) == base


def test_a_job_is_known_again_by_what_is_echoed() -> None:
    sent = json.loads(wire.job_frame("gpu", wire.wire_id("01ABC", 2), {"prompt": "a cat"}))
    assert (sent["job_id"], sent["request_id"], sent["prompt"]) == ("01ABC-2", "01ABC-2", "a cat")
    for key, which in (("discord_context", wire.REQUEST), ("discord_first_message", wire.STATUS)):
        echoed = {**sent[key], "author": {"id": None}}
        assert wire.wire_of(echoed) == ("01ABC-2", which)
        assert isinstance(sent[key]["message_id"], int)
    assert sent["discord_context"]["message_id"] != sent["discord_first_message"]["message_id"]


@pytest.mark.parametrize(
    "change", [{"job_id": "01ABC-3"}, {"message": "other"}, {"channel": None}, {"message_id": "1"}]
)
def test_what_was_changed_is_not_known(change: dict[str, Any]) -> None:
    assert wire.wire_of({**wire.context("01ABC-2", wire.STATUS), **change}) is None
    assert wire.wire_of({}) is None


def test_a_wav_file_says_how_long_it_is() -> None:
    head = b"RIFF\0\0\0\0WAVEfmt \x12\0\0\0\x03\0\x01\0\xc0]\0\0\0w\x01\0\x04\0 \0\0\0data\0w\x01\0"
    assert wav_seconds(head, len(head) + 96000) == 1.0
    assert wav_seconds(head, len(head) + 48000) == 0.5  # cut short
    assert wav_seconds(b"ID3", 100) == wav_seconds(head[:20], 20) == 0.0


def test_a_refusal_takes_longer_each_time() -> None:
    now = 0.0
    pit = Tarpit(clock=lambda: now)
    assert [pit.next_pause("a") for _ in range(7)] == [2, 4, 8, 16, 30, 30, 30]
    assert pit.next_pause("b") == 2
    now += FORGET_AFTER + 1
    assert pit.next_pause("a") == 2
    pit.forgive("a")
    assert pit.next_pause("a") == 2


def test_so_many_addresses_are_remembered() -> None:
    pit = Tarpit()
    for number in range(MAX_ADDRESSES + 1):
        pit.next_pause(str(number))
    assert pit.next_pause("0") == 2
    assert pit.next_pause("2") == 4
