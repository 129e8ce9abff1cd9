"""How a prompt is read as a caption of tron/shapes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tron_plugin_stable_diffusion.vocabulary import (
    COLOURS,
    KINDS,
    MOST_SHAPES,
    PLACES,
    RELATIONS,
    SIZES,
    WORDS,
    Caption,
    Shape,
    read,
)

shapes = st.builds(Shape, *(st.none() | st.sampled_from(words) for words in (KINDS, COLOURS, SIZES)))
backgrounds = st.none() | st.sampled_from(COLOURS)
singles = st.builds(
    lambda shape, place, background: Caption((shape,), None, place, background),
    *(shapes, st.none() | st.sampled_from(PLACES), backgrounds),
)
pairs = st.builds(
    lambda one, other, relation, background: Caption((one, other), relation, None, background),
    *(shapes, shapes, st.none() | st.sampled_from(RELATIONS), backgrounds),
)
captions = (singles | pairs).filter(lambda caption: caption.background not in [s.colour for s in caption.shapes])


@given(captions)
def test_reading_a_captions_text_gives_the_caption(caption: Caption) -> None:
    reading = read(str(caption))
    assert reading.caption == caption
    assert reading.ignored == ()


@given(captions)
def test_a_captions_text_keeps_to_the_tokenizers_words(caption: Caption) -> None:
    assert set(str(caption).split()) <= set(WORDS)


@given(st.text())
def test_any_text_is_read_as_a_caption_of_the_grammar(text: str) -> None:
    caption = read(text).caption
    assert len(caption.shapes) <= MOST_SHAPES
    assert set(str(caption).split()) <= set(WORDS)
    assert caption.relation is None or len(caption.shapes) == MOST_SHAPES
    assert caption.place is None or len(caption.shapes) == 1


@given(st.lists(st.sampled_from([*WORDS, "to", "please", "ball", "over", ",", "left of", "purple"]), max_size=15))
def test_no_word_is_both_understood_and_unheard_of(words: list[str]) -> None:
    reading = read(" ".join(words))
    assert ("purple" in words) == ("purple" in reading.ignored)
    assert ("please" in words) == ("please" in reading.ignored)
    assert {"purple", "please"}.isdisjoint(reading.understood)


@given(st.lists(st.sampled_from([*WORDS, "to", "ball", "over", ",", "left of"]), max_size=15))
def test_reading_twice_changes_nothing(words: list[str]) -> None:
    caption = read(" ".join(words)).caption
    assert read(str(caption)).caption == caption


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("a red circle above a blue square", "a red circle above a blue square"),
        ("please a RED ball over a square", "a red circle above a square"),
        ("Red circle, blue square", "a red circle and a blue square"),
        ("a tiny dot to the left of a huge green box", "a small circle left of a large green square"),
        ("a box on the right side of a pyramid", "a square right of a triangle"),
        ("white triangle on top of a red square", "a white triangle above a red square"),
        (
            "a black square underneath a circle on yellow background",
            "a black square below a circle on a yellow background",
        ),
        ("a circle at the top", "a circle at the top"),
        ("a big circle in the upper half", "a large circle at the top"),
        ("a circle in red", "a red circle"),
        ("a circle, the background is blue", "a circle on a blue background"),
        ("red", "a red shape"),
        ("red and blue", "a red shape and a blue shape"),
        ("a yellow background", "a shape on a yellow background"),
        ("a green square on a plain light background", "a green square"),
        ("two squares", "a square"),
        ("", ""),
        ("a cat in a hat", ""),
    ],
)
def test_prompts_are_read_as_people_mean_them(prompt: str, text: str) -> None:
    assert str(read(prompt).caption) == text


@pytest.mark.parametrize(
    ("prompt", "ignored"),
    [
        ("please a RED ball over a square", ["please"]),
        ("a purple circle!", ["purple"]),
        ("a photo of a red circle, highly detailed", ["photo", "highly", "detailed"]),
        ("a red circle, a blue square and a green triangle", ["green", "triangle"]),
        ("a red blue circle", ["blue"]),
        ("a red circle above a blue square below a white triangle", ["below", "white", "triangle"]),
        ("a red circle on a red background", ["red background"]),
        ("above a red circle", ["above"]),
        ("a red circle and a blue square at the top", ["at the top"]),
        ("ein rotes Dreieck", ["ein", "rotes", "dreieck"]),
        ("an orange-coloured thing", ["orange", "coloured"]),
    ],
)
def test_what_cannot_be_drawn_is_named(prompt: str, ignored: list[str]) -> None:
    assert list(read(prompt).ignored) == ignored


def test_what_was_understood_is_named_as_it_was_written() -> None:
    assert read("please a RED ball over a square").understood == ("red", "ball", "over", "square")
