"""The sampling methods in NumPy: on a model that knows the picture, and beside diffusers' own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tron_plugin_stable_diffusion.engines.solvers import (
    ANCESTRAL,
    SECOND_ORDER,
    Array,
    Schedule,
    make_solver,
    nearest_class,
)

CONFIG = {
    "num_train_timesteps": 1000,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "v_prediction",
    "timestep_spacing": "trailing",
}
METHODS = ("DDIMScheduler", "EulerDiscreteScheduler", ANCESTRAL, SECOND_ORDER)
SHAPE = (1, 4, 8, 8)


def drawn(seed: int) -> Array:
    return np.random.default_rng(seed).standard_normal(SHAPE, dtype=np.float32)


def sample(method: str, schedule: Schedule, model: Callable[[Array, int], Array], noise: Array) -> Array:
    solver = make_solver(method, schedule, np.random.default_rng(9))
    latents = noise
    for index, time in enumerate(schedule.times):
        picture = schedule.picture(latents, model(latents, int(time)), index)
        latents = solver.advance(latents, picture, index)
    return latents


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("steps", [1, 2, 20])
def test_a_model_that_knows_the_picture_gets_it(method: str, steps: int) -> None:
    schedule = Schedule({**CONFIG, "prediction_type": "sample"}, steps)
    picture = drawn(1)
    np.testing.assert_allclose(sample(method, schedule, lambda latents, time: picture, drawn(2)), picture, atol=1e-5)


@pytest.mark.parametrize("kind", ["linear", "scaled_linear", "squaredcos_cap_v2"])
def test_what_a_model_predicts_is_turned_into_the_same_picture(kind: str) -> None:
    picture, noise = drawn(1), drawn(2)
    outputs: dict[str, Callable[[Schedule], Array]] = {
        "epsilon": lambda schedule: noise,
        "v_prediction": lambda schedule: schedule.signal[1] * noise - schedule.noise[1] * picture,
        "sample": lambda schedule: picture,
    }
    for prediction, output in outputs.items():
        schedule = Schedule({**CONFIG, "beta_schedule": kind, "prediction_type": prediction}, 4)
        latents = schedule.add_noise(picture, noise, 1)
        np.testing.assert_allclose(schedule.picture(latents, output(schedule), 1), picture, atol=1e-4)


@pytest.mark.parametrize(
    ("spacing", "times"),
    [("trailing", [999, 749, 499, 249]), ("linspace", [999, 666, 333, 0]), ("leading", [751, 501, 251, 1])],
)
def test_steps_are_spaced_as_the_configuration_says(spacing: str, times: list[int]) -> None:
    assert Schedule({**CONFIG, "timestep_spacing": spacing, "steps_offset": 1}, 4).times.tolist() == times


@pytest.mark.parametrize("steps", [1, 7, 20, 33, 150])
def test_there_are_as_many_steps_as_asked_for_from_much_noise_to_none(steps: int) -> None:
    schedule = Schedule(CONFIG, steps)
    assert len(schedule.times) == steps
    assert (np.diff(schedule.noise) < 0).all()
    assert schedule.noise[-1] == 0


def test_less_strength_leaves_out_the_first_steps() -> None:
    assert Schedule(CONFIG, 10, 0.3).times.tolist() == Schedule(CONFIG, 10).times.tolist()[7:]


@pytest.mark.parametrize("field", ["beta_schedule", "timestep_spacing"])
def test_what_the_configuration_may_not_say_is_named(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field}: .odd. is none of l"):
        Schedule({**CONFIG, field: "odd"}, 4)


def test_a_method_that_is_not_here_is_stood_in_for() -> None:
    assert nearest_class("EulerDiscreteScheduler", {}) == "EulerDiscreteScheduler"
    assert nearest_class("UniPCMultistepScheduler", {"solver_order": 2}) == SECOND_ORDER
    assert nearest_class("DDPMScheduler", {}) == ANCESTRAL
    assert nearest_class("SomeNewScheduler", {}) == "DDIMScheduler"
    assert nearest_class(SECOND_ORDER, {"algorithm_type": "sde-dpmsolver++"}) == ANCESTRAL


@pytest.mark.workers
@pytest.mark.parametrize("method", ["DDIMScheduler", "EulerDiscreteScheduler", SECOND_ORDER])
@pytest.mark.parametrize("steps", [10, 20])
def test_the_steps_are_those_of_diffusers(method: str, steps: int) -> None:
    torch = pytest.importorskip("torch")
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DDIMScheduler(**CONFIG, clip_sample=False, steps_offset=1)
    scheduler = getattr(diffusers, method).from_config(scheduler.config)
    scheduler.set_timesteps(steps)
    latents = torch.from_numpy(drawn(2)) * scheduler.init_noise_sigma
    for time in scheduler.timesteps:
        output = _model(np.asarray(scheduler.scale_model_input(latents, time)), int(time))
        latents = scheduler.step(torch.from_numpy(output), time, latents).prev_sample
    ours = sample(method, Schedule(CONFIG, steps), _model, drawn(2))
    np.testing.assert_allclose(ours, np.asarray(latents), atol=0.01)


def _model(latents: Array, time: int) -> Any:
    """Some smooth function of both in the place of a U-Net."""
    return np.sin(latents * 2 + np.float32(time / 500))
