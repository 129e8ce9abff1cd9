"""What is promised when a process dies or the network goes: no work is lost, nothing is answered twice."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from programs import Api, Journal, Sites, eventually
from tcp_proxy import TcpProxy

GRACE = {"heartbeat_seconds": 1, "resume_grace": 20, "max_queued_per_user": 1000}


def began(journal: Journal, job: str) -> None:
    """Wait until an executor works on ``job``."""
    eventually(lambda: journal.lines("began", job), f"{job} runs")


def delivered(journal: Journal, jobs: set[str]) -> dict[str, list[int]]:
    """The deliveries, once every one of ``jobs`` has one."""
    eventually(lambda: jobs <= journal.attempts("delivered").keys(), "every reply is delivered")
    return journal.attempts("delivered")


def away(api: Api) -> set[str]:
    """The workers that the hub does not hear, but waits for."""
    return {worker["name"] for worker in api.call("GET", "/workers")["items"] if worker["state"] == "suspect"}


def test_a_killed_hub_loses_no_job_and_runs_none_twice(make_site: Sites) -> None:
    site = make_site(scheduling=GRACE)
    site.start_worker("w1", slots=2)
    running = [site.api.submit(label=name, hold=name, seconds=60) for name in ("early", "late")]
    for job in running:
        began(site.journal, job)
    queued = [site.api.submit(label=f"queued {number}") for number in range(50)]
    assert {site.api.state(job) for job in queued} == {"queued"}

    site.hub.kill()
    site.journal.release("early")  # one of the two ends while there is no hub
    eventually(lambda: site.journal.lines("ended", running[0]), "the first ended without a hub")
    site.start_hub()
    site.journal.release("late")

    for job in (*running, *queued):
        shown = site.api.reached(job, "succeeded")
        assert [(each["number"], each["outcome"]) for each in shown["attempts"]] == [(1, "succeeded")]
        assert shown["reply"]["text"].endswith("is done")
    once = {job: [1] for job in (*running, *queued)}
    assert site.journal.attempts("began") == once
    assert site.journal.attempts("ended") == once
    assert delivered(site.journal, set(once)) == once


@pytest.mark.slow
def test_a_hub_that_is_killed_again_and_again_answers_each_accepted_job_once(make_site: Sites) -> None:
    site = make_site(scheduling=GRACE)
    site.start_worker("w1", slots=2)
    jobs: list[str] = []
    for _ in range(4):
        jobs += [site.api.submit(label="x", seconds=0.1) for _ in range(20)]
        site.hub.kill()  # in the middle of results, replies and deliveries
        site.start_hub()
    for job in jobs:
        shown = site.api.reached(job, "succeeded")
        assert [each["outcome"] for each in shown["attempts"]].count("succeeded") == 1
        assert shown["reply"]["text"] == "x is done"
    assert delivered(site.journal, set(jobs)).keys() == set(jobs)
    ended = site.journal.attempts("ended")
    assert {job: len(numbers) for job, numbers in ended.items()} == dict.fromkeys(jobs, 1)


def test_another_worker_takes_over_from_a_killed_one(make_site: Sites) -> None:
    site = make_site(scheduling=GRACE | {"resume_grace": 0.5})
    first = site.start_worker("w1")
    job = site.api.submit(label="x", hold="go", seconds=60)
    began(site.journal, job)
    site.start_worker("w2")

    first.kill()
    eventually(lambda: len(site.journal.lines("began", job)) == 2, "the second worker has it")
    site.journal.release("go")

    shown = site.api.reached(job, "succeeded")
    assert [(each["number"], each["worker"], each["outcome"]) for each in shown["attempts"]] == [
        (1, "w1", "lost"),
        (2, "w2", "succeeded"),
    ]
    assert delivered(site.journal, {job}) == {job: [2]}
    assert site.journal.attempts("ended") == {job: [2]}, "the killed worker left an executor behind"


@pytest.mark.parametrize("seconds", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_a_worker_whose_network_is_gone_for_a_while_loses_no_work(
    seconds: float, make_site: Sites, make_proxy: Callable[..., TcpProxy]
) -> None:
    """Two workers: the line of one breaks, on that of the other nothing passes and nobody is told. Each has a job
    that ends, with a file, while the line is gone, and one that goes on after it."""
    site = make_site(start=False)
    http = make_proxy(site.http_port)
    site.configure(
        {"scheduling": GRACE, "http": {"port": site.http_port, "public_url": f"http://127.0.0.1:{http.port}"}}
    )
    site.start_hub()
    lines = {"broken": make_proxy(site.hub_port), "stalled": make_proxy(site.hub_port)}
    jobs = {}
    for name, line in lines.items():
        site.start_worker(name, slots=2, hub=f"ws://127.0.0.1:{line.port}", http=f"http://127.0.0.1:{http.port}")
        jobs[name] = [
            site.api.submit(label=hold, hold=f"{name} {hold}", seconds=60, megabytes=1) for hold in ("a", "b")
        ]
        for job in jobs[name]:
            began(site.journal, job)

    cut_at = time.monotonic()
    lines["broken"].cut()
    lines["stalled"].stall()
    http.cut()
    for name in jobs:
        site.journal.release(f"{name} a")
    eventually(lambda: len(site.journal.lines("ended")) == 2, "two jobs ended without a line")
    eventually(
        lambda: time.monotonic() - cut_at > seconds and away(site.api) == set(jobs), "the hub misses both workers"
    )
    assert [site.api.state(job) for pair in jobs.values() for job in pair] == ["running"] * 4
    for proxy in (*lines.values(), http):
        proxy.mend()
    for name in jobs:
        site.journal.release(f"{name} b")

    every = {job for pair in jobs.values() for job in pair}
    for job in every:
        shown = site.api.reached(job, "succeeded")
        assert [(each["number"], each["outcome"]) for each in shown["attempts"]] == [(1, "succeeded")]
        assert [(each["name"], each["size"]) for each in shown["artifacts"]] == [("made.bin", 1_000_000)]
    assert site.journal.attempts("ended") == {job: [1] for job in every}
    assert delivered(site.journal, every) == {job: [1] for job in every}


@pytest.mark.slow
def test_a_worker_whose_line_is_dead_notices_and_goes_on_over_another(
    make_site: Sites, make_proxy: Callable[..., TcpProxy]
) -> None:
    site = make_site(scheduling={"heartbeat_seconds": 5, "resume_grace": 30})
    line = make_proxy(site.hub_port)
    site.start_worker("w1", hub=f"ws://127.0.0.1:{line.port}")
    job = site.api.submit(label="x", hold="go", seconds=120)
    began(site.journal, job)
    line.lose()
    eventually(lambda: away(site.api) == {"w1"}, "the hub misses the worker")
    eventually(lambda: not away(site.api), "the worker is back", seconds=45)
    site.journal.release("go")
    shown = site.api.reached(job, "succeeded")
    assert [(each["number"], each["outcome"]) for each in shown["attempts"]] == [(1, "succeeded")]
    assert site.journal.attempts("began") == {job: [1]}
