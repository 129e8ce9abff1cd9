"""Time stands still here but for what a test sets; the thread that flushes in time is tried once, at the end."""

import time

from tron_core.hub.protocol import MAX_TEXT, Message
from tron_core.worker.messages import Failed, Progressed, Said
from tron_core.worker.outbox import PROGRESS_INTERVAL, TEXT_INTERVAL, Outbox


class Moment:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class ThreadlessOutbox(Outbox):
    def _wake(self) -> None:
        pass


def outbox() -> tuple[Outbox, list[Message], Moment]:
    sent: list[Message] = []
    moment = Moment()
    return ThreadlessOutbox(sent.append, now=moment), sent, moment


def test_the_first_words_go_out_at_once() -> None:
    box, sent, _ = outbox()
    box.progress(Progressed(fraction=0.1))
    box.text("a")
    assert sent == [Progressed(fraction=0.1), Said(text="a")]


def test_progress_in_between_gives_way_to_the_latest() -> None:
    box, sent, moment = outbox()
    for fraction in (0.1, 0.2, 0.3):
        box.progress(Progressed(fraction=fraction))
    moment.now += PROGRESS_INTERVAL
    box.progress(Progressed(fraction=0.4))
    assert [m.fraction for m in sent if isinstance(m, Progressed)] == [0.1, 0.4]


def test_completion_is_said_at_once_and_once() -> None:
    box, sent, _ = outbox()
    for fraction in (0.1, 1.0, 1.0, 1.0):
        box.progress(Progressed(fraction=fraction))
    assert [m.fraction for m in sent if isinstance(m, Progressed)] == [0.1, 1.0]


def test_text_is_gathered_and_nothing_of_it_is_lost() -> None:
    box, sent, moment = outbox()
    for letter in "abc":
        box.text(letter)
    moment.now += TEXT_INTERVAL
    box.text("d")
    assert sent == [Said(text="a"), Said(text="bcd")]


def test_the_end_comes_behind_everything_that_was_said() -> None:
    box, sent, _ = outbox()
    end = Failed(kind="internal", message="m", retryable=False)
    box.text("a")
    box.text("b")
    box.send(end)
    assert sent == [Said(text="a"), Said(text="b"), end]


def test_text_beyond_what_the_hub_keeps_is_dropped_until_the_next_run() -> None:
    box, sent, _ = outbox()
    box.text("a" * (MAX_TEXT + 5))
    box.text("b")
    box.begin()
    box.text("c")
    assert [m.text[-1] + str(len(m.text)) for m in sent if isinstance(m, Said)] == [f"a{MAX_TEXT}", "c1"]


def test_what_waits_goes_out_when_its_time_has_come() -> None:
    sent: list[Message] = []
    box = Outbox(sent.append)
    for fraction in (0.1, 0.2):
        box.progress(Progressed(fraction=fraction))
        box.text(f"{fraction} ")
    end = time.monotonic() + 10
    while len(sent) < 4 and time.monotonic() < end:
        time.sleep(0.005)
    assert sorted(m.fraction for m in sent if isinstance(m, Progressed)) == [0.1, 0.2]
    assert "".join(m.text for m in sent if isinstance(m, Said)) == "0.1 0.2 "
