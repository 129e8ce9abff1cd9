"""Each folder of the documentation has an index, and the index leads to every page of its folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
INDEXES = sorted(DOCS.glob("*/index.md"))


@pytest.mark.parametrize("index", INDEXES, ids=[index.parent.name for index in INDEXES])
def test_the_index_lists_every_page(index: Path) -> None:
    linked = set(re.findall(r"\]\(([\w.-]+\.md)\)", index.read_text(encoding="utf-8")))
    assert linked == {page.name for page in index.parent.glob("*.md")} - {"index.md"}
