"""The engine of the model that ships with this plugin: ONNX Runtime and NumPy, without torch.

It runs a folder that training/export.py has written. The noise of a picture is drawn by NumPy's Philox from its seed
alone, and pictures are made one by one, so that each is the same whichever others are asked for with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image, ImageOps

from tron_core.worker import ExecutorError
from tron_plugin_stable_diffusion.engines import EngineSettings, Made, OnStep, PictureRequest, SchedulerConfig, solvers
from tron_plugin_stable_diffusion.engines.graphs import Graphs
from tron_plugin_stable_diffusion.engines.solvers import Array, Schedule
from tron_plugin_stable_diffusion.vocabulary import Reading, read

LIBRARIES: Final = ("onnxruntime", "numpy", "pillow")
"""Those whose versions are recorded with each picture."""

_SPACED_BY: Final = ("timestep_spacing", "steps_offset")
"""What of a scheduler's configuration is taken over; how the model was trained is not a choice."""

_NOISE_LEVELS: Final = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas")
"""Ways of placing the steps that do not go with a model that begins in pure noise: most would be spent there."""


class OnnxEngine:
    """A small latent diffusion model whose prompts are read by `vocabulary`."""

    def __init__(self, name: str, folder: Path, settings: EngineSettings) -> None:
        """Load the model; raises ExecutorError where a file is missing or is not what it should be."""
        self.name = name
        try:
            self._graphs = Graphs(folder)
        except (OSError, ValueError, KeyError) as error:
            raise ExecutorError(f"{name}: {folder} is no whole model: {error}", "invalid") from error
        self.memory_mb = self._graphs.memory_mb
        self.native = self._graphs.native

    def generate(self, request: PictureRequest, step: OnStep) -> Made:
        """See Engine. Pictures of another size than the native one are drawn at that and enlarged or reduced."""
        if request.loras:
            raise ExecutorError(f"loras: the model {self.name} takes none", "invalid")
        prompt, negative = read(request.prompt), read(request.negative_prompt)
        scheduler = request.scheduler or SchedulerConfig(str(self._graphs.scheduler["_class_name"]))
        class_name = solvers.nearest_class(scheduler.class_name, scheduler.args)
        painter = _Painter(self._graphs, request, class_name, step, prompt, negative)
        pictures = [painter.paint(number) for number in range(len(request.seeds))]
        facts: dict[str, Any] = {
            "scheduler": class_name,
            "dtype": "float32",
            "device": "cpu",
            "revision": self._graphs.revision,
            "libraries": {library: version(library) for library in LIBRARIES},
            "understood": list(prompt.understood),
            "ignored": list(prompt.ignored),
        }
        notes = _notes(request, self.native, prompt, scheduler, class_name)
        return Made(pictures, {**facts, "notes": notes} if notes else facts)

    def close(self) -> None:
        """See Engine."""
        self._graphs.close()


def _notes(
    request: PictureRequest, native: tuple[int, int], prompt: Reading, scheduler: SchedulerConfig, class_name: str
) -> list[str]:
    """What a person should know who did not get quite what was asked for."""
    notes = []
    if request.prompt.strip() and not prompt.caption.shapes:
        notes.append("No word of the prompt is in the model's vocabulary, so it drew what it liked.")
    if (request.width, request.height) != native:
        notes.append(f"Drawn at {native[0]}x{native[1]}, the model's only size, and resized.")
    if class_name != scheduler.class_name:
        notes.append(f"{scheduler.class_name} is not available for this model; {class_name} stood in for it.")
    left_out = [name for name in _NOISE_LEVELS if scheduler.args.get(name)]
    if left_out:
        notes.append(f"Left out of the scheduler's configuration: {', '.join(left_out)}.")
    return notes


class _Painter:
    """Makes the pictures of one request."""

    def __init__(
        self,
        graphs: Graphs,
        request: PictureRequest,
        class_name: str,
        step: OnStep,
        prompt: Reading,
        negative: Reading,
    ) -> None:
        self._graphs = graphs
        self._request = request
        self._class_name = class_name
        self._step = step
        self._schedule = _schedule(graphs.scheduler, request)
        self._guided = request.guidance > 1
        captions = (negative, prompt) if self._guided else (prompt,)
        self._texts = graphs.read_texts([str(reading.caption) for reading in captions])
        self._steps = len(request.seeds) * len(self._schedule.times)

    def paint(self, number: int) -> Image.Image:
        """The picture of the seed with this number."""
        request, schedule = self._request, self._schedule
        drawn = np.random.Generator(np.random.Philox(request.seeds[number]))
        latents = drawn.standard_normal(self._graphs.latent_shape, dtype=np.float32)
        given = self._given(number)
        known = None if given is None else self._graphs.encode(given)
        if known is not None:
            latents = schedule.add_noise(known, latents, 0)
        anew = self._made_anew()
        solver = solvers.make_solver(self._class_name, schedule, drawn)
        for index, time in enumerate(schedule.times):
            picture = schedule.picture(latents, self._predict(latents, int(time)), index)
            if known is not None and anew is not None:
                picture = np.where(anew, picture, known)
            latents = solver.advance(latents, picture, index)
            done = number * len(schedule.times) + index + 1
            self._step(done, self._steps, partial(self._graphs.decode, picture))
        made = _enlarge(self._graphs.decode(latents), request.width, request.height)
        if request.mask is None or not request.images:
            return made
        return Image.composite(made, self._begun(number), request.mask.convert("L").resize(made.size))

    def _predict(self, latents: Array, time: int) -> Array:
        """The U-Net's output, led away from the negative prompt."""
        outputs = self._graphs.predict(latents, time, self._texts)
        if not self._guided:
            return outputs
        away, towards = outputs[:1], outputs[1:]
        guided = away + np.float32(self._request.guidance) * (towards - away)
        if self._request.guidance_rescale:
            rescaled = guided * (towards.std() / guided.std())
            guided += np.float32(self._request.guidance_rescale) * (rescaled - guided)
        return guided

    def _begun(self, number: int) -> Image.Image:
        images = self._request.images
        image = images[number] if len(images) > 1 else images[0]
        return image.convert("RGB").resize((self._request.width, self._request.height))

    def _given(self, number: int) -> Image.Image | None:
        """What the picture begins from, its middle at the native size."""
        if not self._request.images:
            return None
        return ImageOps.fit(self._begun(number), self._graphs.native, Image.Resampling.LANCZOS)

    def _made_anew(self) -> Any:
        """Which latents are; None where all are. One that the mask touches is."""
        if self._request.mask is None:
            return None
        mask = self._request.mask.convert("L").resize((self._request.width, self._request.height))
        height, width = self._graphs.latent_shape[2:]
        return np.asarray(ImageOps.fit(mask, (width, height), Image.Resampling.BOX)) > 0


def _schedule(own: Mapping[str, Any], request: PictureRequest) -> Schedule:
    args = request.scheduler.args if request.scheduler else {}
    spacing = {name: args[name] for name in _SPACED_BY if name in args}
    # At least one step is taken, however little is asked for.
    strength = max(request.strength, 1 / request.steps) if request.images else 1.0
    try:
        return Schedule({**own, **spacing}, request.steps, strength)
    except ValueError as error:
        raise ExecutorError(f"scheduler_config: {error}", "invalid") from error


def _enlarge(picture: Image.Image, width: int, height: int) -> Image.Image:
    """The picture as large as the shorter side, in the middle; its edges, which are plain, go on to the others."""
    side = min(width, height)
    if picture.size != (side, side):
        picture = picture.resize((side, side), Image.Resampling.LANCZOS)
    across, down = width - side, height - side
    if not across and not down:
        return picture
    margins = ((down // 2, down - down // 2), (across // 2, across - across // 2), (0, 0))
    return Image.fromarray(np.pad(np.asarray(picture), margins, mode="edge"), "RGB")
