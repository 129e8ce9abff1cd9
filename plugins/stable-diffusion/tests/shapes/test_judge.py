"""The judge of obedience, on pictures of which the truth is known because they were drawn, not generated."""

from __future__ import annotations

import numpy as np

from tron_plugin_stable_diffusion.vocabulary import Caption, Shape


def test_a_drawn_picture_obeys_its_own_caption_and_hardly_any_other() -> None:
    import draw
    import judge

    rng = np.random.default_rng(3)
    captions = [draw.random_caption(rng) for _ in range(150)]
    pictures = draw.draw([draw.arrange(caption, rng) for caption in captions])
    assert [
        caption for caption, picture in zip(captions, pictures, strict=True) if judge.faults(caption, picture)
    ] == []
    others = np.roll(pictures, 1, axis=0)
    obeyed = sum(not judge.faults(caption, picture) for caption, picture in zip(captions, others, strict=True))
    assert obeyed <= 3


def test_each_contradiction_is_named() -> None:
    import draw
    import judge

    middle = draw.SIDE / 2
    shapes = draw.Placed("circle", "red", 24.0, middle, 24.0), draw.Placed("square", "blue", 36.0, middle, 70.0)
    picture = draw.draw([draw.Scene("light", shapes)])[0]
    circle, square = Shape("circle", "red"), Shape("square", "blue")
    assert judge.faults(Caption((circle, square), relation="above"), picture) == []
    wrong = {
        "relation": Caption((circle, square), relation="below"),
        "side": Caption((circle, square), relation="left of"),
        "colour": Caption((Shape("circle", "green"), square)),
        "kind": Caption((Shape("triangle", "red"), square)),
        "size": Caption((Shape("circle", "red", "large"), square)),
        "number": Caption((circle,)),
        "background": Caption((circle, square), background="white"),
    }
    assert {name for name, caption in wrong.items() if not judge.faults(caption, picture)} == set()


def test_a_spot_that_is_no_shape_is_not_taken_for_one() -> None:
    import draw
    import judge

    picture = draw.draw([draw.Scene("light", ())])[0]
    picture[20:30, 20:60] = draw.PALETTE["red"]
    picture[20:60, 20:30] = draw.PALETTE["red"]
    assert [(shape.kind, shape.colour) for shape in judge.look(picture).shapes] == [(None, "red")]
    assert judge.faults(Caption((Shape(None, "red"),)), picture) != []
