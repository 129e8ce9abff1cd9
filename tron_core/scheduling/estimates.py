"""How long things take, learned from what was measured: pure, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

WEIGHT = 0.3
"""What a new measurement counts in the moving average: the last five make up about five sixths of it."""

Key = tuple[str, str | None, str | None]
"""(capability, model, worker); None stands for any."""


@dataclass(slots=True)
class Estimates:
    """Exponentially weighted moving averages of seconds per capability, model and worker."""

    _seconds: dict[Key, float] = field(default_factory=dict)
    _load: dict[tuple[str, str | None], float] = field(default_factory=dict)

    def measured(
        self, capability: str, model: str | None, worker: str, seconds: float, load_seconds: float | None
    ) -> None:
        """Take in one attempt that succeeded; ``seconds`` of it were loading where ``load_seconds`` says so."""
        work = max(0.0, seconds - (load_seconds or 0.0))
        for key in ((capability, model, worker), (capability, model, None), (capability, None, None)):
            self._seconds[key] = _average(self._seconds.get(key), work)
        if load_seconds is not None:
            self._load[capability, model] = _average(self._load.get((capability, model)), load_seconds)

    def seconds(self, capability: str, model: str | None, worker: str | None, guess: float) -> float:
        """The expected seconds of work: of this worker, else of any with this model, else the capability's
        ``guess``."""
        for key in ((capability, model, worker), (capability, model, None)):
            if key in self._seconds:
                return self._seconds[key]
        return guess

    def load_seconds(self, capability: str, model: str | None) -> float:
        """The seconds that loading a model takes; 0 where nobody has measured it."""
        return self._load.get((capability, model), 0.0)


def _average(old: float | None, new: float) -> float:
    return new if old is None else old + WEIGHT * (new - old)
