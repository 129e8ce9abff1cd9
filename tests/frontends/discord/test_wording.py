"""What a member reads while a job waits and runs."""

from __future__ import annotations

import pytest

from tron_core.frontends.discord.wording import Shown, about, changed, plain, sentence


def test_a_waiting_job_says_its_position_and_an_estimate() -> None:
    assert sentence(Shown(position=3, eta_seconds=41)) == "⏳ Queued, position 3, about 40 s"
    assert sentence(Shown()) == "⏳ Queued"
    assert sentence(Shown(message="No worker for this now.")) == "⏳ Queued\n-# No worker for this now."


def test_a_running_job_says_how_far_it_is_and_who_does_it() -> None:
    shown = changed(Shown(position=1), "state", {"state": "running", "worker": "gpu-1"})
    shown = changed(shown, "progress", {"fraction": 0.5, "step": 15, "steps": 30})
    assert sentence(shown) == "`██████░░░░░░` 50% · step 15 of 30 · gpu-1"


def test_partial_texts_add_up_and_begin_anew_with_the_next_attempt() -> None:
    shown = Shown()
    for seq, text in enumerate(["Once ", "upon "]):
        shown = changed(shown, "partial", {"seq": seq, "text": text})
    assert shown.text == "Once upon "
    assert changed(shown, "partial", {"seq": 0, "text": "Again"}).text == "Again"


def test_of_a_long_text_its_end_is_shown() -> None:
    said = sentence(Shown("running", text="x" * 5000 + "END", fraction=0.2))
    assert len(said) <= 2000
    assert "END" in said


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "about 1 s"), (7.4, "about 7 s"), (41, "about 40 s"), (130, "about 2 min"), (7300, "about 2 h")],
)
def test_an_estimate_is_no_more_exact_than_it_is(seconds: float, words: str) -> None:
    assert about(seconds) == words


@pytest.mark.parametrize(("value", "words"), [(True, "on"), (False, "off"), (7, "7"), ("loud", "loud")])
def test_a_value_is_shown_as_people_type_it(value: object, words: str) -> None:
    assert plain(value) == words
