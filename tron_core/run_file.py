"""``run.json``: how commands on this machine find the hub that runs, and may speak to it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from tron_core.errors import ConfigError

NAME = "run.json"


@dataclass(frozen=True, slots=True)
class Running:
    """A hub that runs: its REST and WebSocket addresses, its process, a local administrator's token."""

    http: str
    hub: str
    pid: int
    token: str


class RunFile:
    """``run.json`` in the configuration file's folder, readable by its owner alone."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def write(self, *, http: str, hub: str, token: str) -> None:
        """Say that this process is the hub; replaces what a hub left that was killed."""
        body = json.dumps({"http": http, "hub": hub, "pid": os.getpid(), "token": token}, indent=2)
        new = self.path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(body + "\n")
        new.replace(self.path)

    def read(self) -> Running | None:
        """What it says, None where there is none. The hub may be dead all the same: ask its /healthz."""
        try:
            return Running(**json.loads(self.path.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{self.path}: not a run file ({error}); remove it if no hub runs") from None

    def remove(self) -> None:
        """The hub has stopped; another hub's file is left alone."""
        found = self.read() if self.path.exists() else None
        if found is not None and found.pid == os.getpid():
            self.path.unlink(missing_ok=True)
