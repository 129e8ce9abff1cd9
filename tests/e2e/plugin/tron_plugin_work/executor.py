"""The worker's half: it says in the journal when a run begins, ends and stops."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from tron_core.worker import ExecutionContext, Executor, hookimpl
from tron_plugin_work import WorkParams
from tron_plugin_work.journal import folder, write

STEP = 0.02


class WorkExecutor(Executor):
    capability = "work"

    def run(self, params: WorkParams, ctx: ExecutionContext) -> dict[str, Any]:
        write("began", ctx.job, ctx.attempt)
        if params.crash and ctx.attempt == 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        _work(params, ctx)
        if params.megabytes:
            ctx.artifact("made.bin", "application/octet-stream", os.urandom(1_000_000) * params.megabytes)
        size = ctx.input("file").path.stat().st_size if params.file else None
        write("ended", ctx.job, ctx.attempt)
        return {"label": params.label, "size": size}


def _work(params: WorkParams, ctx: ExecutionContext) -> None:
    began = time.monotonic()
    while (spent := time.monotonic() - began) < params.seconds:
        if params.hold and (folder() / params.hold).exists():
            return
        if ctx.cancelled and not params.stubborn:
            write("stopped", ctx.job, ctx.attempt)
            ctx.check_cancelled()
        ctx.progress(spent / params.seconds, "working")
        time.sleep(STEP)


@hookimpl
def tron_register_executors() -> list[Executor]:
    return [WorkExecutor()]
