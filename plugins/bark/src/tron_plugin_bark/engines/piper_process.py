"""The worker's end of the pipe to Piper. Nothing of Piper is imported here; see ``piper_server`` for why."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tron_plugin_bark.audio import Samples

SERVER = Path(__file__).with_name("piper_server.py")


class PiperDied(Exception):
    """The process ended in the middle of a question; the next question starts another."""


class PiperFailed(Exception):
    """Piper answered with an error."""


class PiperProcess:
    """A process that speaks, started when first needed and kept. One question at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._loaded: tuple[Path, int | None] | None = None
        self._rate = 0

    @property
    def voice(self) -> Path | None:
        """The voice in memory."""
        return self._loaded[0] if self._loaded and self._alive() else None

    @property
    def pid(self) -> int:
        """The process's id, 0 where none was started."""
        return self._process.pid if self._process else 0

    def load(self, voice: Path, seed: int | None) -> int:
        """Load ``voice`` for readings by ``seed`` (None: random); returns its samples a second.

        A voice that is loaded for random readings stays; a seed always begins anew. Raises PiperDied, PiperFailed.
        """
        wanted = (voice, seed)
        if not self._alive() or seed is not None or self._loaded != wanted:
            self._loaded = None
            self._rate = int(self._ask({"load": str(voice), "seed": seed})["rate"])
            self._loaded = wanted
        return self._rate

    def say(self, text: str) -> Samples:
        """The samples of one sentence; none for what has no sound. Raises PiperDied, PiperFailed."""
        return np.frombuffer(base64.b64decode(self._ask({"say": text})["pcm"]), dtype="<i2").astype(np.int16)

    def close(self) -> None:
        """End the process. A process whose owner is killed ends by itself: its input does."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = _start()
        line = _exchange(self._process, json.dumps(request))
        if not line:
            status = self._process.wait()
            self.close()
            raise PiperDied(f"Piper's process ended with status {status}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PiperFailed(str(answer["error"]))
        return answer


def _start() -> subprocess.Popen[str]:
    # -P: the script's folder is no place to import from, where our own module is called `piper`.
    return subprocess.Popen(
        [sys.executable, "-P", str(SERVER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )


def _exchange(process: subprocess.Popen[str], line: str) -> str:
    """Send a line and wait for the answer's; empty where the process has ended."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("the process was started without pipes")
    try:
        process.stdin.write(line + "\n")
        process.stdin.flush()
        return process.stdout.readline()
    except BrokenPipeError:
        return ""
