"""Files that hold a secret: never readable by others, not even while they are written."""

from __future__ import annotations

import os
from pathlib import Path

PRIVATE = 0o600
PUBLIC = 0o644


def write_whole(path: Path, content: str | bytes, *, mode: int = PRIVATE) -> None:
    """Put ``content`` at ``path`` whole or not at all, replacing what stood there; others may read it if ``mode``
    says so. Folders that are missing are made for the owner alone. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    body = content.encode() if isinstance(content, str) else content
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
