from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tron_core.hub.gate import Gate


def test_one_address_fills_its_share_and_leaves_room_to_others() -> None:
    gate = Gate(limit=4, per_address=2)
    assert [gate.enter("a"), gate.enter("a"), gate.enter("a"), gate.enter("b")] == [True, True, False, True]


def test_all_together_fill_the_whole() -> None:
    gate = Gate(limit=2, per_address=2)
    assert [gate.enter("a"), gate.enter("b"), gate.enter("c")] == [True, True, False]


def test_who_leaves_makes_room() -> None:
    gate = Gate(limit=1, per_address=1)
    gate.enter("a")
    gate.leave("a")
    assert gate.enter("b")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_the_bounds_hold_whatever_comes_and_goes(moves: list[tuple[str, bool]]) -> None:
    gate = Gate(limit=5, per_address=3)
    inside: list[str] = []
    for address, comes in moves:
        if comes:
            room = len(inside) < 5 and inside.count(address) < 3
            assert gate.enter(address) is room
            inside += [address] if room else []
        elif address in inside:
            gate.leave(address)
            inside.remove(address)
