"""What people had drawn, and what they find in it. Each sees what is their own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, func, insert, select

from tron_plugin_stable_diffusion.tables import history

LOOKED_AT = 2000
"""The newest of a person's entries that are searched and counted."""
KEPT = 10_000
"""Entries of one person."""
MIN_TERM = 4
"""Letters of a word that counts as a term."""
COMMON = frozenset({
    "about", "above", "after", "also", "another", "around", "background", "behind", "below", "beside", "between",
    "from", "front", "have", "high", "into", "just", "left", "like", "near", "over", "right", "some", "than", "that",
    "their", "them", "then", "there", "these", "they", "this", "through", "under", "very", "while",
    "with", "without", "your",
})  # fmt: skip
"""Words that say nothing of a picture."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A job's pictures; ``seed`` is the first one's, ``made_at`` in seconds since the epoch."""

    job: str
    requester: str
    made_at: float
    prompt: str
    model: str
    pictures: int
    seed: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Of one person: jobs, pictures and different prompts."""

    jobs: int
    pictures: int
    prompts: int


def add(connection: Connection, drawn: Drawn) -> None:
    """Keep an entry, which is there once however often it is added; beyond ``KEPT`` the oldest go."""
    connection.execute(delete(history).where(history.c.job == drawn.job))
    connection.execute(insert(history).values(asdict(drawn)))
    own = history.c.requester == drawn.requester
    oldest = select(history.c.made_at).where(own).order_by(history.c.made_at.desc()).offset(KEPT).limit(1)
    beyond = connection.execute(oldest).scalar()
    if beyond is not None:
        connection.execute(delete(history).where(own, history.c.made_at <= beyond))


def forget(connection: Connection, requester: str) -> None:
    """Erase a person."""
    connection.execute(delete(history).where(history.c.requester == requester))


def newest(connection: Connection, requester: str) -> list[Drawn]:
    """A person's entries, newest first, at most ``LOOKED_AT``."""
    query = select(history).where(history.c.requester == requester)
    rows = connection.execute(query.order_by(history.c.made_at.desc(), history.c.job.desc()).limit(LOOKED_AT))
    return [Drawn(**row._mapping) for row in rows]


def totals(connection: Connection, requester: str) -> Totals:
    """Of all that is kept of a person."""
    counted = select(
        func.count(), func.coalesce(func.sum(history.c.pictures), 0), func.count(history.c.prompt.distinct())
    )
    jobs, pictures, prompts = connection.execute(counted.where(history.c.requester == requester)).one()
    return Totals(int(jobs), int(pictures), int(prompts))


@dataclass(frozen=True, slots=True)
class Search:
    """Words that a prompt must have, all of them, and words that it must not; ``*`` and ``?`` stand for any letters
    and any letter."""

    wanted: tuple[str, ...]
    unwanted: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Search:
        """Read ``red fox --not snow --not ice``; raises ValueError where nothing is searched for."""
        first, *rest = re.split(r"(?:^|\s)(?:--|—)not(?:\s+|$)", text)
        unwanted = []
        wanted = first.split()
        for part in rest:
            word, *more = part.split() or [""]
            unwanted += [word] if word else []
            wanted += more
        if not wanted:
            raise ValueError("say what to look for: red fox --not snow")
        return cls(tuple(wanted), tuple(unwanted))

    def finds(self, prompt: str) -> bool:
        """Whether a prompt fits."""
        has = [_has(word, prompt) for word in self.wanted]
        return all(has) and not any(_has(word, prompt) for word in self.unwanted)


def _has(word: str, prompt: str) -> bool:
    wild = {"*": r"\S*", "?": r"\S"}
    pattern = "".join(wild.get(char) or re.escape(char) for char in word.casefold())
    return re.search(rf"(?<!\w){pattern}(?!\w)", prompt.casefold()) is not None


def unique(entries: Sequence[Drawn]) -> list[Drawn]:
    """The newest entry of each prompt."""
    return list({entry.prompt: entry for entry in reversed(entries)}.values())[::-1]


def top_prompts(entries: Sequence[Drawn], count: int = 3) -> list[tuple[str, int]]:
    """The prompts that were used most, with how often."""
    return Counter(entry.prompt for entry in entries).most_common(count)


def top_terms(entries: Sequence[Drawn], count: int = 10) -> list[tuple[str, int]]:
    """The words that occur in most different prompts."""
    found: Counter[str] = Counter()
    for entry in unique(entries):
        words = set(re.findall(rf"[^\W\d_]{{{MIN_TERM},}}", entry.prompt.casefold()))
        found.update(sorted(words - COMMON))
    return found.most_common(count)
