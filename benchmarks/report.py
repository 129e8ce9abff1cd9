"""One line of JSON for each figure."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence


def report(bench: str, values: Sequence[float], floors: Sequence[float], unit: str, **more: object) -> None:
    """Print the medians, their ratio, and how far single rounds were from it.

    ``ratio`` is value by floor, whatever the unit: for rates more is better, for times less.
    """
    ratios = sorted(value / floor for value, floor in zip(values, floors, strict=True))
    line = {
        "bench": bench,
        "value": _round(statistics.median(values)),
        "floor": _round(statistics.median(floors)),
        "ratio": _round(statistics.median(values) / statistics.median(floors)),
        "unit": unit,
        "ratio_min": _round(ratios[0]),
        "ratio_max": _round(ratios[-1]),
        **more,
    }
    print(json.dumps(line, ensure_ascii=False), flush=True)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of ``values`` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _round(value: float) -> float:
    return float(f"{value:.4g}")
