"""Long texts are cut into messages that each read well."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tron_core.frontends.discord.splitting import split


def test_a_short_text_is_one_message() -> None:
    assert split("hello") == ["hello"]
    assert split("") == []
    assert split(" \n ") == []


def test_it_is_cut_between_paragraphs_before_lines_before_words() -> None:
    assert split("a" * 60 + "\n\n" + "b" * 60, 100) == ["a" * 60, "b" * 60]
    assert all(piece.endswith("three") for piece in split("one two three\n" * 20, 100))
    assert all(piece.endswith("word") for piece in split("word " * 50, 100))


def test_a_code_block_is_closed_and_opened_again() -> None:
    pieces = split("Look:\n```python\n" + "x = 1\n" * 40 + "```\nDone.", 100)
    assert pieces[0].startswith("Look:\n```python\nx = 1")
    assert all(piece.startswith("```python\nx = 1") for piece in pieces[1:-1])
    assert pieces[-1].endswith("Done.")
    assert sum(piece.count("x = 1") for piece in pieces) == 40


text = st.text(alphabet=st.sampled_from("ab .\n`é"), max_size=600) | st.lists(
    st.sampled_from(["```", "```py\n", "\n```\n", "word ", "\n", "x" * 90, "sentence. "]), max_size=40
).map("".join)


@given(text, st.integers(100, 300))
def test_every_piece_fits_and_is_not_blank(text: str, limit: int) -> None:
    for piece in split(text, limit):
        assert 0 < len(piece) <= limit
        assert piece.strip()


@given(text, st.integers(100, 300))
def test_fences_are_balanced_in_every_piece_that_was_cut(text: str, limit: int) -> None:
    for piece in split(text, limit):
        fences = [line for line in piece.split("\n") if line.strip().startswith("```")]
        lone = [line for line in fences if "```" not in line.strip()[3:]]
        assert not lone or len(fences) >= 2


@given(st.text(alphabet=st.sampled_from("ab .\né"), max_size=600), st.integers(100, 300))
def test_no_word_is_lost_or_doubled(text: str, limit: int) -> None:
    joined = "".join("".join(split(text, limit)).split())
    assert joined == "".join(text.split())
