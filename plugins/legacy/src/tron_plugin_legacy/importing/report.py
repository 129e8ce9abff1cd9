"""What an import did: counts for each table and key, with the reasons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

EXAMPLES = 10
"""How many rows a reason names; it counts all."""
SHOWN = 3
"""How many of them people are shown."""
MOST_REASONS = 50
"""How many reasons an item has; the rest is counted as one."""
OTHER = "for other reasons"

Kind = Literal["table", "setting", "guilds", "config"]
"""Where something stood: in a table, in a person's profile, in guilds.json, elsewhere in config.json."""


class Outcome(StrEnum):
    """What became of one thing. ``mapped``: taken in another form; ``there``: taken before, or chosen anew here."""

    TAKEN = "taken"
    MAPPED = "mapped"
    THERE = "there"
    LEFT = "left"


@dataclass(slots=True)
class Note:
    """Why, or how, for ``count`` things, of which ``rows`` names the first."""

    count: int = 0
    rows: list[str] = field(default_factory=list)

    def add(self, row: str | None, count: int) -> None:
        self.count += count
        if row is not None and len(self.rows) < EXAMPLES:
            self.rows.append(row)


@dataclass(slots=True)
class Item:
    """A table or a key. ``plugin`` takes it, None where nobody does; ``notes`` by outcome and reason."""

    kind: Kind
    name: str
    plugin: str | None
    counts: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    notes: dict[tuple[Outcome, str], Note] = field(default_factory=dict)

    def add(self, outcome: Outcome, why: str = "", row: str | None = None, count: int = 1) -> None:
        """Count one thing, or several at once."""
        self.counts[outcome] += count
        if why:
            crowded = len(self.notes) >= MOST_REASONS and (outcome, why) not in self.notes
            why = OTHER if crowded else why
            self.notes.setdefault((outcome, why), Note()).add(row, count)

    def as_json(self) -> dict[str, Any]:
        notes = [
            {"outcome": outcome.value, "why": why, "count": note.count, "rows": note.rows}
            for (outcome, why), note in self.notes.items()
        ]
        counts = {outcome.value: count for outcome, count in self.counts.items()}
        return {"from": self.kind, "name": self.name, "plugin": self.plugin, **counts, "notes": notes}


class Report:
    """The items in the order in which they came up; ``failed``: the reasons of plugins of which nothing was taken."""

    def __init__(self, *, dry_run: bool = False) -> None:
        self.dry_run = dry_run
        self.failed: dict[str, str] = {}
        self._items: dict[tuple[Kind, str, str | None], Item] = {}

    def item(self, kind: Kind, name: str, plugin: str | None = None) -> Item:
        """The item for a table or key, new where it did not come up yet."""
        key = (kind, name, plugin)
        if key not in self._items:
            self._items[key] = Item(kind, name, plugin)
        return self._items[key]

    @property
    def items(self) -> list[Item]:
        return list(self._items.values())

    def count(self, outcome: Outcome) -> int:
        """Over all items."""
        return sum(item.counts[outcome] for item in self.items)

    @property
    def new(self) -> int:
        """How much was taken, in whichever form."""
        return self.count(Outcome.TAKEN) + self.count(Outcome.MAPPED)

    def include(self, other: Report) -> None:
        """Take the items of another report, whose keys are not in this one."""
        self._items.update(other._items)
        self.failed.update(other.failed)

    def as_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        counts: Mapping[str, int] = {outcome.value: self.count(outcome) for outcome in Outcome}
        items = [item.as_json() for item in self.items]
        return {"dry_run": self.dry_run, **counts, "items": items, "failed": self.failed}

    def lines(self) -> Iterator[str]:
        """What is printed for people: a row for each item with its reasons below, and what it comes to."""
        head = ["FROM", "NAME", "PLUGIN", *(outcome.value.upper() for outcome in Outcome)]
        items = [item for item in self.items if any(item.counts.values())]
        rows = [_cells(item) for item in items]
        widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
        yield _row(head, widths)
        for item, row in zip(items, rows, strict=True):
            yield _row(row, widths)
            yield from (_sentence(outcome, why, note) for (outcome, why), note in item.notes.items())
        yield ""
        yield self._sum()

    def _sum(self) -> str:
        counts = ", ".join(f"{self.count(outcome)} {outcome.value}" for outcome in Outcome)
        written = " Nothing was written: this was --dry-run." if self.dry_run else ""
        if self.failed:
            return f"In all: {counts}.{written}"
        new = "" if self.new else " Nothing new was taken: all that can be is here already."
        return f"In all: {counts}.{new}{written}"


def _cells(item: Item) -> list[str]:
    return [item.kind, item.name, item.plugin or "-", *(str(item.counts[outcome]) for outcome in Outcome)]


def _row(cells: Iterable[str], widths: Iterable[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _sentence(outcome: Outcome, why: str, note: Note) -> str:
    more = ", …" if note.count > SHOWN else ""
    rows = f" ({', '.join(note.rows[:SHOWN])}{more})" if note.rows else ""
    return f"    {note.count} {outcome.value}: {why}{rows}"
