from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tron_core.worker.backoff import CAP, ceiling, wait_after


def test_the_ceiling_doubles_up_to_its_cap() -> None:
    assert [ceiling(n) for n in (1, 2, 3, 4)] == [0.5, 1.0, 2.0, 4.0]
    assert ceiling(7) == CAP
    assert ceiling(10_000) == CAP


@given(failures=st.integers(1, 100), seed=st.integers())
def test_a_wait_is_anywhere_below_the_ceiling(failures: int, seed: int) -> None:
    assert 0 <= wait_after(failures, Random(seed)) <= ceiling(failures)


def test_two_workers_that_were_cut_at_once_do_not_come_back_in_step() -> None:
    waits = {round(wait_after(6, Random(seed))) for seed in range(40)}
    assert len(waits) > 10
    assert wait_after(6, Random(1)) == wait_after(6, Random(1))
