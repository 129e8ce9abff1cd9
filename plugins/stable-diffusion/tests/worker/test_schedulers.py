"""Every sampling method that the catalogue begins with, on a real model."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tron_plugin_stable_diffusion
from tron_core.job import ErrorKind
from tron_core.worker import ExecutorError

pytest.importorskip("torch", reason="torch is not installed here; make test-workers has it")

pytestmark = pytest.mark.workers

Draw = Callable[..., Any]


def catalogue() -> list[Any]:
    """The rows of the first migration: name, class, args and more."""
    [file] = (Path(tron_plugin_stable_diffusion.__file__).parent / "migrations").glob("*_0001_*.py")
    spec = importlib.util.spec_from_file_location("first_migration", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.SCHEDULERS)


@pytest.mark.parametrize(("class_name", "args"), [pytest.param(row[1], row[2], id=row[0]) for row in catalogue()])
def test_every_method_of_the_catalogue_draws(draw: Draw, class_name: str, args: dict[str, Any]) -> None:
    config = json.dumps({"class": class_name, "args": args})
    drawn = draw(scheduler_config=config)
    assert drawn.output["scheduler"] == class_name
    assert draw(scheduler_config=config).files == drawn.files


def test_another_method_gives_another_picture(draw: Draw) -> None:
    ddim = draw(scheduler_config='{"class": "DDIMScheduler"}')
    assert ddim.files != draw(scheduler_config='{"class": "EulerDiscreteScheduler"}').files


def test_a_method_with_several_looks_a_step_tells_all_of_them(draw: Draw) -> None:
    reports = draw(scheduler_config='{"class": "HeunDiscreteScheduler"}', steps=4).ctx.reports
    assert max(report.step or 0 for report in reports) == max(report.steps or 0 for report in reports) == 7


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"class": "MagicScheduler"}, "scheduler: 'MagicScheduler' is none that sd can use; allowed: DDIMScheduler, "),
        ({"class": "DDIMScheduler", "args": {"magic": 1}}, "scheduler: DDIMScheduler takes no magic"),
        ({"class": "DDIMScheduler", "args": {"beta_schedule": "up"}}, "scheduler: DDIMScheduler cannot be made: "),
        ({"class": "FlowMatchEulerDiscreteScheduler"}, "scheduler: 'FlowMatchEulerDiscreteScheduler' is none that sd"),
    ],
)
def test_a_method_that_the_model_cannot_use_is_refused(draw: Draw, config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ExecutorError) as raised:
        draw(scheduler_config=json.dumps(config))
    assert raised.value.kind is ErrorKind.INVALID
    assert raised.value.message.startswith(sentence)
