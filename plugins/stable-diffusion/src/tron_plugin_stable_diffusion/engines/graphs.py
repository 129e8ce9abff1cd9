"""A model folder as ONNX graphs: what turns words, noise and pictures into one another.

The graphs hold no weights of their own: they point into the .safetensors files of the folder, as diffusers does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime
from PIL import Image

from tron_plugin_stable_diffusion.engines.solvers import Array, Schedule
from tron_plugin_stable_diffusion.folders import MIB

THREADS: Final = 2
"""Of each graph, the same on every machine: how sums are split among threads decides how they round."""
_GRAPHS: Final = ("text_encoder", "unet", "encoder", "decoder")


class Graphs:
    """The parts of a model, loaded. Latents are (1, channels, height, width), scaled as the U-Net knows them."""

    def __init__(self, folder: Path) -> None:
        """Load the folder; raises OSError, KeyError or ValueError for one that is not whole."""
        sizes = [_size(folder / f"{name}.onnx") for name in _GRAPHS]
        sizes += [path.stat().st_size for path in folder.rglob("*.safetensors")]
        # Weights are stored in half precision and computed with in single.
        self.memory_mb = 2 * sum(sizes) / MIB
        self.scheduler = _config(folder / "scheduler" / "scheduler_config.json")
        self._words = _Words(folder / "tokenizer")
        unet, vae = _config(folder / "unet" / "config.json"), _config(folder / "vae" / "config.json")
        self._scale = np.float32(vae["scaling_factor"])
        side = int(unet["sample_size"])
        self.latent_shape = (1, int(unet["in_channels"]), side, side)
        pixels = side * 2 ** (len(vae["encoder_block_out_channels"]) - 1)
        self.native = (pixels, pixels)
        self.revision = _revision(folder)
        Schedule(self.scheduler, 1)
        self._sessions = {name: _session(folder / f"{name}.onnx") for name in _GRAPHS}

    def read_texts(self, texts: Sequence[str]) -> Array:
        """What the U-Net attends to for each of `texts`."""
        return self._run("text_encoder", np.array([self._words.tokens(text) for text in texts], dtype=np.int64))

    def predict(self, latents: Array, time: int, texts: Array) -> Array:
        """The U-Net's output for the same latents under each of `texts`."""
        repeated = np.repeat(latents, len(texts), axis=0)
        return self._run("unet", repeated, np.array([time] * len(texts), dtype=np.int64), texts)

    def encode(self, picture: Image.Image) -> Array:
        """The latents of a picture of the native size."""
        pixels = np.asarray(picture.convert("RGB"), dtype=np.float32) / np.float32(127.5) - np.float32(1)
        return self._run("encoder", np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])) * self._scale

    def decode(self, latents: Array) -> Image.Image:
        """The picture of some latents."""
        pixels = self._run("decoder", latents / self._scale)[0].transpose(1, 2, 0)
        return Image.fromarray(np.rint((np.clip(pixels, -1, 1) + 1) * 127.5).astype(np.uint8), "RGB")

    def close(self) -> None:
        """Drop the weights."""
        self._sessions.clear()

    def _run(self, graph: str, *inputs: npt.NDArray[Any]) -> Array:
        session = self._sessions[graph]
        names = [given.name for given in session.get_inputs()]
        output: Array = session.run(None, dict(zip(names, inputs, strict=True)))[0]
        return output


class _Words:
    """The model's tokenizer: a token a word."""

    def __init__(self, folder: Path) -> None:
        config = _config(folder / "tokenizer_config.json")
        self._ids: dict[str, int] = _config(folder / "tokenizer.json")["model"]["vocab"]
        self._most = int(config["model_max_length"])
        self._start, self._end = self._ids[config["bos_token"]], self._ids[config["eos_token"]]
        self._padding, self._unknown = self._ids[config["pad_token"]], self._ids[config["unk_token"]]

    def tokens(self, text: str) -> list[int]:
        words = [self._ids.get(word, self._unknown) for word in text.split()][: self._most - 2]
        tokens = [self._start, *words, self._end]
        return tokens + [self._padding] * (self._most - len(tokens))


def _config(path: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return config


def _size(path: Path) -> int:
    return path.stat().st_size


def _revision(folder: Path) -> str:
    """A name for exactly these weights, as there is no commit to name."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
