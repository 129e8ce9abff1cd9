"""A second implementation of the worker protocol ``tron.v1``, written from its document alone.

It knows nothing of the project's code: websockets, json and urllib are all that it imports. Messages are plain dicts,
so that it can also say what no worker should.
"""

from __future__ import annotations

import hashlib
import json
import threading
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from socket import SHUT_RDWR
from types import TracebackType
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

PATIENCE = 20.0
"""Seconds that an answer may take."""

Message = dict[str, Any]
Held = tuple[str, int]


class ProtocolWorker:
    """One connection of a worker. ``hello`` begins the session; what the hub says comes from ``expect``.

    While the session is on, a thread sends heartbeats, unless ``silent``.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        name: str = "second",
        subprotocol: str | None = "tron.v1",
        silent: bool = False,
    ) -> None:
        self.name = name
        self._silent = silent
        self._over = threading.Event()
        self._early: deque[Message] = deque()
        self._stack = ExitStack()
        self.socket: ClientConnection = self._stack.enter_context(
            connect(
                url,
                additional_headers={} if token is None else {"Authorization": f"Bearer {token}"},
                subprotocols=None if subprotocol is None else [Subprotocol(subprotocol)],
                compression=None,
                max_size=1024 * 1024,
                proxy=None,
            )
        )

    def __enter__(self) -> ProtocolWorker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # The session

    def hello(
        self,
        capabilities: Mapping[str, Mapping[str, Any]],
        *,
        slots: int = 1,
        resuming: Sequence[Held] = (),
        **more: Any,
    ) -> Message:
        """Say hello; returns the welcome. ``more`` are further fields."""
        held = [{"job": job, "attempt": attempt} for job, attempt in resuming]
        fields = {"worker": self.name, "software": "second/1", "capabilities": capabilities, "slots": slots}
        self.send("hello", **fields, hardware={"platform": "test"}, resuming=held, **more)
        welcome = self.expect("welcome")
        if not self._silent:
            pause = welcome["heartbeat_s"] / 2
            threading.Thread(target=self._beat, args=(pause,), daemon=True).start()
        return welcome

    def _beat(self, pause: float) -> None:
        while not self._over.wait(pause):
            try:
                self.send("heartbeat")
            except ConnectionClosed:
                return

    def send(self, kind: str, /, **fields: Any) -> None:
        """Send a message."""
        self.send_frame(json.dumps({"type": kind, **fields}))

    def send_frame(self, frame: str | bytes) -> None:
        """Send a frame that may be anything."""
        self.socket.send(frame)

    def receive(self, timeout: float = PATIENCE) -> Message:
        """The next message; raises TimeoutError, ConnectionClosed."""
        if self._early:
            return self._early.popleft()
        message: Message = json.loads(self.socket.recv(timeout))
        return message

    def expect(self, kind: str, **fields: Any) -> Message:
        """The next message, which must be of ``kind``; whatever the hub tells for information alone is passed over."""
        passing = {"idle", "notice"} - {kind}
        while (message := self.receive())["type"] in passing:
            pass
        assert message["type"] == kind, f"{kind} was expected, this came: {message}"
        for name, value in fields.items():
            assert message[name] == value, f"{name}: {message[name]!r} came, {value!r} was expected"
        return message

    def hears_nothing(self, seconds: float = 0.2) -> bool:
        """Whether the hub is silent for so long; what it says all the same is still there for ``expect``."""
        try:
            self._early.append(self.receive(seconds))
        except TimeoutError:
            return True
        return False

    def close_code(self) -> int | None:
        """The code with which the hub closes the connection; what it says before that is passed over."""
        try:
            while True:
                self.receive()
        except ConnectionClosed as closed:
            return None if closed.rcvd is None else closed.rcvd.code

    def close(self) -> None:
        """Say goodbye."""
        self._over.set()
        self._stack.close()

    def vanish(self) -> None:
        """Be gone without a word, as after a crash."""
        self._over.set()
        self.socket.socket.shutdown(SHUT_RDWR)
        self._stack.close()

    # Work

    def take(self) -> Attempt:
        """The next job that the hub gives."""
        return Attempt(self, self.expect("job"))


class Attempt:
    """A job that this worker was given."""

    def __init__(self, worker: ProtocolWorker, message: Message) -> None:
        self._worker = worker
        self.message = message
        self.job: str = message["job"]
        self.number: int = message["attempt"]

    @property
    def held(self) -> Held:
        return self.job, self.number

    def on(self, worker: ProtocolWorker) -> Attempt:
        """The same attempt, spoken of over another connection."""
        return Attempt(worker, self.message)

    def say(self, kind: str, /, **fields: Any) -> None:
        """Send a message about this attempt."""
        self._worker.send(kind, job=self.job, attempt=self.number, **fields)

    def inputs(self) -> dict[str, bytes]:
        """The files that come with the job, fetched and checked."""
        return {reference["name"]: fetch(reference) for reference in self.message["inputs"]}

    def ticket(self, name: str, data: bytes, *, role: str | None = None, **more: Any) -> Message:
        """Ask for a ticket for ``data``; ``more`` replaces what is announced."""
        fields: dict[str, Any] = {"name": name, "media_type": "application/octet-stream"}
        fields |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} | more
        if role is not None:
            fields["role"] = role
        self.say("upload", **fields)
        return self._worker.expect("ticket", job=self.job, attempt=self.number, name=name)

    def upload(self, name: str, data: bytes, *, role: str | None = None) -> Message:
        """Upload ``data``; returns what the hub says about the stored artifact."""
        status, answer = put(self.ticket(name, data, role=role), data)
        assert status in (200, 201), f"PUT {name}: {status} {answer}"
        return answer

    def result(self, output: Mapping[str, Any], artifacts: Sequence[str] = ()) -> str:
        """Send the result; returns the outcome."""
        self.say("result", output=output, artifacts=artifacts, metrics={"seconds": 0.1})
        return self.settled()

    def error(self, kind: str, message: str, *, retryable: bool) -> str:
        """Send an error; returns the outcome."""
        self.say("error", kind=kind, message=message, retryable=retryable)
        return self.settled()

    def settled(self) -> str:
        """The outcome that the hub tells."""
        outcome: str = self._worker.expect("settled", job=self.job, attempt=self.number)["outcome"]
        return outcome


def fetch(reference: Message) -> bytes:
    """The bytes of an input; raises AssertionError where they are not what the hub announced."""
    request = urllib.request.Request(reference["url"], headers=reference["headers"])
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        data: bytes = response.read()
    assert len(data) == reference["size"]
    assert hashlib.sha256(data).hexdigest() == reference["sha256"]
    return data


def put(ticket: Message, data: bytes, **changes: Any) -> tuple[int, Message]:
    """Use a ticket; returns the status and the JSON of the answer. ``changes`` replace fields of the ticket."""
    used = ticket | changes
    request = urllib.request.Request(used["url"], data=data, method=used["method"], headers=used["headers"])
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.loads(refused.read())


def serve(worker: ProtocolWorker, jobs: int, do: Callable[[Attempt], Mapping[str, Any]]) -> None:
    """Do ``jobs`` jobs with ``do``, one after the other."""
    for _ in range(jobs):
        attempt = worker.take()
        attempt.result(do(attempt))
