"""Which prompts are refused. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence


class WordFilter:
    """Words and phrases, found as whole words whatever their case; an entry between slashes is a regular expression.

    Raises ValueError for an entry that cannot be used.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._patterns: Sequence[re.Pattern[str]] = tuple(map(_pattern, entries))

    def found(self, *texts: str | None) -> str | None:
        """The first thing in ``texts`` that an entry matches; None where there is none."""
        for text in map(_plain, filter(None, texts)):
            for pattern in self._patterns:
                match = pattern.search(text)
                if match is not None:
                    return match.group()
        return None


def _pattern(entry: str) -> re.Pattern[str]:
    text = entry.strip()
    if len(text) > 2 and text.startswith("/") and text.endswith("/"):
        try:
            return re.compile(text[1:-1], re.IGNORECASE)
        except re.error as error:
            raise ValueError(f"{entry!r} is no regular expression: {error}") from None
    if not text:
        raise ValueError("an empty text would match every prompt")
    words = r"\s+".join(re.escape(word) for word in _plain(text).split())
    return re.compile(rf"(?<!\w){words}(?!\w)")


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
