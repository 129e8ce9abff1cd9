"""The messages of one request: what is sent, and how long that is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tron_plugin_gpt.budget import newest_that_fit
from tron_plugin_gpt.config import Model
from tron_plugin_gpt.history import Pair
from tron_plugin_gpt.tokens import Counter

SHARED = "Several people take part; each message begins with its speaker's name."
SUMMARY = "What was said before, in short:"


@dataclass(frozen=True, slots=True)
class Prompt:
    """Everything of a request but its history. ``pictures`` are URLs; ``tokens`` what it costs by itself."""

    system: str
    message: str
    counter: Counter
    model: Model
    picture_count: int = 0
    pictures: Sequence[str] = field(default=())

    @property
    def tokens(self) -> int:
        """Of the request without history."""
        pictures = self.picture_count * (self.model.image_tokens or 0)
        return self.counter.messages([self.system, self.message]) + pictures

    def pair_tokens(self, pair: Pair) -> int:
        """Of a message and its answer, counted anew where they were counted otherwise."""
        if pair.counted_by == self.counter.name:
            return pair.tokens
        return count_pair(self.counter, pair.message, pair.answer)

    def history(self, newest_first: Iterable[Pair], share: float = 1.0) -> list[Pair]:
        """The pairs that fit beside it, the oldest first; ``share`` of the room alone. Raises TooLong."""
        room = self.model.budget.room_beside(self.tokens)
        return newest_that_fit(newest_first, int(room * share), self.pair_tokens)

    def messages(self, pairs: Iterable[Pair]) -> list[dict[str, Any]]:
        """As the protocol has them."""
        sent: list[dict[str, Any]] = [{"role": "system", "content": self.system}]
        for pair in pairs:
            sent.append({"role": "user", "content": pair.message})
            sent.append({"role": "assistant", "content": pair.answer})
        sent.append({"role": "user", "content": self._content()})
        return sent

    def _content(self) -> Any:
        if not self.pictures:
            return self.message
        parts = [{"type": "image_url", "image_url": {"url": url, "detail": "low"}} for url in self.pictures]
        return [{"type": "text", "text": self.message}, *parts]


def count_pair(counter: Counter, message: str, answer: str) -> int:
    """Tokens of a message and its answer, as they stand in a request."""
    return counter.message(message) + counter.message(answer)


def system_text(role: str, summary: str | None, *, shared: bool) -> str:
    """The system text: the role, always, and what the model has to know of the conversation."""
    parts = [role, SHARED if shared else "", f"{SUMMARY} {summary}" if summary else ""]
    return "\n\n".join(part for part in parts if part)
