"""The engine on torch: whatever diffusers opens as a text-to-image, image-to-image or inpainting pipeline."""

from __future__ import annotations

import gc
import inspect
import os
import re
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypeVar

import diffusers
import torch

from tron_core.worker import ExecutorError
from tron_plugin_stable_diffusion import noise
from tron_plugin_stable_diffusion.engines import EngineSettings, Made, OnStep, PictureRequest, SchedulerConfig, prompts
from tron_plugin_stable_diffusion.engines.loading import Pipeline, locate, open_pipeline
from tron_plugin_stable_diffusion.engines.previews import Previews
from tron_plugin_stable_diffusion.folders import INDEX, MIB, parts, read_index
from tron_plugin_stable_diffusion.memory import default_budget_mb, find_device

# cuBLAS has deterministic algorithms only with this, which it reads once, at its first use.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

LIBRARIES = ("torch", "diffusers", "transformers")
"""Those whose versions are recorded with each picture."""

NATIVE_SIDE = 1024
"""Assumed of a model that does not say what size it was trained for, in pixels."""

ALSO_FITTING = ("LCMScheduler", "TCDScheduler")
"""Made for the same models as the many schedulers that name each other as compatible, but not named by them."""

T = TypeVar("T")

Task = Literal["text", "image", "mask"]

_TASKS = {
    "text": diffusers.AutoPipelineForText2Image,
    "image": diffusers.AutoPipelineForImage2Image,
    "mask": diffusers.AutoPipelineForInpainting,
}

_OUT_OF_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory|cannot allocate memory", re.I)
_NOT_DETERMINISTIC = re.compile(r"not have a deterministic implementation|deterministic behavior was enabled", re.I)


def dtype_of(wanted: str, device: str, path: Path) -> Any:
    """The torch type to compute in. ``auto``: float32 but on CUDA, where transformers were trained for bfloat16 and
    UNets for float16."""
    if wanted != "auto":
        return getattr(torch, wanted)
    if not device.startswith("cuda"):
        return torch.float32
    transformer = (path / INDEX).is_file() and "transformer" in parts(read_index(path))
    return torch.bfloat16 if transformer and torch.cuda.is_bf16_supported() else torch.float16


class DiffusersEngine:
    """A pipeline of diffusers. Other tasks than the one it was saved for share its weights."""

    def __init__(self, name: str, source: str, settings: EngineSettings) -> None:
        """Load the model; raises ExecutorError where it cannot be opened, and MemoryError."""
        self.name = name
        self._settings = settings
        self._device = find_device(settings.device)
        self._tasks: dict[Task, Pipeline] = {}
        self._active: Pipeline = None
        self._worn: tuple[tuple[str, float], ...] = ()
        half = settings.dtype != "float32" and self._device.startswith("cuda")
        path = locate(name, source, settings, half=half)
        self._dtype = dtype_of(settings.dtype, self._device, path)
        opened = _telling_memory(lambda: open_pipeline(name, path, self._dtype, settings))
        self._pipeline = opened.pipeline
        self._revision = opened.revision
        self._scheduler = self._pipeline.scheduler
        self._offloaded = self._must_offload()
        _telling_memory(self._place)
        self.memory_mb = self._held_mb()
        self.native = self._native()
        vae = getattr(self._pipeline, "vae", None)
        # While the VAE waits in the machine's memory, to ask it would push the UNet out of the GPU's.
        can_show = isinstance(vae, diffusers.AutoencoderKL | diffusers.AutoencoderTiny) and not self._offloaded
        self._previews = Previews(vae) if can_show else None

    def generate(self, request: PictureRequest, step: OnStep) -> Made:
        """See Engine."""
        return _telling_memory(lambda: self._generate(request, step))

    def close(self) -> None:
        """See Engine."""
        self._tasks.clear()
        self._pipeline = self._active = self._scheduler = self._previews = None
        _tidy()

    def _generate(self, request: PictureRequest, step: OnStep) -> Made:
        pipeline = self._for_task(_task_of(request))
        self._wear(request.loras)
        pipeline.scheduler = self._schedule(request.scheduler)
        notes: list[str] = []
        arguments = self._arguments(pipeline, request, step, notes)
        with noise.pinned(request.deterministic), _safety_checker(pipeline, request.checked):
            try:
                result = pipeline(**arguments)
            except ValueError as error:
                raise ExecutorError(f"{self.name}: {error}", "invalid") from error
            except RuntimeError as error:
                if not _NOT_DETERMINISTIC.search(str(error)):
                    raise
                raise ExecutorError(f"deterministic: {self.name} cannot be so here: {error}", "invalid") from error
            finally:
                if self._offloaded:
                    pipeline.maybe_free_model_hooks()
        flagged = getattr(result, "nsfw_content_detected", None) or ()
        return Made(list(result.images), self._facts(pipeline, notes), tuple(bool(flag) for flag in flagged))

    def _for_task(self, task: Task) -> Pipeline:
        """The pipeline of the task, with the weights of the one that was loaded."""
        self._check_purpose(task)
        if task not in self._tasks:
            try:
                self._tasks[task] = _TASKS[task].from_pipe(self._pipeline)
            except ValueError as error:
                if task != "text" or "image" in _accepted(self._pipeline):
                    field = "prompt" if task == "text" else task
                    raise ExecutorError(f"{field}: the model {self.name} cannot begin from it", "invalid") from error
                self._tasks[task] = self._pipeline
            self._tasks[task].set_progress_bar_config(disable=True)
        pipeline = self._tasks[task]
        if self._offloaded and pipeline is not self._active:
            pipeline.enable_model_cpu_offload(device=self._device)
            self._active = pipeline
        return pipeline

    def _check_purpose(self, task: Task) -> None:
        """Raise ExecutorError where the model was trained for another task: to refine, or to fill masks, for which its
        UNet wants more than latents."""
        if task == "text" and self._pipeline.config.get("requires_aesthetics_score"):
            raise ExecutorError(f"model: {self.name} only refines pictures; ask for it as refiner", "invalid")
        unet, vae = (getattr(self._pipeline, part, None) for part in ("unet", "vae"))
        if task == "mask" or unet is None or vae is None:
            return
        if unet.config.in_channels != vae.config.latent_channels:
            raise ExecutorError(f"model: {self.name} only fills masks; it was trained for inpainting", "invalid")

    def _arguments(self, pipeline: Pipeline, request: PictureRequest, step: OnStep, notes: list[str]) -> dict[str, Any]:
        """What the pipeline is called with; ``notes`` gets what had to be left out."""
        accepted = _accepted(pipeline)
        drawers = noise.generators(request.seeds)
        arguments: dict[str, Any] = {
            "num_inference_steps": request.steps,
            "guidance_scale": request.guidance,
            "generator": drawers,
            "height": request.height,
            "width": request.width,
            **_prompts(pipeline, request, notes),
            **self._begin(pipeline, request, drawers),
        }
        if request.guidance_rescale:
            arguments["guidance_rescale"] = request.guidance_rescale
        left_out = [name for name in ("negative_prompt", "guidance_rescale") if name in arguments.keys() - accepted]
        notes += [f"{name} was left out: {type(pipeline).__name__} does not take it" for name in left_out]
        arguments.update(self._after_each_step(pipeline, request, step))
        return {name: value for name, value in arguments.items() if name in accepted}

    def _begin(self, pipeline: Pipeline, request: PictureRequest, drawers: list[Any]) -> dict[str, Any]:
        """What the first step begins from."""
        count = len(request.seeds)
        if request.images:
            images = list(request.images) if len(request.images) == count else [request.images[0]] * count
            # At least one step is taken, however little is asked for.
            begin: dict[str, Any] = {"image": images, "strength": max(request.strength, 1 / request.steps)}
            return begin if request.mask is None else {**begin, "mask_image": [request.mask] * count}
        unet, scale = getattr(pipeline, "unet", None), getattr(pipeline, "vae_scale_factor", None)
        if unet is None or scale is None or getattr(pipeline, "vae", None) is None:
            return {}  # the pipeline draws the noise itself, from the same generators
        shape = (unet.config.in_channels, request.height // scale, request.width // scale)
        return {"latents": noise.draw(drawers, shape, self._dtype)}

    def _after_each_step(self, pipeline: Pipeline, request: PictureRequest, step: OnStep) -> dict[str, Any]:
        shown = "latents" in getattr(pipeline, "_callback_tensor_inputs", ())

        def after(running: Pipeline, index: int, timestep: Any, tensors: Mapping[str, Any]) -> dict[str, Any]:
            steps = getattr(running, "num_timesteps", None) or request.steps
            latents, previews = tensors.get("latents"), self._previews
            if previews is None or latents is None or latents.ndim != 4:
                step(index + 1, steps, None)
            else:
                step(index + 1, steps, lambda: previews.picture(latents))
            return {}

        return {
            "callback_on_step_end": after,
            "callback_on_step_end_tensor_inputs": ["latents"] if shown else [],
        }

    def _wear(self, loras: tuple[tuple[str, float], ...]) -> None:
        """Have exactly these adapters on."""
        if loras == self._worn:
            return
        for name, _ in loras:
            if name not in self._settings.loras:
                allowed = ", ".join(self._settings.loras) or "none"
                raise ExecutorError(f"loras: {name!r} is not on this worker; allowed: {allowed}", "invalid")
        if not hasattr(self._pipeline, "load_lora_weights"):
            raise ExecutorError(f"loras: the model {self.name} takes none", "invalid")
        if self._worn:
            self._pipeline.unload_lora_weights()
        self._worn = ()
        adapters = [f"adapter{number}" for number in range(len(loras))]
        for adapter, (name, _) in zip(adapters, loras, strict=True):
            self._put_on(adapter, name)
        if loras:
            self._pipeline.set_adapters(adapters, [weight for _, weight in loras])
        self._worn = loras

    def _put_on(self, adapter: str, name: str) -> None:
        source = str(Path(self._settings.loras[name]).expanduser())
        try:
            self._pipeline.load_lora_weights(source, adapter_name=adapter, token=self._settings.token)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            if _OUT_OF_MEMORY.search(str(error)):
                raise
            self._pipeline.unload_lora_weights()
            raise ExecutorError(f"loras: {name} does not fit the model {self.name}: {error}", "invalid") from error

    def _schedule(self, wanted: SchedulerConfig | None) -> Any:
        """A scheduler without memory of an earlier run; raises ExecutorError for one that the model cannot use."""
        own = self._scheduler
        if wanted is None:
            return type(own).from_config(own.config)
        also = [getattr(diffusers, name) for name in ALSO_FITTING] if len(own.compatibles) > 1 else []
        allowed = {kind.__name__: kind for kind in [*own.compatibles, *also, type(own)]}
        kind = allowed.get(wanted.class_name)
        if kind is None:
            names = ", ".join(sorted(allowed))
            raise ExecutorError(
                f"scheduler: {wanted.class_name!r} is none that {self.name} can use; allowed: {names}", "invalid"
            )
        try:
            unknown = set(wanted.args) - set(inspect.signature(kind.__init__).parameters)
            if not unknown:
                return kind.from_config(own.config, **wanted.args)
        except (ValueError, TypeError, NotImplementedError, ImportError) as error:
            raise ExecutorError(f"scheduler: {wanted.class_name} cannot be made: {error}", "invalid") from error
        raise ExecutorError(f"scheduler: {wanted.class_name} takes no {', '.join(sorted(unknown))}", "invalid")

    def _must_offload(self) -> bool:
        if self._device == "cpu" or self._settings.cpu_offload is False:
            return False
        budget = self._settings.memory_budget_mb or default_budget_mb(self._device)
        return self._settings.cpu_offload is True or sum(self._sizes_mb()) > budget

    def _place(self) -> None:
        """Bring the weights where they compute, and save memory where it is short."""
        pipeline = self._pipeline
        vae: Any = getattr(pipeline, "vae", None)
        if hasattr(vae, "enable_slicing"):
            vae.enable_slicing()  # decodes one at a time: less memory, and each as if it were alone
        if self._offloaded and hasattr(vae, "enable_tiling"):
            vae.enable_tiling()
        if not self._offloaded:
            pipeline.to(self._device)
        sliced = self._settings.attention_slicing
        if sliced or (sliced is None and self._offloaded):
            pipeline.enable_attention_slicing()

    def _held_mb(self) -> float:
        sizes = self._sizes_mb()
        return max(sizes, default=0.0) if self._offloaded else sum(sizes)

    def _sizes_mb(self) -> list[float]:
        modules = [part for part in self._pipeline.components.values() if isinstance(part, torch.nn.Module)]
        return [
            sum(tensor.numel() * tensor.element_size() for tensor in (*module.parameters(), *module.buffers())) / MIB
            for module in modules
        ]

    def _native(self) -> tuple[int, int]:
        unet = getattr(self._pipeline, "unet", None)
        side = getattr(self._pipeline, "default_sample_size", None)
        if unet is not None:
            side = getattr(unet.config, "sample_size", side)
        scale = getattr(self._pipeline, "vae_scale_factor", None)
        if side is None or scale is None:
            return NATIVE_SIDE, NATIVE_SIDE
        height, width = (side, side) if isinstance(side, int) else side
        return width * scale, height * scale

    def _facts(self, pipeline: Pipeline, notes: list[str]) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "scheduler": type(pipeline.scheduler).__name__,
            "dtype": str(self._dtype).removeprefix("torch."),
            "device": device_name(self._device),
            "revision": self._revision,
            "libraries": {name: version(name) for name in LIBRARIES},
        }
        return {**facts, "notes": notes} if notes else facts


def device_name(device: str) -> str:
    """The device with what its arithmetic depends on: the GPU's name, the CPU's instructions."""
    if device.startswith("cuda"):
        return f"{device} ({torch.cuda.get_device_name(torch.device(device))})"
    return f"cpu ({torch.backends.cpu.get_cpu_capability()})" if device == "cpu" else device


def _task_of(request: PictureRequest) -> Task:
    if request.mask is not None:
        return "mask"
    return "image" if request.images else "text"


def _prompts(pipeline: Pipeline, request: PictureRequest, notes: list[str]) -> dict[str, Any]:
    count = len(request.seeds)
    embedded = prompts.long_prompt(pipeline, request.prompt, request.negative_prompt, count)
    if embedded is not None:
        return embedded
    unread = prompts.unread(pipeline, request.prompt)
    if unread is not None:
        notes.append(unread)
    given: dict[str, Any] = {"prompt": [request.prompt] * count}
    return {**given, "negative_prompt": [request.negative_prompt] * count} if request.negative_prompt else given


def _accepted(pipeline: Pipeline) -> Set[str]:
    return inspect.signature(pipeline.__call__).parameters.keys()


@contextmanager
def _safety_checker(pipeline: Pipeline, used: bool) -> Iterator[None]:
    checker = getattr(pipeline, "safety_checker", None)
    if used or checker is None:
        yield
        return
    pipeline.safety_checker = None
    try:
        yield
    finally:
        pipeline.safety_checker = checker


def _telling_memory(call: Callable[[], T]) -> T:
    """Have torch's ways of saying that memory ran out become MemoryError."""
    try:
        return call()
    except RuntimeError as error:  # torch.OutOfMemoryError is one
        if not isinstance(error, torch.OutOfMemoryError) and not _OUT_OF_MEMORY.search(str(error)):
            raise
        sentence = str(error).splitlines()[0]
    # Out here nothing holds on to the frames any more, and through them to the memory.
    _tidy()
    raise MemoryError(sentence)


def _tidy() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
