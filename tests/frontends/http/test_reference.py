"""The reference pages know what the code knows."""

from __future__ import annotations

import re
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[3]
CORE = ROOT / "tron_core"
REFERENCE = ROOT / "docs" / "reference"

ANSWERING = [CORE / "errors.py", *(CORE / part for part in ("auth", "frontends/http", "scheduling", "storage"))]
"""Where errors that REST answers come from."""


def test_every_code_of_an_error_is_in_the_reference() -> None:
    files = [file for place in ANSWERING for file in ([place] if place.is_file() else sorted(place.rglob("*.py")))]
    found = {
        code
        for file in files
        for code in re.findall(
            r"\b(?:code ?= ?|OAuthError\(|JobError\()\"([a-z_]+)\"", file.read_text(encoding="utf-8")
        )
    }
    listed = set(re.findall(r"`([a-z_]+)`", (REFERENCE / "errors.md").read_text(encoding="utf-8")))
    assert len(found) > 30
    assert found - listed == set()


async def test_every_call_is_in_the_reference(nobody: httpx.AsyncClient) -> None:
    text = (REFERENCE / "rest.md").read_text(encoding="utf-8")
    paths = (await nobody.get("/openapi.json")).json()["paths"]
    missing = [path for path in paths if re.sub(r"^/api/v1|/\{.*", "", path) not in text]
    assert missing == []
