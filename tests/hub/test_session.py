from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tron_core.hub.protocol import Fault, Message, ProtocolError, parse_from_hub
from tron_core.hub.session import Peer, Phase, SessionState, Terms
from tron_core.scheduling.messages import (
    Assign,
    AttemptError,
    AttemptPartial,
    AttemptProgress,
    AttemptResult,
    AttemptSettled,
    AttemptUpload,
    CancelAttempt,
    CloseSession,
    InputFileRef,
    Offer,
    TellFault,
    TellWorker,
    ToScheduler,
    Turned,
    UploadTicket,
    Welcomed,
    WhyIdle,
    WorkerConnected,
    WorkerGone,
    WorkerStatus,
)

TERMS = Terms(heartbeat_s=10.0, resume_grace=30.0)
HELLO = {"type": "hello", "worker": "box", "capabilities": {"echo": {"models": ["a"], "choices": {"voice": ["x"]}}}}
ASSIGN = Assign("j1", 1, "echo", {"text": "hi"}, (), 60.0)
PROGRESS = {"type": "progress", "job": "j1", "attempt": 1, "fraction": 0.5}


@dataclass
class Heard:
    """An Outlet that remembers."""

    sent: list[Message] = field(default_factory=list)
    told: list[ToScheduler] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)

    def send(self, message: Message) -> None:
        self.sent.append(message)

    def tell(self, message: ToScheduler) -> None:
        self.told.append(message)

    def close(self, code: int, reason: str) -> None:
        self.closed.append(code)

    @property
    def faults(self) -> list[str]:
        return [message.message for message in self.sent if isinstance(message, Fault)]


class Played:
    """A session that is played by hand, at a time of its own."""

    def __init__(self) -> None:
        self.heard = Heard()
        self.now = 100.0
        self.state = SessionState(Peer("s1", "client-1", "http://hub"), TERMS, self.heard, self.now)

    def comes(self, frame: Any, *, after: float = 0.0) -> None:
        self.now += after
        self.state.receive(frame if isinstance(frame, str | bytes) else json.dumps(frame), self.now)

    def answers(self, message: Any, *, after: float = 0.0) -> None:
        self.now += after
        self.state.answer(message, self.now)

    def passes(self, seconds: float) -> float | None:
        self.now += seconds
        return self.state.check(self.now)


@pytest.fixture
def new() -> Played:
    return Played()


@pytest.fixture
def opened() -> Played:
    played = Played()
    played.comes(HELLO)
    played.answers(Welcomed())
    played.heard.sent.clear()
    played.heard.told.clear()
    return played


# Hello


def test_a_hello_announces_the_worker_to_the_scheduler(new: Played) -> None:
    new.comes(
        HELLO | {"software": "x 1", "slots": 2, "hardware": {"gpu": "RTX"}, "resuming": [{"job": "j", "attempt": 3}]}
    )
    assert new.heard.told == [
        WorkerConnected(
            session="s1",
            worker="box",
            client_id="client-1",
            protocol="tron.v1",
            software="x 1",
            offers={"echo": Offer(("a",), (), {"voice": ("x",)})},
            slots=2,
            hardware={"gpu": "RTX"},
            holding=(("j", 3),),
            base_url="http://hub",
        )
    ]
    assert new.heard.sent == []


def test_the_worker_is_welcomed_with_what_it_goes_on_with(new: Played) -> None:
    new.comes(HELLO)
    new.answers(Welcomed(resume=(("j1", 1),), abandon=(("j2", 4),)))
    assert new.heard.sent[0].model_dump(mode="json") == {
        "type": "welcome",
        "session": "s1",
        "heartbeat_s": 10.0,
        "resume": [{"job": "j1", "attempt": 1}],
        "abandon": [{"job": "j2", "attempt": 4}],
    }


def test_a_worker_that_is_turned_away_is_told_why_and_closed(new: Played) -> None:
    new.comes(HELLO)
    new.answers(Turned(4409, "name_taken", "another credential has this name"))
    assert new.heard.sent[0].model_dump() == {
        "type": "rejected",
        "code": "name_taken",
        "message": "another credential has this name",
    }
    assert new.heard.closed == [4409]


@pytest.mark.parametrize("frame", [{"type": "heartbeat"}, PROGRESS, {"type": "dance"}, "{", b"\0", [1]])
def test_a_first_frame_that_is_no_hello_is_a_fault_and_ends_the_session(new: Played, frame: Any) -> None:
    new.comes(frame)
    assert len(new.heard.faults) == 1
    assert new.heard.closed == [4408]
    assert new.heard.told == []


def test_a_hello_that_does_not_validate_may_be_said_again(new: Played) -> None:
    new.comes({"type": "hello"})
    assert new.heard.faults == ["hello.worker: Field required"]
    assert new.heard.closed == []
    new.comes(HELLO)
    assert isinstance(new.heard.told[0], WorkerConnected)


def test_hello_must_come_within_ten_seconds_of_the_connection(new: Played) -> None:
    assert new.passes(4) == 6
    new.comes({"type": "hello"}, after=5)
    assert new.passes(1) is None
    assert new.heard.closed == [4408]


def test_hello_is_said_once(opened: Played) -> None:
    opened.comes(HELLO)
    assert opened.heard.faults == ["hello was said already"]
    assert opened.state.phase is Phase.OPEN


# What passes through


def test_what_a_worker_says_about_an_attempt_reaches_the_scheduler(opened: Played) -> None:
    about = {"job": "j1", "attempt": 1}
    sha = "a" * 64
    opened.comes({"type": "progress", **about, "fraction": 0.5, "step": 1, "steps": 2, "message": "m"})
    opened.comes({"type": "partial", **about, "seq": 0, "text": "hi"})
    opened.comes({"type": "upload", **about, "name": "a.png", "media_type": "image/png", "size": 3, "sha256": sha})
    opened.comes({"type": "result", **about, "output": {"x": 1}, "artifacts": ["a.png"], "metrics": {"seconds": 2}})
    opened.comes({"type": "error", **about, "kind": "transient", "message": "m", "retryable": True})
    progress, partial, upload, result, error = opened.heard.told
    assert isinstance(progress, AttemptProgress)
    assert (progress.session, progress.progress.fraction, progress.progress.steps) == ("s1", 0.5, 2)
    assert partial == AttemptPartial("s1", "j1", 1, 0, "hi")
    assert upload == AttemptUpload("s1", "j1", 1, "a.png", "image/png", 3, sha, "result")
    assert isinstance(result, AttemptResult)
    assert (result.output, result.artifacts, result.metrics.seconds) == ({"x": 1}, ("a.png",), 2.0)
    assert isinstance(error, AttemptError)
    assert (error.kind, error.retryable) == ("transient", True)


def test_what_the_scheduler_says_reaches_the_worker(opened: Played) -> None:
    file = InputFileRef("image", "http://hub/a", {"X": "y"}, "image/png", 3, "a" * 64)
    messages = [
        Assign("j1", 1, "echo", {"text": "hi"}, (file,), 60.0),
        UploadTicket("j1", 1, "a.png", "http://hub/put", {"Authorization": "Bearer t"}, 600.0),
        CancelAttempt("j1", 1, "cancelled"),
        AttemptSettled("j1", 1, "accepted"),
        WhyIdle({"model missing": 2}),
        TellWorker("hello"),
        TellFault("no such attempt"),
    ]
    for message in messages:
        opened.answers(message)
    sent = [message.model_dump(mode="json") for message in opened.heard.sent]
    assert [message["type"] for message in sent] == ["job", "ticket", "cancel", "settled", "idle", "notice", "fault"]
    assert sent[0]["inputs"][0]["headers"] == {"X": "y"}
    assert sent[1]["method"] == "PUT"
    for message, written in zip(opened.heard.sent, sent, strict=True):
        assert parse_from_hub(json.dumps(written)) == message


def test_a_status_changes_what_it_names_and_leaves_the_rest(opened: Played) -> None:
    opened.comes({"type": "status", "loaded": {"echo": ["a"], "unheard": ["b"]}, "free_slots": 0})
    opened.comes({"type": "status", "choices": {"echo": {"mood": ["fine"]}}, "hardware": {"gpu": "RTX"}})
    assert opened.heard.told == [
        WorkerStatus("s1", offers={"echo": Offer(("a",), ("a",), {"voice": ("x",)})}, free_slots=0),
        WorkerStatus(
            "s1", offers={"echo": Offer(("a",), ("a",), {"voice": ("x",), "mood": ("fine",)})}, hardware={"gpu": "RTX"}
        ),
    ]


def test_a_worker_is_told_why_it_is_idle_at_most_every_thirty_seconds(opened: Played) -> None:
    for _ in range(7):
        opened.answers(WhyIdle({"slots": 1}), after=10)
    assert len(opened.heard.sent) == 3


def test_the_scheduler_may_close_a_session(opened: Played) -> None:
    opened.answers(CloseSession(4410, "taken over"))
    assert opened.heard.closed == [4410]
    opened.comes(PROGRESS)
    opened.answers(TellWorker("anybody there?"))
    assert opened.heard.sent == []
    assert opened.heard.told == [WorkerGone("s1", reason="taken over")]


# Faults


def test_twenty_faults_in_a_row_end_the_session(opened: Played) -> None:
    for _ in range(19):
        opened.comes({"type": "dance"})
    assert opened.heard.closed == []
    opened.comes(b"binary")
    assert opened.heard.closed == [4400]
    assert len(opened.heard.faults) == 20


def test_a_heartbeat_does_not_make_up_for_faults_and_a_status_does(opened: Played) -> None:
    for frame, expected in (({"type": "heartbeat"}, [4400]), ({"type": "status"}, [])):
        played = Played()
        played.comes(HELLO)
        played.answers(Welcomed())
        for _ in range(20):
            played.comes("{")
            played.comes(frame)
        assert played.heard.closed == expected


def test_messages_about_attempts_that_the_session_does_not_hold_count_up(opened: Played) -> None:
    for _ in range(20):
        opened.comes(PROGRESS)
        opened.answers(TellFault("this worker never held attempt 1 of j1"))
    assert opened.heard.closed == [4400]


def test_a_status_makes_up_for_the_faults_that_the_scheduler_found(opened: Played) -> None:
    for _ in range(25):
        opened.comes(PROGRESS)
        opened.answers(TellFault("never held"))
        opened.comes({"type": "status"})
    assert opened.heard.closed == []


def test_a_message_about_a_held_attempt_that_is_a_fault_after_all_counts_up_too(opened: Played) -> None:
    opened.answers(ASSIGN)
    for _ in range(20):
        opened.comes(PROGRESS)
        opened.answers(TellFault("a gap"))
    assert opened.heard.closed == [4400]


def test_a_valid_message_about_a_held_attempt_makes_up_for_faults(opened: Played) -> None:
    opened.answers(ASSIGN)
    for _ in range(5):
        for _ in range(19):
            opened.comes("{")
        opened.comes(PROGRESS)
    assert opened.heard.closed == []


# Liveness


def test_three_silent_intervals_make_a_session_suspect_and_any_frame_ends_that(opened: Played) -> None:
    assert opened.passes(29) == 1
    opened.passes(1)
    assert opened.heard.told == [WorkerStatus("s1", suspect=True)]
    opened.comes({"type": "heartbeat"}, after=20)
    assert opened.heard.told[1:] == [WorkerStatus("s1", suspect=False)]
    opened.passes(29)
    assert len(opened.heard.told) == 2


def test_silence_for_the_grace_time_more_is_the_end(opened: Played) -> None:
    opened.passes(30)
    opened.passes(29)
    assert opened.heard.closed == []
    assert opened.passes(1) is None
    assert opened.heard.closed == [4411]
    assert opened.heard.told[1:] == [WorkerGone("s1", lost=True, reason="silent for the whole grace time")]


def test_a_frame_that_is_a_fault_is_a_sign_of_life(opened: Played) -> None:
    opened.comes("{", after=29)
    opened.passes(29)
    assert opened.heard.told == []


@given(st.lists(st.floats(min_value=0.1, max_value=29.9), max_size=30))
def test_a_worker_that_is_never_silent_for_three_intervals_is_never_suspect(pauses: list[float]) -> None:
    played = Played()
    played.comes(HELLO)
    for pause in pauses:
        played.passes(pause)
        played.comes({"type": "heartbeat"})
    assert len(played.heard.told) == 1


# The end


def test_a_socket_that_ends_without_drain_is_no_clean_end(opened: Played) -> None:
    opened.state.ended("connection closed (1006)")
    assert opened.heard.told == [WorkerGone("s1", clean=False, reason="connection closed (1006)")]


def test_an_end_after_drain_is_clean_once_nothing_is_held(opened: Played) -> None:
    opened.answers(ASSIGN)
    opened.comes({"type": "drain"})
    assert opened.heard.told == [WorkerStatus("s1", draining=True)]
    opened.answers(AttemptSettled("j1", 1, "accepted"))
    opened.state.ended("bye")
    assert opened.heard.told[1:] == [WorkerGone("s1", clean=True, reason="bye")]


@pytest.mark.parametrize("resume", [(), (("j1", 1),)])
def test_an_end_after_drain_with_an_attempt_held_is_not_clean(new: Played, resume: Any) -> None:
    new.comes(HELLO)
    new.answers(Welcomed(resume=resume))
    if not resume:
        new.answers(ASSIGN)
    new.comes({"type": "drain"})
    new.state.ended("bye")
    assert new.heard.told[-1] == WorkerGone("s1", clean=False, reason="bye")


def test_an_end_before_hello_concerns_nobody(new: Played) -> None:
    new.state.ended("bye")
    assert new.heard.told == []


# Anything at all

types = st.sampled_from(
    ["hello", "progress", "partial", "upload", "result", "error", "heartbeat", "status", "drain", "fault", "dance"]
)
values = st.none() | st.integers(-1, 3) | st.text(max_size=4) | st.lists(st.text(max_size=3), max_size=2)
frames = (
    st.text(max_size=30)
    | st.binary(max_size=10)
    | st.builds(lambda type, rest: json.dumps({**rest, "type": type}), types, st.dictionaries(st.text(), values))
    | st.sampled_from([json.dumps(HELLO), json.dumps(PROGRESS), '{"type": "drain"}', '{"type": "heartbeat"}'])
)
answers = st.sampled_from(
    [
        Welcomed(),
        Turned(4409, "c", "m"),
        ASSIGN,
        CancelAttempt("j1", 1, "r"),
        AttemptSettled("j1", 1, "gone"),
        WhyIdle({"r": 1}),
        TellWorker("m"),
        TellFault("m"),
        CloseSession(4410, "r"),
    ]
)


@given(
    st.lists(
        st.one_of(
            frames.map(lambda f: ("comes", f)),
            answers.map(lambda a: ("answers", a)),
            st.tuples(st.just("passes"), st.floats(0, 40)),
        ),
        max_size=60,
    )
)
def test_whatever_happens_a_session_is_announced_and_ends_once(events: list[tuple[str, Any]]) -> None:
    played = Played()
    for name, argument in events:
        getattr(played, name)(argument)
    played.state.ended("over")
    told, closed = played.heard.told, played.heard.closed
    announced = sum(isinstance(message, WorkerConnected) for message in told)
    assert announced <= 1
    assert sum(isinstance(message, WorkerGone) for message in told) == announced
    assert len(closed) <= 1
    if announced:
        assert isinstance(told[0], WorkerConnected)
        assert isinstance(told[-1], WorkerGone)
    for message in played.heard.sent:
        try:
            parse_from_hub(message.model_dump_json(exclude_none=True))
        except ProtocolError as error:
            pytest.fail(f"the hub said what no worker understands: {error}")
