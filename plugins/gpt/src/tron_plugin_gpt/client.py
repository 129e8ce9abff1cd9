"""The server behind one narrow face: stream an answer, ask the moderation, and say in a sentence what went wrong."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from openai import AsyncOpenAI

logger = logging.getLogger(__name__)

FIRST_DELAY = 0.5
"""Seconds before the first repetition; each further one waits up to twice as long."""
LONGEST_DELAY = 20.0
"""Seconds between two tries at most; a server that asks for more is not waited for."""

T = TypeVar("T")
Message = Mapping[str, Any]
Sleep = Callable[[float], Awaitable[None]]


class ChatError(Exception):
    """Nobody answered; the message is for the person who asked.

    ``transient``: another try may go well, and has not been made. ``retry_after``: not before so many seconds.
    """

    def __init__(self, message: str, *, transient: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.transient = transient
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Question:
    """A request: ``reply_tokens`` is the longest answer; ``temperature`` None leaves it to the server."""

    model: str
    messages: Sequence[Message]
    reply_tokens: int
    temperature: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. The tokens are None where the server did not count them."""

    text: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class ChatClient:
    """A server that speaks OpenAI's protocol.

    ``timeout``: seconds of silence after which it is given up; ``retries``: how often a request is repeated. The
    client of the library is told not to repeat: it would do so where the quota is gone, and not where a stream is cut.
    """

    def __init__(
        self,
        base_url: str | None,
        api_key: str | None,
        *,
        timeout: float = 60.0,
        retries: int = 4,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.base_url = base_url
        self._api_key = api_key
        self._timeout = timeout
        self._retries = retries
        self._sleep = sleep
        self._opened: AsyncOpenAI | None = None

    async def close(self) -> None:
        """Give the connections back."""
        if self._opened is not None:
            await self._opened.close()

    async def answer(self, question: Question, on_text: Callable[[str], None] = lambda text: None) -> Answer:
        """Stream an answer; ``on_text`` is called with each piece. Raises ChatError.

        Repeated is only what said nothing yet: what ``on_text`` has been told cannot be taken back.
        """
        stream = _Stream(on_text)

        async def ask() -> Answer:
            return await self._stream(question, stream)

        return await self._repeat(ask, unless=lambda: bool(stream.pieces))

    async def flagged(self, texts: Sequence[str], model: str) -> list[str]:
        """The categories in which the moderation endpoint finds a text to be harmful. Raises ChatError."""

        async def ask() -> list[str]:
            verdict = await (await self._client()).moderations.create(model=model, input=list(texts))
            found = [result.categories.to_dict() for result in verdict.results if result.flagged]
            return sorted({name for categories in found for name, hit in categories.items() if hit})

        return await self._repeat(ask)

    async def _client(self) -> AsyncOpenAI:
        if self._opened is not None:
            return self._opened
        openai = await asyncio.to_thread(__import__, "openai")  # takes a second, which the loop cannot spare
        if self._opened is None:  # somebody else who waited may have opened it
            self._opened = openai.AsyncOpenAI(
                base_url=self.base_url or "https://api.openai.com/v1",
                # A server without keys is sent a word that is none; without any the library refuses to start.
                api_key=self._api_key or "none",
                timeout=openai.Timeout(self._timeout, connect=min(10.0, self._timeout)),
                max_retries=0,
            )
        return self._opened

    async def _stream(self, question: Question, stream: _Stream) -> Answer:
        # OpenAI's newer models refuse the old name, other servers may not know the new one.
        limit = "max_tokens" if self.base_url else "max_completion_tokens"
        request: dict[str, Any] = {
            "model": question.model,
            "messages": list(question.messages),
            limit: question.reply_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if question.temperature is not None:
            request["temperature"] = question.temperature
        async with await (await self._client()).chat.completions.create(**request) as chunks:
            async for chunk in chunks:
                stream.take(chunk)
        return stream.end()

    async def _repeat(self, ask: Callable[[], Awaitable[T]], unless: Callable[[], bool] = lambda: False) -> T:
        for delay in (*map(_delay, range(self._retries)), None):
            try:
                return await ask()
            except Exception as error:
                problem = self._explain(error)
            if unless() or not problem.transient:
                raise problem
            if delay is not None and problem.retry_after is not None:
                delay = problem.retry_after
            if delay is None or delay > LONGEST_DELAY:
                problem.transient = False
                raise problem
            logger.info("asking again in %.1f s: %s", delay, problem)
            await self._sleep(delay)
        raise AssertionError("the last try has no delay")

    def _explain(self, error: Exception) -> ChatError:
        problem = explain(error)
        if problem is None:
            raise error
        if self._api_key:
            problem.args = (str(problem).replace(self._api_key, "[key]"),)
        return problem


class _Stream:
    """Takes the chunks of one answer."""

    def __init__(self, on_text: Callable[[str], None]) -> None:
        self.pieces: list[str] = []
        self._on_text = on_text
        self._finished = False
        self._usage: Any = None

    def take(self, chunk: Any) -> None:
        try:
            for choice in chunk.choices or ():
                piece = choice.delta.content
                self._finished = self._finished or choice.finish_reason is not None
                if piece:
                    self.pieces.append(piece)
                    self._on_text(piece)
            self._usage = chunk.usage or self._usage
        except (AttributeError, TypeError) as error:
            raise ChatError("The chat server sent something that is no answer.", transient=True) from error

    def end(self) -> Answer:
        if not self._finished:
            raise ChatError("The chat server's answer broke off.", transient=True)
        text = "".join(self.pieces)
        counts = [getattr(self._usage, name, None) for name in ("prompt_tokens", "completion_tokens")]
        prompt, completion = (count if isinstance(count, int) else None for count in counts)
        return Answer(text, prompt, completion)


def _delay(number: int) -> float:
    """Seconds before repetition ``number``, from 0."""
    longest = min(LONGEST_DELAY, FIRST_DELAY * 2.0**number)
    return longest * random.uniform(0.5, 1.0)  # so that those who were refused together do not come back together


def explain(error: Exception) -> ChatError | None:
    """What an exception of the library means for the person who asked; None where it is no failure of the server."""
    import openai

    if isinstance(error, ChatError):
        return error
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return ChatError("The chat server sent something that is no answer.", transient=True)
    if isinstance(error, openai.APITimeoutError):
        return ChatError("The chat server did not answer in time.", transient=True)
    if isinstance(error, openai.APIConnectionError):
        return ChatError("The chat server cannot be reached, or hung up.", transient=True)
    if isinstance(error, openai.APIStatusError):
        return _explain_status(error)
    if isinstance(error, openai.APIError):
        return ChatError(f"The chat server broke off: {error.message}", transient=True)
    return None


def _explain_status(error: Any) -> ChatError:
    status, code = error.status_code, error.code
    if code in ("insufficient_quota", "billing_hard_limit_reached") or status == 402:
        return ChatError("The chat server's quota is used up; the operator has to see to it.")
    if status in (401, 403):
        return ChatError("The chat server does not accept the key in [plugins.gpt]; the operator has to see to it.")
    if status == 429:
        again = _retry_after(error.response.headers)
        return ChatError("The chat server is asked too much; try again later.", transient=True, retry_after=again)
    if status in (408, 409) or status >= 500:
        again = _retry_after(error.response.headers)
        return ChatError(f"The chat server failed (HTTP {status}).", transient=True, retry_after=again)
    return ChatError(f"The chat server refused the request (HTTP {status}): {_said(error)}")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks for: a number is what servers of this kind send."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
    return None


def _said(error: Any) -> str:
    said = error.body.get("message") if isinstance(error.body, dict) else None
    return str(said or "no reason given")[:300]
