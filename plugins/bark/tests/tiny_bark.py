"""Bark as small as it can be, with random weights: what it says is noise, but all of its parts run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from transformers import (
    BarkCoarseConfig,
    BarkConfig,
    BarkFineConfig,
    BarkModel,
    BarkProcessor,
    BarkSemanticConfig,
    BertTokenizer,
    EncodecConfig,
    GenerationConfig,
)

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SEMANTIC_TOKENS = 6
"""Of a line: about an eighth of a second."""


def write_model(folder: Path, *voices: str) -> None:
    """Write a model that transformers can load, with the files of ``voices``."""
    torch.manual_seed(0)
    small = {"hidden_size": 16, "num_layers": 1, "num_heads": 2, "block_size": 1024}
    config = BarkConfig(
        # The sizes of the vocabularies are written into the library.
        semantic_config=BarkSemanticConfig(input_vocab_size=129600, output_vocab_size=10048, **small).to_dict(),
        coarse_acoustics_config=BarkCoarseConfig(input_vocab_size=12096, output_vocab_size=12096, **small).to_dict(),
        fine_acoustics_config=BarkFineConfig(input_vocab_size=1056, output_vocab_size=1056, **small).to_dict(),
        codec_config=EncodecConfig(num_filters=4, hidden_size=8, codebook_dim=8, num_lstm_layers=1).to_dict(),
    )
    model = BarkModel(config)
    for layer in model.codec_model.quantizer.layers:
        layer.codebook.embed.normal_()  # a new one is all zeros, and every seed would sound alike
    model.generation_config = GenerationConfig(
        semantic_config={"do_sample": True, "max_new_tokens": SEMANTIC_TOKENS},
        coarse_acoustics_config={"do_sample": True},
        fine_acoustics_config={"temperature": 0.5},
        sample_rate=24_000,
        codebook_size=1024,
    )
    model.save_pretrained(folder)
    vocabulary = folder / "letters.txt"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    vocabulary.write_text("".join(f"{piece}\n" for piece in pieces))
    BarkProcessor(BertTokenizer(str(vocabulary))).save_pretrained(folder)
    _write_voices(folder, voices)


def _write_voices(folder: Path, voices: tuple[str, ...]) -> None:
    """As transformers lays them out: one file for each array, and an index."""
    index: dict[str, object] = {"repo_or_path": "suno/bark-small"}
    for number, voice in enumerate(voices):
        files = {part: f"speaker_embeddings/{voice}_{part}.npy" for part in arrays()}
        for part, array in arrays(number).items():
            file = folder / files[part]
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, array)
        index[voice] = files
    (folder / "speaker_embeddings_path.json").write_text(json.dumps(index))


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """The prompts of a voice, of a few tokens."""
    random = np.random.default_rng(seed)
    return {
        "semantic_prompt": random.integers(0, 10_000, 20),
        "coarse_prompt": random.integers(0, 1024, (2, 30)),
        "fine_prompt": random.integers(0, 1024, (8, 30)),
    }
