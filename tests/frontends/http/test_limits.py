import pytest

from tron_core.errors import TooMany
from tron_core.frontends.http import limits
from tron_core.frontends.http.limits import Buckets, address_key


class StillClock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds


def test_a_minute_s_worth_may_come_at_once_and_then_it_fills_evenly() -> None:
    clock = StillClock()
    buckets = Buckets(60, clock, what="requests")
    for _ in range(60):
        buckets.take("alice")
    with pytest.raises(TooMany) as caught:
        buckets.take("alice")
    assert caught.value.code == "rate_limited"
    assert caught.value.retry_after == pytest.approx(1.0)
    clock.seconds += 1
    buckets.take("alice")
    with pytest.raises(TooMany):
        buckets.take("alice")


def test_each_key_has_a_bucket_of_its_own() -> None:
    buckets = Buckets(1, StillClock(), what="requests")
    buckets.take("alice")
    buckets.take("bob")


def test_what_is_given_back_can_be_taken_again() -> None:
    buckets = Buckets(1, StillClock(), what="requests")
    for _ in range(5):
        buckets.take("alice")
        buckets.give_back("alice")


def test_the_number_of_buckets_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_KEYS", 3)
    buckets = Buckets(1, StillClock(), what="requests")
    for name in "abcd":
        buckets.take(name)
    buckets.take("a")  # forgotten, as it was used longest ago
    with pytest.raises(TooMany):
        buckets.take("d")


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ],
)
def test_an_ipv6_customer_is_one_address(host: str, key: str) -> None:
    assert address_key(host) == key
