"""The connection to the hub: kept up, with a token that is good, until it is closed or refused for good."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Protocol

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI, NegotiationError
from websockets.typing import Subprotocol

from tron_core.hub import protocol
from tron_core.hub.protocol import Drain, Fault, FromHub, Heartbeat, Hello, Message, Rejected, Welcome
from tron_core.worker.address import HubAddress
from tron_core.worker.backoff import CAP, wait_after
from tron_core.worker.stopped import ExitCode, WorkerStopped
from tron_core.worker.tokens import TokenSource

OPEN_TIMEOUT = 60.0
"""Seconds for the opening handshake: the hub may take 45 to refuse."""
WELCOME_TIMEOUT = 30.0
CLOSE_TIMEOUT = 5.0
PING_INTERVAL, PING_TIMEOUT = 10.0, 20.0
"""Seconds. A hub that is gone without a word is noticed so, and a worker that changed its address comes back before the
hub gives its work to others: it does so a minute after the last word."""
HOLDING_CAP = 5.0
"""Seconds of the longest wait between two tries while there is work that the hub keeps for this worker: for 30 s,
unless ``scheduling.resume_grace`` says otherwise."""
STABLE = 10.0
"""Seconds after which a session counts as sound, so that earlier failures are forgotten."""
TRUSTED = 60.0
"""Seconds after which a token counts as good, so that the refusal of an earlier one is forgotten."""
EARLY = 0.7
"""A heartbeat goes out after this part of the interval, so that a slow network does not make it late."""


class Peer(Protocol):
    """What the connection speaks for. ``received`` does not wait, so that the hub's frames are always read."""

    @property
    def holding(self) -> bool:
        """Whether there is work, done or not, that the hub keeps for this worker."""

    def hello(self) -> Hello:
        """The first message of a session."""

    async def welcomed(self, welcome: Welcome) -> None:
        """A session began; what the hub may have missed is sent now."""

    def received(self, message: FromHub) -> None:
        """A message of the hub."""

    def disconnected(self) -> None:
        """The session ended."""

    def connection_changed(self, text: str) -> None:
        """Something about the connection for the console: one sentence."""


class Unreachable(Exception):
    """The hub cannot be reached now; the text says why."""


class HubConnection:
    """Connects, and connects again, until ``close``; one session at a time."""

    def __init__(
        self,
        address: HubAddress,
        tokens: TokenSource,
        peer: Peer,
        *,
        user_agent: str,
        random: Random,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = address
        self._tokens = tokens
        self._peer = peer
        self._user_agent = user_agent
        self._random = random
        self._monotonic = monotonic
        self._socket: ClientConnection | None = None
        self._online = asyncio.Event()
        self._closing = asyncio.Event()
        self._draining = False
        self._refused_at: float | None = None

    @property
    def online(self) -> bool:
        """Whether a session is on."""
        return self._socket is not None

    async def send(self, message: Message) -> bool:
        """Send if a session is on; returns whether it was. That the hub got it, only its answer says."""
        if self._socket is None:
            return False
        try:
            await self._socket.send(protocol.encode(message))
        except ConnectionClosed:
            return False
        return True

    async def send_when_online(self, message: Message) -> bool:
        """Wait for a session, then as ``send``."""
        await self._online.wait()
        return await self.send(message)

    async def drain(self) -> None:
        """Say, in this session and every later one, that no more jobs are taken."""
        self._draining = True
        await self.send(Drain())

    async def close(self) -> None:
        """End the session; ``run`` returns."""
        self._closing.set()
        if self._socket is not None:
            await self._socket.close()

    async def run(self) -> None:
        """Until ``close``. Raises WorkerStopped where trying again would not help."""
        failures = 0
        while not self._closing.is_set():
            began = self._monotonic()
            try:
                socket = await self._dial()
                reason = await self._session(socket)
            except Unreachable as error:
                reason = str(error)
            if self._closing.is_set():
                return
            failures = 1 if self._monotonic() - began >= STABLE else failures + 1
            cap = HOLDING_CAP if self._peer.holding else CAP
            await self._wait(wait_after(failures, self._random, cap=cap), reason)

    async def _wait(self, seconds: float, reason: str) -> None:
        self._peer.connection_changed(f"{reason}; trying again in {seconds:.1f} s")
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            pass  # the usual end of the wait

    async def _dial(self) -> ClientConnection:
        """A connection with a token that the hub takes; raises Unreachable or WorkerStopped."""
        try:
            token = await self._tokens.token()
            try:
                return await self._open(token)
            except InvalidStatus as error:
                if error.response.status_code != 401:
                    raise
            return await self._open(await self._tokens.renew())
        except InvalidStatus as error:
            raise _refused_upgrade(error) from None
        except NegotiationError:
            raise WorkerStopped(_wrong_protocol("it chose another"), ExitCode.REFUSED) from None
        except httpx.HTTPError as error:
            raise Unreachable(f"no access token to be had: {type(error).__name__} {error}".rstrip()) from None
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as error:
            raise Unreachable(f"cannot reach {self._address.websocket}: {str(error) or type(error).__name__}") from None

    async def _open(self, token: str) -> ClientConnection:
        secure = self._address.websocket.startswith("wss:")
        return await connect(
            self._address.websocket,
            subprotocols=[Subprotocol(protocol.SUBPROTOCOL)],
            additional_headers={"Authorization": f"Bearer {token}"},
            user_agent_header=self._user_agent,
            compression=None,
            max_size=protocol.MAX_FRAME,
            open_timeout=OPEN_TIMEOUT,
            ping_interval=PING_INTERVAL,
            ping_timeout=PING_TIMEOUT,
            proxy=None if self._address.loopback else True,
            ssl=self._address.tls if secure else None,
        )

    async def _session(self, socket: ClientConnection) -> str:
        """One session from hello to its end; why it ended, in words. Raises WorkerStopped, Unreachable."""
        began = self._monotonic()
        try:
            async with socket:
                welcome = await self._greet(socket)
                async with self._live(socket, welcome):
                    if not self._closing.is_set():
                        await self._read(socket)
        except ConnectionClosed:
            pass  # its code says how
        await self._check_close(socket, self._monotonic() - began)
        return f"the connection ended{_close_words(socket)}"

    async def _greet(self, socket: ClientConnection) -> Welcome:
        if socket.subprotocol != protocol.SUBPROTOCOL:
            raise WorkerStopped(_wrong_protocol("it chose none"), ExitCode.REFUSED)
        await socket.send(protocol.encode(self._peer.hello()))
        try:
            answer = protocol.parse_from_hub(await asyncio.wait_for(socket.recv(), WELCOME_TIMEOUT))
        except TimeoutError:
            raise Unreachable("the hub does not answer hello") from None
        except protocol.ProtocolError as error:
            raise Unreachable(f"the hub answers hello with nonsense: {error}") from None
        if isinstance(answer, Rejected):
            await self._rejected(socket, answer)
        if not isinstance(answer, Welcome):
            text = answer.message if isinstance(answer, Fault | Rejected) else answer.type
            raise Unreachable(f"the hub does not welcome this worker: {text}")
        return answer

    async def _rejected(self, socket: ClientConnection, answer: Rejected) -> None:
        try:
            await asyncio.wait_for(socket.wait_closed(), CLOSE_TIMEOUT)
        except TimeoutError:
            pass  # the sentence came, the code did not
        if socket.close_code != protocol.CLOSE_REVOKED:
            raise WorkerStopped(f"The hub rejects this worker: {answer.message} ({answer.code})", ExitCode.NAME_IN_USE)
        await self._check_close(socket, 0.0)

    @asynccontextmanager
    async def _live(self, socket: ClientConnection, welcome: Welcome) -> AsyncIterator[None]:
        self._socket = socket
        heartbeat = asyncio.create_task(_beat(socket, welcome.heartbeat_s * EARLY))
        try:
            self._peer.connection_changed("connected")
            await self._peer.welcomed(welcome)
            if self._draining:
                await self.send(Drain())
            self._online.set()
            yield
        finally:
            heartbeat.cancel()
            self._socket = None
            self._online.clear()
            self._peer.disconnected()

    async def _read(self, socket: ClientConnection) -> None:
        async for frame in socket:
            try:
                message = protocol.parse_from_hub(frame)
            except protocol.ProtocolError as error:
                await self.send(Fault(message=str(error)))
                continue
            self._peer.received(message)

    async def _check_close(self, socket: ClientConnection, lived: float) -> None:
        """Decide by the close code whether there is any use in coming back; raises WorkerStopped where not."""
        code, reason = socket.close_code, socket.close_reason
        if code == protocol.CLOSE_TAKEN_OVER:
            raise WorkerStopped(
                "Another worker with the same name and credential connected, and this one is replaced. "
                "Give each worker a name of its own: --name NAME",
                ExitCode.NAME_IN_USE,
            )
        if code == protocol.CLOSE_REJECTED:
            raise WorkerStopped(f"The hub rejects this worker: {reason or 'no reason given'}", ExitCode.NAME_IN_USE)
        if code == protocol.CLOSE_REVOKED:
            await self._renew_once(reason, lived)

    async def _renew_once(self, reason: str | None, lived: float) -> None:
        """A revoked token may have a successor; refused again soon after, the credential itself is revoked."""
        now = self._monotonic()
        if self._refused_at is not None and lived < TRUSTED:
            raise WorkerStopped(
                f"The hub does not accept this worker's credential any more ({reason or 'revoked'}). "
                "Write a new auth.json: tron create-client-tokens --username NAME --output auth.json",
                ExitCode.REFUSED,
            )
        self._refused_at = now
        try:
            await self._tokens.renew()
        except httpx.HTTPError as error:
            raise Unreachable(f"no access token to be had: {type(error).__name__} {error}".rstrip()) from None


async def _beat(socket: ClientConnection, seconds: float) -> None:
    frame = protocol.encode(Heartbeat())
    try:
        while True:
            await asyncio.sleep(seconds)
            await socket.send(frame)
    except ConnectionClosed:
        pass  # the reader knows, too, and acts


def _refused_upgrade(error: InvalidStatus) -> WorkerStopped | Unreachable:
    status = error.response.status_code
    text = (error.response.body or b"").decode(errors="replace").strip()[:300]
    if status == 401:
        return WorkerStopped(
            f"The hub does not accept this worker's token, nor a new one ({text or 'HTTP 401'}). "
            "Write a new auth.json: tron create-client-tokens --username NAME --output auth.json",
            ExitCode.REFUSED,
        )
    if status == 403:
        return WorkerStopped(
            f"The hub does not let this credential in ({text or 'HTTP 403'}). A worker needs one with the scope "
            "'worker': tron create-worker-user, then tron create-client-tokens",
            ExitCode.REFUSED,
        )
    if status == 400:
        return WorkerStopped(_wrong_protocol(text or "HTTP 400"), ExitCode.REFUSED)
    return Unreachable(f"the hub answers HTTP {status} {text}".rstrip())


def _wrong_protocol(detail: str) -> str:
    return f"The hub does not speak {protocol.SUBPROTOCOL} ({detail}): hub and worker have versions that do not fit"


def _close_words(socket: ClientConnection) -> str:
    if socket.close_code in (None, 1000, 1006):
        return ""
    return f" ({socket.close_code} {socket.close_reason or ''})".replace(" )", ")")
