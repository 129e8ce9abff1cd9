"""Passwords: argon2id hashes, made and checked in threads, so many at a time that memory stays bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tron_core.errors import Refused, TooMany

T = TypeVar("T")

MEMORY_KIB = 19 * 1024
TIME_COST = 2
PARALLELISM = 1
"""OWASP's Password Storage Cheat Sheet: argon2id with 19 MiB, 2 passes, 1 lane. RFC 9106's second choice (64 MiB,
3 passes, 4 lanes) costs more memory than a hub on a Raspberry Pi should lend to whoever tries a password."""

AT_ONCE = 2
"""Hashes computed at a time: at most ``AT_ONCE * MEMORY_KIB`` of memory, and cores left for the loop."""
MAX_WAITING = 32
"""Callers that may wait for their turn; the next is told to come back."""
MAX_LENGTH = 1024
"""Characters of the longest password: argon2 reads all of it, so a megabyte would be an attack."""


class Passwords:
    """Makes and checks hashes. The parameters are for tests; a hash carries its own."""

    def __init__(self, *, memory_kib: int = MEMORY_KIB, time_cost: int = TIME_COST) -> None:
        self._hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=PARALLELISM)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._decoy: str | None = None

    async def hash(self, password: str) -> str:
        """The hash to store; raises Refused (empty or too long), TooMany."""
        if not 0 < len(password) <= MAX_LENGTH:
            raise Refused(
                f"password: {len(password)} characters; allowed are 1 to {MAX_LENGTH}", code="invalid_password"
            )
        return await self._in_turn(lambda: self._hasher.hash(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether ``password`` is the one behind ``stored``. None, for a user that does not exist, takes as long as
        any other answer, so that the time tells nobody which usernames there are. Raises TooMany."""
        if len(password) > MAX_LENGTH:
            return False
        if stored is None:
            self._decoy = self._decoy or await self._in_turn(lambda: self._hasher.hash("nobody"))
        reference = stored or self._decoy or ""
        matches = await self._in_turn(lambda: self._matches(reference, password))
        return matches and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_turn(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise TooMany("Too many passwords are being checked at this moment; try again", retry_after=1.0)
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1
