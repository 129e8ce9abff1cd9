"""The page that shows what the demo made: one file beside the results, which needs no hub."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import quote

from tron_core.cli.turns import NOTHING, Outcome

PAGE = Template("""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>TRON: the demo</title>
<style>
  :root { color-scheme: light dark; }
  body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; }
  section { border-top: 1px solid #8884; padding: .5rem 0 1rem; }
  h2 { margin: .5rem 0; font-size: 1.1rem; }
  code { font-size: .85rem; overflow-wrap: anywhere; }
  img { min-width: 12rem; max-width: 100%; image-rendering: auto; }
  pre { white-space: pre-wrap; margin: .5rem 0; }
  .failed h2 { color: #c33; }
</style>
<h1>What the demo made</h1>
$sections
$skipped
</html>
""")
SECTION = Template("""\
<section class="$state">
<h2>$title</h2>
$parts
</section>""")
MEDIA = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".webp", ".gif"), '<p><img src="{0}" alt="{1}"></p>'),
    **dict.fromkeys((".wav", ".ogg", ".mp3", ".flac"), '<p><audio controls src="{0}"></audio></p>'),
    **dict.fromkeys((".mp4", ".webm"), '<p><video controls src="{0}"></video></p>'),
}
"""How a file is shown, by its ending; others are linked."""
LINK = '<p><a href="{0}">{1}</a></p>'


def write_page(folder: Path, outcomes: Sequence[Outcome]) -> Path:
    """Write ``index.html`` into ``folder``, where the results lie; returns its path."""
    made = [_section(outcome) for outcome in outcomes if outcome.state != "skipped"]
    left = [each for each in outcomes if each.state == "skipped" and each.reason != NOTHING]
    folder.mkdir(exist_ok=True)
    page = folder / "index.html"
    page.write_text(PAGE.substitute(sections="\n".join(made), skipped=_left_out(left)), encoding="utf-8")
    return page


def _left_out(outcomes: Sequence[Outcome]) -> str:
    rows = [f"<li>{escape(each.capability)}: {escape(each.reason or '')}</li>" for each in outcomes]
    return "\n".join(["<h2>Left out</h2>", "<ul>", *rows, "</ul>"]) if rows else ""


def _section(outcome: Outcome) -> str:
    parts = [f"<p><code>$ {escape(outcome.command)}</code></p>"] if outcome.command else []
    if outcome.pressed:
        parts.append(f"<p>Button {escape(outcome.pressed)}</p>")
    if outcome.reason:
        parts.append(f"<p>{escape(outcome.reason)}</p>")
    files = [Path(file) for file in outcome.files]
    parts += [_shown(file) for file in files if file.suffix != ".txt"]
    if outcome.text:
        parts.append(f"<pre>{escape(outcome.text)}</pre>")
    title = escape(outcome.capability)
    if outcome.worker:
        title += f" <small>by worker {escape(outcome.worker)} in {outcome.seconds} s</small>"
    return SECTION.substitute(state=outcome.state, title=title, parts="\n".join(parts))


def _shown(file: Path) -> str:
    return MEDIA.get(file.suffix.lower(), LINK).format(quote(file.name), escape(file.name))
