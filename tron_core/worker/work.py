"""One attempt on its way through the worker: inputs, run, uploads, and the message that ends it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from tron_core.hub.protocol import ErrorMessage, Message, MetricsMessage, ResultMessage
from tron_core.job import ErrorKind
from tron_core.worker.attempts import HeldAttempt
from tron_core.worker.console import SlotView
from tron_core.worker.messages import Changed, Ended, Failed, Fetched, Finished, FromChild, Made, Progressed, Run, Said
from tron_core.worker.slots import Slot
from tron_core.worker.transfer import Inputs, TransferFailed
from tron_core.worker.uploads import AttemptUploads

T = TypeVar("T")

RESULT_REPEATS = 2
"""How often the artifacts of a result are uploaded once more, where the hub says that they are not as announced."""

CANCELLED = Failed(kind=ErrorKind.INTERNAL, message="cancelled", retryable=False, cancelled=True)


class Stopped(Exception):
    """The attempt was told to stop while its files were moved."""


class Work:
    """What happens to one attempt. ``send`` sends to the hub if it is there, ``changed`` takes what an executor says
    about itself."""

    def __init__(
        self,
        held: HeldAttempt,
        folder: Path,
        *,
        inputs: Inputs,
        uploads: AttemptUploads,
        send: Callable[[Message], Awaitable[bool]],
        changed: Callable[[Slot, Changed], None],
    ) -> None:
        self.held = held
        self.uploads = uploads
        self.view = SlotView()
        self._folder = folder
        self._inputs = inputs
        self._send = send
        self._changed = changed
        self._stop_reason: str | None = None
        self._slot: Slot | None = None
        self._moving: asyncio.Future[Any] | None = None
        self._repeats = 0

    def stop(self, reason: str) -> None:
        """Stop whatever goes on; the attempt ends as cancelled."""
        self._stop_reason = reason
        if self._slot is not None:
            self._slot.cancel()
        elif self._moving is not None:
            self._moving.cancel()

    async def run(self, slot: Slot, view: SlotView) -> Ended:
        """Fetch the inputs and run the executor in ``slot``."""
        self.view, message = view, self.held.message
        try:
            inputs = await self._fetch()
            if self._stop_reason is not None:
                raise Stopped
        except Stopped:
            return CANCELLED
        except TransferFailed as error:
            return Failed(kind=ErrorKind.TRANSIENT, message=error.message, retryable=True)
        run = Run(
            serial=slot.next_serial(),
            job=message.job,
            attempt=message.attempt,
            capability=message.capability,
            params=message.params,
            inputs=inputs,
            deadline_s=message.deadline_s,
            folder=self._folder,
        )
        self._slot = slot
        try:
            return await slot.run(run, self._heard)
        finally:
            self._slot = None

    async def conclude(self, ended: Ended) -> ResultMessage | ErrorMessage:
        """Wait for the uploads, and say how the attempt ended."""
        if isinstance(ended, Finished):
            return await self._uploaded(self._result(ended))
        await self.uploads.stop()
        return self._failed(ended)

    async def conclude_again(self, result: ResultMessage) -> ResultMessage | ErrorMessage:
        """The hub says that artifacts are not there as announced: upload them once more, a few times at most."""
        self._repeats += 1
        if self._repeats > RESULT_REPEATS:
            return self.error(ErrorKind.TRANSIENT, "the artifacts did not arrive as they were made", retryable=True)
        self.uploads.again()
        return await self._uploaded(result)

    async def _uploaded(self, result: ResultMessage) -> ResultMessage | ErrorMessage:
        try:
            if result.artifacts:
                await self._unless_stopped(self.uploads.finish())
            return result
        except Stopped:
            failed = self._failed(CANCELLED)
        except TransferFailed as error:
            kind = ErrorKind.INTERNAL if error.permanent else ErrorKind.TRANSIENT
            failed = self.error(kind, error.message, retryable=not error.permanent)
        await self.uploads.stop()
        return failed

    async def close(self) -> None:
        """The hub wants nothing of it any more: free what it has."""
        await self.uploads.stop()
        if self._folder.exists():  # most short runs have none, and a thread costs more than this question
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _fetch(self) -> tuple[Fetched, ...]:
        if not self.held.message.inputs:
            return ()
        return await self._unless_stopped(self._inputs.fetch_all(self.held.message.inputs, self._folder / "inputs"))

    async def _unless_stopped(self, call: Coroutine[Any, Any, T]) -> T:
        self._moving = moving = asyncio.ensure_future(call)
        try:
            return await moving
        except asyncio.CancelledError:
            if self._stop_reason is None:
                raise
            raise Stopped from None
        finally:
            self._moving = None

    async def _heard(self, message: FromChild) -> None:
        if isinstance(message, Said):
            await self._tell(self.held.partial(message.text))
        elif isinstance(message, Progressed):
            self.view.fraction, self.view.message = message.fraction, message.message or ""
            await self._tell(self.held.progressed(message))
        elif isinstance(message, Made):
            self.uploads.add(message)
        elif isinstance(message, Changed) and self._slot is not None:
            self._changed(self._slot, message)

    async def _tell(self, message: Message | None) -> None:
        if message is not None:
            await self._send(message)

    def _result(self, finished: Finished) -> ResultMessage:
        return ResultMessage(
            job=self.held.message.job,
            attempt=self.held.message.attempt,
            output=finished.output,
            artifacts=self.uploads.names,
            metrics=MetricsMessage(seconds=finished.seconds, load_seconds=finished.load_seconds),
        )

    def _failed(self, failed: Failed) -> ErrorMessage:
        if not failed.cancelled:
            return self.error(failed.kind, failed.message, retryable=failed.retryable)
        deadline = f"not done within its deadline of {self.held.message.deadline_s:g} s"
        message = deadline if self._stop_reason is None else f"cancelled: {self._stop_reason}"
        return self.error(failed.kind, message, retryable=False)

    def error(self, kind: ErrorKind, message: str, *, retryable: bool) -> ErrorMessage:
        """This attempt's error message."""
        about = self.held.message
        return ErrorMessage(job=about.job, attempt=about.attempt, kind=kind.value, message=message, retryable=retryable)
