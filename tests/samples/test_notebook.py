"""The notebook for borrowed GPUs: its cells are Python, hold no output, and unpack a kit as they say."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "worker.ipynb"


def code_cells() -> list[str]:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 4)
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_every_cell_is_python_and_none_has_an_output() -> None:
    for number, source in enumerate(code_cells()):
        compile(source, f"cell {number}", "exec")
    assert all(not cell.get("outputs") for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"])


def test_the_first_cell_unpacks_the_kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("kit.zip", "w") as packed:
        for name in ("worker.toml", "auth.json"):
            packed.writestr(f"kit/{name}", f"the {name}")
    exec(compile(code_cells()[0], "the first cell", "exec"), {})  # noqa: S102 - it is the sample under test
    assert (tmp_path / "kit" / "worker.toml").read_text() == "the worker.toml"
    assert f"{(tmp_path / 'kit').stat().st_mode & 0o777:o}" == "700"
