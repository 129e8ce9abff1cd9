"""What a plugin is handed to take its part of an import: what there is, one by one, and where it may go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

import tron_core as tron
from tron_plugin_legacy.importing.profiles import Profiles
from tron_plugin_legacy.importing.report import Item, Kind, Outcome, Report
from tron_plugin_legacy.importing.upstream import Upstream, reason

FROM_TEXT = "kept as text in the original"


class Entry:
    """One thing to take, which is used as a context. Inside, say what became of it: ``taken``, ``there`` or ``left``.

    A value that cannot be used may be raised (ValueError, TypeError, LookupError, a TronError; IntegrityError and
    DataError of the database): what was written for this entry is undone, it is left with that reason, and the next
    one has its turn. Any other error ends the plugin's part.
    """

    def __init__(self, adoption: tron.Adoption, item: Item, id_: str) -> None:
        self.id = id_
        """Which one it is, as the report names it: a row's id, a person's, a guild's."""
        self._adoption = adoption
        self._item = item
        self._said: tuple[Outcome, str] | None = None

    def taken(self, how: str = "") -> None:
        """It was taken; ``how``, where it has another form now than it had."""
        self._said = (Outcome.MAPPED if how else Outcome.TAKEN, how)

    def there(self) -> None:
        """It is here already, or something chosen here stands in its place."""
        self._said = (Outcome.THERE, "")

    def left(self, why: str) -> None:
        """It was not taken."""
        self._said = (Outcome.LEFT, why)

    def __enter__(self) -> Self:
        self._savepoint = self._adoption.connection.begin_nested()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        why = None if error is None else _broken(error)
        if error is None:
            self._savepoint.commit()
        elif why is not None:
            self._savepoint.rollback()
            self.left(f"broken: {why}")
        else:
            return False
        if self._said is None:
            raise RuntimeError(f"{self._item.kind} {self._item.name} {self.id}: nobody said what became of it")
        outcome, note = self._said
        self._item.add(outcome, note, self.id)
        return True


def _broken(error: BaseException) -> str | None:
    """Why an entry cannot be used; None where the error is not the entry's."""
    if isinstance(error, IntegrityError | DataError):
        return reason(error)
    if isinstance(error, tron.TronError):
        return error.message
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return str(error) or type(error).__name__ if isinstance(error, ValueError | TypeError | LookupError) else None


class Row(Entry):
    """A row of a table, by the names of its columns. A column that a version did not have yet is a KeyError."""

    def __init__(self, adoption: tron.Adoption, item: Item, values: Mapping[str, Any]) -> None:
        super().__init__(adoption, item, str(values["id"]))
        self.values = values

    def __getitem__(self, column: str) -> Any:
        return self.values[column]


class Choice(Entry):
    """What a person chose for a key: ``value``, of the type that it should have."""

    def __init__(self, adoption: tron.Adoption, item: Item, person: str, value: Any, how: str) -> None:
        super().__init__(adoption, item, person)
        self.requester = f"discord:{person}"
        self.value = value
        self._how = how

    def save(self, key: str, value: Any, how: str = "") -> None:
        """Save it as a setting of the plugin's own (``tts.voice``), unless the person has one here. Raises TronError
        where a person could not."""
        if self._item.plugin is None:
            raise RuntimeError("nobody takes this key")
        if self._adoption.save_setting(self._item.plugin, self.requester, key, value):
            self.taken(how or self._how)
        else:
            self.there()


class GuildValue(Entry):
    """What a guild has for a key of guilds.json: ``value``, whatever that is; ``guild`` is its id."""

    def __init__(self, adoption: tron.Adoption, item: Item, guild: str, value: Any) -> None:
        super().__init__(adoption, item, guild)
        self.guild = guild
        self.value = value

    def extend(self, rule: str, values: Iterable[str], how: str = "") -> None:
        """Add to a rule of the guild that is a list (``banned_channels``); raises TronError for what is not
        allowed."""
        if not (self.guild.isascii() and self.guild.isdecimal()):
            raise ValueError(f"{self.guild!r} is no id of a guild")
        if self._adoption.extend_rule(self.guild, rule, values):
            self.taken(how)
        else:
            self.there()


class Taking:
    """One plugin's part. All that is written, through ``connection`` or the entries, is one transaction; it may be run
    again, and after ``--dry-run`` it is undone, so nothing else may have an effect. ``now``: seconds since the epoch.
    """

    def __init__(
        self, plugin: str, upstream: Upstream, profiles: Profiles, adoption: tron.Adoption, report: Report
    ) -> None:
        self.plugin = plugin
        self.adoption = adoption
        self.connection: Connection = adoption.connection
        self.now = adoption.now
        self.people = upstream.people
        """The ids of those who are known as people, not channels."""
        self.is_recent = upstream.is_recent
        """Whether it is a version that keeps a history of pictures, and lets a channel share a conversation."""
        self._upstream = upstream
        self._profiles = profiles
        self._report = report

    def rows(self, table: str) -> Iterator[Row]:
        """The rows of a table, in the order of their ids; none where that version has no such table."""
        item = self._item("table", table)
        for values in self._upstream.rows(table):
            yield Row(self.adoption, item, values)

    def choices(self, key: str) -> Iterator[Choice]:
        """What people chose for a key of their profiles. What the original put there by itself is left, with that
        reason."""
        item = self._item("setting", key)
        for found in self._profiles.sift(key):
            if found.why is not None:
                item.add(Outcome.LEFT, found.why, found.person)
                continue
            as_text = isinstance(found.raw, str) and not isinstance(found.value, str)
            yield Choice(self.adoption, item, found.person, found.value, FROM_TEXT if as_text else "")

    def guild_values(self, key: str) -> Iterator[GuildValue]:
        """What guilds have for a key of guilds.json."""
        item = self._item("guilds", key)
        for guild, values in guilds_of(self._upstream).items():
            if key in values:
                yield GuildValue(self.adoption, item, guild, values[key])

    def note(self, table: str, outcome: Outcome, why: str, row: str) -> None:
        """Report on a part of a row that goes its own way, as ``user.password``."""
        self._item("table", table).add(outcome, why, row)

    def _item(self, kind: Kind, name: str) -> Item:
        return self._report.item(kind, name, self.plugin)


def guilds_of(upstream: Upstream) -> dict[str, Mapping[str, Any]]:
    """The guilds of guilds.json that are objects, by their ids."""
    guilds = upstream.guilds.get("guilds")
    stored = guilds if isinstance(guilds, dict) else {}
    return {guild: values for guild, values in stored.items() if isinstance(values, dict)}
