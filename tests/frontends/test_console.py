"""What a person at a console sees of a job."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tron_core.errors import TronError
from tron_core.frontends.console import (
    BarView,
    LineView,
    TextStream,
    describe,
    extension,
    file_name,
    follow,
    results,
    save,
)
from tron_core.frontends.server_sent import ServerSent

PICTURE = {
    "id": "01J",
    "name": "picture",
    "role": "result",
    "url": "http://hub/artifacts/key/picture%20one.png",
    "sha256": hashlib.sha256(b"bytes").hexdigest(),
}
JOB: dict[str, Any] = {
    "id": "01JZ8QW2Y3V5M9K7N4T6B1C0DF",
    "capability": "draw",
    "artifacts": [{**PICTURE, "role": "thumbnail"}, PICTURE],
}


class Seen:
    """A view that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.ended = False

    def status(self, text: str) -> None:
        self.lines.append(text)

    def progress(self, fraction: float, text: str) -> None:
        self.lines.append(f"{fraction} {text}")

    def end(self) -> None:
        self.ended = True


def streamed(*partials: tuple[int, str], reply: str) -> str:
    out = io.StringIO()
    stream = TextStream(out)
    for seq, text in partials:
        stream.add(seq, text)
    stream.finish(reply)
    return out.getvalue()


def test_a_job_is_followed_to_its_result() -> None:
    events = [
        ServerSent("state", {"state": "queued", "position": 2}),
        ServerSent("progress", {"fraction": 0.5, "message": "halfway"}),
        ServerSent("result", {"id": "01J"}),
        ServerSent("state", {"state": "never read"}),
    ]
    view = Seen()
    assert follow(iter(events), view) == {"id": "01J"}
    assert view.lines == ["queued, position 2", "0.5 halfway"]
    assert view.ended


def test_a_stream_that_ends_before_gives_no_result() -> None:
    assert follow([ServerSent("state", {"state": "running"})], Seen()) is None


def test_the_bar_makes_way_for_text() -> None:
    out, view = io.StringIO(), Seen()
    follow([ServerSent("partial", {"seq": 0, "text": "Once"})], view, TextStream(out))
    assert view.ended
    assert out.getvalue() == "Once"


@pytest.mark.parametrize(
    ("partials", "reply", "shown"),
    [
        ((), "A reply.", "A reply.\n"),
        ((), "", ""),
        (((0, "The cap"), (1, "ital.")), "The capital.", "The capital.\n"),
        (((0, " The capital."),), "The capital.\n\n- model", " The capital.\n\n- model\n"),
        (((0, "The capital.\n"),), "The capital.\n\n- model", "The capital.\n\n- model\n"),
        (((0, "One"), (0, "Two")), "Two", "One\nTwo\n"),
        (((0, "One"), (0, "One and more")), "One and more", "One and more\n"),
        (((0, "draft"),), "Something else", "draft\nSomething else\n"),
        (((0, "draft"),), "", "draft\n"),
    ],
)
def test_text_is_shown_once(partials: tuple[tuple[int, str], ...], reply: str, shown: str) -> None:
    assert streamed(*partials, reply=reply) == shown


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"state": "queued", "position": 3, "eta_seconds": 40.4}, "queued, position 3, about 40 s"),
        ({"state": "running", "worker": "gpu-1", "attempt": 2}, "running on gpu-1, attempt 2"),
        ({"state": "queued", "eta_seconds": 600, "message": "no worker"}, "queued, about 10 min; no worker"),
    ],
)
def test_a_state_reads_as_a_sentence(state: dict[str, Any], sentence: str) -> None:
    assert describe(state) == sentence


def test_lines_tell_changes_and_quarters() -> None:
    out = io.StringIO()
    view = LineView("draw", out)
    view.status("running")
    view.status("running")
    for percent in range(0, 101, 10):
        view.progress(percent / 100, "")
    view.end()
    assert out.getvalue().splitlines() == ["draw: running", "draw: 25 %", "draw: 50 %", "draw: 75 %", "draw: 100 %"]


def test_a_bar_shows_title_share_and_what_happens() -> None:
    out = io.StringIO()
    view = BarView("draw [1]", Console(file=out, force_terminal=True, width=100), keep=True)
    view.progress(0.5, "step 3 [of 6]")
    view.end()
    view.end()
    assert "draw [1]" in out.getvalue()
    assert " 50 %" in out.getvalue()
    assert "step 3 [of 6]" in out.getvalue()


def test_only_results_are_saved_under_a_name_that_says_whose_they_are() -> None:
    assert results(JOB) == [PICTURE]
    assert file_name(JOB, PICTURE) == "draw-t6b1c0df-picture.png"


@pytest.mark.parametrize(
    ("name", "url", "saved"),
    [
        ("picture", "http://hub/a/key/picture.png", "picture.png"),
        ("picture.png", "http://hub/a/key/picture.png", "picture.png"),
        ("../../etc/passwd", "http://hub/a/key/x.txt", "_.._etc_passwd.txt"),
        ("..", "http://hub/a/key/..%2f", "file.bin"),
        ("a/b c", "http://hub/a/key/%2fetc%2fx.wav", "a_b_c.wav"),
    ],
)
def test_a_name_from_elsewhere_leads_nowhere(name: str, url: str, saved: str) -> None:
    assert file_name(JOB, {**PICTURE, "name": name, "url": url}) == f"draw-{JOB['id'][-8:].lower()}-{saved}"
    assert "/" not in extension({"url": url})


def test_a_file_is_saved_whole_or_not_at_all(tmp_path: Path) -> None:
    def download(url: str) -> Iterator[bytes]:
        yield from (b"by", b"tes")

    assert save(PICTURE, tmp_path / "picture.png", download).read_bytes() == b"bytes"
    with pytest.raises(TronError, match="other bytes came"):
        save({**PICTURE, "sha256": "0" * 64}, tmp_path / "other.png", download)
    assert [file.name for file in tmp_path.iterdir()] == ["picture.png"]
