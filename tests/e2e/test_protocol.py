"""The hub against the document of ``tron.v1``, as a worker sees it that was written from that document alone."""

from __future__ import annotations

import http.client
import itertools
import json
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from programs import Site, Sites, eventually
from protocol_client import PATIENCE, Attempt, Held, ProtocolWorker, put, serve
from websockets.exceptions import InvalidStatus

HEARTBEAT = 0.5
GRACE = 2.0
FRAME = 1024 * 1024
names = (f"second-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def site(make_shared_site: Sites) -> Site:
    scheduling = {"heartbeat_seconds": HEARTBEAT, "resume_grace": GRACE, "max_queued_per_user": 1000}
    return make_shared_site(scheduling=scheduling, limits={"upload_bytes": 1_000_000})


@pytest.fixture(scope="module")
def token(site: Site) -> str:
    """A worker's access token."""
    access: str = site.api.credential("second")["token"]["access_token"]
    return access


class Desk:
    """A worker's name, and jobs that nobody else can do."""

    def __init__(self, site: Site, token: str) -> None:
        self.site = site
        self.api = site.api
        self.token = token
        self.name = next(names)
        self.offer: dict[str, dict[str, Any]] = {"work": {"models": [self.name], "loaded": []}}
        self.jobs: list[str] = []
        self._open: list[ProtocolWorker] = []

    def dial(self, **options: Any) -> ProtocolWorker:
        """A connection that has not said hello."""
        options = {"name": self.name, "token": self.token} | options
        worker = ProtocolWorker(self.site.hub_url, **options)
        self._open.append(worker)
        return worker

    def connect(self, *, resuming: tuple[Held, ...] = (), slots: int = 1, **options: Any) -> ProtocolWorker:
        """A session that is on."""
        worker = self.dial(**options)
        worker.hello(self.offer, resuming=resuming, slots=slots)
        return worker

    def ask(self, **params: Any) -> str:
        """A new job for this worker."""
        job = self.api.submit(label="x", model=self.name, **params)
        self.jobs.append(job)
        return job

    def begin(self, **params: Any) -> tuple[ProtocolWorker, Attempt]:
        """A worker that holds a job."""
        worker = self.connect()
        self.ask(**params)
        return worker, worker.take()

    def restarted(self, **options: Any) -> ProtocolWorker:
        """The same worker again, which knows nothing of what it held. No job is given to it."""
        self.api.call("POST", f"/workers/{self.name}/drain")
        return self.connect(**options)

    def clear(self) -> None:
        for job in self.jobs:
            if self.api.state(job) in ("queued", "running"):
                self.api.call("DELETE", f"/jobs/{job}")
        for worker in self._open:
            worker.close()


@pytest.fixture
def desk(site: Site, token: str) -> Iterator[Desk]:
    desk = Desk(site, token)
    yield desk
    desk.clear()


# Before the upgrade


@pytest.mark.parametrize("wrong", [None, "", "nonsense"])
def test_nobody_comes_in_without_a_token(site: Site, wrong: str | None) -> None:
    with pytest.raises(InvalidStatus) as refused:
        ProtocolWorker(site.hub_url, wrong)
    assert refused.value.response.status_code == 401


def test_nobody_comes_in_with_a_token_of_another_scope(site: Site) -> None:
    person = site.api.credential("a-person", scope="user")["token"]["access_token"]
    with pytest.raises(InvalidStatus) as refused:
        ProtocolWorker(site.hub_url, person)
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("offered", [None, "tron.v2"])
def test_who_speaks_something_else_is_told_what_is_spoken(site: Site, token: str, offered: str | None) -> None:
    with pytest.raises(InvalidStatus) as refused:
        ProtocolWorker(site.hub_url, token, subprotocol=offered)
    assert refused.value.response.status_code == 400
    assert b"tron.v1" in refused.value.response.body


# Hello


def test_hello_is_answered_with_welcome(desk: Desk) -> None:
    worker = desk.dial()
    assert worker.socket.subprotocol == "tron.v1"
    welcome = worker.hello(desk.offer, a_field_of_the_future=[1, 2])
    assert isinstance(welcome["session"], str)
    assert (welcome["heartbeat_s"], welcome["resume"], welcome["abandon"]) == (HEARTBEAT, [], [])


@pytest.mark.parametrize("first", ['{"type": "heartbeat"}', '{"type": "nonsense"}', "no JSON", b"\x00"])
def test_a_first_frame_that_is_not_hello_ends_the_connection(desk: Desk, first: str | bytes) -> None:
    worker = desk.dial()
    worker.send_frame(first)
    assert worker.expect("fault")["message"]
    assert worker.close_code() == 4408


@pytest.mark.slow
def test_who_says_nothing_for_ten_seconds_is_sent_away(desk: Desk) -> None:
    began = time.monotonic()
    assert desk.dial().close_code() == 4408
    assert 9 < time.monotonic() - began < 15


def test_hello_comes_once(desk: Desk) -> None:
    worker = desk.connect()
    worker.send("hello", worker=desk.name, capabilities=desk.offer, slots=1)
    worker.expect("fault")
    worker.send("status")
    assert worker.hears_nothing()


def test_a_worker_with_no_capability_that_is_known_is_rejected(desk: Desk) -> None:
    worker = desk.dial()
    worker.send("hello", worker=desk.name, capabilities={"cooking": {}}, slots=1)
    rejected = worker.expect("rejected")
    assert rejected["code"]
    assert "cooking" in rejected["message"]
    assert worker.close_code() == 4409


def test_capabilities_that_are_unknown_beside_others_do_no_harm(desk: Desk) -> None:
    worker = desk.dial()
    worker.hello(desk.offer | {"cooking": {"models": [], "loaded": []}})
    desk.ask()
    assert worker.take().result({"label": "x"}) == "accepted"


def test_a_name_is_not_given_to_another_credential(desk: Desk, site: Site) -> None:
    desk.connect()
    other = desk.dial(token=site.api.credential(f"other-{desk.name}")["token"]["access_token"])
    other.send("hello", worker=desk.name, capabilities=desk.offer, slots=1)
    assert desk.name in other.expect("rejected")["message"]
    assert other.close_code() == 4409


def test_the_same_credential_takes_its_name_over(desk: Desk) -> None:
    first, attempt = desk.begin()
    second = desk.dial()
    welcome = second.hello(desk.offer, resuming=[attempt.held])
    assert welcome["resume"] == [{"job": attempt.job, "attempt": 1}]
    assert first.close_code() == 4410
    assert attempt.on(second).result({"label": "x"}) == "accepted"
    assert [each["number"] for each in desk.api.job(attempt.job)["attempts"]] == [1]


# Faults


@pytest.mark.parametrize(
    "frame",
    [
        "no JSON",
        "[]",
        '{"type": "nonsense"}',
        '{"job": "without a type"}',
        '{"type": "progress", "job": "x", "attempt": "one", "fraction": 0.5}',
        '{"type": "progress", "job": "x", "attempt": 1, "fraction": 1.5}',
        '{"type": "result", "job": "x", "attempt": 1, "output": {"a": NaN}, "artifacts": [], "metrics": {}}',
        b'{"type": "heartbeat"}',
    ],
)
def test_what_is_no_message_is_a_fault_and_the_session_goes_on(desk: Desk, frame: str | bytes) -> None:
    worker = desk.connect()
    worker.send_frame(frame)
    assert worker.expect("fault")["message"]
    desk.ask()
    assert worker.take().result({"label": "x"}) == "accepted"


def test_the_twentieth_fault_in_a_row_ends_the_session_and_heartbeats_make_up_for_none(desk: Desk) -> None:
    worker = desk.connect()
    for _ in range(20):
        worker.send("nonsense")
        worker.send("heartbeat")
    for _ in range(20):
        worker.expect("fault")
    assert worker.close_code() == 4400


def test_a_valid_message_makes_up_for_the_faults_before_it(desk: Desk) -> None:
    worker = desk.connect()
    for _ in range(3):
        for _ in range(19):
            worker.send("nonsense")
            worker.expect("fault")
        worker.send("status")
    assert worker.hears_nothing()


def test_frames_of_a_mebibyte_are_read_and_larger_ones_end_the_connection(desk: Desk) -> None:
    worker = desk.connect()
    padding = FRAME - len(json.dumps({"type": "heartbeat", "padding": ""}))
    worker.send("heartbeat", padding="x" * padding)
    assert worker.hears_nothing()
    worker.send("heartbeat", padding="x" * (padding + 1))
    assert worker.close_code() == 1009


# A job


def test_a_job_is_done_from_its_input_to_its_reply(desk: Desk, site: Site) -> None:
    upload = site.api.call("POST", "/uploads", content=b"some bytes", headers={"Content-Type": "text/plain"})
    worker = desk.connect()
    job = desk.ask(seconds=1.0, deadline=120.0, file=upload["id"])
    attempt = worker.take()
    assert (attempt.job, attempt.number, attempt.message["capability"]) == (job, 1, "work")
    assert attempt.message["params"]["seconds"] == 1.0
    assert attempt.message["deadline_s"] == pytest.approx(120.0, abs=1.0)
    assert attempt.inputs() == {"file": b"some bytes"}

    attempt.say("progress", fraction=0.25, step=1, steps=4, message="a quarter")
    shown = eventually(lambda: site.api.job(job)["progress"], "the progress is shown")
    assert shown == {"fraction": 0.25, "step": 1, "steps": 4, "message": "a quarter"}
    attempt.say("partial", seq=0, text="Half a ")
    attempt.say("partial", seq=1, text="sentence.")
    stored = attempt.upload("second.txt", b"the second"), attempt.upload("first.txt", b"the first")
    assert attempt.result({"label": "This", "n": [1, None]}, ["first.txt", "second.txt"]) == "accepted"

    done = site.api.reached(job, "succeeded")
    assert done["output"] == {"label": "This", "n": [1, None]}
    assert [artifact["name"] for artifact in done["artifacts"]] == ["first.txt", "second.txt"]
    assert {artifact["id"] for artifact in done["artifacts"]} == {artifact["id"] for artifact in stored}
    assert httpx.get(done["artifacts"][0]["url"]).content == b"the first"
    assert done["reply"]["text"] == "This is done"
    assert site.journal.attempts("delivered")[job] == [1]


def test_jobs_are_done_one_after_the_other(desk: Desk) -> None:
    worker = desk.connect()
    jobs = [desk.ask() for _ in range(5)]
    serve(worker, 5, lambda attempt: {"label": attempt.job})
    assert [desk.api.reached(job, "succeeded")["output"]["label"] for job in jobs] == jobs


def test_no_more_jobs_come_than_there_are_slots(desk: Desk) -> None:
    worker = desk.connect(slots=2)
    for _ in range(3):
        desk.ask()
    first, second = worker.take(), worker.take()
    assert worker.hears_nothing()
    assert second.result({}) == "accepted"
    assert worker.take().job not in (first.job, second.job)


def test_the_text_so_far_is_shown(desk: Desk) -> None:
    _, attempt = desk.begin()
    for seq, text in enumerate(("Half ", "a sentence")):
        attempt.say("partial", seq=seq, text=text)
    eventually(lambda: text_of(desk, attempt.job) == "Half a sentence", "the text is shown")


def text_of(desk: Desk, job: str) -> str | None:
    """The first ``partial`` of a job's events: the text so far."""
    headers = {"Authorization": f"Bearer {desk.api.token}"}
    with httpx.stream("GET", f"{desk.api.base}/api/v1/jobs/{job}/events", headers=headers, timeout=2) as response:
        event = ""
        try:
            for line in response.iter_lines():
                if line.startswith("event:"):
                    event = line.removeprefix("event:").strip()
                elif line.startswith("data:") and event == "partial":
                    text: str = json.loads(line.removeprefix("data:"))["text"]
                    return text
        except httpx.ReadTimeout:
            pass  # there is none
    return None


@pytest.mark.parametrize("kind", ["invalid", "transient", "out_of_memory", "internal"])
def test_an_error_that_is_not_retryable_fails_the_job(desk: Desk, kind: str) -> None:
    _, attempt = desk.begin()
    assert attempt.error(kind, "It cannot be done.", retryable=False) == "accepted"
    failed = desk.api.reached(attempt.job, "failed")
    assert failed["error"] == {"code": kind, "message": "It cannot be done."}
    assert failed["attempts"][0]["outcome"] == "error"


def test_an_error_that_is_retryable_gives_the_job_back(desk: Desk) -> None:
    worker, attempt = desk.begin()
    assert attempt.error("transient", "Not now.", retryable=True) == "accepted"
    again = worker.take()
    assert (again.job, again.number) == (attempt.job, 2)
    assert again.result({}) == "accepted"
    outcomes = [(each["outcome"], each["reason"]) for each in desk.api.job(attempt.job)["attempts"]]
    assert outcomes == [("error", "Not now."), ("succeeded", None)]


def test_a_cancel_reaches_the_worker_and_its_result_is_dropped(desk: Desk) -> None:
    worker, attempt = desk.begin()
    desk.api.call("DELETE", f"/jobs/{attempt.job}")
    assert worker.expect("cancel", job=attempt.job, attempt=1)["reason"]
    assert attempt.result({"label": "too late"}) == "gone"
    shown = desk.api.job(attempt.job)
    assert (shown["state"], shown["output"]) == ("cancelled", None)


def test_the_slot_of_a_cancelled_job_is_free_once_the_worker_has_stopped(desk: Desk) -> None:
    worker, attempt = desk.begin()
    desk.api.call("DELETE", f"/jobs/{attempt.job}")
    worker.expect("cancel")
    desk.ask()
    assert worker.hears_nothing()
    assert attempt.error("internal", "cancelled", retryable=False) == "gone"
    assert worker.take().result({}) == "accepted"


def test_a_job_past_its_deadline_is_cancelled(desk: Desk) -> None:
    worker, attempt = desk.begin(deadline=0.3)
    worker.expect("cancel", job=attempt.job, attempt=1)
    assert attempt.result({}) == "gone"
    failed = desk.api.reached(attempt.job, "failed")
    assert (failed["error"]["code"], failed["attempts"][0]["outcome"]) == ("deadline", "timeout")


# Fencing


def test_what_comes_after_the_settlement_is_a_duplicate_whatever_it_is(desk: Desk) -> None:
    _, attempt = desk.begin()
    assert attempt.result({"label": "first"}) == "accepted"
    assert attempt.result({"label": "second"}) == "duplicate"
    assert attempt.error("internal", "third", retryable=True) == "duplicate"
    assert desk.api.job(attempt.job)["output"] == {"label": "first"}


def test_a_result_after_a_retryable_error_is_a_duplicate(desk: Desk) -> None:
    _, attempt = desk.begin()
    assert attempt.error("internal", "no", retryable=True) == "accepted"
    assert attempt.result({}) == "duplicate"


def test_an_attempt_is_superseded_as_soon_as_the_job_is_queued_again(desk: Desk) -> None:
    _, attempt = desk.begin()
    again = desk.restarted()
    eventually(lambda: desk.api.state(attempt.job) == "queued", "the job is queued again")
    assert attempt.on(again).result({}) == "superseded"
    assert desk.api.job(attempt.job)["attempts"][0]["outcome"] == "lost"


def test_an_attempt_is_superseded_once_the_next_runs(desk: Desk) -> None:
    _, attempt = desk.begin()
    again = desk.connect()
    second = again.take()
    assert (second.job, second.number) == (attempt.job, 2)
    assert attempt.on(again).result({"label": "late"}) == "superseded"
    assert second.result({"label": "right"}) == "accepted"
    assert attempt.on(again).error("internal", "later", retryable=False) == "superseded"
    assert desk.api.job(attempt.job)["output"] == {"label": "right"}


def test_what_was_never_held_is_a_fault_whether_or_not_it_is_there(desk: Desk, site: Site, token: str) -> None:
    _, theirs = desk.begin()
    desk.ask()  # theirs too, and queued
    other = Desk(site, token)
    worker = other.connect()
    answers = []
    for job, number in ((theirs.job, 1), (theirs.job, 2), (desk.jobs[1], 1), ("01K00000000000000000000000", 1)):
        stranger = Attempt(worker, {"job": job, "attempt": number})
        for kind, fields in (
            ("progress", {"fraction": 0.5}),
            ("partial", {"seq": 0, "text": "x"}),
            ("upload", {"name": "x", "media_type": "text/plain", "size": 1, "sha256": "0" * 64}),
            ("result", {"output": {}, "artifacts": [], "metrics": {"seconds": 1}}),
            ("error", {"kind": "internal", "message": "x", "retryable": True}),
        ):
            stranger.say(kind, **fields)
            answers.append(worker.expect("fault")["message"].replace(job, "JOB").replace(f"attempt {number}", "N"))
            worker.send("status")  # these faults are not in a row
    assert len(set(answers)) == 1
    assert worker.hears_nothing()
    other.clear()
    assert theirs.result({"label": "unharmed"}) == "accepted"


# Resuming


def test_a_worker_that_comes_back_goes_on_with_its_attempt(desk: Desk) -> None:
    worker, attempt = desk.begin()
    worker.vanish()
    again = desk.dial()
    assert again.hello(desk.offer, resuming=[attempt.held])["resume"] == [{"job": attempt.job, "attempt": 1}]
    assert attempt.on(again).result({"label": "x"}) == "accepted"
    assert [each["outcome"] for each in desk.api.job(attempt.job)["attempts"]] == ["succeeded"]


def test_what_is_over_is_to_be_abandoned(desk: Desk) -> None:
    worker, settled = desk.begin()
    assert settled.result({}) == "accepted"
    desk.ask()
    cancelled = worker.take()
    worker.vanish()
    desk.api.call("DELETE", f"/jobs/{cancelled.job}")
    again = desk.dial()
    held = [settled.held, cancelled.held, ("01K00000000000000000000000", 1)]
    welcome = again.hello(desk.offer, resuming=held)
    assert welcome["resume"] == []
    assert sorted((each["job"], each["attempt"]) for each in welcome["abandon"]) == sorted(held)
    assert settled.on(again).result({}) == "duplicate"
    assert cancelled.on(again).result({}) == "gone"


def test_a_lease_belongs_to_the_credential_and_the_name(desk: Desk, site: Site, token: str) -> None:
    _, attempt = desk.begin()
    other = Desk(site, token)  # the same credential
    worker = other.dial()
    assert worker.hello(other.offer, resuming=[attempt.held])["abandon"] == [{"job": attempt.job, "attempt": 1}]
    other.clear()
    assert attempt.result({}) == "accepted"


def test_after_the_grace_time_the_job_is_another_attempt(desk: Desk) -> None:
    worker, attempt = desk.begin()
    worker.vanish()
    eventually(lambda: desk.api.state(attempt.job) == "queued", "the job is queued again")
    again = desk.dial()
    assert again.hello(desk.offer, resuming=[attempt.held])["abandon"] == [{"job": attempt.job, "attempt": 1}]
    second = again.take()
    assert (second.job, second.number) == (attempt.job, 2)
    assert attempt.on(again).result({}) == "superseded"
    assert second.result({}) == "accepted"


def test_after_a_resume_the_text_begins_anew(desk: Desk) -> None:
    worker, attempt = desk.begin()
    attempt.say("partial", seq=0, text="lost on ")
    eventually(lambda: text_of(desk, attempt.job) == "lost on ", "the text is shown")
    worker.vanish()
    again = desk.connect(resuming=(attempt.held,))
    resumed = attempt.on(again)
    resumed.say("partial", seq=1, text="the way")
    again.expect("fault")
    resumed.say("partial", seq=0, text="all of it")
    resumed.say("partial", seq=1, text=", and more")
    eventually(lambda: text_of(desk, attempt.job) == "all of it, and more", "the text is shown")


@pytest.mark.parametrize("seq", [0, 2])
def test_a_gap_in_the_text_is_a_fault(desk: Desk, seq: int) -> None:
    worker, attempt = desk.begin()
    attempt.say("partial", seq=0, text="a")
    attempt.say("partial", seq=seq, text="b")
    worker.expect("fault")
    attempt.say("partial", seq=1, text="c")
    eventually(lambda: text_of(desk, attempt.job) == "ac", "the text is shown")


def test_the_first_text_has_seq_0(desk: Desk) -> None:
    worker, attempt = desk.begin()
    attempt.say("partial", seq=1, text="a")
    worker.expect("fault")


def test_the_text_so_far_is_bounded(desk: Desk) -> None:
    worker, attempt = desk.begin()
    attempt.say("partial", seq=0, text="x" * 200 * 1024)
    attempt.say("partial", seq=1, text="é" * 28 * 1024)
    assert worker.hears_nothing()
    attempt.say("partial", seq=2, text="x")
    worker.expect("fault")
    assert attempt.result({}) == "accepted"


# Tickets and artifacts


def test_a_ticket_stores_one_artifact_once(desk: Desk) -> None:
    _, attempt = desk.begin()
    ticket = attempt.ticket("a.bin", b"bytes")
    assert (ticket["method"], ticket["expires_s"] > 0) == ("PUT", True)
    assert ticket["url"].startswith("http://")
    assert put(ticket, b"bytes")[0] == 201
    assert put(ticket, b"bytes")[0] == 200
    assert put(attempt.ticket("a.bin", b"bytes"), b"bytes")[0] == 200
    assert put(attempt.ticket("a.bin", b"other"), b"other")[0] == 409
    assert attempt.result({}, ["a.bin"]) == "accepted"
    (artifact,) = desk.api.job(attempt.job)["artifacts"]
    assert httpx.get(artifact["url"]).content == b"bytes"


@pytest.mark.parametrize("wrong", [b"byte", b"other", b""])
def test_wrong_bytes_are_refused_and_the_ticket_stays_good(desk: Desk, wrong: bytes) -> None:
    _, attempt = desk.begin()
    ticket = attempt.ticket("a.bin", b"bytes")
    assert put(ticket, wrong)[0] == 400
    assert put(ticket, b"bytes")[0] == 201


def test_a_ticket_is_for_one_name_of_one_job(desk: Desk) -> None:
    worker = desk.connect(slots=2)
    desk.ask()
    desk.ask()
    mine, other = worker.take(), worker.take()
    ticket = mine.ticket("a.bin", b"bytes")
    assert put(ticket, b"bytes", url=ticket["url"].replace("a.bin", "b.bin"))[0] == 403
    assert put(ticket, b"bytes", url=ticket["url"].replace(mine.job, other.job))[0] == 403
    assert put(ticket, b"bytes", headers={"Authorization": f"Bearer {desk.token}"})[0] == 403
    assert put(ticket, b"bytes")[0] == 201


def test_a_ticket_ends_with_its_attempt(desk: Desk) -> None:
    _, attempt = desk.begin()
    ticket = attempt.ticket("a.bin", b"bytes")
    desk.api.call("DELETE", f"/jobs/{attempt.job}")
    assert put(ticket, b"bytes")[0] == 410


def announce(ticket: dict[str, Any], size: int) -> int:
    """The answer to a PUT that has sent no byte yet of the many that it announces."""
    url = urlsplit(ticket["url"])
    connection = http.client.HTTPConnection(url.netloc, timeout=PATIENCE)
    connection.putrequest(ticket["method"], url.path)
    for name, value in {**ticket["headers"], "Content-Length": str(size)}.items():
        connection.putheader(name, value)
    connection.endheaders()
    with closing(connection):
        return connection.getresponse().status


def test_what_is_too_large_is_refused(desk: Desk) -> None:
    worker, attempt = desk.begin()
    ticket = attempt.ticket("a.bin", b"bytes")
    assert announce(ticket, 10_000_000) == 413
    attempt.say("upload", name="b.bin", media_type="text/plain", size=1_000_001, sha256="0" * 64)
    assert "b.bin" in worker.expect("fault")["message"]


def test_a_result_that_names_what_was_not_uploaded_is_a_fault_and_may_come_again(desk: Desk) -> None:
    worker, attempt = desk.begin()
    attempt.say("result", output={}, artifacts=["a.bin"], metrics={"seconds": 1})
    assert "a.bin" in worker.expect("fault")["message"]
    assert desk.api.state(attempt.job) == "running"
    attempt.upload("a.bin", b"bytes")
    assert attempt.result({}, ["a.bin"]) == "accepted"


def test_artifacts_of_an_earlier_attempt_do_not_count(desk: Desk) -> None:
    worker, attempt = desk.begin()
    attempt.upload("a.bin", b"first")
    assert attempt.error("transient", "x", retryable=True) == "accepted"
    again = worker.take()
    again.say("result", output={}, artifacts=["a.bin"], metrics={"seconds": 1})
    worker.expect("fault")
    again.upload("a.bin", b"second")
    assert again.result({}, ["a.bin"]) == "accepted"
    (artifact,) = desk.api.job(again.job)["artifacts"]
    assert httpx.get(artifact["url"]).content == b"second"


def test_a_preview_replaces_the_one_before_and_goes_at_the_settlement(desk: Desk) -> None:
    worker, attempt = desk.begin()
    first = attempt.upload("preview-1.png", b"first", role="preview")
    second = attempt.upload("preview-2.png", b"second", role="preview")
    assert [httpx.get(each["url"]).status_code for each in (first, second)] == [404, 200]
    same_name = attempt.upload("preview-2.png", b"third", role="preview")
    assert httpx.get(same_name["url"]).content == b"third"
    attempt.say("result", output={}, artifacts=["preview-2.png"], metrics={"seconds": 1})
    worker.expect("fault")
    assert attempt.result({}) == "accepted"
    eventually(lambda: httpx.get(same_name["url"]).status_code == 404, "the preview is gone")


def test_roles_are_kept(desk: Desk) -> None:
    _, attempt = desk.begin()
    roles = {"made": "result", "grid": "sheet", "small": "thumbnail", "wave": "waveform"}
    for name, role in roles.items():
        attempt.upload(name, name.encode(), role=role)
    assert attempt.result({}, list(roles)) == "accepted"
    shown = {artifact["name"]: artifact["role"] for artifact in desk.api.job(attempt.job)["artifacts"]}
    assert shown == roles


# Liveness, drain, revocation


def test_heartbeats_keep_a_session_alive(desk: Desk) -> None:
    worker = desk.connect()
    until = time.monotonic() + 5 * HEARTBEAT
    while time.monotonic() < until:
        assert state_of(desk) == "idle"
    assert worker.hears_nothing()


def state_of(desk: Desk) -> str | None:
    worker = desk.api.worker(desk.name)
    return None if worker is None else worker["state"]


def test_who_is_silent_is_suspect_then_lost(desk: Desk) -> None:
    began = time.monotonic()
    worker = desk.connect(silent=True)
    desk.ask()
    attempt = worker.take()
    eventually(lambda: state_of(desk) == "suspect", "the worker is suspect")
    assert time.monotonic() - began >= 3 * HEARTBEAT
    assert worker.close_code() == 4411
    assert time.monotonic() - began >= 3 * HEARTBEAT + GRACE
    eventually(lambda: desk.api.state(attempt.job) == "queued", "the job is queued again")


def test_a_suspect_worker_gets_no_jobs_until_it_is_heard(desk: Desk) -> None:
    worker = desk.connect(silent=True)
    eventually(lambda: state_of(desk) == "suspect", "the worker is suspect")
    desk.ask()
    assert worker.hears_nothing()
    worker.send("heartbeat")
    assert worker.take().result({}) == "accepted"


def test_a_worker_that_drains_finishes_and_goes(desk: Desk) -> None:
    worker, attempt = desk.begin()
    worker.send("drain")
    desk.ask()
    eventually(lambda: state_of(desk) == "draining", "the worker drains")
    assert attempt.result({}) == "accepted"
    assert worker.hears_nothing()
    worker.close()
    eventually(lambda: state_of(desk) is None, "the worker is gone")
    assert desk.api.state(desk.jobs[1]) == "queued"


def test_free_slots_only_lower_what_is_counted(desk: Desk) -> None:
    worker = desk.connect()
    worker.send("status", free_slots=0)
    desk.ask()
    assert worker.hears_nothing()
    worker.send("status", free_slots=5)
    desk.ask()
    attempt = worker.take()
    assert worker.hears_nothing()
    assert attempt.result({}) == "accepted"
    worker.take()


def worker_with(desk: Desk, *, gpu: str) -> dict[str, Any] | None:
    worker = desk.api.worker(desk.name)
    return worker if worker is not None and worker["hardware"].get("gpu") == gpu else None


def test_status_changes_what_is_shown(desk: Desk) -> None:
    worker = desk.connect()
    loaded, choices = {"work": [desk.name]}, {"work": {"label": ["a", "b"]}}
    worker.send("status", loaded=loaded, choices=choices, hardware={"gpu": "other", "memory_mb": 5})
    shown = eventually(lambda: worker_with(desk, gpu="other"), "it is shown")
    offer = shown["capabilities"]["work"]
    assert (offer["models"], offer["loaded"], offer["choices"]) == ([desk.name], [desk.name], {"label": ["a", "b"]})
    assert (shown["hardware"]["gpu"], shown["hardware"]["memory_mb"]) == ("other", 5)


def test_a_worker_that_stays_idle_is_told_why(desk: Desk) -> None:
    desk.jobs.append(desk.api.submit(label="x", model="a model that nobody has"))
    worker = desk.connect()
    (reason, *_) = worker.expect("idle")["skipped"]
    assert "model" in reason


def test_what_the_operator_does_is_noticed(desk: Desk) -> None:
    worker = desk.connect()
    desk.api.call("POST", f"/workers/{desk.name}/drain")
    assert worker.expect("notice")["message"]


def test_a_revoked_credential_loses_its_session_within_a_second(desk: Desk, site: Site) -> None:
    auth = site.api.credential(f"leaked-{desk.name}")
    worker = desk.connect(token=auth["token"]["access_token"])
    site.api.call("DELETE", f"/tokens/{auth['api_key']['client_id']}")
    began = time.monotonic()
    assert worker.close_code() == 4403
    assert time.monotonic() - began < 1.0
    with pytest.raises(InvalidStatus) as refused:
        desk.dial(token=auth["token"]["access_token"])
    assert refused.value.response.status_code == 401


@pytest.mark.parametrize("change", [("PATCH", {"banned": True}), ("PATCH", {"scope": "user"}), ("DELETE", None)])
def test_a_user_who_may_work_no_more_loses_the_session(
    desk: Desk, site: Site, change: tuple[str, dict[str, Any] | None]
) -> None:
    method, body = change
    username = f"{method}-{desk.name}".lower()
    worker = desk.connect(token=site.api.credential(username)["token"]["access_token"])
    site.api.call(method, f"/users/{username}", **({} if body is None else {"json": body}))
    began = time.monotonic()
    assert worker.close_code() == 4403
    assert time.monotonic() - began < 1.0
