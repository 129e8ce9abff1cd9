"""One run of an executor, in its process: the context that it is handed, and how the run ended."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import re
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tron_core.capability import parse_params
from tron_core.errors import InvalidParams
from tron_core.job import ErrorKind, Role
from tron_core.worker.context import Cancelled, ExecutionContext, ExecutorError, InputFile
from tron_core.worker.loading import Offered
from tron_core.worker.messages import MAX_OUTPUT, Ended, Failed, Finished, Made, Progressed, Run
from tron_core.worker.outbox import Outbox

ARTIFACT_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}")
MEDIA_TYPE = re.compile(r"[\w.+-]{1,63}/[\w.+-]{1,63}( *;[ -~]*)?", re.ASCII)
MAX_MEDIA_TYPE = 128
MAX_ARTIFACTS = 256
MAX_PROGRESS_TEXT = 1000
MAX_ERROR_TEXT = 4000
CHUNK = 1024 * 1024
OUT_OF_MEMORY = re.compile(
    r"out of (device |host |gpu )?memory|OutOfDeviceMemory|cannot allocate memory|CUBLAS_STATUS_ALLOC_FAILED", re.I
)


class RunContext(ExecutionContext):
    """The context of one run; once the run is over, what a thread left behind still says is dropped."""

    def __init__(self, run: Run, outbox: Outbox) -> None:
        self.job = run.job
        self.attempt = run.attempt
        self.deadline_s = run.deadline_s
        self._run = run
        self._outbox = outbox
        self._cancelled = threading.Event()
        self._on_cancel: Callable[[], object] | None = None
        self._lock = threading.Lock()
        self._names: set[str] = set()
        self._files = 0
        self.over = False

    @property
    def work_dir(self) -> Path:  # type: ignore[override] # made at the first use: a short run pays for no folder
        folder = self._run.folder / "work"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Called by the thread that listens to the connection process."""
        with self._lock:
            self._cancelled.set()
            if self._on_cancel is not None:
                self._on_cancel()

    def on_cancel(self, call: Callable[[], object] | None) -> None:
        """Have ``call`` called when the run is cancelled, or now if it was."""
        with self._lock:
            self._on_cancel = call
            if call is not None and self.cancelled:
                call()

    def progress(
        self, fraction: float, message: str | None = None, *, step: int | None = None, steps: int | None = None
    ) -> None:
        within = min(1.0, fraction) if fraction > 0 else 0.0
        text = None if message is None else _clean(message)[:MAX_PROGRESS_TEXT]
        self._say(lambda: self._outbox.progress(Progressed(fraction=within, message=text, step=step, steps=steps)))

    def partial(self, text: str) -> None:
        self._say(lambda: self._outbox.text(_clean(text)))

    def artifact(self, name: str, media_type: str, data: bytes | Path, *, role: str | Role = Role.RESULT) -> None:
        """Copies ``data``, so that the executor may go on to change or remove it.

        Raises ValueError for a name that is not allowed or was used before (a preview's may come again), and for a
        media type that is none.
        """
        role = Role(role)
        if len(media_type) > MAX_MEDIA_TYPE or not MEDIA_TYPE.fullmatch(media_type):
            raise ValueError(
                f"artifact {name!r}: the media type {media_type!r} is none; image/png, for example, is one"
            )
        self._claim(name, role)
        path = self._run.folder / "artifacts" / str(self._files)
        path.parent.mkdir(parents=True, exist_ok=True)
        size, sha256 = _copy(data, path)
        made = Made(name=name, media_type=media_type, size=size, sha256=sha256, role=role, path=path)
        self._say(lambda: self._outbox.send(made))

    def inputs(self, name: str) -> Sequence[InputFile]:
        return [
            InputFile(file.name, file.path, file.media_type, file.size, file.sha256)
            for file in self._run.inputs
            if file.name == name
        ]

    def _say(self, call: Callable[[], None]) -> None:
        if not self.over:
            call()

    def _claim(self, name: str, role: Role) -> None:
        if not ARTIFACT_NAME.fullmatch(name):
            raise ValueError(
                f"artifact name {name!r}: allowed are at most 128 letters, digits, '_', '-' and, but for the first, '.'"
            )
        if role is Role.INPUT:
            raise ValueError(f"artifact {name!r}: an executor makes no artifact of the role 'input'")
        with self._lock:
            self._files += 1
            if role is Role.PREVIEW:
                return
            if name in self._names:
                raise ValueError(f"the job has an artifact {name!r} already; names are unique within a job")
            if len(self._names) == MAX_ARTIFACTS:
                raise ValueError(f"artifact {name!r}: a job has at most {MAX_ARTIFACTS} artifacts")
            self._names.add(name)


def _clean(text: str) -> str:
    # Half a surrogate pair, as a tokenizer may produce, cannot be sent as UTF-8.
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text


def _copy(data: bytes | Path, target: Path) -> tuple[int, str]:
    if isinstance(data, Path):
        return _copy_file(data, target)
    target.write_bytes(data)
    return len(data), hashlib.sha256(data).hexdigest()


def _copy_file(source: Path, target: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(CHUNK):
            digest.update(chunk)
            size += writer.write(chunk)
    return size, digest.hexdigest()


def execute(offered: Offered, run: Run, ctx: RunContext, loop: asyncio.Runner) -> Ended:
    """Run the executor to its end; whatever it raises becomes a Failed."""
    started = time.perf_counter()
    try:
        output = _call(offered, run.params, ctx, loop)
        ctx.check_cancelled()
        return Finished(
            output=_as_json(offered, output), seconds=time.perf_counter() - started, load_seconds=ctx.load_seconds
        )
    except BaseException as error:  # sys.exit, a CancelledError of the executor's own: the process must go on
        return failure(error, cancelled=ctx.cancelled)
    finally:
        ctx.over = True


def _call(offered: Offered, params: Mapping[str, Any], ctx: RunContext, loop: asyncio.Runner) -> Any:
    given: Any = dict(params) if offered.params is None else parse_params(offered.params, params)
    if not inspect.iscoroutinefunction(offered.executor.run):
        return offered.executor.run(given, ctx)
    return loop.run(_cancellable(offered, given, ctx))


async def _cancellable(offered: Offered, params: Any, ctx: RunContext) -> Any:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    ctx.on_cancel(lambda: loop.call_soon_threadsafe(task.cancel))
    try:
        return await offered.executor.run(params, ctx)
    finally:
        ctx.on_cancel(None)


def _as_json(offered: Offered, output: Any) -> dict[str, Any]:
    if output is None:
        return {}
    name = offered.executor.capability
    if not isinstance(output, dict):
        raise ExecutorError(f"{name} returned {type(output).__name__}; it must return a dict", retryable=False)
    try:
        text = json.dumps(output, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise ExecutorError(f"the output of {name} is not JSON: {error}", retryable=False) from None
    if len(text) > MAX_OUTPUT:
        raise ExecutorError(
            f"the output of {name} has {len(text)} bytes, at most {MAX_OUTPUT} are allowed; "
            "larger things are handed over with ctx.artifact()",
            retryable=False,
        )
    # Read back, so that enums and tuples are what the hub will see.
    plain: dict[str, Any] = json.loads(text)
    return plain


def failure(error: BaseException, *, cancelled: bool) -> Failed:
    """What an exception means to the hub; an unexpected one's traceback goes to standard error."""
    if cancelled:
        return Failed(kind=ErrorKind.INTERNAL, message="cancelled", retryable=False, cancelled=True)
    if isinstance(error, ExecutorError):
        return _failed(error.kind, error.message, error.retryable)
    if isinstance(error, InvalidParams):
        return _failed(ErrorKind.INVALID, error.message, False)
    # The traceback holds the frames, and they what fills the memory.
    traceback.print_exception(error)
    traceback.clear_frames(error.__traceback__)
    sentence = _sentence(error)
    out_of_memory = isinstance(error, MemoryError) or OUT_OF_MEMORY.search(sentence)
    return _failed(ErrorKind.OUT_OF_MEMORY if out_of_memory else ErrorKind.INTERNAL, sentence, True)


def _failed(kind: ErrorKind, message: str, retryable: bool) -> Failed:
    return Failed(kind=kind, message=_clean(message)[:MAX_ERROR_TEXT], retryable=retryable)


def _sentence(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"the executor called sys.exit({error.code!r})"
    if isinstance(error, Cancelled | asyncio.CancelledError):
        return "the executor gave up as cancelled, but nobody had cancelled the job"
    with suppress(Exception):  # an exception's own __str__ may raise
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return type(error).__name__
