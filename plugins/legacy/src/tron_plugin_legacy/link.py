"""One connection of a client: what it says goes to the hub, and what the hub wants goes to it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from websockets.asyncio.server import broadcast
from websockets.exceptions import ConnectionClosed

import tron_core as tron
from tron_plugin_legacy import answers, wire
from tron_plugin_legacy.api import Answer
from tron_plugin_legacy.fleet import Fleet
from tron_plugin_legacy.runs import Process, Run, State
from tron_plugin_legacy.tarpit import Tarpit
from tron_plugin_legacy.uploads import NoSuchJob, Upload, Uploads, WrongKind
from tron_plugin_legacy.wire import Frame, WireError

PROTOCOL = "legacy"
CLOSE_WRONG = 4400
CLOSE_TAKEN = 4002
"""With a reason that contains ``already registered`` a client ends; with any other it comes back at once."""
MAX_WRONG = 20
"""Frames in a row that are none, after which the connection is closed."""
STUCK_SECONDS = 600.0
"""For so long a client that is still at a job nobody wants is given no other; it cannot be told to stop."""
SILENT_SECONDS = 300.0
"""A fresh process may draw the same number for its name as the last one, and knows nothing of its jobs. Where the
registration is another than before, a job of which nothing is heard for so long is taken for lost."""
PICTURES = ("image/", "video/")
MAX_MODEL = 200
"""Characters of a model's name."""

logger = logging.getLogger(__name__)


class Link:
    """Frames in, frames out; ``grace`` in seconds. It is the SessionListener of its worker."""

    def __init__(
        self, connection: Any, grant: tron.Grant, fleet: Fleet, uploads: Uploads, tarpit: Tarpit, *, grace: float
    ) -> None:
        self._connection = connection
        self._grant = grant
        self._fleet = fleet
        self._uploads = uploads
        self._tarpit = tarpit
        self._grace = grace
        self._process: Process | None = None
        self._session: tron.WorkerSession | None = None
        self._offers: Mapping[str, tron.Offer] = {}
        self._wrong = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._stuck: dict[str, asyncio.TimerHandle] = {}
        self._handlers: Mapping[str, Callable[[Process, Frame], Awaitable[None] | None]] = {
            "job_queue/acknowledge": self._acknowledge,
            "job_queue/finish": self._finish,
            "message/edit": self._edit,
            "message/delete": self._swallow,
            "message/delete_errors": self._swallow,
            "message/send": self._show,
            "message/create_thread": self._show,
            "message/send_large_message": self._answer,
            "ollama/complete_result": self._complete,
        }

    async def run(self) -> None:
        """Speak until the connection ends."""
        try:
            while True:
                await self._receive(await self._connection.recv())
                await asyncio.sleep(0)  # frames that wait already are read without a pause
        except ConnectionClosed:
            pass
        finally:
            self._leave(f"connection closed ({self._connection.close_code})")
            if self._tasks:
                await asyncio.gather(*self._tasks, return_exceptions=True)

    def refresh(self) -> None:
        """Offer what the worker can do now: what the plugins know may have changed."""
        process, session = self._process, self._session
        if process is None or session is None or process.registration is None:
            return
        offers = self._fleet.offers(process.registration.job_types)
        if offers != self._offers:
            self._offers = offers
            session.update(offers=offers)

    def supersede(self, reason: str) -> None:
        """A fresh process has taken this one's place; should it be alive all the same, it is told to end."""
        if self._session is not None:
            self._session.ended(reason, lost=True)
        self._hang_up(CLOSE_TAKEN, f"{reason}: already registered")

    # What the client says

    async def _receive(self, text: str | bytes) -> None:
        try:
            frame = wire.parse_frame(text)
            if frame.command == "worker/register":
                self._register(frame)
            self._wrong = 0
        except WireError as error:
            await self._refuse(error)
            return
        handler = self._handlers.get(frame.command)
        if handler is None or self._process is None or self._process.link is not self:
            return
        handled = handler(self._process, frame)
        if handled is not None:
            await handled

    async def _refuse(self, error: WireError) -> None:
        """Nothing is answered: a client reads every answer as a job."""
        self._wrong += 1
        logger.warning("a worker of %s sent what is no message: %s", self._grant.user, error)
        if self._wrong >= MAX_WRONG:
            await self._tarpit.hold(self._connection.address)
            await self._connection.hang_up(CLOSE_WRONG, f"{MAX_WRONG} frames in a row that are no messages")

    def _register(self, frame: Frame) -> None:
        if self._process is not None:
            return
        registration = wire.parse_registration(frame.arguments)
        offers = self._fleet.offers(registration.job_types)
        if not offers:
            # It would come back at once if it were turned away.
            offered = ", ".join(sorted(registration.job_types)) or "nothing"
            logger.warning("%s offers %s, which no plugin here has a use for", registration.worker_id, offered)
            return
        client_id, name = self._grant.client_id, registration.name
        self._fleet.supersede(client_id, name)
        process = self._process = self._fleet.process(client_id, name)
        holding = process.take_stock()
        if process.registration is not None and process.built != frame.built:
            self._doubt(process)
        process.built = frame.built
        process.link, process.registration, self._offers = self, registration, offers
        hello = tron.WorkerHello(
            name,
            PROTOCOL,
            offers,
            hardware=registration.hardware,
            holding=holding,
            base_url=self._connection.base_url,
            grace=self._grace,
        )
        self._session = self._fleet.app.workers.open(self._grant, hello, self)
        for run in process.in_state(State.UNWANTED):
            self._wait_for(run)

    def _acknowledge(self, process: Process, frame: Frame) -> None:
        process.acknowledges = True
        self._named(process, frame)

    def _finish(self, process: Process, frame: Frame) -> None:
        run = self._named(process, frame)
        if run is None:
            return
        if run.state is State.ACTIVE:
            self._fail(run, "the worker finished without a result")
        elif run.state is State.UNWANTED and self._session is not None:
            self._session.failed(*run.held, tron.ErrorKind.INTERNAL, "stopped", retryable=True)
            self._no_longer_wait_for(process, run)
        process.runs.pop(run.wire, None)

    def _edit(self, process: Process, frame: Frame) -> None:
        run = self._meant(process, frame)
        if run is None or self._session is None:
            return
        text = answers.text_of(frame.arguments)
        reason = answers.failure(text)
        if reason is not None:
            self._fail(run, reason)
            return
        run.fraction = max(run.fraction, answers.fraction(text) or 0.0)
        self._session.progress(*run.held, tron.Progress(run.fraction))

    def _swallow(self, process: Process, frame: Frame) -> None:
        """The status message is the hub's to edit, and the person's own is theirs."""
        self._meant(process, frame)

    async def _show(self, process: Process, frame: Frame) -> None:
        """A message with files: the result."""
        run, said = self._meant(process, frame), frame.arguments
        if run is None:
            return
        urls = said.get("image_url_list")
        shown = [*(urls if isinstance(urls, list) else ())]
        shown += [said[key] for key in ("image_url", "audio_url", "video_url") if said.get(key)]
        files = await self._uploads.claim(run, shown)
        if not files:
            files = await self._inline(run, said)
        if files:
            model = said.get("image_model")
            named = model[:MAX_MODEL] if isinstance(model, str) else None
            told = tuple(upload.as_answer() for upload in files)
            self._succeed(run, Answer(files=told, model=named))
        elif shown:
            self._fail(run, "the worker shows no file that it uploaded for this job")

    async def _inline(self, run: Run, said: Mapping[str, Any]) -> list[Upload]:
        """Files that came in the message itself."""
        try:
            found = [
                await self._uploads.put_inline(run, "image.png", said.get("image"), kinds=PICTURES),
                await self._uploads.put_inline(run, "speech.mp3", said.get("audio_data"), kinds=("audio/",)),
            ]
        except (NoSuchJob, WrongKind, tron.TronError) as error:
            logger.warning("job %s: a file in a message is not taken: %s", run.wire, error)
            return []
        return [upload for upload in found if upload is not None]

    def _answer(self, process: Process, frame: Frame) -> None:
        run = self._meant(process, frame)
        if run is not None:
            self._recall(run)
            text = answers.answer(answers.text_of(frame.arguments), run.prompt)
            self._succeed(run, Answer(text=text))

    def _complete(self, process: Process, frame: Frame) -> None:
        run = self._named(process, frame)
        if run is None or run.state is not State.ACTIVE or frame.data.get("request_id") != run.wire:
            return
        text, detail = frame.data.get("text"), frame.data.get("detail")
        if frame.data.get("ok") is True and isinstance(text, str):
            self._succeed(run, Answer(text=text[: answers.MAX_TEXT]))
        else:
            self._fail(run, str(detail or "the worker says that it failed, and not why")[: answers.MAX_REASON])

    # Whose message it is

    def _named(self, process: Process, frame: Frame) -> Run | None:
        """The run that a message names by its id; None where it is late, or no job of this worker."""
        registration = process.registration
        said_by, named = frame.arguments.get("worker_id"), frame.arguments.get("job_id")
        if registration is None or said_by != registration.worker_id:
            self._foreign(frame, said_by)
            return None
        return self._known(process, frame, named)

    def _meant(self, process: Process, frame: Frame) -> Run | None:
        """The run, still wanted, whose object a message echoes; None for any other message."""
        echoed = wire.wire_of(frame.data)
        if echoed is None:
            self._foreign(frame, frame.data.get("job_id"))
            return None
        run = self._known(process, frame, echoed[0])
        return run if run is not None and run.state is State.ACTIVE else None

    def _known(self, process: Process, frame: Frame, named: object) -> Run | None:
        run = process.runs.get(named) if isinstance(named, str) else None
        if run is None:
            self._foreign(frame, named)
        else:
            run.heard, run.doubted = True, False
        return run

    def _foreign(self, frame: Frame, named: object) -> None:
        logger.info("%s of %s is about %.80r, no job of its own now", frame.command[:80], self._grant.user, named)

    # How it ended

    def _succeed(self, run: Run, answer: Answer) -> None:
        self._recall(run)
        # It may have been cancelled while its files were looked up.
        if self._session is None or run.kind is None or run.state is not State.ACTIVE:
            return
        try:
            output = run.kind.to_output(run.assignment.params, answer)
        except Exception as error:
            logger.exception("the answer to job %s cannot be read", run.wire)
            self._fail(run, f"its answer cannot be read: {error}")
            return
        run.state = State.TOLD
        seconds = self._fleet.clock() - run.began
        self._session.result(*run.held, output, [file.name for file in answer.files], seconds)

    def _fail(self, run: Run, reason: str) -> None:
        if self._session is None:
            return
        run.state = State.TOLD
        self._session.failed(*run.held, tron.ErrorKind.INTERNAL, reason, retryable=True)

    def _keys(self, run: Run) -> Mapping[str, Any] | None:
        registration = None if self._process is None else self._process.registration
        return None if registration is None else self._fleet.keys(run, registration.job_types)

    def _recall(self, run: Run) -> None:
        """Find again as what a run was sent that began before a restart of the hub."""
        if run.kind is None:
            self._keys(run)

    # What the hub wants: the SessionListener

    def welcomed(self, resumed: Sequence[tron.Assignment], abandoned: Sequence[tuple[str, int]]) -> None:
        process = self._process
        if process is None:
            return
        for assignment in resumed:
            if wire.wire_id(assignment.job, assignment.attempt) not in process.runs:
                process.add(Run(assignment, self._fleet.clock(), resumed=True))
        for job, attempt in abandoned:
            self.cancelled(job, attempt, "nobody waits for it any more")

    def turned_away(self, code: str, reason: str) -> None:
        logger.warning("a worker of %s is turned away: %s", self._grant.user, reason)
        self._leave(reason)
        if code == "name_taken":
            self._hang_up(CLOSE_TAKEN, "a worker of that name is already registered by another credential")

    def assigned(self, assignment: tron.Assignment) -> None:
        process, session = self._process, self._session
        if process is None or session is None:
            return
        run = Run(assignment, self._fleet.clock())
        keys = self._keys(run)
        if keys is None or run.kind is None:
            text = f"{process.name} has no way to do this"
            session.failed(*run.held, tron.ErrorKind.TRANSIENT, text, retryable=True)
            return
        if self._connection.transport.is_closing():
            return  # it has not got this: it comes back without, and the job goes to the next
        process.add(run)
        broadcast((self._connection,), wire.job_frame(run.kind.job_type, run.wire, keys))

    def cancelled(self, job: str, attempt: int, reason: str) -> None:
        run = None if self._process is None else self._process.runs.get(wire.wire_id(job, attempt))
        if run is not None:
            run.state = State.UNWANTED
            self._wait_for(run)

    def settled(self, job: str, attempt: int, outcome: str) -> None:
        run = None if self._process is None else self._process.runs.get(wire.wire_id(job, attempt))
        if run is not None:
            run.settled = True

    def faulted(self, reason: str) -> None:
        """A result that names a file which is not there any more, at worst."""
        logger.warning("what a worker of %s said is not taken: %s", self._grant.user, reason)
        for run in () if self._process is None else tuple(self._process.in_state(State.TOLD)):
            if not run.settled:
                run.settled = True  # once is enough
                self._fail(run, f"its result is not taken: {reason}")

    def noticed(self, message: str) -> None:
        """A client has no console that could be told."""

    def closed(self, code: int, reason: str) -> None:
        """Another connection of that name took over. Is it the same process, then this one ended already at its side;
        are there two, then they would take turns for ever."""
        self._leave(reason)
        self._hang_up(CLOSE_TAKEN, f"{reason}: already registered")

    # Jobs that a client does not stop

    def _wait_for(self, run: Run) -> None:
        """Give the worker nothing else until it says that it is done with this."""
        if self._session is not None and run.wire not in self._stuck and not run.given_up:
            self._session.update(suspect=True)
            loop = asyncio.get_running_loop()
            self._stuck[run.wire] = loop.call_later(STUCK_SECONDS, self._give_up, run)

    def _give_up(self, run: Run) -> None:
        """It stays remembered: what it may still upload has to be taken from it."""
        run.given_up = True
        if self._process is not None:
            self._no_longer_wait_for(self._process, run)

    def _no_longer_wait_for(self, process: Process, run: Run) -> None:
        timer = self._stuck.pop(run.wire, None)
        if timer is not None:
            timer.cancel()
        if not self._stuck and self._session is not None:
            self._session.update(suspect=False)

    # Jobs that a client may have forgotten

    def _doubt(self, process: Process) -> None:
        held = list(process.in_state(State.ACTIVE))
        for run in held:
            run.doubted = True
        if held:
            asyncio.get_running_loop().call_later(SILENT_SECONDS, self._take_for_lost, process, held)

    def _take_for_lost(self, process: Process, held: Sequence[Run]) -> None:
        for run in held:
            if run.doubted and run.state is State.ACTIVE:
                process.runs.pop(run.wire, None)  # so that it is not held when the client comes back
                if process.link is not None:
                    process.link._fail(run, f"{process.name} was started anew and has forgotten it")

    # The end

    def _leave(self, reason: str) -> None:
        """The connection counts no more; the process may come back with another."""
        for timer in self._stuck.values():
            timer.cancel()
        self._stuck.clear()
        if self._session is not None:
            self._session.ended(reason)
            self._session = None
        if self._process is not None and self._process.link is self:
            self._process.link, self._process.left = None, self._fleet.clock()

    def _hang_up(self, code: int, reason: str) -> None:
        task = asyncio.get_running_loop().create_task(self._connection.hang_up(code, reason))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
