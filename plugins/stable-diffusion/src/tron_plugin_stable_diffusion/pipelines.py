"""The models in memory: several within a budget, the least recently used going first.

One cache serves all executors of a process: text to image and image to image use the same weights, and one GPU.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from tron_plugin_stable_diffusion.engines import Engine


class PipelineCache:
    """Engines by the name of their model. Used by one thread at a time, as a process runs one job at a time."""

    def __init__(self) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()

    @property
    def loaded(self) -> Sequence[str]:
        """The models in memory, the most recently used first."""
        return list(reversed(self._engines))

    @property
    def used_mb(self) -> float:
        """What the models hold together, in MiB."""
        return sum(engine.memory_mb for engine in self._engines.values())

    def get(self, name: str, open_it: Callable[[], Engine], *, needs_mb: float, budget_mb: float) -> Engine:
        """The engine of ``name``, opened with ``open_it`` unless it is in memory.

        Others go first, so many that ``needs_mb`` more fit into ``budget_mb``; a model that alone is larger than the
        budget is opened all the same, with no other beside it. One that meets MemoryError is tried once more with
        nothing else in memory. Raises what ``open_it`` does.
        """
        if name in self._engines:
            self._engines.move_to_end(name)
            return self._engines[name]
        self._make_room(budget_mb - needs_mb)
        try:
            engine = open_it()
        except MemoryError:
            if not self._engines:
                raise
            self.close_all()
            engine = open_it()
        self._engines[name] = engine
        # The need was an estimate.
        self._make_room(budget_mb, keep=name)
        return engine

    def keep_only(self, name: str) -> bool:
        """Close every engine but that of ``name``; whether there was any."""
        others = [other for other in self._engines if other != name]
        for other in others:
            self._close(other)
        return bool(others)

    def close_all(self) -> None:
        """Give all the memory back."""
        for name in list(self._engines):
            self._close(name)

    def _make_room(self, allowed_mb: float, keep: str | None = None) -> None:
        for name in list(self._engines):
            if self.used_mb <= allowed_mb:
                return
            if name != keep:
                self._close(name)

    def _close(self, name: str) -> None:
        self._engines.pop(name).close()


_CACHE = PipelineCache()


def process_cache() -> PipelineCache:
    """The cache of this process: the memory is the process's too."""
    return _CACHE
