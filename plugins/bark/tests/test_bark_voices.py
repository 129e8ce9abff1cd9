"""Bark's voices: their names by rule, and which of them a worker has."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tron_plugin_bark.config import BarkConfig
from tron_plugin_bark.engines.bark_files import ModelFiles
from tron_plugin_bark.engines.bark_voices import INDEX, PARTS, BarkVoices, BrokenVoice, check_preset
from tron_plugin_bark.presets import LANGUAGES, PRESETS, is_preset, like_a_preset


def test_there_are_ten_speakers_of_thirteen_languages() -> None:
    assert (len(LANGUAGES), len(PRESETS), len(set(PRESETS))) == (13, 130, 130)
    assert {"v2/en_speaker_0", "v2/en_speaker_9", "v2/zh_speaker_3"} <= set(PRESETS)


@pytest.mark.parametrize(
    ("voice", "is_one", "is_alike"),
    [
        ("v2/en_speaker_6", True, True),
        ("de_speaker_0", True, True),
        ("announcer", True, False),
        ("v2/en_speaker_10", False, True),
        ("v2/xx_speaker_0", False, True),
        ("v3/en_speaker_0", False, True),
        ("en_US-joe-medium", False, False),
        ("v2/v2/en_speaker_6", False, False),
    ],
)
def test_a_voice_is_known_by_its_name(voice: str, is_one: bool, is_alike: bool) -> None:
    assert (is_preset(voice), like_a_preset(voice)) == (is_one, is_alike)


def voices_of(model: Path | str, **section: object) -> BarkVoices:
    config = BarkConfig.model_validate({"model": str(model), **section})
    return BarkVoices(config, ModelFiles(config))


def write_index(folder: Path, index: object) -> None:
    (folder / INDEX).write_text(json.dumps(index))


def entry(name: str) -> dict[str, str]:
    return {part: f"speaker_embeddings/{name}_{part}.npy" for part in PARTS}


def arrays() -> dict[str, np.ndarray]:
    return {part: np.zeros(4 if rows is None else (rows, 4), np.int64) for part, (rows, _) in PARTS.items()}


def write_voice(folder: Path, name: str, given: Mapping[str, np.ndarray] | None = None) -> None:
    for part, file in entry(name).items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        np.save(folder / file, (given or arrays())[part])


def test_a_model_in_a_folder_has_the_voices_whose_files_are_there(tmp_path: Path) -> None:
    names = ("v2/fr_speaker_1", "v2/en_speaker_6", "announcer", "v2/de_speaker_0")
    write_index(tmp_path, {"repo_or_path": "suno/bark", **{name: entry(name) for name in names}})
    for name in names[:3]:
        write_voice(tmp_path, name)
    assert voices_of(tmp_path).names() == ["v2/en_speaker_6", "announcer", "v2/fr_speaker_1", "random"]


def test_a_model_without_an_index_has_the_voice_that_needs_no_file(tmp_path: Path) -> None:
    assert voices_of(tmp_path).names() == ["random"]
    assert voices_of(tmp_path).load("random") is None


@pytest.mark.parametrize("text", ["no JSON", "[]", '{"a": 1, "b": {"semantic_prompt": "x"}}'])
def test_an_index_that_makes_no_sense_has_no_voices(tmp_path: Path, text: str) -> None:
    (tmp_path / INDEX).write_text(text)
    assert voices_of(tmp_path).names() == ["random"]


@pytest.mark.parametrize(
    "file", ["../secret.npy", "/etc/secret.npy", "a/../../b.npy", r"..\secret.npy", "C:secret.npy"]
)
def test_an_index_names_no_file_outside_of_the_model(tmp_path: Path, file: str) -> None:
    write_index(tmp_path, {"evil": {**entry("evil"), "fine_prompt": file}})
    write_voice(tmp_path, "evil")
    assert voices_of(tmp_path).names() == ["random"]
    with pytest.raises(BrokenVoice, match="evil"):
        voices_of(tmp_path).load("evil")


def test_a_voice_is_read_from_its_three_files(tmp_path: Path) -> None:
    write_index(tmp_path, {"v2/en_speaker_6": entry("v2/en_speaker_6")})
    write_voice(tmp_path, "v2/en_speaker_6")
    preset = voices_of(tmp_path).load("v2/en_speaker_6")
    assert preset is not None
    assert {part: array.shape for part, array in preset.items()} == {
        "semantic_prompt": (4,), "coarse_prompt": (2, 4), "fine_prompt": (8, 4),
    }  # fmt: skip


def test_a_file_that_is_none_of_numpys_is_told(tmp_path: Path) -> None:
    (tmp_path / "noise.npz").write_bytes(b"noise")
    voices = voices_of(tmp_path, voices=tmp_path)
    assert voices.names() == ["noise", "random"]
    with pytest.raises(BrokenVoice, match="the voice noise cannot be read"):
        voices.load("noise")


@pytest.mark.parametrize(
    ("part", "array", "problem"),
    [
        ("semantic_prompt", np.zeros((2, 4), int), "must be a list"),
        ("coarse_prompt", np.zeros((3, 4), int), "must be 2 rows"),
        ("fine_prompt", np.zeros((8, 0), int), "must be 8 rows"),
        ("fine_prompt", np.zeros((8, 4)), "no whole numbers"),
        ("semantic_prompt", np.array([10_000]), "outside of 0 to 9999"),
        ("coarse_prompt", np.array([[-1], [0]]), "outside of 0 to 1023"),
    ],
)
def test_tokens_that_bark_does_not_have_are_refused(part: str, array: np.ndarray, problem: str) -> None:
    with pytest.raises(BrokenVoice, match=f"the voice x.*{part}|{problem}") as caught:
        check_preset("x", {**arrays(), part: array})
    assert problem in str(caught.value)


class Cache:
    """Stands in for huggingface_hub: files of an id in ``folder``, and what is fetched from ``remote``."""

    def __init__(self, folder: Path, remote: Path, monkeypatch: pytest.MonkeyPatch, *, offline: bool = False) -> None:
        self.folder, self.remote, self.fetched = folder, remote, list[str]()
        module = ModuleType("huggingface_hub")
        module.constants = type("constants", (), {"HF_HUB_OFFLINE": offline})  # type: ignore[attr-defined]
        module.try_to_load_from_cache = self.find  # type: ignore[attr-defined]
        module.hf_hub_download = self.download  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "huggingface_hub", module)

    def find(self, model: str, name: str, revision: str | None) -> str | None:
        return str(self.folder / name) if (self.folder / name).exists() else None

    def download(self, model: str, name: str, revision: str | None) -> str:
        self.fetched.append(name)
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((self.remote / name).read_bytes())
        return str(target)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    cache, remote = tmp_path / "cache", tmp_path / "remote"
    cache.mkdir()
    remote.mkdir()
    write_index(remote, {name: entry(name) for name in ("v2/en_speaker_6", "v2/it_speaker_4")})
    write_voice(remote, "v2/en_speaker_6")
    write_voice(remote, "v2/it_speaker_4")
    return cache, remote


def test_the_published_models_offer_all_presets_before_anything_is_fetched(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    Cache(*folders, monkeypatch)
    names = voices_of("suno/bark-small").names()
    assert set(names) == {*PRESETS, "random"}
    assert (names[0], names[-1]) == ("v2/en_speaker_6", "random")
    assert voices_of("somebody/bark").names() == ["random"]


def test_a_voice_is_fetched_when_it_first_speaks(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(*folders, monkeypatch)
    voices = voices_of("suno/bark")
    assert voices.load("v2/it_speaker_4") is not None
    assert cache.fetched == [INDEX, *entry("v2/it_speaker_4").values()]
    assert voices.load("v2/it_speaker_4") is not None
    assert len(cache.fetched) == 4
    assert voices.names() == ["v2/en_speaker_6", "v2/it_speaker_4", "random"]


def test_without_a_network_there_are_the_voices_of_the_cache(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(*folders, monkeypatch, offline=True)
    assert voices_of("suno/bark").names() == ["random"]
    cache.download("suno/bark", INDEX, None)
    for file in entry("v2/it_speaker_4").values():
        cache.download("suno/bark", file, None)
    assert voices_of("suno/bark").names() == ["v2/it_speaker_4", "random"]
    problem = ModelFiles(BarkConfig(model="suno/bark")).problem()
    assert problem == "the model suno/bark is not on this machine, and HF_HUB_OFFLINE is set"
