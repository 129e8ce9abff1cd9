"""What the model tron/shapes understands: a caption, its words, and how a prompt is read as one.

Pure. The training scripts draw pictures to captions of this grammar and teach the model their text, `str(caption)`; the
engine reads any prompt as such a caption, so that what a person writes and what the model learned are the same words.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

COLOURS: Final = ("red", "green", "blue", "yellow", "black", "white")
KINDS: Final = ("circle", "square", "triangle")
SIZES: Final = ("small", "large")
RELATIONS: Final = ("above", "below", "left of", "right of")
PLACES: Final = ("at the top", "at the bottom", "on the left", "on the right")
MOST_SHAPES: Final = 2

WORDS: Final = (
    *("a", "and", "at", "of", "on", "the", "background", "shape"),
    *(*COLOURS, *KINDS, *SIZES),
    *("above", "below", "left", "right", "top", "bottom"),
)
"""Every word of a caption's text: the vocabulary of the model's tokenizer, in its order."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One thing to draw; what is None was not said, and the model chooses."""

    kind: str | None = None
    colour: str | None = None
    size: str | None = None

    def __str__(self) -> str:
        return " ".join(word for word in ("a", self.size, self.colour, self.kind or "shape") if word)


@dataclass(frozen=True, slots=True)
class Caption:
    """A picture in words: up to two shapes, how the first lies to the second or where a single one lies, and the
    background.

    Without shapes it is the empty caption, to which the model draws whatever it learned.
    """

    shapes: tuple[Shape, ...] = ()
    relation: str | None = None
    place: str | None = None
    background: str | None = None

    def __str__(self) -> str:
        if not self.shapes:
            return ""
        parts = [f" {self.relation or 'and'} ".join(map(str, self.shapes))]
        if self.place:
            parts.append(self.place)
        if self.background:
            parts.append(f"on a {self.background} background")
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class Reading:
    """A prompt as the model can take it, and the words on either side of that line, each once, as they were written."""

    caption: Caption
    understood: tuple[str, ...]
    ignored: tuple[str, ...]


_SYNONYMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("circles", "ball", "balls", "disc", "discs", "disk", "disks", "dot", "dots"), "circle"),
        **dict.fromkeys(("squares", "box", "boxes", "cube", "cubes", "block", "blocks"), "square"),
        **dict.fromkeys(("triangles", "pyramid", "pyramids"), "triangle"),
        **dict.fromkeys(("shapes", "object", "objects", "thing", "things"), "shape"),
        **dict.fromkeys(("little", "tiny", "smaller", "mini"), "small"),
        **dict.fromkeys(("big", "bigger", "larger", "huge", "giant"), "large"),
        **dict.fromkeys(("crimson", "scarlet"), "red"),
        **dict.fromkeys(("navy", "azure"), "blue"),
        "golden": "yellow",
        "ground": "background",
        "backdrop": "background",
    }
)

# Words that carry grammar only. They are not reported: nobody misses them in the picture.
_SILENT: Final = frozenset(("a", "an", "the", "of", "is", "are", "in", "on", "at", "to", "it", "there"))
_JOINING: Final = frozenset((",", ";", ".", "and", "with", "&", "+"))
# The ground when nothing is said, so saying it changes nothing.
_PLAIN: Final = frozenset(("plain", "light", "grey", "gray"))

# Longest first, so that "on top of" is not read as "on" and "top".
_PHRASES: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(rf"(?:{pattern})\b"), meaning)
    for pattern, meaning in (
        (r"(?:(?:to|on|at) )?(?:the )?left(?: hand)?(?: side)? of|left from", "left of"),
        (r"(?:(?:to|on|at) )?(?:the )?right(?: hand)?(?: side)? of|right from", "right of"),
        (r"on top of|atop|over|above|higher than", "above"),
        (r"under|underneath|beneath|below|lower than", "below"),
        (r"next to|beside|near|by", "and"),
        (r"(?:(?:at|on|in|to) )?(?:the )?(?:very )?(?:top|upper)(?: (?:side|half|part))?", "at the top"),
        (r"(?:(?:at|on|in|to) )?(?:the )?(?:very )?(?:bottom|lower)(?: (?:side|half|part))?", "at the bottom"),
        (r"(?:(?:at|on|in|to) )?(?:the )?left(?: hand)?(?: (?:side|half|part))?", "on the left"),
        (r"(?:(?:at|on|in|to) )?(?:the )?right(?: hand)?(?: (?:side|half|part))?", "on the right"),
    )
)
_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_MARK: Final = re.compile(r"[,;.&+]|[^\s\w,;.&+]+|_+")


def read(prompt: str) -> Reading:
    """The caption nearest to `prompt`; never fails.

    Case, plurals and simple synonyms ("ball", "tiny", "over") do not matter. Words outside the vocabulary, shapes after
    the second, and what contradicts something said before are dropped and named in `ignored`.
    """
    reader = _Reader()
    for text, meaning in _terms(prompt.lower()):
        reader.take(text, meaning)
    return reader.finish()


def _terms(text: str) -> Iterator[tuple[str, str]]:
    """The words and phrases of `text`, each with its meaning: a word or phrase of the grammar, or itself."""
    text = " ".join(text.replace("-", " ").split())
    position = 0
    while position < len(text):
        if text[position] == " ":
            position += 1
            continue
        words, meaning = _term(text, position)
        yield words, meaning
        position += len(words)


def _term(text: str, position: int) -> tuple[str, str]:
    """The word or phrase that begins at `position`, where there is no space, and its meaning."""
    for pattern, meaning in _PHRASES:
        match = pattern.match(text, position)
        if match:
            return match.group(), meaning
    match = _WORD.match(text, position) or _MARK.match(text, position)
    words = match.group() if match else text[position]
    return words, _SYNONYMS.get(words, words)


@dataclass(slots=True)
class _Reader:
    """The state of reading a prompt from left to right: adjectives wait in `pending` for their noun."""

    shapes: list[Shape] = field(default_factory=list)
    pending: Shape = Shape()
    waiting: list[str] = field(default_factory=list)
    relation: str | None = None
    place: str | None = None
    background: str | None = None
    background_open: bool = False
    understood: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def take(self, text: str, meaning: str) -> None:
        if meaning in COLOURS:
            self._colour(text, meaning)
        elif meaning in SIZES:
            self._adjective(text, replace(self.pending, size=meaning), said_before=self.pending.size is not None)
        elif meaning in KINDS or meaning == "shape":
            self._noun(text, meaning if meaning in KINDS else None)
        elif meaning == "background":
            self._ground(text)
        elif meaning in RELATIONS:
            self._relation(text, meaning)
        elif meaning in PLACES:
            self._place(text, meaning)
        elif meaning in _JOINING:
            self._flush()
        elif meaning in _PLAIN:
            self.waiting.append(text)
        elif meaning not in _SILENT and text[0].isalnum():
            self.ignored.append(text)

    def finish(self) -> Reading:
        last = self.shapes[-1] if self.shapes else None
        if last and self.pending.colour and not last.colour:  # "a circle in red"
            self.shapes[-1] = replace(last, colour=self.pending.colour, size=last.size or self.pending.size)
            self._accept()
        self._flush()
        if self.background and not self.shapes:
            self.shapes.append(Shape())
        if self.place and len(self.shapes) != 1:
            self._drop(self.place)
            self.place = None
        if self.relation and len(self.shapes) != MOST_SHAPES:
            self._drop(self.relation)
            self.relation = None
        if self.background and self.background in (shape.colour for shape in self.shapes):
            self._drop(f"{self.background} background")
            self.background = None
        caption = Caption(tuple(self.shapes), self.relation, self.place, self.background)
        return Reading(caption, _once(self.understood), _once(self.ignored))

    def _colour(self, text: str, colour: str) -> None:
        if self.background_open:  # "the background is yellow"
            self.background, self.background_open = colour, False
            self.understood.append(text)
            return
        self._adjective(text, replace(self.pending, colour=colour), said_before=self.pending.colour is not None)

    def _adjective(self, text: str, pending: Shape, *, said_before: bool) -> None:
        if said_before:
            self.ignored.append(text)
            return
        self.pending = pending
        self.waiting.append(text)

    def _noun(self, text: str, kind: str | None) -> None:
        self.background_open = False
        self.waiting.append(text)
        if len(self.shapes) == MOST_SHAPES:
            self._reject()
            return
        self.shapes.append(replace(self.pending, kind=kind))
        self._accept()

    def _ground(self, text: str) -> None:
        plain = any(word in _PLAIN for word in self.waiting)
        self.waiting.append(text)
        if self.background or (self.pending.colour is None and plain):
            self._accept() if plain else self._reject()
            return
        self.background, self.background_open = self.pending.colour, self.pending.colour is None
        self._accept()

    def _relation(self, text: str, relation: str) -> None:
        self._flush()
        if self.relation or len(self.shapes) != 1:
            self.ignored.append(text)
            return
        self.relation = relation
        self.understood.append(text)

    def _place(self, text: str, place: str) -> None:
        if self.place:
            self.ignored.append(text)
            return
        self.place = place
        self.understood.append(text)

    def _flush(self) -> None:
        """What waits for a noun becomes a shape of unsaid kind: "red and blue" is two of them."""
        self.background_open = False
        if self.pending == Shape() or len(self.shapes) == MOST_SHAPES:
            self._reject()
            return
        self.shapes.append(self.pending)
        self._accept()

    def _accept(self) -> None:
        self.understood.extend(self.waiting)
        self.waiting.clear()
        self.pending = Shape()

    def _reject(self) -> None:
        self.ignored.extend(self.waiting)
        self.waiting.clear()
        self.pending = Shape()

    def _drop(self, text: str) -> None:
        self.ignored.append(text)


def _once(words: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))
