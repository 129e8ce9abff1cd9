"""The README shows the sample plugin as it stands."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
ECHO = ROOT / "docs/samples/tron-plugin-echo/src/tron_plugin_echo/__init__.py"


def test_the_readme_shows_the_sample_plugin_as_it_is_tested() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = readme.split("```python\n")[1].split("```")[0]
    assert shown == ECHO.read_text(encoding="utf-8")
