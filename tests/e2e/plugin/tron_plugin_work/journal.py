"""What hub and workers of a test do, in the order in which they do it: one line each, from any process."""

from __future__ import annotations

import os
import time
from pathlib import Path


def folder() -> Path:
    """Where the journal is, and the files that held jobs wait for."""
    return Path(os.environ["WORK_JOURNAL"])


def write(event: str, job: str, attempt: int) -> None:
    """Append a line in one write, which no other process can tear."""
    line = f"{event} {job} {attempt} {time.time():.6f}\n"
    descriptor = os.open(folder() / "journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
