"""Pictures as files: PNG with the recipe in text chunks, contact sheets, previews."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

MAX_SHEET = 2048
"""Pixels of the longer side of a contact sheet."""
SHEET_GAP = 8
PREVIEW_SIDE = 256

_PREVIEW_QUALITY = 80

_SAMPLERS = {
    "DDIMScheduler": "DDIM",
    "DEISMultistepScheduler": "DEIS",
    "DPMSolverMultistepScheduler": "DPM++ 2M",
    "DPMSolverSDEScheduler": "DPM++ SDE",
    "DPMSolverSinglestepScheduler": "DPM++ 2S",
    "EulerAncestralDiscreteScheduler": "Euler a",
    "EulerDiscreteScheduler": "Euler",
    "HeunDiscreteScheduler": "Heun",
    "KDPM2AncestralDiscreteScheduler": "DPM2 a",
    "KDPM2DiscreteScheduler": "DPM2",
    "LCMScheduler": "LCM",
    "LMSDiscreteScheduler": "LMS",
    "PNDMScheduler": "PLMS",
    "UniPCMultistepScheduler": "UniPC",
}
"""What stable-diffusion-webui calls the schedulers of diffusers."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that a picture was made from.

    ``facts``: further entries of the output that belong to it (``revision``, ``dtype``, ``device``, ``libraries``).
    ``loras``: names and weights.
    """

    capability: str
    prompt: str
    negative_prompt: str
    model: str
    scheduler: str
    steps: int
    guidance: float
    seed: int
    width: int
    height: int
    guidance_rescale: float = 0.0
    scheduler_args: Mapping[str, Any] = field(default_factory=dict)
    strength: float | None = None
    loras: tuple[tuple[str, float], ...] = ()
    hires: float | None = None
    refiner: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def texts(self) -> dict[str, str]:
        """The text chunks of the PNG: one a value in the namespace ``tron:``, and ``parameters`` for other tools.

        Neither a time nor the job's id is among them: the same job gives the same file.
        """
        said: dict[str, Any] = {
            "capability": self.capability,
            "prompt": self.prompt,
            "negative_prompt": self.negative_prompt or None,
            "model": self.model,
            "scheduler": self.scheduler,
            "scheduler_args": dict(self.scheduler_args) or None,
            "steps": self.steps,
            "guidance": self.guidance,
            "guidance_rescale": self.guidance_rescale or None,
            "seed": self.seed,
            "size": f"{self.width}x{self.height}",
            "strength": self.strength,
            "loras": ",".join(f"{name}:{weight:g}" for name, weight in self.loras) or None,
            "hires": self.hires,
            "refiner": self.refiner,
            **self.facts,
        }
        texts = {f"tron:{name}": _text(value) for name, value in said.items() if value is not None}
        return {"Software": "TRON", **texts, "parameters": self.parameters()}

    def parameters(self) -> str:
        """The recipe as stable-diffusion-webui writes it, which many tools read."""
        prompt = " ".join([self.prompt, *(f"<lora:{name}:{weight:g}>" for name, weight in self.loras)])
        lines = [prompt, f"Negative prompt: {self.negative_prompt}"] if self.negative_prompt else [prompt]
        values: dict[str, Any] = {
            "Steps": self.steps,
            "Sampler": _SAMPLERS.get(self.scheduler, self.scheduler),
            "Schedule type": "Karras" if self.scheduler_args.get("use_karras_sigmas") else None,
            "CFG scale": f"{self.guidance:g}",
            "Seed": self.seed,
            "Size": f"{self.width}x{self.height}",
            "Model": self.model,
            "Denoising strength": None if self.strength is None else f"{self.strength:g}",
            "RNG": "CPU",
            "Hires upscale": None if self.hires is None else f"{self.hires:g}",
            "Refiner": self.refiner,
            "Version": "TRON",
        }
        lines.append(", ".join(f"{name}: {_quoted(value)}" for name, value in values.items() if value is not None))
        return "\n".join(lines)


def png(picture: Image.Image, texts: Mapping[str, str]) -> bytes:
    """``picture`` as PNG with ``texts`` as its text chunks; equal ones give equal bytes."""
    info = PngInfo()
    for name, text in texts.items():
        info.add_text(name, text)  # as iTXt where Latin-1 cannot say it
    written = io.BytesIO()
    picture.save(written, "PNG", pnginfo=info)
    return written.getvalue()


def contact_sheet(pictures: Sequence[Image.Image]) -> Image.Image:
    """All pictures on one, in rows of two (three of them and more) or side by side, at most MAX_SHEET pixels long."""
    columns = 2 if len(pictures) > 1 else 1
    rows = -(-len(pictures) // columns)
    width, height = pictures[0].size
    gaps = SHEET_GAP * (max(columns, rows) - 1)
    scale = min(1.0, (MAX_SHEET - gaps) / max(columns * width, rows * height))
    cell = max(1, int(width * scale)), max(1, int(height * scale))
    sheet = Image.new(
        "RGB",
        (columns * cell[0] + SHEET_GAP * (columns - 1), rows * cell[1] + SHEET_GAP * (rows - 1)),
        "white",
    )
    for place, picture in enumerate(pictures):
        row, column = divmod(place, columns)
        small = picture.convert("RGB")
        if small.size != cell:
            small = small.resize(cell, Image.Resampling.LANCZOS)
        sheet.paste(small, (column * (cell[0] + SHEET_GAP), row * (cell[1] + SHEET_GAP)))
    return sheet


def preview(picture: Image.Image) -> bytes:
    """A small JPEG of an unfinished picture: it is looked at for a second."""
    small = picture.convert("RGB")
    if max(small.size) > PREVIEW_SIDE:
        small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    written = io.BytesIO()
    small.save(written, "JPEG", quality=_PREVIEW_QUALITY)
    return written.getvalue()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _quoted(value: Any) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ",:\n") else text
