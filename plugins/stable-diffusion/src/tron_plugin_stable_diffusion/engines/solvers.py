"""Sampling methods in NumPy: from noise to latents in a few steps, by the configuration of a diffusers scheduler.

Latents are kept as diffusers' DDIM keeps them, `signal * picture + noise_level * noise` whose squares add up
to one. Seen so, Euler's method and DDIM are one formula; they differ in where diffusers puts the steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
"""Of float32."""

FIRST_ORDER: Final = ("DDIMScheduler", "EulerDiscreteScheduler")
ANCESTRAL: Final = "EulerAncestralDiscreteScheduler"
SECOND_ORDER: Final = "DPMSolverMultistepScheduler"
NEAREST: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "DEISMultistepScheduler",
            "DPMSolverSinglestepScheduler",
            "HeunDiscreteScheduler",
            "KDPM2DiscreteScheduler",
            "LMSDiscreteScheduler",
            "PNDMScheduler",
            "UniPCMultistepScheduler",
        ),
        SECOND_ORDER,
    ),
    **dict.fromkeys(
        ("DDPMScheduler", "DPMSolverSDEScheduler", "KDPM2AncestralDiscreteScheduler", "LCMScheduler", "TCDScheduler"),
        ANCESTRAL,
    ),
}
"""For methods that are not here, one of the same order, or one that adds noise as they do."""


class Solver(Protocol):
    """One way from a step to the next. Used for one picture, step after step."""

    def advance(self, latents: Array, picture: Array, index: int) -> Array:
        """The latents of step `index` + 1, from those of `index` and what the model takes the picture to be."""


def nearest_class(class_name: str, args: Mapping[str, Any]) -> str:
    """The method that stands in for `class_name` with the configuration `args`; itself where it is here."""
    if str(args.get("algorithm_type", "")).startswith("sde"):
        return ANCESTRAL
    if class_name in (*FIRST_ORDER, ANCESTRAL, SECOND_ORDER):
        return class_name
    return NEAREST.get(class_name, FIRST_ORDER[0])


class Schedule:
    """The steps to take: `times` of the model, and before each and after the last how much is signal, how much noise.

    `strength` under one leaves out the first steps, as image to image does.
    """

    def __init__(self, config: Mapping[str, Any], steps: int, strength: float = 1.0) -> None:
        trained_steps = int(config.get("num_train_timesteps", 1000))
        share = _signal_shares(config, trained_steps)
        skipped = steps - min(int(steps * strength), steps)
        self.times = _times(config, trained_steps, steps)[skipped:]
        shares = np.append(share[self.times], 1.0)
        self.signal = np.sqrt(shares)
        self.noise = np.sqrt(1 - shares)
        self._prediction = str(config.get("prediction_type", "epsilon"))

    def picture(self, latents: Array, output: Array, index: int) -> Array:
        """What the model, whose `output` this is, takes the noiseless latents to be at step `index`."""
        signal, noise = np.float32(self.signal[index]), np.float32(self.noise[index])
        if self._prediction == "v_prediction":
            return signal * latents - noise * output
        if self._prediction == "sample":
            return output
        return (latents - noise * output) / signal

    def add_noise(self, picture: Array, noise: Array, index: int) -> Array:
        return np.float32(self.signal[index]) * picture + np.float32(self.noise[index]) * noise


def make_solver(class_name: str, schedule: Schedule, noise: np.random.Generator) -> Solver:
    """`class_name` is one that `nearest_class` returns; `noise` is drawn from by those that add some in each step."""
    if class_name == ANCESTRAL:
        return _Ancestral(schedule, noise)
    return _SecondOrder(schedule) if class_name == SECOND_ORDER else _FirstOrder(schedule)


class _FirstOrder:
    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule

    def advance(self, latents: Array, picture: Array, index: int) -> Array:
        signal, noise = self._schedule.signal, self._schedule.noise
        found = (latents - np.float32(signal[index]) * picture) / np.float32(noise[index])
        return self._schedule.add_noise(picture, found, index + 1)


class _Ancestral:
    """Euler's method to a little less noise than the next step has, and fresh noise for the difference."""

    def __init__(self, schedule: Schedule, noise: np.random.Generator) -> None:
        self._schedule = schedule
        self._noise = noise

    def advance(self, latents: Array, picture: Array, index: int) -> Array:
        signal, noise = self._schedule.signal, self._schedule.noise
        found = (latents - np.float32(signal[index]) * picture) / np.float32(noise[index])
        # As a ratio of noise to signal, which diffusers calls sigma.
        now, after = noise[index] / signal[index], noise[index + 1] / signal[index + 1]
        fresh = min(after, math.sqrt(after**2 * (now**2 - after**2) / now**2))
        kept = math.sqrt(after**2 - fresh**2)
        drawn = self._noise.standard_normal(latents.shape, dtype=np.float32)
        mixed = np.float32(kept) * found + np.float32(fresh) * drawn
        return np.float32(signal[index + 1]) * (picture + mixed)


class _SecondOrder:
    """DPM-Solver++ (2M): goes on in the direction in which the picture has been changing."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        with np.errstate(divide="ignore"):
            self._clearness = np.log(schedule.signal / schedule.noise)
        self._before: Array | None = None

    def advance(self, latents: Array, picture: Array, index: int) -> Array:
        signal, noise, clearness = self._schedule.signal, self._schedule.noise, self._clearness
        before, self._before = self._before, picture
        if noise[index + 1] == 0:
            return picture
        stride = clearness[index + 1] - clearness[index]
        ahead = picture
        if before is not None:
            ratio = (clearness[index] - clearness[index - 1]) / stride
            ahead = picture + (picture - before) * np.float32(0.5 / ratio)
        kept = noise[index + 1] / noise[index]
        return np.float32(kept) * latents - np.float32(signal[index + 1] * math.expm1(-stride)) * ahead


def _signal_shares(config: Mapping[str, Any], count: int) -> npt.NDArray[np.float64]:
    """The share of the picture in the variance after each of the model's steps (alphas_cumprod)."""
    kind = config.get("beta_schedule", "linear")
    start, end = float(config.get("beta_start", 0.0001)), float(config.get("beta_end", 0.02))
    if kind == "squaredcos_cap_v2":
        curve = np.cos((np.arange(count + 1) / count + 0.008) / 1.008 * math.pi / 2) ** 2
        betas = np.minimum(1 - curve[1:] / curve[:-1], 0.999)
    elif kind == "scaled_linear":
        betas = np.linspace(start**0.5, end**0.5, count) ** 2
    elif kind == "linear":
        betas = np.linspace(start, end, count)
    else:
        raise ValueError(f"beta_schedule: {kind!r} is none of linear, scaled_linear, squaredcos_cap_v2")
    return np.asarray(np.cumprod(1 - betas))


def _times(config: Mapping[str, Any], trained_steps: int, steps: int) -> npt.NDArray[np.int64]:
    """Which of the model's steps are taken, as diffusers spaces them."""
    spacing = config.get("timestep_spacing", "leading")
    if spacing == "trailing":
        times = np.round(np.arange(trained_steps, 0, -trained_steps / steps)) - 1
    elif spacing == "linspace":
        times = np.linspace(0, trained_steps - 1, steps).round()[::-1]
    elif spacing == "leading":
        times = (np.arange(steps) * (trained_steps // steps))[::-1] + int(config.get("steps_offset", 0))
    else:
        raise ValueError(f"timestep_spacing: {spacing!r} is none of leading, linspace, trailing")
    kept: npt.NDArray[np.int64] = np.clip(times, 0, trained_steps - 1).astype(np.int64)[:steps]
    return kept
