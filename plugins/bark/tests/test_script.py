"""Who says what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tron_plugin_bark.script import MAX_ACTORS, Part, check_name, parts_of, read_actors, write_actors

names = st.from_regex(r"[A-Z][A-Z0-9_-]{0,10}", fullmatch=True)
voices = st.from_regex(r"[a-z][a-zA-Z0-9_/-]{0,20}", fullmatch=True)


def test_a_text_without_a_mark_is_the_narrators() -> None:
    assert parts_of("Once upon a time.") == [Part(None, "Once upon a time.")]


def test_a_mark_holds_until_the_next_one_over_lines_too() -> None:
    text = "It is late.\n{ANN}: Who is there?\nSpeak!\n{ Bob }: It is me. {}: And so they met."
    assert parts_of(text) == [
        Part(None, "It is late."),
        Part("ANN", "Who is there?\nSpeak!"),
        Part("Bob", "It is me."),
        Part(None, "And so they met."),
    ]


@pytest.mark.parametrize("text", ["", "{A}:", " {A}:\n{B}: "])
def test_marks_alone_say_nothing(text: str) -> None:
    assert parts_of(text) == []


@pytest.mark.parametrize("text", ["{a} says: no", "{two\nlines}: no", "{" + "x" * 33 + "}: no", "{{a}}"])
def test_other_braces_are_text(text: str) -> None:
    assert parts_of(text) == [Part(None, text)]


@given(text=st.text(st.sampled_from("{}: aB\n")))
def test_no_letter_outside_a_mark_is_lost(text: str) -> None:
    assert all(part.text and part.text in text for part in parts_of(text))


@given(actors=st.dictionaries(names, voices, max_size=MAX_ACTORS))
def test_actors_are_read_as_they_were_written(actors: dict[str, str]) -> None:
    assert read_actors(write_actors(actors)) == actors


@pytest.mark.parametrize("text", ["ANN", "ANN=", "=amy", "A B=amy", "ANN=amy bob", "{A}=amy"])
def test_what_is_no_actor_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        read_actors(text)


def test_there_may_be_so_many_actors_and_no_more() -> None:
    with pytest.raises(ValueError, match="21 actors are more than 20"):
        read_actors(", ".join(f"A{n}=amy" for n in range(21)))


def test_a_name_is_kept_in_capitals() -> None:
    assert check_name("Zoë") == "ZOË"
