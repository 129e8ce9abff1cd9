"""The worker as the hub sees it: real sockets, a real executor process, a scripted hub."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from scripted_hub import until

from tron_core.hub.protocol import (
    Cancel,
    Drain,
    ErrorMessage,
    Fault,
    Held,
    Partial,
    ProgressMessage,
    ResultMessage,
    Status,
    Upload,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_hello_announces_what_works_here(desk: Any) -> None:
    hello = desk.session.hello

    assert hello.worker == "w1"
    assert "absent" not in hello.capabilities
    assert hello.capabilities["warm"].models == ("small", "large")
    assert hello.slots == 1
    assert hello.resuming == ()
    assert hello.hardware.platform


async def test_a_job_is_run_and_its_result_settled(desk: Any) -> None:
    await desk.session.job("echo-1", "echo", {"text": "to be", "times": 2})
    result = await desk.session.expect(ResultMessage, "echo-1")
    await desk.session.settle(result)

    assert result.output == {"text": "to be to be", "nothing": None}
    progress = await desk.session.expect(ProgressMessage, "echo-1")
    assert (progress.fraction, progress.message) == (0.5, "halfway")
    partials = [m for m in desk.session.received if isinstance(m, Partial) and m.job == "echo-1"]
    assert "".join(partial.text for partial in partials) == "to be "
    assert [partial.seq for partial in partials] == list(range(len(partials)))


async def test_params_that_do_not_fit_are_the_askers_fault(desk: Any) -> None:
    await desk.session.job("echo-2", "echo", {"text": "a", "times": 9})
    error = await desk.session.expect(ErrorMessage, "echo-2")
    await desk.session.settle(error)

    assert (error.kind, error.retryable) == ("invalid", False)
    assert error.message.startswith("times (9):")


async def test_what_an_executor_loaded_is_told_before_its_result(desk: Any) -> None:
    await desk.session.job("warm-1", "warm", {"model": "large"})
    result = await desk.session.expect(ResultMessage, "warm-1")
    await desk.session.settle(result)

    status = await desk.session.expect(Status)
    assert status.loaded == {"warm": ("large",)}
    assert result.metrics.load_seconds == 1.5


@pytest.mark.parametrize(
    ("how", "kind", "retryable", "words"),
    [
        ("raise", "internal", True, "ZeroDivisionError: division by zero"),
        ("memory", "out_of_memory", True, "CUDA out of memory"),
        ("transient", "transient", True, "come back later"),
        ("sys_exit", "internal", True, "sys.exit(3)"),
        ("huge_output", "internal", False, "ctx.artifact()"),
        ("no_json", "internal", False, "is not JSON"),
        ("segfault", "internal", True, "SIGSEGV"),
        ("killed", "out_of_memory", True, "SIGKILL"),
        ("os_exit", "internal", True, "status 7"),
    ],
)
async def test_an_executor_that_fails_costs_its_job_alone(
    desk: Any, how: str, kind: str, retryable: bool, words: str
) -> None:
    await desk.session.job(how, "misbehave", {"how": how})
    error = await desk.session.expect(ErrorMessage, how)
    await desk.session.settle(error)

    assert (error.kind, error.retryable) == (kind, retryable)
    assert words in error.message


async def test_the_next_job_after_a_crash_is_run_by_a_new_process(desk: Any) -> None:
    await desk.session.job("crash", "misbehave", {"how": "segfault"})
    await desk.session.settle(await desk.session.expect(ErrorMessage, "crash"))
    await desk.session.job("after", "echo", {"text": "still here"})
    result = await desk.session.expect(ResultMessage, "after")
    await desk.session.settle(result)

    assert result.output["text"] == "still here"


async def test_what_an_executor_prints_and_reports_in_floods_is_thinned_out(desk: Any) -> None:
    await desk.session.job("flood", "misbehave", {"how": "flood"})
    result = await desk.session.expect(ResultMessage, "flood")
    await desk.session.settle(result)

    assert desk.session.count(ProgressMessage, "flood") <= 2 + result.metrics.seconds * 5


async def test_a_thread_that_outlives_its_run_is_not_heard(desk: Any) -> None:
    await desk.session.job("thread", "misbehave", {"how": "thread"})
    await desk.session.settle(await desk.session.expect(ResultMessage, "thread"))
    await desk.session.job("next", "echo", {"text": "x"})
    await desk.session.settle(await desk.session.expect(ResultMessage, "next"))

    assert desk.session.count(ProgressMessage, "thread") == 0


async def test_a_capability_that_is_not_offered_is_refused(desk: Any) -> None:
    await desk.session.job("foreign", "absent", {})
    error = await desk.session.expect(ErrorMessage, "foreign")
    await desk.session.settle(error)

    assert "absent" in error.message


@pytest.mark.parametrize("capability", ["gate", "patient"])
async def test_a_cancelled_run_that_obeys_keeps_its_process(desk: Any, capability: str, tmp_path: Path) -> None:
    job = f"cancel-{capability}"
    await desk.session.job(job, capability, {"file": str(tmp_path / "never")})
    await desk.session.expect(Partial, job)
    await desk.session.send(Cancel(job=job, attempt=1, reason="by the asker"))
    error = await desk.session.expect(ErrorMessage, job)
    await desk.session.settle(error, "gone")

    assert (error.message, error.retryable) == ("cancelled: by the asker", False)


@pytest.mark.parametrize("how", ["stubborn", "deaf"])
async def test_a_cancelled_run_that_does_not_obey_is_ended_with_its_process(desk: Any, how: str) -> None:
    await desk.session.job(how, "misbehave", {"how": how})
    await desk.session.expect(ProgressMessage, how)
    await desk.session.send(Cancel(job=how, attempt=1, reason="by the asker"))
    error = await desk.session.expect(ErrorMessage, how)
    await desk.session.settle(error, "gone")

    assert error.message == "cancelled: by the asker"


async def test_the_worker_keeps_the_deadline_by_itself(desk: Any, tmp_path: Path) -> None:
    await desk.session.job("late", "gate", {"file": str(tmp_path / "never")}, deadline_s=0.1)
    error = await desk.session.expect(ErrorMessage, "late")
    await desk.session.settle(error)

    assert (error.kind, error.retryable) == ("internal", False)
    assert error.message == "not done within its deadline of 0.1 s"


async def test_a_run_that_was_killed_at_its_deadline_says_so_and_nothing_about_memory(desk: Any) -> None:
    await desk.session.job("deaf-late", "misbehave", {"how": "deaf"}, deadline_s=0.1)
    error = await desk.session.expect(ErrorMessage, "deaf-late")
    await desk.session.settle(error)

    assert (error.kind, error.message) == ("internal", "not done within its deadline of 0.1 s")


async def test_after_a_cut_a_running_job_goes_on_and_its_text_begins_anew(desk: Any, tmp_path: Path) -> None:
    await desk.session.job("cut", "gate", {"file": str(tmp_path / "go")})
    assert (await desk.session.expect(Partial, "cut")).seq == 0
    desk.session.drop()

    session = await desk.reconnected()
    assert session.hello.resuming == (Held(job="cut", attempt=1),)
    await session.welcome()
    whole = await session.expect(Partial, "cut")
    assert (whole.seq, whole.text) == (0, "begun ")
    assert (await session.expect(ProgressMessage, "cut")).fraction == 0.25

    (tmp_path / "go").touch()
    rest = await session.expect(Partial, "cut")
    assert (rest.seq, rest.text) == (1, "more")
    await session.settle(await session.expect(ResultMessage, "cut"))


async def test_a_result_that_was_not_settled_is_sent_again(desk: Any) -> None:
    await desk.session.job("kept", "echo", {"text": "once"})
    await desk.session.expect(ResultMessage, "kept")
    desk.session.drop()

    session = await desk.reconnected()
    assert session.hello.resuming == (Held(job="kept", attempt=1),)
    await session.welcome()
    await session.settle(await session.expect(ResultMessage, "kept"))
    session.drop()

    session = await desk.reconnected()
    assert session.hello.resuming == ()
    await session.welcome()


async def test_an_abandoned_attempt_is_stopped_without_a_word(desk: Any, tmp_path: Path) -> None:
    await desk.session.job("lost", "gate", {"file": str(tmp_path / "never")})
    await desk.session.expect(Partial, "lost")
    desk.session.drop()
    session = await desk.reconnected()
    await session.welcome(abandon=(Held(job="lost", attempt=1),))
    await session.job("lost", "echo", {"text": "second attempt"}, attempt=2)
    result = await session.expect(ResultMessage, "lost")
    await session.settle(result)

    assert result.attempt == 2
    assert session.count(ErrorMessage, "lost") == 0


async def test_a_repeated_job_is_not_run_twice(desk: Any) -> None:
    await desk.session.job("twice", "files", {"names": []})
    first = await desk.session.expect(ResultMessage, "twice")
    await desk.session.job("twice", "files", {"names": []})
    again = await desk.session.expect(ResultMessage, "twice")
    await desk.session.settle(again)

    assert again == first


async def test_artifacts_go_up_while_the_executor_goes_on(desk: Any, tmp_path: Path) -> None:
    params = {"names": ["one.bin", "two.bin"], "wait_for": str(tmp_path / "go")}
    await desk.session.job("files", "files", params)
    for _ in params["names"]:
        upload = await desk.session.expect(Upload, "files")
        await desk.session.send(desk.hub.ticket(upload))
    await until(lambda: {"one.bin", "two.bin"} <= desk.hub.stored.keys())

    (tmp_path / "go").touch()
    result = await desk.session.expect(ResultMessage, "files")
    await desk.session.settle(result)
    assert result.artifacts == ("one.bin", "two.bin")
    assert desk.hub.stored["two.bin"] == b"two.bin" * 1000


@pytest.mark.parametrize("status", [410, 500])
async def test_a_failed_put_is_tried_again_with_a_new_ticket(desk: Any, status: int) -> None:
    desk.hub.put_statuses = [status]
    await desk.session.job("again", "files", {"names": [f"again-{status}"]})
    for _ in range(2):
        upload = await desk.session.expect(Upload, "again")
        await desk.session.send(desk.hub.ticket(upload))
    result = await desk.session.expect(ResultMessage, "again")
    await desk.session.settle(result)

    assert desk.hub.stored[f"again-{status}"]


async def test_a_ticket_that_was_lost_with_the_connection_is_asked_for_again(desk: Any) -> None:
    await desk.session.job("ticket", "files", {"names": ["ticket.bin"]})
    await desk.session.expect(Upload, "ticket")
    desk.session.drop()
    session = await desk.reconnected()
    await session.welcome()
    await session.send(desk.hub.ticket(await session.expect(Upload, "ticket")))
    await session.settle(await session.expect(ResultMessage, "ticket"))

    assert "ticket.bin" in desk.hub.stored


async def test_an_artifact_that_the_hub_misses_is_uploaded_again(desk: Any) -> None:
    await desk.session.job("missed", "files", {"names": ["missed.bin"]})
    await desk.session.send(desk.hub.ticket(await desk.session.expect(Upload, "missed")))
    await desk.session.expect(ResultMessage, "missed")
    await desk.session.send(Fault(message="missed.bin: the stored file has another hash"))
    await desk.session.send(desk.hub.ticket(await desk.session.expect(Upload, "missed")))
    await desk.session.settle(await desk.session.expect(ResultMessage, "missed"))


async def test_inputs_are_fetched_and_checked_before_the_run(desk: Any) -> None:
    content = b"a picture"
    desk.hub.inputs["p"] = [b"cut short", content]
    ref = {
        "name": "picture",
        "url": f"{desk.hub.http}/inputs/p",
        "media_type": "image/png",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    await desk.session.job("reads", "reads", {"picture": "x"}, inputs=[ref])
    result = await desk.session.expect(ResultMessage, "reads")
    await desk.session.settle(result)

    assert result.output == {"size": len(content), "suffix": ".png"}


async def test_an_input_that_never_arrives_whole_fails_the_attempt_for_now(desk: Any) -> None:
    desk.hub.inputs["p"] = [b"something else"]
    ref = {"name": "picture", "url": f"{desk.hub.http}/inputs/p", "media_type": "x/y", "size": 1, "sha256": "0" * 64}
    await desk.session.job("broken", "reads", {"picture": "x"}, inputs=[ref])
    error = await desk.session.expect(ErrorMessage, "broken")
    await desk.session.settle(error)

    assert (error.kind, error.retryable) == ("transient", True)
    assert error.message.startswith("input picture: got more than 1 bytes")


async def test_the_files_of_settled_attempts_are_gone(desk: Any) -> None:
    await until(lambda: not list(desk.scratch.iterdir()))


async def test_stopping_finishes_what_runs_and_waits_until_it_is_settled(desk: Any, tmp_path: Path) -> None:
    await desk.session.job("last", "gate", {"file": str(tmp_path / "go")})
    await desk.session.expect(Partial, "last")
    desk.stop.set()
    await desk.session.expect(Drain)
    desk.session.drop()

    session = await desk.reconnected()
    await session.welcome()
    await session.expect(Drain)
    (tmp_path / "go").touch()
    result = await session.expect(ResultMessage, "last")
    assert not desk.task.done()
    await session.settle(result)
    await desk.task

    await session.socket.wait_closed()
    assert session.socket.close_code == 1000
    assert not desk.scratch.exists()
