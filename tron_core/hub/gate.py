"""Who may wait before the upgrade: a bound on sockets that have not yet shown who they are. Pure counting, no I/O."""

from __future__ import annotations

MAX_WAITING = 256
MAX_WAITING_PER_ADDRESS = 8


class Gate:
    """Counts the sockets between accept and upgrade, all of them and those of each address."""

    def __init__(self, *, limit: int = MAX_WAITING, per_address: int = MAX_WAITING_PER_ADDRESS) -> None:
        self._limit = limit
        self._per_address = per_address
        self._waiting: dict[str, int] = {}
        self._total = 0

    def enter(self, address: str) -> bool:
        """Let one more socket of ``address`` wait; False, and nothing counted, where there is no room."""
        here = self._waiting.get(address, 0)
        if self._total >= self._limit or here >= self._per_address:
            return False
        self._waiting[address] = here + 1
        self._total += 1
        return True

    def leave(self, address: str) -> None:
        """A socket that entered waits no longer."""
        here = self._waiting.pop(address, 0)
        if here > 1:
            self._waiting[address] = here - 1
        if here:
            self._total -= 1
