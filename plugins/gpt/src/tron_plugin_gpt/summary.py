"""The running summary of what no longer fits into a request."""

from __future__ import annotations

from collections.abc import Sequence

from tron_plugin_gpt.budget import newest_that_fit
from tron_plugin_gpt.client import ChatClient, Question
from tron_plugin_gpt.config import Model
from tron_plugin_gpt.history import Pair
from tron_plugin_gpt.tokens import Counter

KEPT_SHARE = 0.6
"""Of the room for history, what stays word for word when the rest is summarised: so that it is not done each time."""
MAX_TOKENS = 200

TASK = (
    "Summarise this conversation for whoever goes on with it: names, facts, wishes and decisions, in at most five "
    "sentences. Write nothing else."
)


async def fold(client: ChatClient, model: Model, counter: Counter, earlier: str | None, pairs: Sequence[Pair]) -> str:
    """A summary of ``earlier``, itself one, and of ``pairs``, the oldest first. What is too long for one request is
    left out, the oldest first. Raises ChatError."""
    lines = [f"{pair.message}\n(answered:) {pair.answer}" for pair in pairs]
    before = [f"Earlier: {earlier}"] if earlier else []
    reply = min(MAX_TOKENS, model.budget.reply)
    room = model.budget.context - reply - counter.messages([TASK, *before])
    told = newest_that_fit(reversed(lines), room, counter.message)
    messages = [{"role": "system", "content": TASK}, {"role": "user", "content": "\n\n".join([*before, *told])}]
    answer = await client.answer(Question(model.name, messages, reply, temperature=0.0))
    return answer.text.strip()
