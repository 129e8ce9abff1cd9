"""What a worker lacks for a job."""

from __future__ import annotations

import pytest

from tron_core.capability import Requirements
from tron_core.scheduling.roster import Worker
from tron_core.sessions import Offer


@pytest.mark.parametrize(
    ("announced", "lacks"),
    [
        ({}, None),
        ({"style": ("oil", "ink")}, None),
        ({"style": ("ink",)}, "style missing: oil"),
        ({"style": ()}, "style missing: oil"),
    ],
)
def test_who_announced_nothing_for_a_field_is_compatible(
    announced: dict[str, tuple[str, ...]], lacks: str | None
) -> None:
    worker = Worker("box", "client", offers={"paint": Offer(choices=announced)})
    assert worker.lacks("paint", Requirements(compatible=(("style", "oil"),))) == lacks
