"""Which job goes next, and where to: pure, no clock of its own, no I/O.

Order: priority class, then jobs that came back from a lost or drained worker, then fair share, then age.

Fair share is start-time fair queueing (Goyal, Vin, Chen 1996) with tags kept per person and not per job: a person who
begins to wait gets the virtual time of now; being served sets the virtual time to the person's tag where that is
later, and moves the tag on by the job's cost (its expected seconds). Who comes back before the virtual time has reached
their tag moves it there: they have had this round's turn. So, whoever is eligible for a slot, everybody else is served
at most once before a person who waits with one job, however many jobs they queued, and nobody who comes with one job
after the other keeps those who queued from their turns (docs/decisions/0001-fair-share.md).

Jobs wait in requirement classes, so that a pick costs the number of classes, not of jobs.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tron_core.capability import Requirements

RANKS = 3
MAX_REMEMBERED = 4096
"""Persons without a waiting job, in one priority class, whose last turn is remembered while others wait."""
MAX_PASSED = 3
"""How often a waiting job may be passed over in favour of one whose model is loaded."""


@dataclass(frozen=True, slots=True)
class ClassKey:
    """Jobs of equal needs wait together. ``avoid`` names a worker that failed the job, to be used only where no other
    can do it."""

    capability: str
    requirements: Requirements
    avoid: str | None = None


@dataclass(slots=True, eq=False)
class Waiting:
    """A job in the index. ``cost`` is its expected seconds; ``returned`` puts it at the head."""

    id: str
    requester: str
    key: ClassKey
    rank: int
    cost: float
    created_at: float
    returned: bool = False
    passed: int = 0
    gone: bool = False


@dataclass(slots=True)
class _Person:
    """Somebody with waiting jobs in one priority class, or whose turn there is not long ago. ``turn`` counts those that
    were served before, when the person began to wait or was served last."""

    tag: float
    turn: int
    waiting: int = 0


Place = tuple[float, int, float]
"""(tag, turn, created_at)"""

Order = tuple[int, int, Place]
"""(rank, 0 for returned, place): the smallest goes first."""


@dataclass(slots=True)
class _Line:
    """The jobs of one class and one rank: a queue per person, and a heap of persons by tag. A heap entry is valid
    while its token is the person's newest."""

    returned: deque[Waiting] = field(default_factory=deque)
    queues: dict[str, deque[Waiting]] = field(default_factory=dict)
    heap: list[tuple[Place, int, str]] = field(default_factory=list)
    tokens: dict[str, int] = field(default_factory=dict)


class FairQueue:
    """The index of the waiting jobs."""

    def __init__(self) -> None:
        self._lines: dict[ClassKey, list[_Line]] = {}
        self._counts: dict[ClassKey, int] = {}
        self._persons: list[dict[str, _Person]] = [{} for _ in range(RANKS)]
        self._virtual = [0.0] * RANKS
        self._resting: list[list[tuple[float, str]]] = [[] for _ in range(RANKS)]
        self._waiting = [0] * RANKS
        self._turns = 0
        self._jobs: dict[str, Waiting] = {}
        self._token = 0

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, job: str) -> bool:
        return job in self._jobs

    def classes(self) -> list[ClassKey]:
        """The classes in which a job waits."""
        return list(self._counts)

    def count(self, key: ClassKey) -> int:
        """How many jobs wait in a class."""
        return self._counts.get(key, 0)

    def jobs(self) -> Iterator[Waiting]:
        """Every waiting job, in no particular order."""
        return iter(self._jobs.values())

    def add(self, job: Waiting) -> None:
        """Let a job wait."""
        if job.id in self._jobs:
            raise ValueError(f"job {job.id} waits already")
        self._jobs[job.id] = job
        self._counts[job.key] = self._counts.get(job.key, 0) + 1
        person = self._arrive(job)
        lines = self._lines.setdefault(job.key, [_Line() for _ in range(RANKS)])
        line = lines[job.rank]
        if job.returned:
            line.returned.append(job)
            return
        queue = line.queues.setdefault(job.requester, deque())
        queue.append(job)
        if len(queue) == 1:
            self._push(line, job, person)

    def _arrive(self, job: Waiting) -> _Person:
        persons = self._persons[job.rank]
        person = persons.get(job.requester)
        if person is None:
            person = persons[job.requester] = _Person(self._virtual[job.rank], self._turns)
        person.waiting += 1
        self._waiting[job.rank] += 1
        if person.waiting == 1:
            self._advance(job.rank, person.tag)
        return person

    def _advance(self, rank: int, virtual: float) -> None:
        """Move the virtual time on; whose turn lies behind it is as good as new."""
        self._virtual[rank] = max(self._virtual[rank], virtual)
        resting = self._resting[rank]
        while resting and (resting[0][0] <= self._virtual[rank] or len(resting) > MAX_REMEMBERED):
            tag, requester = heapq.heappop(resting)
            person = self._persons[rank].get(requester)
            if person is not None and not person.waiting and person.tag <= tag:
                del self._persons[rank][requester]

    def remove(self, job: str) -> Waiting | None:
        """Take a job out without serving it (cancelled, expired); None where it does not wait."""
        waiting = self._jobs.get(job)
        if waiting is not None:
            self._forget(waiting)
        return waiting

    def take(self, job: Waiting) -> None:
        """Serve a job: it leaves the queue, and its requester is charged its cost."""
        person = self._persons[job.rank][job.requester]
        self._turns += 1
        if not job.returned:
            self._advance(job.rank, person.tag)
            person.tag, person.turn = self._virtual[job.rank] + job.cost, self._turns
        self._forget(job)

    def head(self, key: ClassKey) -> tuple[Order, Waiting] | None:
        """The job that goes first in a class; None where nobody waits in it."""
        lines = self._lines.get(key)
        if lines is None:
            return None
        for rank, line in enumerate(lines):
            while line.returned and line.returned[0].gone:
                line.returned.popleft()
            if line.returned:
                job = line.returned[0]
                return (rank, 0, (0.0, 0, job.created_at)), job
            found = self._first(rank, line)
            if found is not None:
                return found
        return None

    def ahead_of(self, job: Waiting) -> int:
        """How many waiting jobs are likely to start before this one: all of higher rank, those that came back, and of
        every other person as many as the job's own requester has in front of it, and this turn's."""
        if job.returned:
            return 0
        own = 0
        for other in self._lines[job.key][job.rank].queues[job.requester]:
            if other is job:
                break
            own += not other.gone
        before = sum(person.waiting for persons in self._persons[: job.rank] for person in persons.values())
        mine = self._persons[job.rank][job.requester].tag
        for requester, person in self._persons[job.rank].items():
            if requester != job.requester:
                before += min(person.waiting, own + (person.tag <= mine))
        return before + own

    def _first(self, rank: int, line: _Line) -> tuple[Order, Waiting] | None:
        while line.heap:
            place, token, requester = line.heap[0]
            if line.tokens.get(requester) != token:
                heapq.heappop(line.heap)
                continue
            job = line.queues[requester][0]
            person = self._persons[rank][requester]
            if place == (person.tag, person.turn, job.created_at):
                return (rank, 1, place), job
            heapq.heappop(line.heap)
            self._push(line, job, person)
        return None

    def _push(self, line: _Line, job: Waiting, person: _Person) -> None:
        self._token += 1
        line.tokens[job.requester] = self._token
        heapq.heappush(line.heap, ((person.tag, person.turn, job.created_at), self._token, job.requester))
        if len(line.heap) > 2 * len(line.tokens) + 16:  # most of it are persons who are not in this line any more
            line.heap = [item for item in line.heap if line.tokens.get(item[2]) == item[1]]
            heapq.heapify(line.heap)

    def _forget(self, job: Waiting) -> None:
        job.gone = True
        del self._jobs[job.id]
        self._leave(job)
        line = self._lines[job.key][job.rank]
        queue = line.returned if job.returned else line.queues[job.requester]
        while queue and queue[0].gone:
            queue.popleft()
        if not queue and not job.returned:
            del line.queues[job.requester], line.tokens[job.requester]
        self._counts[job.key] -= 1
        if self._counts[job.key] == 0:
            del self._counts[job.key], self._lines[job.key]

    def _leave(self, job: Waiting) -> None:
        """Count a person's job out; who has no other rests, and while others wait their turn is remembered."""
        rank = job.rank
        person = self._persons[rank][job.requester]
        person.waiting -= 1
        self._waiting[rank] -= 1
        if not self._waiting[rank]:
            self._persons[rank].clear()
            self._resting[rank].clear()
        elif not person.waiting:
            heapq.heappush(self._resting[rank], (person.tag, job.requester))
            self._advance(rank, self._virtual[rank])


@dataclass(frozen=True, slots=True)
class WarmChoice:
    """What a warm pick needs to know of a worker: whether a class's model is in its memory, and the seconds that
    loading a class's model takes."""

    is_warm: Callable[[ClassKey], bool]
    load_seconds: Callable[[ClassKey], float]


def pick(queue: FairQueue, classes: list[ClassKey], warm: WarmChoice) -> Waiting | None:
    """The job for a worker that can do ``classes``; None where none of them waits. The job is not taken yet.

    The head goes first, but a worker may take the best job whose model it has loaded ahead of it, within the same
    rank, where the load time saved is more than what the wait costs those passed over, and none of them has been
    passed ``MAX_PASSED`` times.
    """
    heads = sorted(filter(None, map(queue.head, classes)), key=lambda item: item[0])
    if not heads:
        return None
    first_order, first = heads[0]
    if warm.is_warm(first.key) or first_order[1] == 0:
        return first
    for index, (order, job) in enumerate(heads):
        if order[0] != first_order[0]:
            break
        if not warm.is_warm(job.key):
            continue
        passed = [other for _, other in heads[:index]]
        saved = warm.load_seconds(first.key)
        if saved > job.cost * len(passed) and all(other.passed < MAX_PASSED for other in passed):
            for other in passed:
                other.passed += 1
            return job
        break
    return first
