"""Strangers' pictures: decoded as they are meant, or refused with a reason."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tron_core.worker import ExecutorError
from tron_plugin_img2img import reading
from tron_plugin_img2img.reading import read_mask, read_picture


def saved(tmp_path: Path, image: Image.Image, name: str = "x.png", **options: object) -> Path:
    path = tmp_path / name
    image.save(path, **options)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ExecutorError) as caught:
        read_picture("image", path)
    assert caught.value.kind == "invalid"
    return caught.value.message


def test_a_photo_taken_sideways_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert read_picture("image", saved(tmp_path, Image.new("RGB", (40, 20)), "x.jpg", exif=exif)).size == (20, 40)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr"])
def test_every_colour_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    picture = read_picture("image", saved(tmp_path, Image.new("RGB", (4, 3), "white").convert(mode), "x.tif"))
    assert picture.mode == "RGB"
    assert picture.getextrema() == ((255, 255),) * 3


def test_sixteen_bits_a_pixel_keep_their_shades(tmp_path: Path) -> None:
    shades = np.array([[0, 32768, 65535]], np.uint16)
    picture = read_picture("image", saved(tmp_path, Image.fromarray(shades)))
    assert np.asarray(picture)[0, :, 0].tolist() == [0, 127, 255]


def test_what_is_transparent_becomes_white_in_a_picture_and_black_in_a_mask(tmp_path: Path) -> None:
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    image.putpixel((1, 0), (255, 255, 255, 255))
    path = saved(tmp_path, image)
    assert np.asarray(read_picture("image", path)).tolist() == [[[255, 255, 255], [255, 255, 255]]]
    assert np.asarray(read_mask(path)).tolist() == [[0, 255]]


def test_of_a_picture_that_moves_the_first_frame_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "green")]
    path = saved(tmp_path, frames[0], "x.gif", save_all=True, append_images=frames[1:])
    assert read_picture("image", path).getpixel((0, 0)) == (255, 0, 0)


def test_a_picture_with_too_many_pixels_is_refused_by_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_PIXELS", 10_000)
    message = refusal(saved(tmp_path, Image.new("L", (101, 100))))
    assert "101 × 100" in message
    assert "10,000" in message


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    assert "64,000,000" in refusal(saved(tmp_path, Image.new("1", (20_000, 20_000))))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_picture_is_refused(tmp_path: Path, kind: str, share: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    whole = io.BytesIO()
    Image.fromarray(noise).save(whole, kind)
    path = tmp_path / "cut"
    path.write_bytes(whole.getvalue()[: int(len(whole.getvalue()) * share)])
    assert refusal(path).startswith("image: ")


def test_what_is_no_picture_is_refused_with_what_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"%PDF-1.7 not a picture")
    assert "PNG, JPEG" in refusal(path)
    with pytest.raises(ExecutorError, match="mask: "):
        read_mask(path)
