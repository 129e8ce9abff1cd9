"""Finding voices by the names of their files."""

from __future__ import annotations

import sys
from pathlib import Path

from tron_plugin_bark import VOICES
from tron_plugin_bark.engines.piper_voices import PACKAGE, find_voices, packaged_folder


def test_a_voice_is_a_network_with_its_description(tmp_path: Path) -> None:
    for name in ("b.onnx", "b.onnx.json", "a.onnx", "a.onnx.json", "bare.onnx", "notes.json"):
        (tmp_path / name).touch()
    assert find_voices(tmp_path) == {"a": tmp_path / "a.onnx", "b": tmp_path / "b.onnx"}


def test_a_folder_that_is_not_there_has_no_voices(tmp_path: Path) -> None:
    assert find_voices(tmp_path / "absent") == {}


def test_the_package_is_found_without_being_imported() -> None:
    folder = packaged_folder()
    assert folder is not None
    assert tuple(find_voices(folder)) == VOICES
    assert PACKAGE not in sys.modules
