"""The page that shows what the demo made."""

from __future__ import annotations

from pathlib import Path

from tron_core.cli.demo_page import write_page
from tron_core.cli.turns import NOTHING, Outcome


def test_what_was_made_is_shown_by_its_kind_and_words_are_shown_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    outcomes = [
        Outcome("paint", "succeeded", command="tron submit paint --text '<b>'", worker="w", seconds=0.5, text="a & b",
                files=[str(folder / "paint one.png")]),
        Outcome("enlarge", "succeeded", pressed="Enlarge, below paint", files=[str(folder / "larger.png")]),
        Outcome("speak", "succeeded", files=[str(folder / "speech.wav")]),
        Outcome("pack", "succeeded", files=[str(folder / "all.zip")]),
        Outcome("say", "succeeded", text="hello", files=[str(folder / "say.txt")]),
        Outcome("fail", "failed", "it broke"),
        Outcome("far", "skipped", "no executor for it is installed here"),
        Outcome("mute", "skipped", NOTHING),
    ]  # fmt: skip
    page = write_page(folder, outcomes)
    text = page.read_text(encoding="utf-8")
    assert page == folder / "index.html"
    assert "tron submit paint --text &#x27;&lt;b&gt;&#x27;" in text
    assert '<img src="paint%20one.png" alt="paint one.png">' in text
    assert "Button Enlarge, below paint" in text
    assert '<audio controls src="speech.wav">' in text
    assert '<a href="all.zip">all.zip</a>' in text
    assert "<pre>hello</pre>" in text
    assert "say.txt" not in text
    assert "it broke" in text
    assert "<li>far: no executor for it is installed here</li>" in text
    assert "mute" not in text
