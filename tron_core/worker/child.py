"""The executor process: loads the executors, then runs one job at a time on its main thread.

A second thread listens to the connection process: it hands over runs, sets the flag of a cancelled one, and ends the
process at once when the connection process is gone, whatever the main thread is doing.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import queue
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Mapping
from typing import Any, TextIO

from tron_core.hub.protocol import Message
from tron_core.job import ErrorKind
from tron_core.worker.execution import RunContext, execute
from tron_core.worker.loading import Offer, Offered, load_offer
from tron_core.worker.messages import CancelRun, Changed, Ended, Failed, Run, Stop, line, parse_to_child
from tron_core.worker.outbox import Outbox


def main(link: socket.socket, output: socket.socket, sections: Mapping[str, Mapping[str, Any]]) -> None:
    """The body of the process. ``link`` carries the messages, ``output`` what is printed; ``sections`` are the
    ``[executors]`` of worker.toml."""
    # A Ctrl-C reaches the whole process group, but it is the connection process that decides: it drains first.
    # A handler, not SIG_IGN, which the programs that an executor starts would inherit.
    signal.signal(signal.SIGINT, _leave_it_to_the_parent)
    signal.signal(signal.SIGTERM, _leave_it_to_the_parent)
    _redirect(output)
    faulthandler.enable()
    process = ExecutorProcess(link)
    process.listen()
    process.serve(load_offer(sections))


def _leave_it_to_the_parent(number: int, frame: object) -> None:
    pass


def _redirect(output: socket.socket) -> None:
    if sys.platform == "win32":  # a socket is no file there: only what Python prints can be redirected
        sys.stdout = sys.stderr = output.makefile("w", encoding="utf-8", errors="backslashreplace")
        return
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    output.close()
    sys.stdout, sys.stderr = _printer(1), _printer(2)


def _printer(descriptor: int) -> TextIO:
    return open(descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


class ExecutorProcess:
    """One slot's process, seen from inside."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._sending = threading.Lock()
        self._outbox = Outbox(self._send)
        self._runs: queue.SimpleQueue[Run | None] = queue.SimpleQueue()
        self._current = threading.Lock()
        self._ctx: RunContext | None = None
        self._serial = 0
        self._cancelled_serial = 0

    def listen(self) -> None:
        """Begin to listen to the connection process, in a thread."""
        threading.Thread(target=self._listen, name="tron-listen", daemon=True).start()

    def serve(self, offer: Offer) -> None:
        """Say what is offered, then run what comes, until told to stop."""
        self._send(offer.ready())
        with asyncio.Runner() as loop:
            while (run := self._runs.get()) is not None:
                offered = offer.executors.get(run.capability)
                if offered is None:
                    self._send(Failed(kind=ErrorKind.INTERNAL, message=_not_offered(run, offer), retryable=True))
                    continue
                ended = self._run(offered, run, loop)
                self._say_changes(offer, offered.section)
                self._outbox.send(ended)

    def _run(self, offered: Offered, run: Run, loop: asyncio.Runner) -> Ended:
        self._outbox.begin()
        ctx = RunContext(run, self._outbox)
        self._enter(run.serial, ctx)
        try:
            return execute(offered, run, ctx, loop)
        finally:
            self._enter(0, None)

    def _enter(self, serial: int, ctx: RunContext | None) -> None:
        with self._current:
            self._serial, self._ctx = serial, ctx
            if ctx is not None and serial == self._cancelled_serial:
                ctx.cancel()

    def _cancel(self, serial: int) -> None:
        with self._current:
            self._cancelled_serial = serial
            if self._ctx is not None and serial == self._serial:
                self._ctx.cancel()

    def _say_changes(self, offer: Offer, section: str) -> None:
        for capability, offered in offer.executors.items():
            if offered.section != section:
                continue
            try:
                announced = offered.refreshed(offer.announced[capability])
            except Exception:  # what it has is worth less than the result that waits behind it
                traceback.print_exc()
                continue
            if announced != offer.announced[capability]:
                offer.announced[capability] = announced
                self._outbox.send(Changed(capability=capability, announced=announced))

    def _listen(self) -> None:
        """Follow the connection process; without it, however it went, there is nothing to be here for."""
        try:
            told_to_stop = self._follow()
        except (OSError, ValueError):  # reset rather than closed, or half a line
            told_to_stop = False
        if not told_to_stop:
            os._exit(0)

    def _follow(self) -> bool:
        with self._link.makefile("rb") as lines:
            for text in lines:
                message = parse_to_child(text)
                if isinstance(message, Run):
                    self._runs.put(message)
                elif isinstance(message, CancelRun):
                    self._cancel(message.serial)
                elif isinstance(message, Stop):
                    self._runs.put(None)
                    return True
        return False

    def _send(self, message: Message) -> None:
        with self._sending:
            try:
                self._link.sendall(line(message))
            except OSError:
                os._exit(1)  # the connection process is gone, and with it everybody who could use the result


def _not_offered(run: Run, offer: Offer) -> str:
    return f"{run.capability} is not offered by this worker; it has {', '.join(sorted(offer.executors)) or 'nothing'}"
