from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tron_core.auth.principal import Scope
from tron_core.auth.tokens import (
    REPEAT_SECONDS,
    Refreshing,
    TokenPair,
    Verdict,
    bearer_token,
    digest,
    iso,
    join_scopes,
    judge,
    new_secret,
    split_scopes,
)
from tron_core.errors import Unauthorized

moments = st.floats(min_value=0, max_value=4e9)
refreshing = st.builds(
    Refreshing,
    expires_at=moments,
    refreshed_at=st.none() | moments,
    revoked_at=st.none() | moments,
    successor_used=st.booleans(),
)


def test_a_secret_has_256_random_bits_and_fits_a_header() -> None:
    first, second = new_secret("tra_"), new_secret("tra_")
    assert first != second
    assert len(first) == len("tra_") + 43
    assert first.replace("_", "").replace("-", "").isalnum()


def test_a_digest_has_32_bytes_whatever_is_presented() -> None:
    assert len(digest("\ud800 half a character")) == 32


@given(st.text())
def test_what_is_read_from_a_header_is_never_empty(header: str) -> None:
    try:
        token = bearer_token(header)
    except Unauthorized:
        return
    assert token.strip()


@pytest.mark.parametrize("header", ["Bearer abc", "bearer abc", "  BEARER   abc "])
def test_the_scheme_is_read_whatever_its_capitals(header: str) -> None:
    assert bearer_token(header) == "abc"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "abc"])
def test_another_scheme_is_no_bearer_token(header: str | None) -> None:
    with pytest.raises(Unauthorized, match="Authorization: Bearer"):
        bearer_token(header)


@given(moments)
def test_times_carry_their_offset(moment: float) -> None:
    written = iso(moment)
    assert written.endswith("+00:00")
    assert datetime.fromisoformat(written) == datetime.fromtimestamp(moment, UTC)


@given(st.frozensets(st.sampled_from(Scope)))
def test_scopes_survive_being_stored(scopes: frozenset[Scope]) -> None:
    assert split_scopes(join_scopes(scopes)) == scopes


def test_an_admin_is_granted_user_and_a_worker_worker_alone() -> None:
    assert Scope.ADMIN.granted == {Scope.ADMIN, Scope.USER}
    assert Scope.USER.granted == {Scope.USER}
    assert Scope.WORKER.granted == {Scope.WORKER}


def test_the_token_block_has_the_originals_fields() -> None:
    pair = TokenPair(7, "a", "r", "c0ffee", 3, frozenset({Scope.WORKER}), 1_800_000_000.0)
    assert pair.block() == {
        "id": 7,
        "access_token": "a",
        "refresh_token": "r",
        "expires_in": 3600,
        "client_id": "c0ffee",
        "user_id": 3,
        "scopes": ["worker"],
        "issued_at": "2027-01-15T08:00:00.000000+00:00",
    }


@given(refreshing, moments)
def test_a_revoked_or_expired_refresh_token_never_grants(token: Refreshing, now: float) -> None:
    if token.revoked_at is not None or now >= token.expires_at:
        assert not judge(token, now).grants


@given(refreshing, moments)
def test_a_fresh_token_rotates_and_a_spent_one_never_does(token: Refreshing, now: float) -> None:
    verdict = judge(token, now)
    if verdict is Verdict.ROTATE:
        assert token.refreshed_at is None
    if token.refreshed_at is not None:
        assert verdict is not Verdict.ROTATE


@given(refreshing, moments)
def test_a_repeat_is_granted_only_soon_and_while_no_answer_was_used(token: Refreshing, now: float) -> None:
    if judge(token, now) is Verdict.REPEAT:
        assert token.refreshed_at is not None
        assert now - token.refreshed_at <= REPEAT_SECONDS
        assert not token.successor_used
