"""Memory that runs out under torch, and models that do not fit together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tron_core.job import ErrorKind
from tron_core.worker import ExecutorError

torch = pytest.importorskip("torch", reason="torch is not installed here; make test-workers has it")

pytestmark = pytest.mark.workers

CUDA = "CUDA out of memory. Tried to allocate 2.00 GiB"
CPU = "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory"

Full = Callable[[int, Exception], None]


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Full:
    """Let the UNets find no memory for more than so many rows; with guidance a picture has two."""

    def full(rows: int, error: Exception) -> None:
        from diffusers import UNet2DConditionModel

        forward = UNet2DConditionModel.forward

        def limited(self: Any, sample: Any, *given: Any, **named: Any) -> Any:
            if len(sample) > rows:
                raise error
            return forward(self, sample, *given, **named)

        monkeypatch.setattr(UNet2DConditionModel, "forward", limited)

    return full


@pytest.mark.parametrize("error", [torch.OutOfMemoryError(CUDA), RuntimeError(CPU), MemoryError("no more")])
def test_a_batch_that_does_not_fit_is_made_one_at_a_time(stage: Any, full: Full, error: Exception) -> None:
    whole = stage.draw(model="sd", count=2, deterministic=True)
    stage.draw(model="sd-2")
    full(2, error)
    drawn = stage.draw(model="sd", count=2)
    assert drawn.output["seeds"] == [1, 2]
    for picture, wanted in zip(drawn.pictures, whole.pictures, strict=True):
        assert abs(picture - wanted).max() <= 1
    assert stage.executor.loaded() == ["sd"]


def test_a_picture_that_does_not_fit_alone_is_out_of_memory_and_the_worker_goes_on(
    stage: Any, full: Full, monkeypatch: pytest.MonkeyPatch
) -> None:
    full(0, torch.OutOfMemoryError(CUDA))
    with pytest.raises(ExecutorError) as raised:
        stage.draw(model="sd", count=2)
    assert raised.value.kind is ErrorKind.OUT_OF_MEMORY
    assert raised.value.retryable
    assert raised.value.message == f"sd: too little memory for a picture of 64x64: {CUDA}"
    monkeypatch.undo()
    assert stage.draw(model="sd").output["seeds"] == [1]


def test_another_error_of_torch_is_not_taken_for_it(stage: Any, full: Full) -> None:
    full(0, RuntimeError("CUDA error: device-side assert triggered"))
    with pytest.raises(RuntimeError, match="device-side assert"):
        stage.draw(model="sd")


def test_two_models_over_the_budget_are_swapped(stage: Any) -> None:
    first = stage.draw(model="sd").files
    size = stage.executor.studio.cache.used_mb
    stage.configure(memory_budget_mb=1.5 * size)
    for _ in range(2):
        assert stage.draw(model="sd").files == first
        assert stage.executor.loaded() == ["sd"]
        stage.draw(model="sd-2")
        assert stage.executor.loaded() == ["sd-2"]


def test_two_models_within_the_budget_stay(stage: Any) -> None:
    stage.draw(model="sd")
    stage.configure(memory_budget_mb=2.5 * stage.executor.studio.cache.used_mb)
    stage.draw(model="sd-2")
    assert stage.executor.loaded() == ["sd-2", "sd"]


def test_what_a_model_will_take_is_known_before_it_is_loaded(stage: Any) -> None:
    from tron_plugin_stable_diffusion import folders

    stage.draw(model="sdxl")
    assert folders.memory_mb(stage.models / "sdxl", 4) == pytest.approx(stage.executor.studio.cache.used_mb, rel=0.02)


def test_loading_is_told_once(stage: Any) -> None:
    ctx = stage.draw(model="sd").ctx
    assert ctx.load_seconds > 0
    assert ctx.reports[0].message == "loading sd"
    assert stage.draw(model="sd").ctx.load_seconds is None
