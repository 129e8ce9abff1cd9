"""Which message of a channel is edited next, and when."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tron_core.frontends.discord.edits import SPACING, Lane, Wait


def test_one_edit_at_a_time() -> None:
    lane = Lane[str]()
    lane.want("a")
    lane.want("b")
    assert lane.next(0) == "a"
    lane.start("a", 0)
    assert lane.next(0) is None
    lane.end(0.2)
    assert lane.next(0.2) == "b"


def test_finals_go_before_progress() -> None:
    lane = Lane[str]()
    lane.want("a")
    lane.want("b", final=True)
    assert lane.next(0) == "b"


def test_progress_after_a_final_is_not_wanted() -> None:
    lane = Lane[str]()
    lane.want("a", final=True)
    lane.want("a")
    lane.start("a", 0)
    lane.end(0)
    assert lane.next(0) is None


def test_progress_of_one_message_is_spaced_from_the_end_of_its_last_edit() -> None:
    lane = Lane[str]()
    lane.want("a")
    lane.start("a", 10)
    lane.want("a")
    lane.end(10.5)
    assert lane.next(10.5) == Wait(SPACING)
    assert lane.next(12) == "a"
    lane.want("a", final=True)
    assert lane.next(10.6) == "a"  # a final need not wait


def test_an_edit_that_was_given_up_is_wanted_again_unless_its_message_is_not() -> None:
    lane = Lane[str]()
    for message in ("a", "b"):
        lane.want(message)
        lane.start(message, 0)
        if message == "b":
            lane.forget(message)
        lane.end(1, again=True)
    assert lane.next(1) == Wait(SPACING)
    assert lane.next(1 + SPACING) == "a"
    lane.start("a", 3)
    assert not lane.is_final
    lane.end(3)
    assert lane.idle


def test_nothing_is_sent_while_the_bucket_is_empty() -> None:
    lane = Lane[str]()
    lane.limited(5, 0, 2.0, 10)
    lane.want("a", final=True)
    assert lane.next(10.5) == Wait(1.5)
    assert lane.next(12) == "a"


def test_the_last_place_is_kept_for_a_final() -> None:
    lane = Lane[str]()
    lane.limited(5, 1, 2.0, 0)
    lane.want("a")
    assert lane.next(0) == Wait(2.0)
    lane.want("b", final=True)
    assert lane.next(0) == "b"


def test_a_bucket_of_one_serves_progress_too() -> None:
    lane = Lane[str]()
    lane.limited(1, 1, 2.0, 0)
    lane.want("a")
    assert lane.next(0) == "a"


def test_a_pause_holds_this_lane_alone() -> None:
    lane, other = Lane[str](), Lane[str]()
    lane.pause(3, 0)
    for each in (lane, other):
        each.want("a", final=True)
    assert lane.next(1) == Wait(2)
    assert other.next(1) == "a"


class Channel(RuleBasedStateMachine):
    """A channel in which anything happens: what Discord would see of it stays within the rules."""

    def __init__(self) -> None:
        super().__init__()
        self.lane = Lane[int]()
        self.now = 0.0
        self.waiting_finals: set[int] = set()
        self.over: set[int] = set()
        self.ended: dict[int, float] = {}
        self.free_at, self.left = 0.0, 5

    @rule(message=st.integers(0, 4), final=st.booleans())
    def want(self, message: int, final: bool) -> None:
        if message in self.over:
            return
        self.lane.want(message, final=final)
        if final:
            self.waiting_finals.add(message)
            self.over.add(message)

    @rule(seconds=st.floats(0.01, 3))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def send(self) -> None:
        message = self.lane.next(self.now)
        if message is None or isinstance(message, Wait):
            return
        if self.now >= self.free_at:
            self.left, self.free_at = 5, self.now + 5
        assert self.left > 0, "an edit was begun while the bucket was empty"
        if message not in self.waiting_finals:
            assert not self.waiting_finals, "progress went before a final state"
            assert self.now - self.ended.get(message, -9) >= SPACING - 1e-6
        self.left -= 1
        self.waiting_finals.discard(message)
        self.lane.start(message, self.now)
        self.lane.limited(5, self.left, self.free_at - self.now, self.now)

    @rule()
    def answer(self) -> None:
        if self.lane.under_way is not None:
            self.ended[self.lane.under_way] = self.now
            self.lane.end(self.now)

    @rule()
    def give_up(self) -> None:
        if self.lane.under_way is not None and not self.lane.is_final:
            self.ended[self.lane.under_way] = self.now
            self.lane.end(self.now, again=True)

    @invariant()
    def whatever_is_wanted_goes_out_in_time(self) -> None:
        found = self.lane.next(self.now)
        if isinstance(found, Wait):
            assert 0 < found.seconds <= 5
        elif found is None:
            assert self.lane.idle or self.lane.under_way is not None


TestChannel = Channel.TestCase
