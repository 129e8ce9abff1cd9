from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tron_core.worker import ExecutorError
from tron_plugin_stable_diffusion import picture_filters

RED, BLUE = Image.new("RGB", (1, 1), "red"), Image.new("RGB", (1, 1), "blue")

FILTERS = """
def no_red(pictures, params):
    return [picture.getpixel((0, 0)) == (255, 0, 0) for picture in pictures]

def as_asked(pictures, params):
    return [params["prompt"] == "all"] * len(pictures)

def too_few(pictures, params):
    return []

def broken(pictures, params):
    raise KeyError("weights")
"""

Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Install:
    """Install functions of FILTERS as filters, as a package's metadata would."""

    def install(*names: str) -> None:
        (tmp_path / "strict_filters.py").write_text(FILTERS)
        info = tmp_path / "strict_filters-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strict-filters\nVersion: 1\n")
        lines = [f"{name} = strict_filters:{name}" for name in names]
        (info / "entry_points.txt").write_text("\n".join([f"[{picture_filters.GROUP}]", *lines]))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "strict_filters", raising=False)

    return install


def test_without_a_filter_nothing_is_withheld() -> None:
    assert picture_filters.withheld([RED, BLUE], {"prompt": ""}) == [False, False]


def test_what_any_filter_withholds_is_withheld(install: Install) -> None:
    install("as_asked", "no_red")
    assert picture_filters.withheld([RED, BLUE], {"prompt": ""}) == [True, False]
    assert picture_filters.withheld([RED, BLUE], {"prompt": "all"}) == [True, True]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("broken", "the picture filter broken failed: KeyError: 'weights'"),
        ("too_few", "the picture filter too_few gave 0 answers for 2 pictures"),
        ("absent", "the picture filter absent failed: AttributeError"),
    ],
)
def test_a_filter_that_fails_fails_the_job(install: Install, name: str, sentence: str) -> None:
    install(name)
    with pytest.raises(ExecutorError) as raised:
        picture_filters.withheld([RED, BLUE], {"prompt": ""})
    assert raised.value.message.startswith(sentence)
