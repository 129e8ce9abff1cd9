"""Models that bring a safety checker of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is not installed here; make test-workers has it")

pytestmark = pytest.mark.workers


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiny_models import stable_diffusion_that_refuses

    return stable_diffusion_that_refuses(tmp_path_factory.mktemp("refusing"))


def test_what_it_refuses_is_withheld_and_counted(stage: Any, model: Path) -> None:
    stage.configure(models={"strict": str(model)})
    drawn = stage.draw(count=2)
    assert (drawn.output["filtered"], drawn.output["seeds"]) == (2, [])
    assert drawn.ctx.artifacts == {}


def test_where_everything_is_allowed_it_is_not_asked_for_that_job_alone(stage: Any, model: Path) -> None:
    stage.configure(models={"strict": str(model)})
    assert stage.draw(nsfw=True).output["filtered"] == 0
    assert stage.draw().output["filtered"] == 1


def test_a_worker_may_do_without_it(stage: Any, model: Path) -> None:
    stage.configure(models={"strict": str(model)}, safety_checker=False)
    assert stage.draw().output["filtered"] == 0
