"""Who is speaking."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tron_core.errors import Forbidden


class Scope(StrEnum):
    """What a credential may be used for. ``admin`` includes ``user``; a worker has ``worker`` alone."""

    WORKER = "worker"
    USER = "user"
    ADMIN = "admin"

    @property
    def granted(self) -> frozenset[Scope]:
        """What a user of this scope is granted."""
        return frozenset({Scope.ADMIN, Scope.USER}) if self is Scope.ADMIN else frozenset({self})


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller: its credential, its user, its scopes; ``frontend`` is ``console`` for who speaks with the
    token of ``run.json``; ``plugin`` names the one whose doors alone take the credential."""

    client_id: str
    user_id: int
    username: str
    scopes: frozenset[Scope]
    frontend: str = "api"
    plugin: str | None = None

    @property
    def requester(self) -> str:
        """The name under which this caller's jobs stand."""
        return f"{self.frontend}:{self.username}"

    @property
    def is_admin(self) -> bool:
        return Scope.ADMIN in self.scopes

    def may(self, scope: Scope) -> bool:
        """Whether this caller has ``scope``."""
        return scope in self.scopes or (scope is Scope.USER and self.is_admin)

    def require(self, scope: Scope) -> None:
        """Raise Forbidden unless this caller has ``scope``."""
        if not self.may(scope):
            held = ", ".join(sorted(self.scopes)) or "none"
            raise Forbidden(f"This needs the scope {scope}; the credential has: {held}")
