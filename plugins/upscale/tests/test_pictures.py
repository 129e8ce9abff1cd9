"""Strangers' pictures: decoded as they are meant, or refused with a reason."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tron_core.worker import ExecutorError
from tron_plugin_upscale.pictures import clean_alpha, read_picture, resize, write_png

LIMIT = 1_000_000


def saved(tmp_path: Path, image: Image.Image, name: str = "x.png", **options: object) -> Path:
    path = tmp_path / name
    image.save(path, **options)
    return path


def refusal(path: Path, max_pixels: int = LIMIT) -> str:
    with pytest.raises(ExecutorError) as caught:
        read_picture(path, max_pixels)
    assert caught.value.kind == "invalid"
    assert not caught.value.retryable
    return caught.value.message


def test_a_photo_taken_sideways_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = read_picture(saved(tmp_path, Image.new("RGB", (40, 20)), "x.jpg", exif=exif), LIMIT)
    assert picture.colour.shape == (40, 20, 3)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr"])
def test_every_colour_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = saved(tmp_path, Image.new("RGB", (4, 3), "white").convert(mode), "x.tif")
    picture = read_picture(path, LIMIT)
    assert picture.alpha is None
    assert np.array_equal(picture.colour, np.full((3, 4, 3), 255))


def test_sixteen_bits_a_pixel_keep_their_shades(tmp_path: Path) -> None:
    shades = np.array([[0, 32768, 65535]], np.uint16)
    picture = read_picture(saved(tmp_path, Image.fromarray(shades)), LIMIT)
    assert picture.colour[0, :, 0].tolist() == [0, 127, 255]


def test_transparency_is_kept_apart_and_an_opaque_one_is_dropped(tmp_path: Path) -> None:
    assert read_picture(saved(tmp_path, Image.new("RGBA", (4, 4), (9, 8, 7, 255))), LIMIT).alpha is None
    picture = read_picture(saved(tmp_path, Image.new("RGBA", (4, 4), (9, 8, 7, 100))), LIMIT)
    assert picture.alpha is not None
    assert picture.alpha[0, 0].tolist() == [100, 100, 100]
    assert picture.colour[0, 0].tolist() == [9, 8, 7]
    assert len(picture.planes) == 2


def test_a_palette_with_a_clear_colour_is_transparent(tmp_path: Path) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([255, 0, 0, 0, 255, 0])
    picture = read_picture(saved(tmp_path, image, "x.gif", transparency=1), LIMIT)
    assert picture.alpha is not None
    assert picture.alpha.max() == 0


def test_a_moving_picture_is_refused(tmp_path: Path) -> None:
    frames = [Image.new("L", (4, 4), shade) for shade in (0, 128, 255)]
    path = saved(tmp_path, frames[0], "x.gif", save_all=True, append_images=frames[1:])
    assert "several frames" in refusal(path)


def test_a_picture_with_too_many_pixels_is_refused_by_its_header(tmp_path: Path) -> None:
    message = refusal(saved(tmp_path, Image.new("L", (101, 100))), max_pixels=10_000)
    assert "101 × 100" in message
    assert "10,000" in message


@pytest.mark.parametrize("side", [10_000, 20_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    assert "1,000,000" in refusal(saved(tmp_path, Image.new("1", (side, side))))


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


def test_flat_transparency_is_exact_and_edges_stay_between_their_neighbours() -> None:
    source = np.zeros((4, 4, 3), np.uint8)
    source[:, 2:] = 255
    noisy = np.full((8, 8, 3), 7, np.uint8)
    noisy[:, 4:] = 250
    cleaned = clean_alpha(noisy, source)
    assert cleaned[0].tolist() == [0, 0, 7, 7, 250, 250, 255, 255]


def test_a_picture_is_reduced_to_the_size_asked_for() -> None:
    assert resize(np.zeros((40, 80, 3), np.uint8), 60, 30).shape == (30, 60, 3)
    assert resize(np.zeros((40, 80), np.uint8), 60, 30).shape == (30, 60)


def test_the_png_carries_texts_transparency_and_profile(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    colour, alpha = np.full((2, 3, 3), 50, np.uint8), np.full((2, 3), 9, np.uint8)
    write_png(path, colour, alpha, b"profile", {"model": "net", "note": "größer"})
    with Image.open(path) as image:
        image.load()
        assert image.text == {"model": "net", "note": "größer"}
        assert image.mode == "RGBA"
        assert image.getpixel((0, 0)) == (50, 50, 50, 9)
        assert image.info["icc_profile"] == b"profile"
