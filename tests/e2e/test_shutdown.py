"""What is promised of a kind stop: SIGTERM drains, and what still runs goes on with the same attempt."""

from __future__ import annotations

import signal
import time

import httpx
import pytest
from programs import Api, Site, Sites, eventually


def start_with_job(make_site: Sites, drain_seconds: float) -> tuple[Site, str]:
    """A hub whose worker has a job that goes on until "go" is released."""
    site = make_site(hub={"drain_seconds": drain_seconds}, scheduling={"heartbeat_seconds": 1})
    site.start_worker("w1")
    job = site.api.submit(label="x", hold="go", seconds=60)
    eventually(lambda: site.journal.lines("began", job), "the job runs")
    return site, job


def refuses(api: Api) -> bool:
    """Whether the hub takes no more requests, and says so."""
    headers = {"Authorization": f"Bearer {api.token}"}
    body = {"capability": "work", "params": {"label": "late"}}
    response = httpx.post(f"{api.base}/api/v1/jobs", json=body, headers=headers)
    assert response.status_code in (202, 503)
    return response.status_code == 503


def test_sigterm_waits_for_running_jobs_and_admits_none(make_site: Sites) -> None:
    site, job = start_with_job(make_site, drain_seconds=30)
    site.hub.signal(signal.SIGTERM)
    eventually(lambda: refuses(site.api), "requests are refused")
    assert httpx.get(f"{site.api.base}/readyz").status_code == 503
    assert site.api.state(job) == "running"

    site.journal.release("go")
    assert site.hub.wait() == 0
    assert site.journal.attempts("ended") == {job: [1]}
    assert site.journal.attempts("delivered") == {job: [1]}
    assert not (site.folder / "run.json").exists()


@pytest.mark.parametrize("hurry", ["the drain is short", pytest.param("a second SIGTERM", marks=pytest.mark.slow)])
def test_what_still_runs_goes_on_with_the_same_attempt_after_the_restart(make_site: Sites, hurry: str) -> None:
    site, job = start_with_job(make_site, drain_seconds=0.3 if hurry == "the drain is short" else 60)
    waiting = site.api.submit(label="y")
    stopped = time.monotonic()
    site.hub.signal(signal.SIGTERM)
    if hurry == "a second SIGTERM":
        eventually(lambda: refuses(site.api), "the hub drains")
        site.hub.signal(signal.SIGTERM)
    assert site.hub.wait() == 0
    assert time.monotonic() - stopped < 10

    site.start_hub()
    site.journal.release("go")
    for each in (job, waiting):
        shown = site.api.reached(each, "succeeded")
        assert [(tried["number"], tried["outcome"]) for tried in shown["attempts"]] == [(1, "succeeded")]
    once = {job: [1], waiting: [1]}
    eventually(lambda: site.journal.attempts("delivered") == once, "each reply is delivered once")
    assert site.journal.attempts("began") == once
