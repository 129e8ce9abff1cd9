from __future__ import annotations

import asyncio

import pytest

from tron_core.auth import passwords as module
from tron_core.auth.passwords import Passwords
from tron_core.errors import Refused, TooMany


@pytest.fixture
def passwords() -> Passwords:
    return Passwords(memory_kib=8, time_cost=1)


async def test_a_password_is_verified_by_its_hash_alone(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse")
    assert "correct" not in stored
    assert await passwords.verify(stored, "correct horse")
    assert not await passwords.verify(stored, "wrong horse")


async def test_the_same_password_has_two_hashes(passwords: Passwords) -> None:
    assert await passwords.hash("same") != await passwords.hash("same")


async def test_nobodys_password_is_wrong_even_when_it_is_the_decoys(passwords: Passwords) -> None:
    assert not await passwords.verify(None, "nobody")


async def test_what_is_no_hash_matches_nothing(passwords: Passwords) -> None:
    assert not await passwords.verify("!", "anything")


@pytest.mark.parametrize("password", ["", "x" * 1025])
async def test_an_empty_or_huge_password_is_refused_with_the_bounds(passwords: Passwords, password: str) -> None:
    with pytest.raises(Refused, match=f"{len(password)} characters; allowed are 1 to 1024"):
        await passwords.hash(password)


async def test_a_huge_password_is_not_even_hashed(passwords: Passwords) -> None:
    assert not await passwords.verify("!", "x" * 1_000_000)


async def test_hashes_follow_the_owasp_parameters() -> None:
    stored = await Passwords().hash("x")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_a_hash_of_other_parameters_is_outdated(passwords: Passwords) -> None:
    stored = await passwords.hash("x")
    assert not passwords.is_outdated(stored)
    assert Passwords().is_outdated(stored)


async def test_callers_beyond_the_bound_are_told_to_come_back(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    answers = await asyncio.gather(*(passwords.hash("x") for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(answer, TooMany) for answer in answers) == 2
    assert await passwords.hash("x")
