"""One session of ``tron.v1``: what may come when, what is answered, when it is over. Pure: frames and times go in,
and what is to be sent goes to an Outlet."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tron_core.hub import translation
from tron_core.hub.protocol import (
    CLOSE_FAULTS,
    CLOSE_NO_HELLO,
    CLOSE_SILENT,
    HELLO_TIMEOUT,
    MAX_FAULTS,
    MAX_SENTENCE,
    SUBPROTOCOL,
    Drain,
    Fault,
    FromWorker,
    Heartbeat,
    Hello,
    Message,
    ProtocolError,
    Status,
    Welcome,
    parse_from_worker,
)
from tron_core.scheduling.messages import (
    Assign,
    AttemptSettled,
    CloseSession,
    TellFault,
    ToScheduler,
    ToSession,
    Turned,
    Welcomed,
    WhyIdle,
    WorkerGone,
    WorkerStatus,
)
from tron_core.sessions import Held, Offer

SILENT_INTERVALS = 3
"""Heartbeat intervals without a frame after which a session is suspect."""
IDLE_INTERVAL = 30.0
"""Seconds between two ``idle`` messages."""

logger = logging.getLogger(__name__)


class Phase(StrEnum):
    """``hello``: nothing but hello may come; ``waiting``: the scheduler has not answered yet."""

    HELLO = "hello"
    WAITING = "waiting"
    OPEN = "open"
    OVER = "over"


class Outlet(Protocol):
    """Where a session's words go; nothing here may block."""

    def send(self, message: Message) -> None:
        """To the worker."""

    def tell(self, message: ToScheduler) -> None:
        """To the scheduler."""

    def close(self, code: int, reason: str) -> None:
        """Close the connection, after what was sent."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How long silence is borne, in seconds."""

    heartbeat_s: float = 10.0
    resume_grace: float = 30.0
    hello_timeout: float = HELLO_TIMEOUT


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of session ``session``."""

    session: str
    client_id: str
    base_url: str


class SessionState:
    """The rules of one session. Times are seconds of a monotonic clock."""

    def __init__(self, peer: Peer, terms: Terms, outlet: Outlet, now: float) -> None:
        self.peer = peer
        self.phase = Phase.HELLO
        self.worker = ""
        self._terms = terms
        self._outlet = outlet
        self._began_at = self._heard_at = now
        self._suspect = False
        self._draining = False
        self._faults = 0
        self._pardoned = 0
        self._offers: dict[str, Offer] = {}
        self._held: set[Held] = set()
        self._idle_at = float("-inf")

    # From the worker

    def receive(self, frame: str | bytes, now: float) -> None:
        """A frame came."""
        if self.phase is Phase.OVER:
            return
        self._heard_at = now
        if self._suspect:
            self._suspect = False
            self._outlet.tell(WorkerStatus(self.peer.session, suspect=False))
        try:
            message = parse_from_worker(frame)
        except ProtocolError as error:
            self._refuse(str(error), about=error.type)
        else:
            self._take(message)

    def _take(self, message: FromWorker) -> None:
        if self.phase is Phase.HELLO:
            if isinstance(message, Hello):
                self._greet(message)
            else:
                self._refuse(f"the first message must be hello, not {message.type}", about=message.type)
        elif isinstance(message, Heartbeat):
            pass  # heard, which is all it is for; it does not make up for faults
        elif isinstance(message, Hello):
            self._refuse("hello was said already", about=message.type)
        elif isinstance(message, Status):
            self._pardon()
            self._update(message)
        elif isinstance(message, Drain):
            self._pardon()
            self._draining = True
            self._outlet.tell(WorkerStatus(self.peer.session, draining=True))
        elif isinstance(message, Fault):
            self._pardon()
            logger.info("worker %s reports a fault: %s", self.worker, message.message[:MAX_SENTENCE])
        else:
            # What is not held here may be settled, or a fault: the scheduler knows, and it pardons nothing meanwhile.
            if (message.job, message.attempt) in self._held:
                self._pardon_for_now()
            self._outlet.tell(translation.about_attempt(self.peer.session, message))

    def _greet(self, hello: Hello) -> None:
        self.phase = Phase.WAITING
        self.worker = hello.worker
        self._pardon()
        announcement = translation.connected(
            self.peer.session, self.peer.client_id, SUBPROTOCOL, self.peer.base_url, hello
        )
        self._offers = dict(announcement.offers)
        self._outlet.tell(announcement)

    def _update(self, message: Status) -> None:
        changes = translation.status(self.peer.session, message, self._offers)
        if changes.offers is not None:
            self._offers = dict(changes.offers)
        self._outlet.tell(changes)

    # From the scheduler

    def answer(self, message: ToSession, now: float) -> None:
        """The scheduler says something to this session, which it knows from ``hello`` on."""
        if self.phase in (Phase.HELLO, Phase.OVER):
            return
        if isinstance(message, Welcomed):
            self._welcome(message)
        elif isinstance(message, CloseSession):
            self._close(message.code, message.reason)
        elif isinstance(message, TellFault):
            self._faults += self._pardoned
            self._pardoned = 0
            self._fault(message.message)
        elif not isinstance(message, WhyIdle) or self._may_tell_idle(now):
            self._note(message)
            self._outlet.send(translation.to_worker(message))
            if isinstance(message, Turned):
                self._close(message.close_code, message.message)

    def _welcome(self, message: Welcomed) -> None:
        self.phase = Phase.OPEN
        self._held.update(message.resume)
        self._outlet.send(
            Welcome(
                session=self.peer.session,
                heartbeat_s=self._terms.heartbeat_s,
                resume=translation.held(message.resume),
                abandon=translation.held(message.abandon),
            )
        )

    def _note(self, message: ToSession) -> None:
        """Keep count of what the worker holds."""
        if isinstance(message, Assign):
            self._held.add((message.job, message.attempt))
        elif isinstance(message, AttemptSettled):
            self._held.discard((message.job, message.attempt))

    def _may_tell_idle(self, now: float) -> bool:
        if now - self._idle_at < IDLE_INTERVAL:
            return False
        self._idle_at = now
        return True

    # Time

    def check(self, now: float) -> float | None:
        """Act on silence; returns the seconds after which to check again, None when the session is over."""
        if self.phase is Phase.OVER:
            return None
        due = self._due()
        if now < due:
            return self._wait(due, now)
        if self.phase is Phase.HELLO:
            self._close(CLOSE_NO_HELLO, f"no hello within {self._terms.hello_timeout:g} s")
            return None
        if self._suspect:
            self._outlet.tell(WorkerGone(self.peer.session, lost=True, reason="silent for the whole grace time"))
            self._over(CLOSE_SILENT, "silent for too long")
            return None
        self._suspect = True
        self._outlet.tell(WorkerStatus(self.peer.session, suspect=True))
        return self._wait(self._due(), now)

    def _wait(self, due: float, now: float) -> float:
        """Until ``due``, but no longer than a first silence takes: a frame may come, and end, meanwhile."""
        return min(max(0.0, due - now), SILENT_INTERVALS * self._terms.heartbeat_s)

    def _due(self) -> float:
        """When silence will have its next effect."""
        if self.phase is Phase.HELLO:
            return self._began_at + self._terms.hello_timeout
        silence = SILENT_INTERVALS * self._terms.heartbeat_s
        return self._heard_at + silence + (self._terms.resume_grace if self._suspect else 0.0)

    # The end

    def ended(self, reason: str) -> None:
        """The connection is gone, whoever closed it."""
        self._tell_gone(reason)
        self.phase = Phase.OVER

    def _close(self, code: int, reason: str) -> None:
        self._tell_gone(reason)
        self._over(code, reason)

    def _tell_gone(self, reason: str) -> None:
        """Say so once to a scheduler that knows of this session."""
        if self.phase in (Phase.WAITING, Phase.OPEN):
            clean = self._draining and not self._held
            self._outlet.tell(WorkerGone(self.peer.session, clean=clean, reason=reason))

    def _over(self, code: int, reason: str) -> None:
        self.phase = Phase.OVER
        self._outlet.close(code, reason)

    # Faults

    def _refuse(self, sentence: str, *, about: str | None) -> None:
        """Answer what is no message, or comes at the wrong time; a first frame that is no hello ends the session."""
        self._fault(sentence)
        if self.phase is Phase.HELLO and about != "hello":
            self._close(CLOSE_NO_HELLO, "the first message must be hello")

    def _fault(self, sentence: str) -> None:
        self._faults += 1
        self._outlet.send(Fault(message=sentence[:MAX_SENTENCE]))
        if self._faults >= MAX_FAULTS:
            self._close(CLOSE_FAULTS, f"{MAX_FAULTS} faults in a row")

    def _pardon(self) -> None:
        """A valid message: the count begins anew."""
        self._faults = self._pardoned = 0

    def _pardon_for_now(self) -> None:
        """A message that is valid as far as can be seen here. Should the scheduler find fault with it, what it
        pardoned counts again."""
        self._pardoned = self._faults
        self._faults = 0
