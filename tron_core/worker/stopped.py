"""Why a worker ends by itself, as an exit status and a sentence."""

from __future__ import annotations

from enum import IntEnum

from tron_core.errors import TronError


class ExitCode(IntEnum):
    """The exit statuses of ``tron worker``."""

    DONE = 0
    """Drained: every job it held is settled."""
    ABORTED = 1
    """Stopped at once by a second signal; the hub gives its jobs to others."""
    USAGE = 2
    """An option, worker.toml or auth.json cannot be used."""
    NOTHING_TO_OFFER = 3
    """No executor works here."""
    REFUSED = 4
    """The hub does not accept the credential, or the protocol."""
    NAME_IN_USE = 5
    """Another worker has this name, or took it over."""


class WorkerStopped(TronError):
    """The worker cannot go on; trying again would not help."""

    code = "worker_stopped"

    def __init__(self, message: str, exit_code: ExitCode) -> None:
        super().__init__(message)
        self.exit_code = exit_code
