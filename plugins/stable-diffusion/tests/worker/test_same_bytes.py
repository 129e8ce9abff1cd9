from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tron_core.worker import Cancelled

torch = pytest.importorskip("torch", reason="torch is not installed here; make test-workers has it")

pytestmark = pytest.mark.workers

Draw = Callable[..., Any]

EULER_A = '{"class": "EulerAncestralDiscreteScheduler"}'
"""It adds noise in each step."""


def sums(drawn: Any) -> list[str]:
    return [hashlib.sha256(file).hexdigest() for file in drawn.files]


@pytest.mark.parametrize("model", ["sd", "sdxl"])
def test_the_same_job_twice_gives_the_same_file(draw: Draw, model: str) -> None:
    assert sums(draw(model=model)) == sums(draw(model=model))


def test_the_same_job_after_others_and_another_model_gives_the_same_file(draw: Draw) -> None:
    first = sums(draw(model="sd"))
    draw(model="sd", scheduler_config=EULER_A, seed=9, loras="style:2")
    draw(model="sdxl")
    assert sums(draw(model="sd")) == first


def test_another_seed_gives_another_picture(draw: Draw) -> None:
    assert sums(draw(seed=1)) != sums(draw(seed=2))


@pytest.mark.parametrize("scheduler", [None, EULER_A])
def test_four_pictures_are_four_jobs_with_the_seeds_that_follow_within_one_level(
    draw: Draw, scheduler: str | None
) -> None:
    together = draw(count=4, seed=10, scheduler_config=scheduler)
    assert together.output["seeds"] == [10, 11, 12, 13]
    for seed, picture in zip(together.output["seeds"], together.pictures, strict=True):
        [alone] = draw(seed=seed, scheduler_config=scheduler).pictures
        assert np.abs(picture - alone).max() <= 1


@pytest.mark.parametrize("scheduler", [None, EULER_A])
def test_deterministic_makes_four_pictures_exactly_as_four_jobs(draw: Draw, scheduler: str | None) -> None:
    together = draw(count=4, seed=10, deterministic=True, scheduler_config=scheduler)
    alone = [draw(seed=seed, deterministic=True, scheduler_config=scheduler) for seed in together.output["seeds"]]
    assert sums(together) == [total for drawn in alone for total in sums(drawn)]


def test_deterministic_gives_the_same_bytes_whatever_the_number_of_threads(draw: Draw) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        first = sums(draw(deterministic=True))
        torch.set_num_threads(4)
        assert sums(draw(deterministic=True)) == first
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)


def test_what_deterministic_sets_is_put_back_even_when_a_job_fails(stage: Any) -> None:
    before = torch.get_num_threads()
    ctx = stage.context(cancel_at=0.1)
    with pytest.raises(Cancelled):
        stage.draw(deterministic=True, ctx=ctx)
    assert torch.get_num_threads() == before
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_worker_may_make_every_job_deterministic(stage: Any) -> None:
    wanted = sums(stage.draw(count=2, deterministic=True))
    stage.configure(deterministic=True)
    assert sums(stage.draw(count=2)) == wanted


def test_seeds_go_on_from_zero_after_the_largest(draw: Draw) -> None:
    assert draw(seed=2**32 - 1, count=2).output["seeds"] == [2**32 - 1, 0]


def test_without_a_seed_one_is_drawn_and_recorded(draw: Draw) -> None:
    drawn = draw(seed=-1)
    assert sums(draw(seed=drawn.output["seeds"][0])) == sums(drawn)


def test_what_it_was_made_with_is_recorded(draw: Draw) -> None:
    output = draw(model="sd").output
    assert output["model"] == "sd"
    assert output["scheduler"] == "PNDMScheduler"
    assert output["revision"].startswith("sha256:")
    assert output["dtype"] == "float32"
    assert output["device"].startswith("cpu (")
    assert set(output["libraries"]) == {"torch", "diffusers", "transformers"}
