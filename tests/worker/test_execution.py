"""Runs in this process: what an executor does, and what the connection process hears of it."""

from __future__ import annotations

import asyncio
import enum
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tron_core as tron
from tron_core.hub.protocol import Message
from tron_core.worker import Executor
from tron_core.worker.execution import MAX_ARTIFACTS, RunContext, execute, failure
from tron_core.worker.loading import Offered, params_class
from tron_core.worker.messages import Failed, Finished, Made, Progressed, Run, Said
from tron_core.worker.outbox import Outbox


class Params(tron.Params):
    steps: int = tron.Setting(1, ge=1)


class Stage:
    """One run: ``ctx`` before it, ``sent`` what was said."""

    def __init__(self, folder: Path, params: dict[str, Any] | None = None) -> None:
        self.sent: list[Message] = []
        self.run = Run(serial=1, job="j", attempt=2, capability="c", params=params or {}, deadline_s=9, folder=folder)
        self.ctx = RunContext(self.run, Outbox(self.sent.append))

    def execute(self, run: Callable[..., Any]) -> Finished | Failed:
        executor = type("E", (Executor,), {"capability": "c", "run": lambda self, params, ctx: run(params, ctx)})()
        return self.execute_with(executor)

    def execute_with(self, executor: Executor) -> Finished | Failed:
        with asyncio.Runner() as loop:
            return execute(Offered("p", executor, params_class(executor)), self.run, self.ctx, loop)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_the_context_says_what_is_run(stage: Stage, tmp_path: Path) -> None:
    ctx = stage.ctx
    assert (ctx.job, ctx.attempt, ctx.deadline_s) == ("j", 2, 9)
    assert ctx.work_dir.is_dir()
    assert ctx.work_dir.is_relative_to(tmp_path)


def test_params_arrive_as_the_annotated_class(tmp_path: Path) -> None:
    class Typed(Executor):
        capability = "c"

        def run(self, params: Params, ctx: Any) -> dict[str, Any]:
            return {"steps": params.steps + 1}

    ended = Stage(tmp_path, {"steps": 4}).execute_with(Typed())
    assert isinstance(ended, Finished)
    assert ended.output == {"steps": 5}


def test_params_are_read_strictly(tmp_path: Path) -> None:
    class Typed(Executor):
        capability = "c"

        def run(self, params: Params, ctx: Any) -> dict[str, Any]:
            raise AssertionError("not reached")

    ended = Stage(tmp_path, {"steps": "4"}).execute_with(Typed())
    assert isinstance(ended, Failed)
    assert (ended.kind, ended.retryable) == ("invalid", False)


def test_an_async_executor_is_awaited(stage: Stage) -> None:
    class Later(Executor):
        capability = "c"

        async def run(self, params: Any, ctx: Any) -> dict[str, Any]:
            await asyncio.sleep(0)
            return {"n": 1}

    ended = stage.execute_with(Later())
    assert isinstance(ended, Finished)


def test_the_output_is_what_json_makes_of_it(stage: Stage) -> None:
    class Colour(enum.StrEnum):
        RED = "red"

    ended = stage.execute(lambda params, ctx: {"colour": Colour.RED, "pair": (1, 2), 3: None})
    assert isinstance(ended, Finished)
    assert ended.output == {"colour": "red", "pair": [1, 2], "3": None}


@pytest.mark.parametrize("output", [[1], "text", {"x": float("nan")}, {"x": b"bytes"}, {"x": "\ud800"}])
def test_an_output_that_is_no_json_object_is_an_error_that_no_retry_mends(stage: Stage, output: Any) -> None:
    ended = stage.execute(lambda params, ctx: output)
    assert isinstance(ended, Failed)
    assert (ended.kind, ended.retryable) == ("internal", False)


def test_no_output_is_an_empty_one(stage: Stage) -> None:
    ended = stage.execute(lambda params, ctx: None)
    assert isinstance(ended, Finished)
    assert ended.output == {}


@pytest.mark.parametrize(("said", "heard"), [(-1.0, 0.0), (1.5, 1.0), (float("nan"), 0.0), (0.25, 0.25)])
def test_a_fraction_is_kept_within_its_bounds(stage: Stage, said: float, heard: float) -> None:
    stage.ctx.progress(said)
    assert stage.sent == [Progressed(fraction=heard)]


def test_half_a_character_does_not_break_the_line(stage: Stage) -> None:
    stage.ctx.partial("a\ud800")
    assert stage.sent == [Said(text="a?")]


def test_an_artifact_is_copied_so_that_the_executor_may_reuse_its_file(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"one")
    stage.ctx.artifact("one.png", "image/png", path)
    path.write_bytes(b"two")
    stage.ctx.artifact("two.png", "image/png", b"two", role="thumbnail")

    one, two = [made for made in stage.sent if isinstance(made, Made)]
    assert one.path.read_bytes() == b"one"
    assert (one.size, one.sha256) == (3, hashlib.sha256(b"one").hexdigest())
    assert (two.role, two.sha256) == ("thumbnail", hashlib.sha256(b"two").hexdigest())


@pytest.mark.parametrize("name", ["", ".hidden", "../up", "a b", "x" * 129, "ä"])
def test_an_artifact_needs_a_name_that_is_safe_everywhere(stage: Stage, name: str) -> None:
    with pytest.raises(ValueError, match="allowed are"):
        stage.ctx.artifact(name, "image/png", b"")


@pytest.mark.parametrize("media_type", ["png", "", "image/png\n", "x/" + "y" * 64])
def test_an_artifact_needs_a_media_type(stage: Stage, media_type: str) -> None:
    with pytest.raises(ValueError, match="media type"):
        stage.ctx.artifact("a.png", media_type, b"")


def test_a_name_is_used_once_but_for_previews(stage: Stage) -> None:
    stage.ctx.artifact("a.png", "image/png", b"1")
    stage.ctx.artifact("p.png", "image/png", b"1", role="preview")
    stage.ctx.artifact("p.png", "image/png", b"2", role="preview")
    with pytest.raises(ValueError, match="already"):
        stage.ctx.artifact("a.png", "image/png", b"2")


def test_the_number_of_artifacts_is_bounded(stage: Stage) -> None:
    for n in range(MAX_ARTIFACTS):
        stage.ctx.artifact(f"{n}", "x/y", b"")
    with pytest.raises(ValueError, match="at most 256"):
        stage.ctx.artifact("more", "x/y", b"")


def test_whatever_ends_after_the_cancel_was_cancelled(stage: Stage) -> None:
    stage.ctx.cancel()
    ended = stage.execute(lambda params, ctx: {"half": "done"})
    assert isinstance(ended, Failed)
    assert ended.cancelled


def test_giving_up_without_a_cancel_is_a_fault(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    def run(params: Any, ctx: Any) -> None:
        raise asyncio.CancelledError

    ended = stage.execute(run)
    assert isinstance(ended, Failed)
    assert not ended.cancelled
    assert "nobody had cancelled" in ended.message


def test_an_unexpected_exception_is_printed_and_its_frames_let_go(capsys: pytest.CaptureFixture[str]) -> None:
    class Ugly(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert failure(Ugly(), cancelled=False).message == "Ugly"
    assert "Ugly" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        RuntimeError("vkAllocateMemory failed: ErrorOutOfDeviceMemory"),
        RuntimeError("MPS backend out of memory"),
        OSError("Cannot allocate memory"),
    ],
)
def test_every_engines_words_for_too_little_memory_are_understood(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = failure(error, cancelled=False)
    assert (failed.kind, failed.retryable) == ("out_of_memory", True)
