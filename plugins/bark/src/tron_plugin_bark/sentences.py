"""A text in pieces that are said in one breath: pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

LIMIT = 300
"""Characters of the longest piece, where nothing else is said: about twenty seconds of speech."""

_WORD = re.compile(r"[぀-ヿ㐀-䶿一-鿿가-힯]{1,2}|[^\s぀-ヿ㐀-䶿一-鿿가-힯]+")
"""A word, or two characters of Chinese, Japanese or Korean, which take about as long to say."""

_END = re.compile(
    r"""(?P<mark>[.!?…]+)["'”’»)\]]*\s+   # the marks of most scripts need a space after them
      | (?P<wide>[。！？]+)["'”’」』)\]]*\s*   # those of Chinese and Japanese do not""",
    re.VERBOSE,
)
_PAUSES = (re.compile(r"[;:—]\s*"), re.compile(r"[,、，]\s*"), re.compile(r"\s+"))
"""Where a piece that is too long may be cut, the best places first."""

_ABBREVIATED = frozenset(
    {"mr", "mrs", "ms", "dr", "prof", "st", "sr", "jr", "vs", "vol", "fig", "approx", "e.g", "i.e", "cf"}
)
"""Only those that hardly ever end a sentence; what is missed costs a pause, no word."""


def sentences(text: str, limit: int = LIMIT, words: int | None = None) -> list[str]:
    """Cut ``text`` after sentences and lines; a sentence of more than ``limit`` characters or ``words`` words is cut at
    a pause, a space, or anywhere. Nothing but white space is lost, and no piece is empty."""
    lines = (line.strip() for line in text.splitlines())
    return [piece for line in lines for whole in _in_line(line) for piece in _at_most(whole, limit, words)]


def _in_line(line: str) -> Iterator[str]:
    start = 0
    for match in _END.finditer(line):
        if match["wide"] or not _goes_on(line, match):
            yield line[start : match.end()].strip()
            start = match.end()
    if rest := line[start:].strip():
        yield rest


def _goes_on(line: str, match: re.Match[str]) -> bool:
    """Whether a full stop belongs to an abbreviation or an initial, or goes before a small letter."""
    if match["mark"] != ".":
        return False
    words = line[: match.start()].split()
    word = words[-1].lstrip("\"'“‘«([") if words else ""
    initial = len(word) == 1 and word.isalpha() and word != "I"
    return initial or word.lower() in _ABBREVIATED or line[match.end() : match.end() + 1].islower()


def _at_most(piece: str, limit: int, words: int | None) -> Iterator[str]:
    while len(piece) > (reach := _reach(piece, limit, words)):
        cut = _cut(piece, reach)
        yield piece[:cut].strip()
        piece = piece[cut:].strip()
    if piece:
        yield piece


def _reach(piece: str, limit: int, words: int | None) -> int:
    """How many characters of ``piece`` may be said in one go: to the end of the last word that is allowed."""
    if words is None:
        return limit
    first_beyond = next(itertools.islice(_WORD.finditer(piece), words, None), None)
    return limit if first_beyond is None else min(limit, first_beyond.start())


def _cut(piece: str, limit: int) -> int:
    """Where to cut: after the last good pause in the second half of what is allowed."""
    for pause in _PAUSES:
        ends = [match.end() for match in pause.finditer(piece, 0, limit)]
        if ends and ends[-1] > limit // 2:
            return ends[-1]
    return limit
