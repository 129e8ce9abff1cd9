"""The rules of refreshing held against every order of events: one family is played with, through the public door."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tron_core.auth.errors import InvalidGrant
from tron_core.auth.passwords import Passwords
from tron_core.auth.service import Auth
from tron_core.auth.tokens import REFRESH_SECONDS, REPEAT_SECONDS, TokenPair
from tron_core.errors import Unauthorized

steps = st.lists(
    st.tuples(st.integers(min_value=0, max_value=5), st.sampled_from([0.01, 1.0, REPEAT_SECONDS + 1, 3600.0, 1e6])),
    min_size=1,
    max_size=8,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
async def test_a_family_ends_with_the_first_reuse_and_grants_until_then(database: Any, clock: Any, steps: Any) -> None:
    auth = Auth(database, clock, passwords=Passwords(memory_kib=8, time_cost=1))
    await auth.forget("alice")
    await auth.create_user("alice", "secret")
    key, _ = await auth.create_client_tokens("alice")
    pairs = [await auth.grant_client_credentials(key["client_id"], key["api_key"])]
    first_use: dict[int, float] = {}
    parent: dict[int, int] = {}
    ended = False
    for choice, wait in steps:
        clock.advance(wait)
        index = choice % len(pairs)
        presented = pairs[index]
        allowed = not ended and _may_refresh(presented, index, first_use, parent, clock.now())
        expired = clock.now() >= presented.issued_at + REFRESH_SECONDS
        try:
            pairs.append(await auth.grant_refresh(presented.refresh_token))
        except InvalidGrant:
            assert not allowed
            ended = ended or not expired
        else:
            assert allowed
            parent[len(pairs) - 1] = index
            first_use.setdefault(index, clock.now())
        for pair in pairs:
            await _check_access(auth, pair, alive=not ended and clock.now() < pair.issued_at + pair.expires_in)


def _may_refresh(pair: TokenPair, index: int, first_use: dict[int, float], parent: dict[int, int], now: float) -> bool:
    """The rules again, told by who begot whom."""
    if now >= pair.issued_at + REFRESH_SECONDS:
        return False
    if index not in first_use:
        return True
    answers_used = any(child in first_use for child, of in parent.items() if of == index)
    return now - first_use[index] <= REPEAT_SECONDS and not answers_used


async def _check_access(auth: Auth, pair: TokenPair, *, alive: bool) -> None:
    try:
        await auth.authenticate(pair.access_token)
    except Unauthorized:
        assert not alive
    else:
        assert alive
