from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tron_core.hub.connection import dialled_host


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("hub.example.org:6789", "hub.example.org"),
        ("hub", "hub"),
        ("192.0.2.7:6789", "192.0.2.7"),
        ("[2001:db8::7]:6789", "[2001:db8::7]"),
        ("[::1]", "[::1]"),
        ("", None),
        (":6789", None),
        ("[::1", None),
        ("[::1]x", None),
        ("hub/path", None),
        ("user@hub", None),
        ("hub name", None),
    ],
)
def test_the_host_is_read_without_its_port(header: str, host: str | None) -> None:
    assert dialled_host(header) == host


@given(st.text())
def test_what_is_read_can_stand_in_a_url(header: str) -> None:
    host = dialled_host(header)
    assert host is None or not set(host) & set("/?#@ \\%")
