"""What a worker announces: the executors of all its slots put together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tron_core.hub.protocol import Announced, Status


def merge(slots: Sequence[Mapping[str, Announced]]) -> dict[str, Announced]:
    """Per capability what any slot has: models and choices in the order of the first slot that has them."""
    merged: dict[str, Announced] = {}
    for capabilities in slots:
        for name, announced in capabilities.items():
            merged[name] = _union(merged[name], announced) if name in merged else announced
    return merged


def _union(one: Announced, other: Announced) -> Announced:
    fields = [*one.choices, *(field for field in other.choices if field not in one.choices)]
    return Announced(
        models=_distinct(one.models, other.models),
        loaded=_distinct(one.loaded, other.loaded),
        choices={field: _distinct(one.choices.get(field, ()), other.choices.get(field, ())) for field in fields},
    )


def _distinct(one: Iterable[str], other: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*one, *other]))


def changes(old: Mapping[str, Announced], new: Mapping[str, Announced]) -> Status | None:
    """The ``status`` that brings a hub which knows ``old`` up to ``new``; None where nothing changed."""
    empty = Announced()
    loaded = {name: now.loaded for name, now in new.items() if now.loaded != old.get(name, empty).loaded}
    choices = {name: now.choices for name, now in new.items() if now.choices != old.get(name, empty).choices}
    return Status(loaded=loaded, choices=choices) if loaded or choices else None
