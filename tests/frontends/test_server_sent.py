"""Server-sent events from lines."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tron_core.frontends.http.events import HEARTBEAT, server_sent
from tron_core.frontends.http.json import dump
from tron_core.frontends.server_sent import ServerSent, events_of


def test_each_event_has_its_name_and_data() -> None:
    lines = ["event: state", 'data: {"state": "queued"}', "", ": still here", "", "event: result", "data: {}", ""]
    assert list(events_of(lines)) == [ServerSent("state", {"state": "queued"}), ServerSent("result", {})]


def test_data_over_several_lines_are_one() -> None:
    assert list(events_of(['data:{"a":', "data: 1}", ""])) == [ServerSent("message", {"a": 1})]


def test_an_event_that_the_end_cuts_off_is_none() -> None:
    assert list(events_of(["event: result", "data: {}"])) == []


def test_data_that_are_no_object_are_refused() -> None:
    with pytest.raises(ValueError, match="must be a JSON object"):
        list(events_of(["data: 1", ""]))


@given(st.lists(st.dictionaries(st.text(max_size=8), st.text() | st.integers(-9, 9), max_size=3), max_size=4))
def test_what_the_hub_sends_comes_back_as_it_was(data: list[dict[str, object]]) -> None:
    stream = HEARTBEAT.join(server_sent("partial", dump(each)) for each in data).decode()
    assert [event.data for event in events_of(stream.split("\n"))] == json.loads(json.dumps(data))
