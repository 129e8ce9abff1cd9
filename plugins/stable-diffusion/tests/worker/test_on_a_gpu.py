"""What only a GPU can show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed here; make test-workers has it")

pytestmark = [
    pytest.mark.workers,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here"),
]


@pytest.fixture
def gpu(stage: Any) -> Any:
    stage.configure(device="cuda")
    return stage


@pytest.mark.parametrize("model", ["sd", "sdxl"])
def test_half_precision_is_taken_and_the_gpu_named(gpu: Any, model: str) -> None:
    output = gpu.draw(model=model).output
    assert output["dtype"] == "float16"
    assert torch.cuda.get_device_name() in output["device"]


@pytest.mark.parametrize("model", ["sd", "sdxl"])
def test_the_same_job_twice_gives_the_same_file(gpu: Any, model: str) -> None:
    assert gpu.draw(model=model, deterministic=True).files == gpu.draw(model=model, deterministic=True).files


def test_deterministic_makes_four_pictures_exactly_as_four_jobs(gpu: Any) -> None:
    together = gpu.draw(count=4, seed=10, deterministic=True)
    alone = [gpu.draw(seed=seed, deterministic=True).files[0] for seed in together.output["seeds"]]
    assert together.files == alone


def test_the_cpu_draws_nearly_the_same_from_the_same_seed(gpu: Any) -> None:
    gpu.configure(device="cuda", dtype="float32")
    on_gpu = gpu.draw().pictures[0]
    gpu.executor.studio.cache.close_all()
    gpu.configure(device="cpu")
    assert np.abs(gpu.draw().pictures[0] - on_gpu).mean() < 2


def test_a_model_larger_than_the_budget_is_kept_outside_the_gpu_and_draws_all_the_same(gpu: Any) -> None:
    whole = gpu.draw(deterministic=True).pictures[0]
    held = gpu.executor.studio.cache.used_mb
    gpu.executor.studio.cache.close_all()
    gpu.configure(device="cuda", memory_budget_mb=held / 2, attention_slicing=False)
    assert np.abs(gpu.draw(deterministic=True).pictures[0] - whole).max() <= 1
    assert gpu.executor.studio.cache.used_mb < held
