"""Between the wire and the Bus: each message of ``tron.v1`` as one of ``scheduling.messages`` and back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tron_core import sessions
from tron_core.hub.protocol import (
    AboutAttempt,
    Announced,
    Cancel,
    Fault,
    Hardware,
    Held,
    Hello,
    Idle,
    InputRef,
    JobMessage,
    Message,
    Notice,
    Partial,
    ProgressMessage,
    Rejected,
    ResultMessage,
    Settled,
    Status,
    Ticket,
    Upload,
)
from tron_core.job import ErrorKind, Metrics, Progress
from tron_core.scheduling import messages as bus

AboutAttemptOnBus = bus.AttemptProgress | bus.AttemptPartial | bus.AttemptUpload | bus.AttemptResult | bus.AttemptError
ToWorker = (
    bus.Turned
    | bus.Assign
    | bus.CancelAttempt
    | bus.AttemptSettled
    | bus.UploadTicket
    | bus.WhyIdle
    | bus.TellWorker
    | bus.TellFault
)
"""What the scheduler says to a session and the session passes on to the worker."""


def about_attempt(session: str, message: AboutAttempt) -> AboutAttemptOnBus:
    """What a worker says about an attempt, for the scheduler."""
    job, attempt = message.job, message.attempt
    if isinstance(message, ProgressMessage):  # by far the most frequent
        progress = Progress(message.fraction, message.step, message.steps, message.message)
        return bus.AttemptProgress(session, job, attempt, progress)
    if isinstance(message, Partial):
        return bus.AttemptPartial(session, job, attempt, message.seq, message.text)
    if isinstance(message, Upload):
        file = (message.name, message.media_type, message.size, message.sha256, message.role)
        return bus.AttemptUpload(session, job, attempt, *file)
    if isinstance(message, ResultMessage):
        spent = message.metrics
        metrics = Metrics(spent.seconds, spent.load_seconds, spent.energy_wh)
        return bus.AttemptResult(session, job, attempt, message.output, message.artifacts, metrics)
    kind = ErrorKind(message.kind)
    return bus.AttemptError(session, job, attempt, kind, message.message, message.retryable)


def connected(session: str, client_id: str, protocol: str, base_url: str, hello: Hello) -> bus.WorkerConnected:
    """A worker's hello, for the scheduler."""
    return bus.WorkerConnected(
        session=session,
        worker=hello.worker,
        client_id=client_id,
        protocol=protocol,
        software=hello.software,
        offers={name: _offer(announced) for name, announced in hello.capabilities.items()},
        slots=hello.slots,
        hardware=hardware(hello.hardware),
        holding=tuple((held.job, held.attempt) for held in hello.resuming),
        base_url=base_url,
    )


def status(session: str, message: Status, offers: Mapping[str, sessions.Offer]) -> bus.WorkerStatus:
    """What changed on a worker, for the scheduler: ``offers`` are those of before, and the new ones are whole. A
    capability that the hello did not name is no offer, and stays out."""
    changed = {
        name: _changed(offer, message, name)
        for name, offer in offers.items()
        if name in message.loaded or name in message.choices
    }
    return bus.WorkerStatus(
        session=session,
        offers={**offers, **changed} if changed else None,
        free_slots=message.free_slots,
        hardware=None if message.hardware is None else hardware(message.hardware),
    )


def hardware(message: Hardware) -> Mapping[str, Any]:
    """What a worker runs on, without what it does not say."""
    return message.model_dump(mode="json", exclude_none=True)


def held(attempts: tuple[sessions.Held, ...]) -> tuple[Held, ...]:
    """Attempts as the wire names them."""
    return tuple(Held(job=job, attempt=attempt) for job, attempt in attempts)


def to_worker(message: ToWorker) -> Message:
    """What the scheduler says, for the worker."""
    match message:
        case bus.Assign(job, attempt, capability, params, inputs, deadline_s):
            return JobMessage(
                job=job,
                attempt=attempt,
                capability=capability,
                params=params,
                inputs=tuple(_input(file) for file in inputs),
                deadline_s=deadline_s,
            )
        case bus.AttemptSettled(job, attempt, outcome):
            return Settled.model_validate({"job": job, "attempt": attempt, "outcome": outcome})
        case bus.UploadTicket(job, attempt, name, url, headers, expires_s):
            return Ticket(job=job, attempt=attempt, name=name, url=url, headers=headers, expires_s=expires_s)
        case bus.CancelAttempt(job, attempt, reason):
            return Cancel(job=job, attempt=attempt, reason=reason)
        case bus.WhyIdle(skipped):
            return Idle(skipped=skipped)
        case bus.TellWorker(text):
            return Notice(message=text)
        case bus.TellFault(text):
            return Fault(message=text)
        case bus.Turned(_, code, text):
            return Rejected(code=code, message=text)


def _offer(announced: Announced) -> sessions.Offer:
    return sessions.Offer(announced.models, announced.loaded, announced.choices)


def _changed(offer: sessions.Offer, message: Status, name: str) -> sessions.Offer:
    loaded = message.loaded.get(name, offer.loaded)
    return replace(offer, loaded=loaded, choices={**offer.choices, **message.choices.get(name, {})})


def _input(file: bus.InputFileRef) -> InputRef:
    return InputRef(
        name=file.name,
        url=file.url,
        headers=file.headers,
        media_type=file.media_type,
        size=file.size,
        sha256=file.sha256,
    )
