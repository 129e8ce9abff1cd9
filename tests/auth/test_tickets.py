from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tron_core.auth.errors import TicketExpired
from tron_core.auth.tickets import Tickets, UploadGrant
from tron_core.errors import Forbidden

ARTIFACT: dict[str, Any] = {
    "job": "01J",
    "attempt": 2,
    "name": "picture.png",
    "media_type": "image/png",
    "size": 100_000_000,
    "sha256": "a" * 64,
    "role": "result",
    "client_id": "c0ffee",
}


@pytest.fixture
async def tickets(database: Any, clock: Any) -> Tickets:
    return await Tickets.load(database, clock)


def test_a_ticket_allows_what_was_signed(tickets: Tickets, clock: Any) -> None:
    ticket = tickets.sign(**ARTIFACT, expires_s=600)
    grant = tickets.verify(ticket, job="01J", name="picture.png")
    assert grant == UploadGrant(**ARTIFACT, expires_at=clock.now() + 600)


def test_a_ticket_is_for_one_artifact_of_one_job(tickets: Tickets) -> None:
    ticket = tickets.sign(**ARTIFACT, expires_s=600)
    for job, name in (("01K", "picture.png"), ("01J", "other.png")):
        with pytest.raises(Forbidden, match="not for artifact"):
            tickets.verify(ticket, job=job, name=name)


def test_a_ticket_expires(tickets: Tickets, clock: Any) -> None:
    ticket = tickets.sign(**ARTIFACT, expires_s=600)
    clock.advance(599)
    tickets.verify(ticket, job="01J", name="picture.png")
    clock.advance(1)
    with pytest.raises(TicketExpired) as caught:
        tickets.verify(ticket, job="01J", name="picture.png")
    assert (caught.value.status, caught.value.code) == (410, "ticket_expired")


async def test_the_secret_outlives_the_process_and_is_this_hubs_alone(database: Any, clock: Any) -> None:
    first, second = await Tickets.load(database, clock), await Tickets.load(database, clock)
    second.verify(first.sign(**ARTIFACT, expires_s=600), job="01J", name="picture.png")
    stranger = Tickets("another hub's secret", clock)
    with pytest.raises(Forbidden):
        stranger.verify(first.sign(**ARTIFACT, expires_s=600), job="01J", name="picture.png")


def test_a_ticket_with_one_letter_changed_is_none(tickets: Tickets) -> None:
    ticket = tickets.sign(**ARTIFACT, expires_s=600)
    for place in range(0, len(ticket), 7):
        changed = ticket[:place] + ("A" if ticket[place] != "A" else "B") + ticket[place + 1 :]
        with pytest.raises(Forbidden):
            tickets.verify(changed, job="01J", name="picture.png")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text())
def test_whatever_is_presented_is_forbidden_at_worst(clock: Any, presented: str) -> None:
    with pytest.raises(Forbidden):
        Tickets("secret", clock).verify(presented, job="01J", name="picture.png")
