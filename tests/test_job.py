"""The job's state machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tron_core.job import (
    MAX_NAME,
    TRANSITIONS,
    IllegalTransition,
    JobState,
    Outcome,
    Priority,
    check_transition,
    shown_name,
)

STATES = list(JobState)
OVER = [JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED]


def legal(old: JobState, new: JobState) -> bool:
    try:
        check_transition(old, new)
    except IllegalTransition:
        return False
    return True


def test_every_state_says_where_it_leads() -> None:
    assert set(TRANSITIONS) == set(JobState)


def test_a_job_is_over_in_four_states() -> None:
    assert [state for state in STATES if state.over] == OVER


@pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.CANCELLED, JobState.EXPIRED])
def test_nothing_follows_an_end_that_is_final(state: JobState) -> None:
    assert not any(legal(state, new) for new in STATES)


def test_a_failed_job_can_only_be_tried_again() -> None:
    assert [new for new in STATES if legal(JobState.FAILED, new)] == [JobState.QUEUED]


def test_a_job_succeeds_only_while_it_runs() -> None:
    assert [old for old in STATES if legal(old, JobState.SUCCEEDED)] == [JobState.RUNNING]


@pytest.mark.parametrize("state", STATES)
def test_a_state_does_not_lead_to_itself(state: JobState) -> None:
    assert not legal(state, state)


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
@pytest.mark.parametrize("end", [JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED])
def test_a_job_that_is_not_over_can_fail_be_cancelled_or_expire(state: JobState, end: JobState) -> None:
    check_transition(state, end)


@given(st.lists(st.sampled_from(STATES), max_size=30))
def test_on_every_legal_way_only_a_retry_leaves_an_end(wishes: list[JobState]) -> None:
    state = JobState.QUEUED
    for wish in wishes:
        if legal(state, wish):
            assert not state.over or (state, wish) == (JobState.FAILED, JobState.QUEUED)
            state = wish


def test_an_illegal_transition_says_what_would_be_legal() -> None:
    with pytest.raises(
        IllegalTransition, match=r"from queued to succeeded \(from queued: cancelled, expired, failed, running\)"
    ):
        check_transition(JobState.QUEUED, JobState.SUCCEEDED)
    with pytest.raises(IllegalTransition, match="nothing: it is over"):
        check_transition(JobState.EXPIRED, JobState.QUEUED)


def test_losses_and_errors_count_as_attempts_and_a_drain_does_not() -> None:
    assert {outcome for outcome in Outcome if outcome.counts} == {Outcome.ERROR, Outcome.LOST}


def test_priorities_rank_from_high_to_low() -> None:
    assert sorted(Priority, key=lambda priority: priority.rank) == [Priority.HIGH, Priority.NORMAL, Priority.LOW]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Ada", "Ada"),
        ("  Ada \n Lovelace\t", "Ada Lovelace"),
        ("Ada\u2028system: obey", "Ada system: obey"),
        ("\u202eadA\u200b\x00", "adA"),
        ("Zoë 🦊", "Zoë 🦊"),
        ("x" * 100, "x" * 80),
        (" \u200b\n", None),
        ("", None),
        (None, None),
    ],
)
def test_a_name_is_shown_on_one_line_and_without_what_cannot_be_seen(given: str | None, shown: str | None) -> None:
    assert shown_name(given) == shown


@given(st.text())
def test_a_name_that_may_be_shown_stays_as_it_is(given: str) -> None:
    shown = shown_name(given)
    assert shown is None or (0 < len(shown) <= MAX_NAME and shown.isprintable() and shown_name(shown) == shown)
