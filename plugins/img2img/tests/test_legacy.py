"""What workers of discord-tron-master are asked to draw from a picture."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from tron_plugin_img2img.legacy import OldImage, OldVariation

SERVICE = cast(Any, SimpleNamespace(catalogue=SimpleNamespace(models={})))
PICTURE = [("image", "http://hub.test/artifacts/key/cat.png")]


def test_a_prompt_and_a_picture_are_a_picture_job() -> None:
    asked = {"prompt": "in winter", "full_prompt": "in winter, painted", "strength": 0.5}
    wire = OldImage(SERVICE).to_wire(asked, PICTURE)
    assert wire is not None
    assert (wire["module_name"], wire["image_prompt"]) == ("image_generation", "in winter, painted")
    assert (wire["image_data"], wire["config"]["strength"]) == (PICTURE[0][1], 0.5)
    assert OldVariation(SERVICE).to_wire(asked, PICTURE) is None


def test_a_picture_alone_is_a_variation() -> None:
    wire = OldVariation(SERVICE).to_wire({"prompt": ""}, PICTURE)
    assert wire is not None
    assert (wire["module_name"], wire["module_command"]) == ("image_variation", "promptless_variation")
    assert (wire["image_prompt"], wire["image_data"]) == ("", PICTURE[0][1])
    assert OldImage(SERVICE).to_wire({"prompt": ""}, PICTURE) is None


def test_a_mask_goes_to_another() -> None:
    asked = {"prompt": "in winter", "mask": "01ABC"}
    assert OldImage(SERVICE).to_wire(asked, PICTURE) is None
