"""What draws: the contract between the executors and the libraries that run a model.

Nothing heavy is imported here; an engine's module imports its library, and is imported when a model is opened.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from tron_core.worker import ExecutorError

if TYPE_CHECKING:
    from PIL.Image import Image

Preview = Callable[[], "Image"]
"""Makes a small picture of what is there so far; costs nothing until it is called."""

OnStep = Callable[[int, int, Preview | None], None]
"""Called after each denoising step with the steps done, the steps in all, and how to make a preview (of the first
picture of the batch), where the engine can. What it raises, Cancelled above all, passes through ``generate``."""

EngineKind = Literal["auto", "onnx", "diffusers"]


@dataclass(frozen=True, slots=True)
class SchedulerConfig:
    """A sampling method: the name of a scheduler class of diffusers and what its configuration is changed by."""

    class_name: str
    args: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> SchedulerConfig:
        """Read ``{"class": "EulerDiscreteScheduler", "args": {…}}``; raises ExecutorError (invalid)."""
        try:
            given = json.loads(text)
            class_name, args = given["class"], given.get("args", {})
        except (ValueError, KeyError, TypeError, AttributeError):
            class_name, args = None, None
        if not isinstance(class_name, str) or not isinstance(args, dict):
            raise ExecutorError(
                f'scheduler_config: {text[:200]!r} is not {{"class": CLASS, "args": {{…}}}} of diffusers', "invalid"
            )
        return cls(class_name, args)


@dataclass(frozen=True, slots=True)
class PictureRequest:
    """One batch. ``width`` and ``height`` in pixels are multiples of 8; picture ``i`` is made from ``seeds[i]`` alone.

    ``images``: what to begin from; empty, one for all, or one for each seed, of the size that is asked for.
    ``strength``: how much of it is made anew (1: all). ``mask``: white where it is made anew.
    ``loras``: names of adapters with their weights. ``deterministic``: the same bytes each time on one kind of machine,
    however slow; the executor then asks for one seed at a time. ``checked``: whether the model's own safety checker,
    if any, looks at the pictures.
    """

    prompt: str
    negative_prompt: str
    steps: int
    guidance: float
    guidance_rescale: float
    seeds: tuple[int, ...]
    width: int
    height: int
    scheduler: SchedulerConfig | None = None
    images: tuple[Image, ...] = ()
    strength: float = 1.0
    mask: Image | None = None
    loras: tuple[tuple[str, float], ...] = ()
    deterministic: bool = False
    checked: bool = True


@dataclass(frozen=True, slots=True)
class Made:
    """The pictures of a batch, in the order of the seeds.

    ``facts`` go into the job's output as they are (JSON): ``scheduler`` (the class that ran), ``dtype``, ``device``
    (with the GPU's name), ``revision``, ``libraries`` (versions by name); an engine of a small vocabulary adds
    ``understood`` and ``ignored`` (lists of words), one that had to leave something out ``notes`` (sentences).
    ``flagged``: for each picture, whether the model's own safety checker refuses it; empty where it has none.
    """

    images: list[Image]
    facts: Mapping[str, Any]
    flagged: tuple[bool, ...] = ()


class Engine(Protocol):
    """A model in memory."""

    name: str
    """The name that people ask for."""
    memory_mb: float
    """What it holds while it is loaded, in MiB."""
    native: tuple[int, int]
    """The width and height that it was trained for, in pixels; taken where nobody asks for another."""

    def generate(self, request: PictureRequest, step: OnStep) -> Made:
        """Make one picture for each seed.

        The noise of each is drawn on the CPU from its seed alone, so that a batch of four is the same as four of one.
        Raises ExecutorError (invalid) for what this model cannot do, naming the field, and MemoryError where memory
        runs short; the engine stays usable after either.
        """

    def close(self) -> None:
        """Give the memory back; the engine is not used again."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What worker.toml says about how models run; each engine takes what concerns it.

    ``token``: for models of the Hugging Face hub that want one. ``loras``: where the adapters are, by name.
    ``attention_slicing``, ``cpu_offload``: None leaves it to the engine. ``memory_budget_mb``: of the device in use;
    None leaves it to the engine. ``config``: for a single file, the folder or id of a model with its configuration.
    ``safety_checker``: whether the model's own is used.
    """

    device: str = "auto"
    dtype: str = "auto"
    token: str | None = None
    loras: Mapping[str, str] = field(default_factory=dict)
    attention_slicing: bool | None = None
    cpu_offload: bool | None = None
    memory_budget_mb: float | None = None
    safety_checker: bool = True
    config: str | None = None


def runs_on_onnx(source: str) -> bool:
    """Whether ``source`` is a folder of a model for our ONNX engine: .onnx files beside its model_index.json.

    (Exports of big models keep theirs in folders below; those are nothing for it.)
    """
    folder = Path(source).expanduser()
    return (folder / "model_index.json").is_file() and any(folder.glob("*.onnx"))


def open_engine(name: str, source: str, kind: Literal["onnx", "diffusers"], settings: EngineSettings) -> Engine:
    """Load the model ``name`` from ``source``, a folder, a .safetensors file or an id of the Hugging Face hub.

    Raises ExecutorError where it cannot be opened, with what is missing, and MemoryError.
    """
    if kind == "onnx":
        from tron_plugin_stable_diffusion.engines.onnx import OnnxEngine

        return OnnxEngine(name, Path(source).expanduser(), settings)
    from tron_plugin_stable_diffusion.engines.diffusers import DiffusersEngine

    return DiffusersEngine(name, source, settings)
