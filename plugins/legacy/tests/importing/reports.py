"""Reading the report of an import."""

from __future__ import annotations

from typing import Any


def item(report: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    """What a report says of a table or key."""
    [found] = [each for each in report["items"] if (each["from"], each["name"]) == (kind, name)]
    counts = {outcome: found[outcome] for outcome in ("taken", "mapped", "there", "left") if found[outcome]}
    return {"plugin": found["plugin"], **counts, "why": [note["why"] for note in found["notes"]]}


def reason(report: dict[str, Any], kind: str, name: str, row: str) -> str:
    """Why a row, or what a person had, was left."""
    notes = [note for each in report["items"] if (each["from"], each["name"]) == (kind, name) for note in each["notes"]]
    [found] = [note["why"] for note in notes if row in note["rows"] and note["outcome"] == "left"]
    return str(found)
