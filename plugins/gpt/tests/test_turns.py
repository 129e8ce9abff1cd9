"""Whose turn it is."""

from __future__ import annotations

import asyncio

import pytest

from tron_plugin_gpt.turns import Busy, Turns


async def enter(turns: Turns, job: str, conversation: str = "c") -> asyncio.Task[None]:
    """The task that waits for a turn, which has looked whether it is its turn already."""
    task = asyncio.create_task(turns.enter(conversation, job))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


async def test_one_after_the_other_in_the_order_in_which_they_came() -> None:
    turns = Turns(9)
    tasks = [await enter(turns, job) for job in "abc"]
    assert [task.done() for task in tasks] == [True, False, False]
    turns.leave("a")
    await tasks[1]
    assert not tasks[2].done()
    turns.leave("b")
    await tasks[2]
    turns.leave("c")
    assert (await enter(turns, "d")).done()


async def test_conversations_have_a_line_each() -> None:
    turns = Turns(9)
    assert (await enter(turns, "a", "one")).done()
    assert (await enter(turns, "b", "other")).done()


async def test_a_job_that_comes_again_keeps_its_place() -> None:
    turns = Turns(9)
    await enter(turns, "a")
    second, third = await enter(turns, "b"), await enter(turns, "c")
    turns.expect_end("a")
    assert (await enter(turns, "a")).done()
    second.cancel()  # its attempt is lost, the job is not
    again = await enter(turns, "b")
    turns.leave("a")
    await again
    assert not third.done()
    third.cancel()


async def test_one_that_goes_while_it_waits_is_passed_over() -> None:
    turns = Turns(9)
    await enter(turns, "a")
    second, third = await enter(turns, "b"), await enter(turns, "c")
    second.cancel()
    turns.leave("b")
    turns.leave("b")
    turns.leave("a")
    await third


async def test_an_end_that_is_never_told_holds_nobody_up_for_ever() -> None:
    turns = Turns(9, patience=0.01)
    await enter(turns, "a")
    second = await enter(turns, "b")
    turns.expect_end("a")
    await asyncio.wait_for(second, 5)


async def test_a_full_line_lets_nobody_in() -> None:
    turns = Turns(2)
    turns.check("c")
    await enter(turns, "a")
    waiting = await enter(turns, "b")
    with pytest.raises(Busy, match="2 messages"):
        turns.check("c")
    turns.check("other")
    waiting.cancel()
