"""RecordingContext: what a test of an executor can rely on."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tron_core.job import Role
from tron_core.testing import RecordingContext
from tron_core.worker import Cancelled, ExecutorError


def test_what_the_executor_says_can_be_read_back(tmp_path: Path) -> None:
    ctx = RecordingContext(tmp_path)
    ctx.progress(0.5, "halfway", step=1, steps=2)
    ctx.partial("a")
    ctx.partial("b")
    assert ctx.fractions == [0.5]
    assert ctx.reports[0].message == "halfway"
    assert ctx.text == "ab"


def test_an_artifact_is_read_when_it_is_handed_over(tmp_path: Path) -> None:
    file = tmp_path / "x.bin"
    file.write_bytes(b"first")
    ctx = RecordingContext(tmp_path)
    ctx.artifact("x.bin", "application/octet-stream", file, role="sheet")
    file.write_bytes(b"later")
    assert ctx.artifacts["x.bin"].data == b"first"
    assert ctx.artifacts["x.bin"].role is Role.SHEET


def test_a_name_is_taken_once_but_a_preview_may_come_again(tmp_path: Path) -> None:
    ctx = RecordingContext(tmp_path)
    ctx.artifact("p", "image/png", b"1", role="preview")
    ctx.artifact("p", "image/png", b"2", role="preview")
    assert ctx.artifacts["p"].data == b"2"
    ctx.artifact("r", "image/png", b"1")
    with pytest.raises(ValueError, match="unique"):
        ctx.artifact("r", "image/png", b"2")


def test_inputs_come_with_their_size_hash_and_type(tmp_path: Path) -> None:
    file = tmp_path / "in.png"
    file.write_bytes(b"abc")
    ctx = RecordingContext(tmp_path, inputs={"image": file, "more": [file, file]})
    assert ctx.input("image").media_type == "image/png"
    assert ctx.input("image").sha256 == hashlib.sha256(b"abc").hexdigest()
    assert len(ctx.inputs("more")) == 2
    with pytest.raises(ExecutorError, match="absent"):
        ctx.input("absent")


def test_a_job_can_be_cancelled_at_a_fraction(tmp_path: Path) -> None:
    ctx = RecordingContext(tmp_path, cancel_at=0.5)
    ctx.progress(0.4)
    ctx.check_cancelled()
    ctx.progress(0.6)
    with pytest.raises(Cancelled):
        ctx.check_cancelled()


def test_a_fraction_outside_its_range_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"1\.5"):
        RecordingContext(tmp_path).progress(1.5)
