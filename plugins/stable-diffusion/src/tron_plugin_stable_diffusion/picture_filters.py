"""Filters of pictures on the worker: any installed package may withhold a picture before it leaves the machine.

A filter is a function behind an entry point of the group ``tron.picture_filters``:

    def withhold(pictures: Sequence[PIL.Image.Image], params: Mapping[str, Any]) -> Sequence[bool]: ...

It says for each picture whether it is withheld. A filter that cannot be loaded, raises or answers anything else makes
the job fail: a picture that nobody looked at is not shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from tron_core.worker import ExecutorError

if TYPE_CHECKING:
    from PIL.Image import Image

GROUP = "tron.picture_filters"

Filter = Callable[["Sequence[Image]", Mapping[str, Any]], Sequence[bool]]


def withheld(pictures: Sequence[Image], params: Mapping[str, Any]) -> list[bool]:
    """For each picture, whether any installed filter withholds it. Raises ExecutorError where a filter fails."""
    verdicts = [False] * len(pictures)
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        answers = _ask(point, pictures, params)
        verdicts = [before or now for before, now in zip(verdicts, answers, strict=True)]
    return verdicts


def _ask(point: EntryPoint, pictures: Sequence[Image], params: Mapping[str, Any]) -> list[bool]:
    try:
        ask: Filter = point.load()
        answers = [bool(answer) for answer in ask(pictures, params)]
    except Exception as error:  # whatever a stranger's function raises
        raise ExecutorError(f"the picture filter {point.name} failed: {type(error).__name__}: {error}") from error
    if len(answers) != len(pictures):
        raise ExecutorError(f"the picture filter {point.name} gave {len(answers)} answers for {len(pictures)} pictures")
    return answers
