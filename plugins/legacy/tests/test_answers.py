"""What the texts of a client mean."""

from __future__ import annotations

import pytest

from tron_plugin_legacy import answers


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("It seems we had an error while generating this image!\n```CUDA out of memory\n```", "CUDA out of memory"),
        ("It seems we had an error while generating this image!\n```python\nKeyError: 'x'\n```", "KeyError: 'x'"),
        ("It seems we had an error while generating this image!", "the worker says that it failed, and not why"),
        ("We pooped the bed!", "the worker says that it failed, and not why"),
        ("We pooped the bed when generating your audio!\nno such voice", "no such voice"),
        ("It seems we had a good day", None),
        ("", None),
    ],
)
def test_a_failure_is_known_by_how_it_begins(text: str, reason: str | None) -> None:
    assert answers.failure(text) == reason


def test_a_reason_is_bounded() -> None:
    assert len(answers.failure("We pooped the bed!\n" + "x" * 10_000) or "") == answers.MAX_REASON


@pytest.mark.parametrize(
    ("text", "fraction"),
    [
        ("`████████------------` 40% complete!", 0.4),
        ("`--------------------` 0% complete!", 0.0),
        ("`████████████████████` 100.0 % complete!", 1.0),
        ("`████` 900% complete!", 1.0),
        ("100% of your request is being processed", None),
        ("Thinking!", None),
    ],
)
def test_progress_stands_behind_a_bar(text: str, fraction: float | None) -> None:
    assert answers.fraction(text) == fraction


@pytest.mark.parametrize(
    ("text", "prompt", "answer"),
    [
        ("<@1>: `Why?`Because.", "Why?", "Because."),
        ("<@1>: `Why?`\nBecause.", "Why?", "Because."),
        ("<@!1> ```Why?```\nBecause.", "Why?", "Because."),
        ("<@1>: `Why `so`?`\nBecause `it` is.", "Why `so`?", "Because `it` is."),
        ("<@1>: `one\ntwo`\nthree", "one\ntwo", "three"),
        ("<@1>: Because.", "Why?", "Because."),
        ("<@1>: `Another`\nBecause.", "Why?", "`Another`\nBecause."),
        ("Because.", "", "Because."),
        ("", "Why?", ""),
    ],
)
def test_an_answer_stands_behind_mention_and_prompt(text: str, prompt: str, answer: str) -> None:
    assert answers.answer(text, prompt) == answer


def test_an_answer_is_bounded() -> None:
    assert len(answers.answer("<@1>: `Why?`" + "x" * 1_000_000, "Why?")) == answers.MAX_TEXT
