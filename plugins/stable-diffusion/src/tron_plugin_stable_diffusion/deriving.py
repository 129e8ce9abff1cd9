"""From what was asked for to what a worker is told: the model and its defaults, the whole prompts, the seed. Pure.

``derive`` overwrites the derived fields whatever they were, and leaves what it filled in as it is: what was derived
once, an "again" of the same job, becomes the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tron_core as tron
from tron_plugin_stable_diffusion import resolutions
from tron_plugin_stable_diffusion.catalogue import Catalogue, Model, Scheduler
from tron_plugin_stable_diffusion.params import MAX_SEED
from tron_plugin_stable_diffusion.styles import BASE, STYLES, Style, joined

NONE = "none"
"""As a negative or positive prompt: nothing, not even the model's own."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a request comes from. ``announced`` are the models that connected workers have, ``default_model`` the one
    that the operator prefers; ``draw_seed`` gives a number from 0 up to, not including, its argument."""

    catalogue: Catalogue
    draw_seed: Callable[[int], int]
    guild: str | None = None
    announced: Sequence[str] = field(default=())
    default_model: str | None = None
    nsfw: bool = False


def derive(values: Mapping[str, Any], where: Situation) -> dict[str, Any]:
    """Complete the params of a request.

    Raises tron.InvalidParams, which names the field, its value and what is allowed, and tron.Refused for a model that
    is not to be used.
    """
    name, model = choose_model(values.get("model"), where)
    scheduler = _scheduler(values, model, where.catalogue)
    prompt, negative = _prompts(values, model)
    return {
        **values,
        "model": name,
        "steps": _steps(values.get("steps"), model, scheduler),
        "guidance": _first(values.get("guidance"), model.guidance),
        "resolution": _resolution(values.get("resolution"), model),
        "seed": _seed(values, where.draw_seed),
        "scheduler": scheduler and scheduler.name,
        "refiner": _refiner(values.get("refiner"), where),
        "full_prompt": prompt,
        "full_negative_prompt": negative,
        "scheduler_config": scheduler and json.dumps(scheduler.config, sort_keys=True),
        "nsfw": where.nsfw,
    }


def choose_model(asked: str | None, where: Situation) -> tuple[str | None, Model]:
    """The name of the model that draws, and what is known of it; no name where any worker's first one will do."""
    name = asked or _default(where)
    if name is None:
        return None, Model("")
    model = where.catalogue.find(name)
    if model is None:
        return _uncatalogued(name, where)
    if model.kind != "base":
        raise _wrong("model", name, "it only refines what another model drew (--refiner)", _offered(where))
    _check_allowed(model, where)
    return model.name, model


def _default(where: Situation) -> str | None:
    """The operator's choice, else the catalogue's first, of those that a worker has; else whatever a worker has."""
    here = set(where.announced)
    offered = [model.name for model in where.catalogue.offered(where.guild)]
    wanted = [where.default_model] if where.default_model else []
    for name in (*wanted, *offered):
        if name in here:
            return name
    unknown = [name for name in where.announced if where.catalogue.find(name) is None]
    return next((name for name in unknown if where.catalogue.allows(where.guild, name)), None)


def _uncatalogued(name: str, where: Situation) -> tuple[str, Model]:
    """A model of a worker's own, which its operator gave a name; raises InvalidParams where nobody has it."""
    if name not in where.announced:
        raise _wrong("model", name, "there is no such model", _offered(where))
    model = Model(name, approved=True)
    _check_allowed(model, where)
    return name, model


def _check_allowed(model: Model, where: Situation) -> None:
    if not model.approved:
        raise tron.Refused(
            f"model ({model.name}): it waits for an administrator's approval.", code="model_not_approved"
        )
    if not where.catalogue.allows(where.guild, model.name):
        raise tron.Refused(
            f"model ({model.name}): not on this server; allowed: {_offered(where)}.", code="model_not_allowed"
        )


def _offered(where: Situation) -> str:
    """The models that may be asked for, those that a worker has now before the others."""
    own = [name for name in where.announced if where.catalogue.find(name) is None]
    names = [*(model.name for model in where.catalogue.offered(where.guild)), *own]
    here = [name for name in names if name in where.announced]
    away = [f"{name} (no worker has it now)" for name in names if name not in where.announced]
    return ", ".join([*here, *away]) or "none"


def _refiner(asked: str | None, where: Situation) -> str | None:
    if not asked:
        return None
    model = where.catalogue.find(asked)
    if model is None:
        return _uncatalogued(asked, where)[0]
    _check_allowed(model, where)
    return model.name


def _steps(asked: int | None, model: Model, scheduler: Scheduler | None) -> int | None:
    ranges = [(model.name, model.min_steps, model.max_steps)]
    if scheduler is not None:
        ranges.append((f"the scheduler {scheduler.name}", scheduler.min_steps, scheduler.max_steps))
    steps: int | None = _first(asked, model.steps)
    for name, least, most in ranges:
        low, high = least or 1, most or 150
        if steps is not None and not low <= steps <= high:
            if asked is not None:
                raise _wrong("steps", asked, f"{name} does not take so many or few", f"{low} to {high}")
            steps = min(max(steps, low), high)
    return steps


def _resolution(asked: str | None, model: Model) -> str | None:
    text = asked or model.resolution
    if text is None:
        return None
    try:
        width, height = resolutions.parse(text)
    except ValueError as error:
        raise _wrong("resolution", text, str(error), resolutions.ALLOWED) from None
    return f"{width}x{height}"


def _scheduler(values: Mapping[str, Any], model: Model, catalogue: Catalogue) -> Scheduler | None:
    asked = values.get("scheduler")
    if not asked:
        return catalogue.schedulers.get(model.scheduler or "")
    found = catalogue.schedulers.get(str(asked).casefold())
    if found is None:
        raise _wrong("scheduler", asked, "there is none of that name", ", ".join(catalogue.schedulers))
    return found


def style_named(name: str | None) -> Style:
    """A style; raises InvalidParams for a name that none has."""
    found = STYLES.get((name or BASE).casefold())
    if found is None:
        raise _wrong("style", name, "there is none of that name", ", ".join(STYLES))
    return found


def _prompts(values: Mapping[str, Any], model: Model) -> tuple[str, str]:
    positive = _words(values.get("positive_prompt"), model.positive_prompt)
    negative = _words(values.get("negative_prompt"), model.negative_prompt)
    return style_named(values.get("style")).apply(joined(values.get("prompt"), positive), negative)


def _words(asked: str | None, otherwise: str | None) -> str:
    if asked is None:
        return otherwise or ""
    return "" if asked.strip().casefold() == NONE else asked


def _seed(values: Mapping[str, Any], draw: Callable[[int], int]) -> int:
    seed = values.get("seed", -1)
    if isinstance(seed, int) and seed >= 0:
        return seed
    # The last picture's seed is in range, too.
    return draw(MAX_SEED + 2 - int(values.get("count", 1)))


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _wrong(name: str, value: Any, message: str, allowed: str) -> tron.InvalidParams:
    problem = {"field": name, "value": value, "message": message, "allowed": allowed}
    return tron.InvalidParams(f"{name} ({value}): {message}; allowed: {allowed}", details={"errors": [problem]})
