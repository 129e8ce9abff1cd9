"""Executors that behave and misbehave. Copied to where an executor process finds it as an installed plugin."""

import asyncio
import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path

import tron_core as tron
from tron_core.worker import ExecutionContext, Executor, ExecutorError, hookimpl


class EchoParams(tron.Params):
    text: str = tron.Prompt("What to say back")
    times: int = tron.Setting(1, ge=1, le=5)


class Echo(Executor):
    capability = "echo"

    def run(self, params: EchoParams, ctx: ExecutionContext) -> dict:
        ctx.progress(0.5, "halfway")
        for word in params.text.split():
            ctx.partial(word + " ")
        return {"text": " ".join([params.text] * params.times), "nothing": None}


class Gate(Executor):
    """Goes on once the file that it is told of is there: the test says when. Says "more" before it returns."""

    capability = "gate"

    def run(self, params, ctx: ExecutionContext):
        ctx.partial("begun ")
        ctx.progress(0.25, "waiting")
        while not Path(params["file"]).exists():
            ctx.check_cancelled()
            time.sleep(0.005)
        ctx.partial("more")
        return {"done": True}


class Patient(Executor):
    capability = "patient"

    async def run(self, params, ctx: ExecutionContext):
        ctx.partial("begun")
        await asyncio.sleep(60)


class Files(Executor):
    capability = "files"

    def run(self, params, ctx: ExecutionContext):
        for name in params["names"]:
            ctx.artifact(name, "application/octet-stream", name.encode() * 1000)
        if "wait_for" in params:
            while not Path(params["wait_for"]).exists():
                time.sleep(0.005)
        return {"pid": os.getpid()}


class Reads(Executor):
    capability = "reads"

    def run(self, params, ctx: ExecutionContext):
        file = ctx.input("picture")
        return {"size": len(file.path.read_bytes()), "suffix": file.path.suffix}


def stubborn(params, ctx):
    ctx.progress(0.1, "begun")
    while True:
        time.sleep(0.05)


def deaf(params, ctx):
    """Keeps the GIL for ever, as a badly written extension does."""
    ctx.progress(0.1, "begun")
    ctypes.PyDLL(None).sleep(60)


def flood(params, ctx):
    for _ in range(200):
        print("x" * 5000)
        print("y" * 5000, file=sys.stderr)
    os.write(1, b"\xff\xfe raw bytes\n")
    for n in range(20_000):
        ctx.progress(n / 20_000)
    return {}


def leave_a_thread(params, ctx):
    def later():
        time.sleep(0.2)
        ctx.progress(0.9, "too late")

    threading.Thread(target=later, daemon=True).start()
    return {}


MISDEEDS = {
    "segfault": lambda params, ctx: os.kill(os.getpid(), signal.SIGSEGV),
    "killed": lambda params, ctx: os.kill(os.getpid(), signal.SIGKILL),
    "os_exit": lambda params, ctx: os._exit(7),
    "sys_exit": lambda params, ctx: sys.exit(3),
    "raise": lambda params, ctx: 1 / 0,
    "memory": lambda params, ctx: (_ for _ in ()).throw(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")),
    "transient": lambda params, ctx: (_ for _ in ()).throw(ExecutorError("come back later", "transient")),
    "huge_output": lambda params, ctx: {"text": "x" * 2_000_000},
    "no_json": lambda params, ctx: {"when": object()},
    "stubborn": stubborn,
    "deaf": deaf,
    "flood": flood,
    "thread": leave_a_thread,
}


class Misbehave(Executor):
    capability = "misbehave"

    def run(self, params, ctx: ExecutionContext):
        return MISDEEDS[params["how"]](params, ctx)


class Warm(Executor):
    """Loads the model that it is asked for."""

    capability = "warm"

    def __init__(self) -> None:
        self.now: list[str] = []

    def models(self):
        return ["small", "large"]

    def loaded(self):
        return self.now

    def run(self, params, ctx: ExecutionContext):
        self.now = [params["model"]]
        ctx.loading(1.5)
        return {}


class Absent(Executor):
    capability = "absent"

    def unavailable(self):
        return "the library that it needs is not installed"


@hookimpl
def tron_register_executors():
    return [Echo(), Gate(), Patient(), Files(), Reads(), Misbehave(), Warm(), Absent()]
