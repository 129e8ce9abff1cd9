"""What people chose: their profiles, less what the original had put in there by itself. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tron_plugin_legacy.importing.original import PSEUDO_USER, SETTINGS, UNKNOWN

NOTHING = "nothing was chosen (null)"
DEFAULT = "a default of the original, which stores all of them: nobody's choice"
HUBS_DEFAULT = "the default of config.json (default_diffusion_model): nobody's choice"
SHARED = "the same long text in several profiles: a default of the original, nobody's choice"

LONG_TEXT = 40
SEVERAL = 3
"""So many people do not write the same text of so many characters; the texts of some versions are not known."""


@dataclass(frozen=True, slots=True)
class Found:
    """The value of a key in a person's profile, as it stands there and as it is read; ``why`` it is no choice."""

    person: str
    raw: Any
    value: Any
    why: str | None = None


class Profiles:
    """The profiles of config.json, by the ids of people; ``default_model`` is the hub's own default."""

    def __init__(self, stored: Mapping[str, Any], default_model: Any = None) -> None:
        self._default_model = default_model
        self._people: dict[str, Mapping[str, Any]] = {}
        self.refused: list[tuple[str, str]] = []
        """Entries that are no person's profile: what stands for the id, and why."""
        for person, profile in stored.items():
            why = _why_not(person, profile)
            if why is None:
                self._people[person] = profile
            else:
                self.refused.append((person, why))

    @property
    def keys(self) -> list[str]:
        """Every key of any profile: the known ones first, then the others, sorted."""
        present = {key for profile in self._people.values() for key in profile}
        return [key for key in SETTINGS if key in present] + sorted(present - set(SETTINGS))

    def sift(self, key: str) -> Iterator[Found]:
        """What each profile has for ``key``."""
        stored = {person: profile[key] for person, profile in self._people.items() if key in profile}
        long_texts = (value for value in stored.values() if isinstance(value, str) and len(value) >= LONG_TEXT)
        shared = {value for value, count in Counter(long_texts).items() if count >= SEVERAL}
        for person, raw in stored.items():
            yield self._judge(key, person, raw, shared)

    def _judge(self, key: str, person: str, raw: Any, shared: set[str]) -> Found:
        setting = SETTINGS.get(key, UNKNOWN)
        if raw is None:
            return Found(person, raw, raw, NOTHING)
        try:
            value = setting.read(raw)
        except ValueError as error:
            return Found(person, raw, raw, f"broken: {error}")
        if setting.is_default(value):
            return Found(person, raw, value, DEFAULT)
        if key == "model" and value == self._default_model:
            return Found(person, raw, value, HUBS_DEFAULT)
        if isinstance(value, str) and value in shared:
            return Found(person, raw, value, SHARED)
        return Found(person, raw, value)


def _why_not(person: str, profile: Any) -> str | None:
    if person == PSEUDO_USER:
        return "nobody's: what !defaults wrote, nothing ever read"
    if not (person.isascii() and person.isdecimal() and len(person) <= 20):
        return "broken: this is no id of a person"
    if not isinstance(profile, dict):
        return "broken: the profile is no object"
    return None
