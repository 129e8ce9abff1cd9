"""``tron`` commands as processes of their own, and waiting for what they do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tron_core.errors import TronError

STOP_SECONDS = 20.0
"""What a process gets to end by itself."""
PAUSE = 0.1
TAIL = 15
"""Lines of a log that an error shows."""


class ProcessEnded(TronError):
    """A process ended that should go on; the end of its log says why."""

    code = "process_ended"


class TookTooLong(TronError):
    """What was waited for did not come."""

    code = "took_too_long"


class TronProcess:
    """``python -m tron_core ARGUMENTS``, its output in ``log``; ``name`` is what people read."""

    def __init__(
        self, name: str, arguments: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tron_core", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {}), "PYTHONUNBUFFERED": "1"},
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def check(self) -> None:
        """Raise ProcessEnded where it has ended."""
        status = self._process.poll()
        if status is not None:
            raise ProcessEnded(f"{self.name} ended with status {status}; the end of {self.log}:\n{self.tail()}")

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        return self._process.wait()

    def tail(self) -> str:
        """The last lines of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-TAIL:])

    def stop(self, *, drain_seconds: float = STOP_SECONDS) -> int:
        """Let it end by itself, for ``drain_seconds``; ask again, which ends a drain; at last kill it. Its exit
        status."""
        for seconds in (drain_seconds, STOP_SECONDS):
            self._process.terminate()
            try:
                return self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
        self._process.kill()
        return self._process.wait()


def wait_for(what: str, condition: Callable[[], bool], seconds: float, processes: Sequence[TronProcess]) -> None:
    """Wait until ``condition``; raises ProcessEnded where one of ``processes`` ends before, TookTooLong."""
    deadline = time.monotonic() + seconds
    while not condition():
        for process in processes:
            process.check()
        if time.monotonic() > deadline:
            logs = ", ".join(str(process.log) for process in processes)
            raise TookTooLong(f"waited {seconds:g} s for {what}; what happened stands in {logs}")
        time.sleep(PAUSE)
