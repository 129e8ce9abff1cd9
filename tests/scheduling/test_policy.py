"""The queue's order, as pure logic."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tron_core.capability import Requirements
from tron_core.scheduling.policy import MAX_PASSED, MAX_REMEMBERED, ClassKey, FairQueue, Waiting, WarmChoice, pick

PAINT = ClassKey("paint", Requirements(model="oil"))
SPEAK = ClassKey("speak", Requirements(model="joe"))
COLD = WarmChoice(is_warm=lambda key: False, load_seconds=lambda key: 0.0)


def waiting(
    job: str,
    requester: str,
    key: ClassKey = PAINT,
    *,
    rank: int = 1,
    cost: float = 1.0,
    at: float = 0.0,
    returned: bool = False,
) -> Waiting:
    return Waiting(job, requester, key, rank, cost, at, returned)


def serve(queue: FairQueue, *classes: ClassKey, warm: WarmChoice = COLD) -> str | None:
    job = pick(queue, list(classes or (PAINT,)), warm)
    if job is None:
        return None
    queue.take(job)
    return job.id


def serve_all(queue: FairQueue, *classes: ClassKey) -> list[str]:
    return list(iter(lambda: serve(queue, *classes), None))


def test_a_higher_priority_goes_first_and_age_decides_within_one_turn() -> None:
    queue = FairQueue()
    queue.add(waiting("low", "a", rank=2, at=0))
    queue.add(waiting("normal", "b", rank=1, at=1))
    queue.add(waiting("high", "c", rank=0, at=3))
    queue.add(waiting("older", "d", rank=0, at=2))
    assert serve_all(queue) == ["older", "high", "normal", "low"]


def test_people_take_turns_however_many_jobs_one_of_them_queued() -> None:
    queue = FairQueue()
    for n in range(4):
        queue.add(waiting(f"a{n}", "a", at=n))
    queue.add(waiting("b0", "b", at=10))
    queue.add(waiting("c0", "c", at=11))
    assert serve_all(queue) == ["a0", "b0", "c0", "a1", "a2", "a3"]


def test_a_person_with_long_jobs_has_fewer_turns() -> None:
    queue = FairQueue()
    for n in range(20):
        queue.add(waiting(f"long{n}", "a", cost=10, at=n))
        queue.add(waiting(f"short{n}", "b", cost=1, at=n))
    first = Counter(job[:4] for job in (serve(queue) for _ in range(11)))
    assert first["shor"] == 10


def test_a_job_that_came_back_goes_ahead_of_its_priority_class() -> None:
    queue = FairQueue()
    queue.add(waiting("new", "a", at=0))
    queue.add(waiting("back", "b", at=5, returned=True))
    queue.add(waiting("urgent", "c", rank=0, at=9))
    assert serve_all(queue) == ["urgent", "back", "new"]


def test_a_removed_job_is_never_served_and_leaves_nothing_behind() -> None:
    queue = FairQueue()
    for n in range(3):
        queue.add(waiting(f"a{n}", "a", at=n))
    assert queue.remove("a1") is not None
    assert queue.remove("a1") is None
    assert serve_all(queue) == ["a0", "a2"]
    assert len(queue) == 0
    assert queue.classes() == []


def test_a_blocked_class_does_not_pile_up_a_claim_against_newcomers() -> None:
    queue = FairQueue()
    for n in range(50):
        queue.add(waiting(f"blocked{n}", "a", SPEAK, at=n))
        queue.add(waiting(f"paint{n}", "b", at=n))
    for _ in range(40):
        serve(queue, PAINT)
    queue.add(waiting("new", "c", SPEAK, at=100))
    assert [serve(queue, SPEAK) for _ in range(2)] == ["blocked0", "new"]


def test_a_warm_worker_may_pass_the_head_but_no_job_more_than_three_times() -> None:
    queue = FairQueue()
    queue.add(waiting("cold", "a", SPEAK, at=0))
    for n in range(10):
        queue.add(waiting(f"warm{n}", f"p{n}", PAINT, cost=1, at=1 + n))
    warm = WarmChoice(is_warm=lambda key: key == PAINT, load_seconds=lambda key: 20.0)
    order = [serve(queue, SPEAK, PAINT, warm=warm) for _ in range(MAX_PASSED + 1)]
    assert order == ["warm0", "warm1", "warm2", "cold"]


def test_a_warm_job_does_not_pass_where_loading_costs_less_than_the_wait() -> None:
    queue = FairQueue()
    queue.add(waiting("cold", "a", SPEAK, at=0))
    queue.add(waiting("warm", "b", PAINT, cost=30, at=1))
    warm = WarmChoice(is_warm=lambda key: key == PAINT, load_seconds=lambda key: 20.0)
    assert serve(queue, SPEAK, PAINT, warm=warm) == "cold"


def test_who_comes_with_one_job_after_the_other_has_one_turn_a_round() -> None:
    queue = FairQueue()
    for n in range(4):
        queue.add(waiting(f"a{n}", "a", cost=1.0 + n / 100, at=n))
        queue.add(waiting(f"b{n}", "b", cost=1.1 - n / 100, at=n))
    queue.add(waiting("x0", "x", cost=5.0, at=10))
    served = []
    for n in range(1, 11):
        job = serve(queue)
        served.append(str(job)[0])
        if served[-1] == "x":
            queue.add(waiting(f"x{n}", "x", cost=5.0, at=10 + n))
    assert {"".join(sorted(served[n : n + 3])) for n in range(0, 9, 3)} == {"abx"}


def test_newcomers_do_not_pass_a_person_who_came_back() -> None:
    queue = FairQueue()
    for n in range(9):
        queue.add(waiting(f"a{n}", "a", at=n))
    queue.add(waiting("x0", "x", at=10))
    assert [serve(queue), serve(queue)] == ["a0", "x0"]
    queue.add(waiting("x1", "x", at=11))
    for n in range(20):
        queue.add(waiting(f"n{n}", f"n{n}", at=12 + n))
    assert {serve(queue), serve(queue)} == {"a1", "x1"}


def test_what_is_remembered_of_persons_and_lines_is_bounded() -> None:
    queue = FairQueue()
    queue.add(waiting("blocked", "a", SPEAK))
    queue.add(waiting("first", "a"))
    for n in range(3 * MAX_REMEMBERED):
        queue.add(waiting(f"j{n}", f"p{n}", at=n + 1))
        if n % 3:
            queue.remove(f"j{n}")
        else:
            queue.take(next(job for job in queue.jobs() if job.id == f"j{n}"))
    assert len(queue._persons[1]) <= MAX_REMEMBERED + 2
    assert len(queue._lines[PAINT][1].heap) < 100
    queue.remove("first")
    queue.remove("blocked")
    assert not queue._persons[1]


def test_a_position_counts_one_turn_of_everybody_else_and_the_own_jobs_before() -> None:
    queue = FairQueue()
    jobs = [waiting(f"a{n}", "a", at=n) for n in range(3)]
    for job in jobs:
        queue.add(job)
    newcomer = waiting("b0", "b", at=9)
    queue.add(newcomer)
    assert queue.ahead_of(jobs[0]) == 1
    assert queue.ahead_of(newcomer) == 1
    assert queue.ahead_of(jobs[2]) == 3


class Queueing(RuleBasedStateMachine):
    """Any history of arrivals, services and cancels, on workers of different abilities."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = FairQueue()
        self.made = 0
        self.expected: dict[str, Waiting] = {}
        self.served_while_waiting: dict[str, Counter[str]] = {}

    @rule(
        person=st.sampled_from("abcde"),
        key=st.sampled_from([PAINT, SPEAK]),
        cost=st.sampled_from([0.1, 1.0, 30.0]),
        rank=st.integers(0, 2),
    )
    def arrive(self, person: str, key: ClassKey, cost: float, rank: int) -> None:
        self.made += 1
        job = waiting(f"j{self.made}", person, key, rank=rank, cost=cost, at=float(self.made))
        alone = not any(o.requester == person and o.rank == rank for o in self.expected.values())
        self.queue.add(job)
        self.expected[job.id] = job
        if alone:
            self.served_while_waiting[job.id] = Counter()
        else:
            for other in list(self.served_while_waiting):
                if self.expected[other].requester == person:
                    del self.served_while_waiting[other]

    @rule(classes=st.sampled_from([[PAINT], [SPEAK], [PAINT, SPEAK]]))
    def serve(self, classes: list[ClassKey]) -> None:
        job = pick(self.queue, classes, COLD)
        eligible = [o for o in self.expected.values() if o.key in classes]
        if job is None:
            assert not eligible
            return
        assert job.rank == min(o.rank for o in eligible)
        self.queue.take(job)
        del self.expected[job.id]
        self.served_while_waiting.pop(job.id, None)
        for other, served in self.served_while_waiting.items():
            lone = self.expected[other]
            if lone.rank == job.rank and lone.key in classes:
                served[job.requester] += 1

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if self.expected:
            job = data.draw(st.sampled_from(sorted(self.expected)))
            assert self.queue.remove(job) is not None
            del self.expected[job]
            self.served_while_waiting.pop(job, None)

    @invariant()
    def nothing_is_lost(self) -> None:
        assert {job.id for job in self.queue.jobs()} == set(self.expected)

    @invariant()
    def nobody_is_served_twice_before_a_person_with_one_job(self) -> None:
        for served in self.served_while_waiting.values():
            assert not served or max(served.values()) <= 1


TestQueueing = Queueing.TestCase
TestQueueing.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.1, 100)), max_size=30))
def test_every_job_is_served_exactly_once(arrivals: list[tuple[str, float]]) -> None:
    queue = FairQueue()
    for n, (person, cost) in enumerate(arrivals):
        queue.add(waiting(f"j{n}", person, cost=cost, at=n))
    assert sorted(serve_all(queue)) == sorted(f"j{n}" for n in range(len(arrivals)))
