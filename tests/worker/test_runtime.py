"""The worker as the hub sees it: real sockets, a real executor process, a scripted hub."""

from __future__ import annotations

from typing import Any

import pytest

from tron_core.hub.protocol import ErrorMessage, Partial, ProgressMessage, ResultMessage

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
