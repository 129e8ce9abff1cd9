"""Speaks with Piper, in a process of its own: one JSON object a line in, one a line out.

    {"load": "voice.onnx", "seed": 7}     ->  {"rate": 22050}
    {"say": "Good morning."}              ->  {"pcm": "base64 of 16-bit little-endian mono; empty for silence"}
    anything that fails                   ->  {"error": "one sentence"}

It ends when its input does. Without a seed a random one is taken.

Licence. This file is MIT like the rest of the plugin, but it imports `piper` (GPL-3.0-or-later), so the process that
runs it is a work under the GPL. It is therefore the only file that imports piper, it is never imported by another,
imports nothing of TRON, and speaks with the worker through pipes alone.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import sys
from typing import Any

import onnxruntime
from piper import PiperVoice


class Reader:
    """The loaded voice."""

    def __init__(self) -> None:
        self.voice: PiperVoice | None = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if "load" in request:
            return self.load(request["load"], request.get("seed"))
        return self.say(request["say"])

    def load(self, path: str, seed: int | None) -> dict[str, Any]:
        # The noise that makes a reading lively is drawn inside the network. Its generators take the runtime's seed
        # when the network is loaded, and go on from there: hence one load for each seed.
        onnxruntime.set_seed(secrets.randbits(32) if seed is None else seed)
        self.voice = PiperVoice.load(path)
        return {"rate": self.voice.config.sample_rate}

    def say(self, text: str) -> dict[str, Any]:
        if self.voice is None:
            raise RuntimeError("no voice is loaded")
        pcm = b"".join(chunk.audio_int16_bytes for chunk in self.voice.synthesize(speakable(text)))
        return {"pcm": base64.b64encode(pcm).decode("ascii")}


def speakable(text: str) -> str:
    """``text`` without what espeak or Piper would not read as text: NUL, lone surrogates, ``[[phonemes]]``."""
    return text.replace("\0", " ").replace("[[", "[").encode("utf-8", "replace").decode("utf-8")


def main() -> None:
    # An interrupt in the terminal is the worker's to handle: it closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Libraries print; what they print must not stand between two answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    reader = Reader()
    for line in sys.stdin:
        try:
            answer = reader.answer(json.loads(line))
        except Exception as error:  # whatever it is, the other side is told and decides
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
