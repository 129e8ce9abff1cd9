import json

from hypothesis import given
from hypothesis import strategies as st

from tron_core.hub.protocol import (
    MAX_FRAME,
    MAX_TEXT,
    Held,
    JobMessage,
    Partial,
    ProgressMessage,
    ResultMessage,
    encode,
)
from tron_core.worker.attempts import Attempts, HeldAttempt, RunText
from tron_core.worker.messages import Progressed


def job(name: str = "j", attempt: int = 1) -> JobMessage:
    return JobMessage(job=name, attempt=attempt, capability="echo", params={}, deadline_s=1)


def test_an_attempt_is_taken_once() -> None:
    attempts = Attempts()
    assert attempts.take(job()) is not None
    assert attempts.take(job()) is None
    assert attempts.take(job(attempt=2)) is not None
    assert attempts.resuming() == (Held(job="j", attempt=1), Held(job="j", attempt=2))


def test_a_forgotten_attempt_is_not_resumed() -> None:
    attempts = Attempts()
    attempts.take(job())
    assert attempts.forget("j", 1) is not None
    assert attempts.forget("j", 1) is None
    assert attempts.resuming() == ()


def test_text_is_numbered_from_zero() -> None:
    held = HeldAttempt(job())
    assert held.partial("a") == Partial(job="j", attempt=1, seq=0, text="a")
    assert held.partial("b") == Partial(job="j", attempt=1, seq=1, text="b")


def test_what_is_said_while_disconnected_comes_whole_after_the_resume() -> None:
    held = HeldAttempt(job())
    held.partial("a")
    held.live = False
    assert held.partial("b") is None
    assert held.progressed(Progressed(fraction=0.5)) is None
    assert held.restart() == [
        Partial(job="j", attempt=1, seq=0, text="ab"),
        ProgressMessage(job="j", attempt=1, fraction=0.5),
    ]
    assert held.partial("c") == Partial(job="j", attempt=1, seq=1, text="c")


def test_a_kept_result_says_everything() -> None:
    held = HeldAttempt(job())
    held.partial("a")
    held.kept = ResultMessage(job="j", attempt=1, output={})
    assert held.restart() == [held.kept]


def test_a_silent_run_restarts_silently() -> None:
    assert HeldAttempt(job()).restart() == []


@given(st.lists(st.text(max_size=50)))
def test_text_is_kept_whole_while_it_is_short(pieces: list[str]) -> None:
    said = RunText()
    assert "".join(said.append(piece) for piece in pieces) == said.text == "".join(pieces)


@given(st.sampled_from(["x", "\x00", "ä", "😀", '"']), st.integers(1, 4))
def test_the_whole_text_fits_the_hubs_limit_and_one_frame(letter: str, pieces: int) -> None:
    said = RunText()
    for _ in range(pieces):
        said.append(letter * (MAX_TEXT // pieces))
    assert len(said.text.encode()) <= MAX_TEXT
    assert len(encode(Partial(job="j", attempt=1, seq=0, text=said.text)).encode()) < MAX_FRAME
    assert len(json.dumps(said.text, ensure_ascii=False).encode()) - 2 == said.size
