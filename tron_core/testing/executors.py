"""An ExecutionContext for tests of executors: it writes down what the executor said, and uploads nothing.

def test_says_it_twice(tmp_path):
    ctx = RecordingContext(tmp_path)
    assert EchoExecutor().run(EchoParams(text="hi", times=2), ctx) == {"text": "hi hi"}
    assert ctx.fractions[-1] == 0.5
"""

from __future__ import annotations

import hashlib
import mimetypes
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tron_core.capability import Asker
from tron_core.job import Progress, Role
from tron_core.worker import ExecutionContext, InputFile


@dataclass(frozen=True, slots=True)
class RecordedArtifact:
    """A file that the executor handed over; ``data`` are its bytes, read at once where a path was given."""

    name: str
    media_type: str
    data: bytes
    role: Role


class RecordingContext(ExecutionContext):
    """Stands in for the worker's context; every method may be called from any thread.

    ``inputs``: the file or files of each attachment field, by the field's name. ``cancel_at``: the job counts as
    cancelled once a progress of at least this fraction was reported; ``cancel()`` cancels it by hand.
    """

    def __init__(
        self,
        work_dir: Path,
        *,
        inputs: Mapping[str, Path | Sequence[Path]] | None = None,
        job: str = "job-1",
        attempt: int = 1,
        deadline_s: float = 60.0,
        cancel_at: float | None = None,
        asker: Asker | None = None,
    ) -> None:
        self.job = job
        self.attempt = attempt
        self.deadline_s = deadline_s
        self.work_dir = work_dir
        self.asker = asker
        self.reports: list[Progress] = []
        self.text = ""
        self.artifacts: dict[str, RecordedArtifact] = {}
        self._inputs = {name: _files(name, given) for name, given in (inputs or {}).items()}
        self._cancel_at = cancel_at
        self._cancelled = threading.Event()

    @property
    def fractions(self) -> list[float]:
        """The fractions that were reported, in order."""
        return [report.fraction for report in self.reports]

    def cancel(self) -> None:
        """Cancel the job, as a person would."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def progress(
        self, fraction: float, message: str | None = None, *, step: int | None = None, steps: int | None = None
    ) -> None:
        """Record the report; raises ValueError for a fraction outside 0 to 1."""
        if not 0 <= fraction <= 1:
            raise ValueError(f"fraction is {fraction}; it must be from 0 to 1")
        self.reports.append(Progress(fraction, step, steps, message))
        if self._cancel_at is not None and fraction >= self._cancel_at:
            self.cancel()

    def partial(self, text: str) -> None:
        self.text += text

    def artifact(self, name: str, media_type: str, data: bytes | Path, *, role: str | Role = Role.RESULT) -> None:
        """Record the file; raises ValueError for a name that the job has already (a preview may come again)."""
        role = Role(role)
        if name in self.artifacts and role is not Role.PREVIEW:
            raise ValueError(f"the job has an artifact {name!r} already; names are unique within a job")
        content = data.read_bytes() if isinstance(data, Path) else data
        self.artifacts[name] = RecordedArtifact(name, media_type, content, role)

    def inputs(self, name: str) -> Sequence[InputFile]:
        return self._inputs.get(name, ())


def _files(name: str, given: Path | Sequence[Path]) -> tuple[InputFile, ...]:
    paths = [given] if isinstance(given, Path) else given
    return tuple(_file(name, path) for path in paths)


def _file(name: str, path: Path) -> InputFile:
    content = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return InputFile(name, path, media_type, len(content), hashlib.sha256(content).hexdigest())
