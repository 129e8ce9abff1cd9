"""Bark in memory. The only module of the plugin that imports torch and transformers."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, TypeVar

import numpy as np
import torch

from tron_core.worker import ExecutorError
from tron_plugin_bark.config import BarkConfig
from tron_plugin_bark.engines import Sound
from tron_plugin_bark.engines.bark_files import ModelFiles
from tron_plugin_bark.engines.bark_voices import Preset

MIN_EOS = 0.2
"""The probability of its end at which a sentence ends; Bark's authors take this one, and without it Bark goes on and
makes noises (BarkSemanticGenerationConfig in transformers)."""

_OUT_OF_MEMORY = re.compile(r"out of memory|(can't|cannot) allocate memory|not enough memory", re.IGNORECASE)

T = TypeVar("T")


def find_device(wanted: str) -> str:
    """``wanted``, or for ``auto`` the best that torch finds: ``cuda``, ``mps`` or ``cpu``."""
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def device_problem(config: BarkConfig) -> str | None:
    """A sentence where the section asks for what this machine has not."""
    device = find_device(config.device)
    if device.startswith("cuda") and (torch.device(device).index or 0) >= torch.cuda.device_count():
        return f"device = {device!r} ([executors.bark]): torch finds {torch.cuda.device_count()} CUDA devices here"
    if device == "mps" and not torch.backends.mps.is_available():
        return "device = 'mps' ([executors.bark]): torch finds no such device here"
    if config.cpu_offload and not device.startswith("cuda"):
        return f"cpu_offload = true ([executors.bark]) is for a CUDA device, and this is {device}"
    return None


class BarkOnTorch:
    """The model and its tokenizer. Raises ExecutorError where they cannot be loaded."""

    def __init__(self, config: BarkConfig, files: ModelFiles) -> None:
        self._device = find_device(config.device)
        dtype = _dtype(config.dtype, self._device)
        try:
            self._guarded(lambda: self._load(config, files.source, dtype))
        except (OSError, ValueError) as error:
            raise ExecutorError(f"the model {files.name} cannot be loaded: {error}") from error
        self.facts: dict[str, Any] = {
            "model": files.name,
            "device": _described(self._device),
            "dtype": str(dtype).removeprefix("torch."),
            "libraries": {name: version(name) for name in ("torch", "transformers")},
        }
        if commit := getattr(self._model.config, "_commit_hash", None):
            self.facts["revision"] = commit

    def sow(self, seed: int | None) -> None:
        """What is said from now on follows from ``seed``; None is a new beginning each time."""
        if seed is None:
            torch.seed()
        else:
            torch.manual_seed(seed)

    def say(self, text: str, preset: Preset | None, check: Callable[[], None]) -> Sound:
        """The sound of one line, none for what has no letter or digit; ``check`` is called for each token, and what it
        raises passes through. Raises ExecutorError (out_of_memory)."""
        rate = int(self._model.generation_config.sample_rate)
        if not any(map(str.isalnum, text)):
            return Sound(rate, np.zeros(0, np.int16))
        audio = self._guarded(lambda: self._generate(text, preset, check))
        return Sound(rate, np.rint(np.clip(audio, -1, 1) * 32767).astype(np.int16))

    def _load(self, config: BarkConfig, source: str, dtype: torch.dtype) -> None:
        from transformers import BarkModel, BarkProcessor

        # Without an index of voices: they are read, and checked, in bark_voices.
        self._processor: Any = BarkProcessor.from_pretrained(
            source, speaker_embeddings_dict_path=None, revision=config.revision
        )
        self._model: Any = BarkModel.from_pretrained(source, dtype=dtype, revision=config.revision).eval()
        # A piece that ends before it begins would have no frame to decode.
        self._model.generation_config.semantic_config.setdefault("min_new_tokens", 2)
        if config.cpu_offload:
            self._model.enable_cpu_offload(torch.device(self._device).index or 0)
        else:
            self._model.to(self._device)

    def _generate(self, text: str, preset: Preset | None, check: Callable[[], None]) -> np.ndarray:
        def go_on(tokens: torch.Tensor, scores: Any, **others: Any) -> torch.Tensor:
            check()
            return torch.zeros(tokens.shape[0], dtype=torch.bool, device=tokens.device)

        given = dict(preset) if preset else None
        inputs = self._processor(text, voice_preset=given).to(self._device)
        audio = self._model.generate(**inputs, min_eos_p=MIN_EOS, stopping_criteria=[go_on])
        samples: np.ndarray = audio[0].float().cpu().numpy()
        return samples

    def _guarded(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except RuntimeError as error:
            if not _OUT_OF_MEMORY.search(str(error)):
                raise
            reason = str(error).partition("\n")[0]
        # Outside of the handler: its traceback would hold what fills the memory.
        if self._device.startswith("cuda"):
            torch.cuda.empty_cache()
        raise ExecutorError(
            f"Bark: {reason} Less is needed with cpu_offload = true or dtype = 'float16' in [executors.bark].",
            "out_of_memory",
        )


def _dtype(wanted: str, device: str) -> torch.dtype:
    if wanted == "auto":
        return torch.float16 if device.startswith("cuda") else torch.float32
    dtype: torch.dtype = getattr(torch, wanted)
    return dtype


def _described(device: str) -> str:
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.startswith("cuda") else device
