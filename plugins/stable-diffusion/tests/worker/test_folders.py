from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from tron_plugin_stable_diffusion import folders

INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.42.1",
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "scheduler": ["diffusers", "PNDMScheduler"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "feature_extractor": [None, None],
    "requires_safety_checker": True,
}


def safetensors(file: Path, shapes: dict[str, list[int]]) -> Path:
    """A file with a right header and no data: only the header is read."""
    entries = {name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]} for name, shape in shapes.items()}
    header = json.dumps({"__metadata__": {"format": "pt"}, **entries}).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(struct.pack("<Q", len(header)) + header)
    return file


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model_index.json").write_text(json.dumps(INDEX))
    for part in ("unet", "vae"):
        safetensors(folder / part / "diffusion_pytorch_model.safetensors", {"a": [1024, 256], "b": [1]})
    safetensors(folder / "safety_checker" / "model.safetensors", {"c": [2, 3]})
    for part in ("scheduler", "tokenizer"):
        (folder / part).mkdir()
    return folder


def test_a_complete_folder_has_no_problem(model: Path) -> None:
    assert folders.problem(model) is None


@pytest.mark.parametrize(
    "kind",
    ["CLIPTokenizerFast", "TokenizersBackend", "CLIPImageProcessor", "CLIPImageProcessorPil", "CLIPFeatureExtractor"],
)
def test_a_tokenizer_or_processor_of_any_name_needs_no_weights(model: Path, kind: str) -> None:
    (model / "model_index.json").write_text(json.dumps({**INDEX, "tokenizer": ["transformers", kind]}))
    assert folders.problem(model) is None


@pytest.mark.parametrize("part", ["unet", "tokenizer"])
def test_a_part_that_is_not_there_is_named(model: Path, part: str) -> None:
    (model / part).rename(model.parent / part)
    assert folders.problem(model) == f"{model} has no {part}/, which its model_index.json names"


def test_a_part_without_weights_is_named(model: Path) -> None:
    (model / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    assert folders.problem(model) == f"{model / 'vae'} has no weights (.safetensors or .bin)"


def test_an_optional_part_may_be_missing(model: Path) -> None:
    (model / "safety_checker").rename(model.parent / "elsewhere")
    assert folders.problem(model, optional=["safety_checker"]) is None
    assert folders.problem(model) is not None


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "it has no model_index.json"), ("{", "cannot be read"), ("[]", "is no JSON object")],
)
def test_a_folder_without_an_index_is_none_of_diffusers(tmp_path: Path, content: str | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / "model_index.json").write_text(content)
    assert sentence in str(folders.problem(tmp_path))


def test_memory_is_counted_in_the_type_that_is_loaded(model: Path) -> None:
    values = 2 * (1024 * 256 + 1) + 6
    assert folders.memory_mb(model, 4) == pytest.approx(4 * values / folders.MIB)
    assert folders.memory_mb(model, 2) == pytest.approx(2 * values / folders.MIB)


def test_memory_of_a_single_file(tmp_path: Path) -> None:
    file = safetensors(tmp_path / "checkpoint.safetensors", {"a": [512, 512]})
    assert folders.memory_mb(file, 4) == 1.0
    assert folders.tensors(file) == {"a": (512, 512)}


@pytest.mark.parametrize("content", [b"", b"abc", struct.pack("<Q", 2**60), struct.pack("<Q", 2) + b"[]"])
def test_what_is_no_safetensors_file_is_said(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"is no \.safetensors file"):
        folders.tensors(file)


def files(folder: Path, *names: str) -> list[str]:
    for name in names:
        safetensors(folder / name, {}) if name.endswith("safetensors") else (folder / name).write_bytes(b"x")
    return [file.name for file in folders.weight_files(folder)]


def test_plain_safetensors_go_before_variants_and_pickles(tmp_path: Path) -> None:
    plain, half, pickled = "model.safetensors", "model.fp16.safetensors", "pytorch_model.bin"
    assert files(tmp_path, pickled) == [pickled]
    assert files(tmp_path, half) == [half]
    assert files(tmp_path, plain) == [plain]


def test_all_pieces_of_sharded_weights_count(tmp_path: Path) -> None:
    shards = [f"diffusion_pytorch_model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    assert files(tmp_path, *shards) == shards


def test_the_variant_is_what_there_is_instead_of_plain_weights(model: Path) -> None:
    assert folders.variant(model) is None
    (model / "unet" / "diffusion_pytorch_model.safetensors").rename(
        model / "unet" / "diffusion_pytorch_model.fp16.safetensors"
    )
    assert folders.variant(model) == "fp16"


def test_the_revision_of_a_snapshot_is_its_commit(tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshots" / ("ab12" * 10)
    snapshot.mkdir(parents=True)
    assert folders.revision(snapshot) == "ab12" * 10


def test_the_revision_of_another_folder_changes_with_its_files_and_not_with_its_place(model: Path) -> None:
    first = folders.revision(model)
    assert first.startswith("sha256:")
    moved = model.rename(model.parent / "moved")
    assert folders.revision(moved) == first
    safetensors(moved / "vae" / "diffusion_pytorch_model.safetensors", {"a": [7]})
    assert folders.revision(moved) != first


def test_the_revision_of_a_single_file_is_its_name_and_size(tmp_path: Path) -> None:
    file = safetensors(tmp_path / "a.safetensors", {"a": [1]})
    first: Any = folders.revision(file)
    safetensors(file, {"a": [1000]})
    assert folders.revision(file) != first
