from __future__ import annotations

import pytest
from scripted_engine import ScriptedEngine

from tron_plugin_stable_diffusion.pipelines import PipelineCache


class Shelf:
    """Engines to open, and which were."""

    def __init__(self, cache: PipelineCache, *, budget_mb: float) -> None:
        self.cache = cache
        self.budget_mb = budget_mb
        self.opened: list[str] = []

    def get(self, name: str, memory_mb: float, *, needs_mb: float | None = None, fails: int = 0) -> ScriptedEngine:
        left = [fails]

        def open_it() -> ScriptedEngine:
            self.opened.append(name)
            if left[0]:
                left[0] -= 1
                raise MemoryError("the GPU is full")
            return ScriptedEngine(name, memory_mb)

        needs = memory_mb if needs_mb is None else needs_mb
        engine = self.cache.get(name, open_it, needs_mb=needs, budget_mb=self.budget_mb)
        assert isinstance(engine, ScriptedEngine)
        return engine


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(PipelineCache(), budget_mb=100)


def test_a_model_is_opened_once(shelf: Shelf) -> None:
    assert shelf.get("a", 10) is shelf.get("a", 10)
    assert shelf.opened == ["a"]


def test_models_that_fit_together_stay(shelf: Shelf) -> None:
    shelf.get("a", 40)
    shelf.get("b", 60)
    assert shelf.cache.loaded == ["b", "a"]
    assert shelf.cache.used_mb == 100


def test_the_least_recently_used_goes_first(shelf: Shelf) -> None:
    shelf.get("a", 40)
    b = shelf.get("b", 40)
    shelf.get("a", 40)
    shelf.get("c", 40)
    assert shelf.cache.loaded == ["c", "a"]
    assert b.closed


def test_a_model_larger_than_the_budget_has_the_memory_for_itself(shelf: Shelf) -> None:
    shelf.get("a", 40)
    shelf.get("huge", 500)
    assert shelf.cache.loaded == ["huge"]
    shelf.get("a", 40)
    assert shelf.cache.loaded == ["a"]


def test_a_model_that_turns_out_larger_than_estimated_pushes_others_out(shelf: Shelf) -> None:
    shelf.get("a", 40)
    shelf.get("fetched", 80, needs_mb=0)
    assert shelf.cache.loaded == ["fetched"]


def test_a_model_that_finds_no_memory_is_opened_again_with_nothing_else_there(shelf: Shelf) -> None:
    a = shelf.get("a", 40)
    shelf.get("b", 40, fails=1)
    assert a.closed
    assert shelf.cache.loaded == ["b"]


def test_a_model_that_does_not_fit_alone_is_given_up(shelf: Shelf) -> None:
    with pytest.raises(MemoryError):
        shelf.get("a", 40, fails=1)
    assert shelf.opened == ["a"]
    assert shelf.cache.loaded == []


def test_one_may_be_kept_while_the_others_go(shelf: Shelf) -> None:
    shelf.get("a", 40)
    shelf.get("b", 40)
    assert shelf.cache.keep_only("a")
    assert not shelf.cache.keep_only("a")
    assert shelf.cache.loaded == ["a"]
