"""One worker and what may befall its jobs: large files, crashes, cancels, a credential that is revoked."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator

import pytest
from programs import Api, Site, Sites, eventually
from tcp_proxy import TcpProxy

HEARTBEAT = 0.5
BEAT = b'{"type":"heartbeat"}'
MEGABYTES = 100


class Heartbeats:
    """Finds the heartbeats in what a worker sends over its WebSocket, and when they came."""

    def __init__(self) -> None:
        self.at: list[float] = []
        self._data = b""

    def watch(self, data: bytes) -> None:
        self._data += data
        if self._data.startswith(b"GET"):
            self._data = self._data.partition(b"\r\n\r\n")[2]
        while (size := frame_size(self._data)) and len(self._data) >= size:
            if size == 6 + len(BEAT):
                self.at.append(time.time())
            self._data = self._data[size:]

    def gaps(self) -> list[float]:
        """Seconds between two of them."""
        return [after - before for before, after in zip(self.at, self.at[1:], strict=False)]


def frame_size(data: bytes) -> int:
    """Bytes of the client's frame that ``data`` begins with; 0 while that cannot be told."""
    if len(data) < 10:
        return 0 if len(data) < 2 or data[1] & 127 > 125 else 6 + (data[1] & 127)
    short = data[1] & 127
    extended = {126: 2, 127: 8}.get(short, 0)
    length = int.from_bytes(data[2 : 2 + extended]) if extended else short
    return 2 + extended + 4 + length


@pytest.fixture(scope="module")
def heartbeats() -> Heartbeats:
    return Heartbeats()


@pytest.fixture(scope="module")
def site(make_shared_site: Sites, heartbeats: Heartbeats) -> Iterator[Site]:
    """A hub with one worker of two slots, whose heartbeats are watched."""
    site = make_shared_site(scheduling={"heartbeat_seconds": HEARTBEAT, "max_queued_per_user": 1000})
    line = TcpProxy(site.hub_port, heartbeats.watch)
    site.start_worker("w1", slots=2, hub=f"ws://127.0.0.1:{line.port}", cancel_grace=0.5)
    yield site
    site.clear()
    line.close()


def began(site: Site, job: str, attempt: int = 1) -> None:
    """Wait until an executor works on ``job``."""
    eventually(lambda: attempt in site.journal.attempts("began").get(job, []), f"{job} runs")


def round_trip(api: Api) -> float:
    """Seconds from asking for a tiny job to its answer."""
    began = time.perf_counter()
    body = {"capability": "work", "params": {"label": "tiny"}}
    done = api.call("POST", "/jobs", json=body, headers={"Prefer": "wait=30"})
    assert done["state"] == "succeeded"
    return time.perf_counter() - began


def test_a_large_file_delays_neither_heartbeats_nor_other_jobs(
    site: Site, heartbeats: Heartbeats, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [round_trip(site.api) for _ in range(5)]
    began_at = time.time()
    large = site.api.submit(label="large", megabytes=MEGABYTES)
    during = []
    while site.api.state(large) != "succeeded":
        during.append(round_trip(site.api))
        worker = site.api.worker("w1")
        assert worker is not None
        assert worker["state"] != "suspect"
    seconds = time.time() - site.journal.lines("ended", large)[0].at
    (artifact,) = site.api.reached(large, "succeeded")["artifacts"]
    assert artifact["size"] == MEGABYTES * 1_000_000

    eventually(lambda: heartbeats.at[-1] > began_at + seconds, "a heartbeat after the upload")
    late = [gap - HEARTBEAT * 0.7 for gap in heartbeats.gaps()]
    with capsys.disabled():
        print(
            f"\n{MEGABYTES} MB went up in {seconds:.2f} s; meanwhile heartbeats were at most {max(late) * 1000:.0f} ms "
            f"late, and {len(during)} tiny jobs took {statistics.median(during) * 1000:.0f} ms each, at most "
            f"{max(during) * 1000:.0f} ms (before: {statistics.median(before) * 1000:.0f} ms)"
        )
    assert max(late) < 2 * HEARTBEAT  # three silent ones make a worker suspect
    assert max(during) < 2.0


def test_a_crash_of_the_executor_costs_an_attempt_and_not_the_session(site: Site) -> None:
    connected_at = (site.api.worker("w1") or {})["connected_at"]
    job = site.api.submit(label="x", crash=True)
    shown = site.api.reached(job, "succeeded")
    first, second = shown["attempts"]
    assert (first["number"], first["outcome"]) == (1, "error")
    assert "SIGSEGV" in first["reason"]
    assert (second["number"], second["outcome"]) == (2, "succeeded")
    assert (site.api.worker("w1") or {})["connected_at"] == connected_at
    eventually(lambda: site.journal.attempts("delivered").get(job) == [2], "one reply is delivered")


def test_a_cancel_stops_the_executor_within_a_second(site: Site) -> None:
    job = site.api.submit(label="x", seconds=60)
    began(site, job)
    asked = time.time()
    site.api.call("DELETE", f"/jobs/{job}")
    (stopped,) = eventually(lambda: site.journal.lines("stopped", job), "the executor stopped")
    assert stopped.at - asked < 1.0
    assert site.api.reached(job, "cancelled")["attempts"][0]["outcome"] == "cancelled"


def test_a_cancel_that_is_not_obeyed_is_enforced(site: Site) -> None:
    jobs = [site.api.submit(label="x", seconds=60, stubborn=True) for _ in range(2)]
    for job in jobs:
        began(site, job)
    waiting = site.api.submit(label="y")
    for job in jobs:
        site.api.call("DELETE", f"/jobs/{job}")
    site.api.reached(waiting, "succeeded")
    assert {site.api.state(job) for job in jobs} == {"cancelled"}
    assert not {*jobs} & site.journal.attempts("ended").keys()


def test_a_queued_job_that_is_cancelled_never_starts(site: Site) -> None:
    running = [site.api.submit(label="x", hold="queue", seconds=60) for _ in range(2)]
    for job in running:
        began(site, job)
    queued = site.api.submit(label="y")
    site.api.call("DELETE", f"/jobs/{queued}")
    site.journal.release("queue")
    for job in running:
        site.api.reached(job, "succeeded")
    round_trip(site.api)
    assert queued not in site.journal.attempts("began")
    assert site.api.state(queued) == "cancelled"


def test_an_input_reaches_the_executor(site: Site) -> None:
    upload = site.api.call("POST", "/uploads", content=b"12345", headers={"Content-Type": "text/plain"})
    job = site.api.submit(label="x", file=upload["id"])
    assert site.api.reached(job, "succeeded")["output"]["size"] == 5


def test_a_revoked_credential_ends_its_worker_within_a_second(site: Site) -> None:
    auth = site.api.credential("leaked")
    path = site.folder / "leaked.json"
    path.write_text(json.dumps(auth))
    worker = site.start_worker("leaked", auth=path)
    site.api.call("DELETE", f"/tokens/{auth['api_key']['client_id']}")
    revoked = time.monotonic()
    eventually(lambda: site.api.worker("leaked") is None, "the hub has no such worker")
    assert time.monotonic() - revoked < 1.0
    assert worker.wait() == 4
    assert "does not accept" in worker.words()
