"""The import itself: each plugin takes its part in a transaction of its own, and what nobody takes is told."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import tron_core as tron
from tron_plugin_legacy.importing.profiles import Profiles
from tron_plugin_legacy.importing.report import Outcome, Report
from tron_plugin_legacy.importing.taking import Taking, guilds_of
from tron_plugin_legacy.importing.upstream import Upstream

if TYPE_CHECKING:
    from tron_plugin_legacy.api import LegacyImport

HOOK = "tron_legacy_import"

NOBODY = "no plugin that is installed and active takes it; install that and import again"
UNREAD = "the hub's own: write it into tron.toml, see the how-to about moving"
HOME_GUILD = "TRON has no home guild: whoever may change models is an administrator of the hub"
OF_NO_GUILD = "broken: it belongs to no guild"

logger = logging.getLogger(__name__)


def take_all(hub: tron.OfflineHub, upstream: Upstream) -> Report:
    """Let every plugin take its part; in a dry run all that it wrote is undone."""
    profiles = Profiles(upstream.profiles, upstream.config.get("default_diffusion_model"))
    report = Report(dry_run=hub.dry_run)
    claimed: list[LegacyImport] = []
    for outcome in hub.call_each(HOOK):
        if outcome.error is not None:
            report.failed[outcome.plugin] = _sentence(outcome.error)
        elif outcome.value is not None:
            claimed += outcome.value
            report.include(_take(hub, upstream, profiles, outcome.plugin, outcome.value))
    _leave_the_rest(upstream, profiles, claimed, report)
    if report.new:
        hub.record("upstream", **{outcome.value: report.count(outcome) for outcome in Outcome})
    return report


def _take(
    hub: tron.OfflineHub, upstream: Upstream, profiles: Profiles, plugin: str, parts: Sequence[LegacyImport]
) -> Report:
    """One plugin's parts: all that can be, or nothing where the plugin fails."""

    def work(adoption: tron.Adoption) -> Report:
        report = Report()
        for part in parts:
            part.take(Taking(plugin, upstream, profiles, adoption, report))
        return report

    try:
        return hub.write(work)
    except Exception as error:  # whatever a plugin may raise is that plugin's failure
        logger.exception("plugin %s took nothing", plugin)
        failed = Report()
        failed.failed[plugin] = _sentence(error)
        return failed


def _sentence(error: BaseException) -> str:
    return error.message if isinstance(error, tron.TronError) else f"{type(error).__name__}: {error}"


def _leave_the_rest(upstream: Upstream, profiles: Profiles, claimed: Sequence[LegacyImport], report: Report) -> None:
    """Tell what no plugin takes."""
    tables = {table for part in claimed for table in part.tables}
    for table in upstream.tables:
        if table not in tables:
            _leave(report.item("table", table).add, upstream.count(table), NOBODY)
    settings = {key for part in claimed for key in part.settings}
    for key in profiles.keys:
        if key not in settings:
            item = report.item("setting", key)
            for found in profiles.sift(key):
                item.add(Outcome.LEFT, found.why or NOBODY, found.person)
    for person, why in profiles.refused:
        report.item("config", "users").add(Outcome.LEFT, why, person)
    _leave_guilds(upstream, {key for part in claimed for key in part.guild_values}, report)
    for key in sorted(set(upstream.config) - {"users"}):
        report.item("config", key).add(Outcome.LEFT, UNREAD)


def _leave(add: Any, count: int, why: str) -> None:
    if count:
        add(Outcome.LEFT, why, count=count)


def _leave_guilds(upstream: Upstream, claimed: Collection[str], report: Report) -> None:
    known: Mapping[str, Mapping[str, Any]] = guilds_of(upstream)
    for guild, values in known.items():
        for key in sorted(set(values) - set(claimed)):
            report.item("guilds", key).add(Outcome.LEFT, NOBODY, guild)
    stored = upstream.guilds.get("guilds")
    for guild in sorted(set(stored if isinstance(stored, dict) else ()) - set(known)):
        report.item("guilds", "guilds").add(Outcome.LEFT, "broken: the guild is no object", guild)
    for key, value in upstream.guilds.items():
        if key == "home_guild" and value is not None:
            report.item("guilds", key).add(Outcome.LEFT, HOME_GUILD, str(value))
        elif key not in ("home_guild", "guilds"):
            report.item("guilds", key).add(Outcome.LEFT, OF_NO_GUILD)
