"""Cutting a text into what is said in one breath."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tron_plugin_bark.sentences import sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("A line\nand another\r\n\r\nand a last", ["A line", "and another", "and a last"]),
        ('"Stop!" she said. "Why?"', ['"Stop!"', "she said.", '"Why?"']),
        ("Dr. Smith met J. R. Ewing, e.g. on Monday.", ["Dr. Smith met J. R. Ewing, e.g. on Monday."]),
        ("Pi is 3.14. It goes on.", ["Pi is 3.14.", "It goes on."]),
        ("See tron.example.org for more.", ["See tron.example.org for more."]),
        ("It is he and I. They went.", ["It is he and I.", "They went."]),
        ("Well... maybe. we shall see.", ["Well...", "maybe. we shall see."]),
        ("元気です。今日は？", ["元気です。", "今日は？"]),
        ("   ", []),
        ("", []),
    ],
)
def test_examples(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_a_long_sentence_is_cut_at_its_best_pause() -> None:
    text = "the first half, with a comma; then the second half goes on"
    assert sentences(text, limit=40) == ["the first half, with a comma;", "then the second half goes on"]


def test_words_stay_whole_where_they_can() -> None:
    assert sentences("alpha beta gamma delta", limit=12) == ["alpha beta", "gamma delta"]
    assert sentences("x" * 25, limit=10) == ["x" * 10, "x" * 10, "x" * 5]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b c d e", ["a b", "c d", "e"]),
        ("One two three. Four five", ["One two", "three.", "Four five"]),
        ("元気です今日は", ["元気です", "今日は"]),
        ("한국어를 말해요", ["한국어를", "말해요"]),
        ("one two", ["one two"]),
    ],
)
def test_no_piece_has_more_words_than_asked_for(text: str, expected: list[str]) -> None:
    assert sentences(text, words=2) == expected


PROSE = st.text(st.sampled_from("ab IZ.!?…。,;:—\"'”)\n\t3"), max_size=200)


@given(
    text=st.one_of(PROSE, st.text(max_size=200)),
    limit=st.integers(1, 60),
    words=st.one_of(st.none(), st.integers(1, 8)),
)
def test_nothing_but_white_space_is_lost_and_every_piece_is_short_and_tidy(
    text: str, limit: int, words: int | None
) -> None:
    pieces = sentences(text, limit, words)
    assert "".join("".join(pieces).split()) == "".join("".join(text.splitlines()).split())
    for piece in pieces:
        assert 0 < len(piece) <= limit
        assert piece == piece.strip()


@given(text=PROSE)
def test_cutting_a_piece_again_leaves_it_whole(text: str) -> None:
    assert all(sentences(piece) == [piece] for piece in sentences(text))
