"""The plugins: whether each is what its operator thinks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tron_core.doctor.finding import Finding, Subject, fail, ok, warn
from tron_core.plugins.listing import list_plugins
from tron_core.plugins.records import PluginState

CHECK = "plugins"


def plugins(subject: Subject) -> Iterator[Finding]:
    """Those of the hub that runs, else those that it would load."""
    records = _as_loaded(subject) if subject.running is None else subject.running.plugins
    well = [record for record in records if record["state"] == PluginState.ACTIVE]
    disabled = [record["name"] for record in records if record["state"] == PluginState.DISABLED]
    for record in records:
        if record["state"] not in (PluginState.ACTIVE, PluginState.DISABLED):
            yield _unwell(record)
    yield from _unread_sections(subject, {record["name"] for record in records})
    if well:
        named = ", ".join(record["name"] for record in well)
        yield ok(CHECK, f"active: {named}" + (f"; disabled: {', '.join(disabled)}" if disabled else ""))
    else:
        yield warn(
            CHECK, "no plugin is active: there is nothing to ask for", 'Install one: pip install "tron-plugin-…"'
        )


def _as_loaded(subject: Subject) -> Sequence[Mapping[str, Any]]:
    return [record.as_json() for record in list_plugins(subject.loaded, no_plugins=subject.no_plugins)]


def _unwell(record: Mapping[str, Any]) -> Finding:
    name = record["name"]
    fixes = {
        PluginState.INCOMPATIBLE: f"pip install --upgrade {record['distribution']} tron-core",
        PluginState.QUARANTINED: "See the hub's log for what it raised; a restart gives it another try",
    }
    fix = fixes.get(record["state"], f"Put that right, or leave it out: tron plugins disable {name}")
    return fail(CHECK, f"{name} is {record['state']}: {record['reason']}", fix)


def _unread_sections(subject: Subject, names: set[str]) -> Iterator[Finding]:
    for name in subject.loaded.settings.plugins.sections:
        if name not in names and name.replace("_", "-") not in names:
            yield warn(
                CHECK, f"[plugins.{name}] is for a plugin that is not installed", f"pip install tron-plugin-{name}"
            )
