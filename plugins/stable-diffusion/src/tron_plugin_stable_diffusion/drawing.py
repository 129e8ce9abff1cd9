"""One job: from the params to pictures. The same for all capabilities that draw."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tron_core.worker import ExecutionContext, ExecutorError
from tron_plugin_stable_diffusion import picture_filters, resolutions
from tron_plugin_stable_diffusion.engines import Made, PictureRequest, Preview, SchedulerConfig
from tron_plugin_stable_diffusion.params import MAX_SEED, SIDE_STEP, PictureParams
from tron_plugin_stable_diffusion.studio import Studio

if TYPE_CHECKING:
    from PIL.Image import Image

STEPS = 25
GUIDANCE = 7.0
"""Taken where neither the person nor the hub's catalogue says anything."""
HIRES_STRENGTH = 0.5
"""How much of the enlarged picture the second pass makes anew."""

_SAVING = 0.03
"""The share of the progress that is left for filters and files."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a picture begins from instead of noise: ``strength`` of it is made anew, where the ``mask`` is white."""

    image: Image
    strength: float
    mask: Image | None = None


@dataclass(frozen=True, slots=True)
class Pass:
    """One run of one model over all the pictures; ``request`` lacks what the pass before made."""

    model: str
    request: PictureRequest
    share: float
    """Of the progress; those of all passes make 1."""


@dataclass
class _Progress:
    """Tells the context about each step, and shows a preview now and then."""

    ctx: ExecutionContext
    preview_every: int
    begun: float = field(default=0.0, init=False)
    share: float = field(default=1.0, init=False)

    def span(self, begun: float, share: float) -> None:
        """What follows is ``share`` of the whole, from ``begun`` on."""
        self.begun, self.share = begun, share

    def step(self, done: int, steps: int, preview: Preview | None) -> None:
        """Called by the engine; raises Cancelled."""
        self.ctx.check_cancelled()
        fraction = (1 - _SAVING) * (self.begun + self.share * min(done / steps, 1.0))
        self.ctx.progress(fraction, f"step {done} of {steps}", step=done, steps=steps)
        if preview is not None and self.preview_every and done % self.preview_every == 0 and done < steps:
            from tron_plugin_stable_diffusion import pictures

            self.ctx.artifact("preview.jpg", "image/jpeg", pictures.preview(preview()), role="preview")
        self.ctx.check_cancelled()


def draw(
    capability: str, params: PictureParams, ctx: ExecutionContext, studio: Studio, start: Start | None = None
) -> dict[str, Any]:
    """Draw what ``params`` ask for, hand the files to ``ctx`` and return the job's output."""
    model = studio.chosen("model", params.model)
    size = resolution(params.resolution) if params.resolution else studio.engine(model, ctx).native
    first = first_request(params, size, start, deterministic=params.deterministic or studio.config.deterministic)
    passes = plan(params, model, first, studio)
    progress = _Progress(ctx, params.preview_every or studio.config.preview_every)
    begun = 0.0
    made: list[Made] = []
    for one in passes:
        made.append(_run(one, made[-1].images if made else [], studio, progress, begun))
        begun += one.share
    if start is not None and start.mask is not None:
        made[-1] = replace(made[-1], images=[_kept(image, start.image, start.mask) for image in made[-1].images])
    return _hand_over(capability, params, passes[0], made, ctx)


def resolution(text: str) -> tuple[int, int]:
    """Read ``WIDTHxHEIGHT``; raises ExecutorError (invalid)."""
    try:
        return resolutions.parse(text)
    except ValueError as error:
        raise ExecutorError(f"resolution: {text!r}: {error}", "invalid") from None


def parse_loras(text: str | None) -> tuple[tuple[str, float], ...]:
    """Read ``NAME:0.8,OTHER`` (a weight is 1 unless said); raises ExecutorError (invalid)."""
    adapters: list[tuple[str, float]] = []
    for item in filter(None, (part.strip() for part in (text or "").split(","))):
        name, _, weight = item.partition(":")
        try:
            adapters.append((name.strip(), float(weight) if weight else 1.0))
        except ValueError:
            raise ExecutorError(f"loras: {item!r}: the weight must be a number, as in NAME:0.8", "invalid") from None
    return tuple(adapters)


def seeds_of(params: PictureParams) -> tuple[int, ...]:
    """The seeds of the pictures, one after the other; a random first one where none was given."""
    first = params.seed if params.seed >= 0 else secrets.randbelow(MAX_SEED + 1)
    return tuple((first + number) % (MAX_SEED + 1) for number in range(params.count))


def first_request(
    params: PictureParams, size: tuple[int, int], start: Start | None, *, deterministic: bool
) -> PictureRequest:
    """What the first pass asks of its engine."""
    request = PictureRequest(
        prompt=params.full_prompt or params.prompt,
        negative_prompt=params.full_negative_prompt or params.negative_prompt or "",
        steps=params.steps or STEPS,
        guidance=GUIDANCE if params.guidance is None else params.guidance,
        guidance_rescale=params.guidance_rescale,
        seeds=seeds_of(params),
        width=size[0],
        height=size[1],
        scheduler=SchedulerConfig.parse(params.scheduler_config) if params.scheduler_config else None,
        loras=parse_loras(params.loras),
        deterministic=deterministic,
        checked=not params.nsfw,
    )
    if start is None:
        return request
    return replace(
        request,
        images=(_fitted(start.image, size),),
        strength=start.strength,
        mask=None if start.mask is None else _fitted(start.mask, size),
    )


def plan(params: PictureParams, model: str, first: PictureRequest, studio: Studio) -> list[Pass]:
    """The passes: the model's own, a larger one of the same model (``hires``), the refiner's."""
    requests = [(model, first)]
    if params.hires is not None and params.hires > 1:
        width, height = (SIDE_STEP * round(side * params.hires / SIDE_STEP) for side in (first.width, first.height))
        larger = replace(first, width=width, height=height, strength=HIRES_STRENGTH, mask=None)
        requests.append((model, larger))
    if params.refiner is not None:
        refiner = studio.chosen("refiner", params.refiner)
        last = requests[-1][1]
        refined = replace(last, strength=params.refiner_strength, mask=None, scheduler=None, loras=())
        requests.append((refiner, refined))
    costs = [request.strength * request.width * request.height for _, request in requests]
    return [
        Pass(name, request, cost / (sum(costs) or 1.0)) for (name, request), cost in zip(requests, costs, strict=True)
    ]


def _run(one: Pass, earlier: Sequence[Image], studio: Studio, progress: _Progress, begun: float) -> Made:
    """All the pictures of a pass, in as few batches as memory and determinism allow."""
    request = one.request
    if earlier:
        size = request.width, request.height
        request = replace(request, images=tuple(_fitted(image, size) for image in earlier))
    batches = _singles(request) if request.deterministic else [request]
    try:
        return _run_batches(one, batches, studio, progress, begun)
    except MemoryError as error:
        reason = str(error)
    # Out here the frames that hold the memory are gone.
    others = studio.cache.keep_only(one.model)
    if not others and len(batches) == len(request.seeds):
        raise _no_memory(one, reason)
    progress.ctx.progress((1 - _SAVING) * begun, "memory ran out; once more, one picture at a time")
    try:
        return _run_batches(one, _singles(request), studio, progress, begun)
    except MemoryError as error:
        reason = str(error)
    studio.cache.close_all()
    raise _no_memory(one, reason)


def _run_batches(
    one: Pass, batches: Sequence[PictureRequest], studio: Studio, progress: _Progress, begun: float
) -> Made:
    engine = studio.engine(one.model, progress.ctx, fraction=(1 - _SAVING) * begun)
    images: list[Image] = []
    flagged: list[bool] = []
    facts: dict[str, Any] = {}
    for number, batch in enumerate(batches):
        progress.ctx.check_cancelled()
        progress.span(begun + one.share * number / len(batches), one.share / len(batches))
        made = engine.generate(batch, progress.step)
        images += made.images
        flagged += made.flagged or [False] * len(made.images)
        facts.update(made.facts)
    return Made(images, facts, tuple(flagged))


def _singles(request: PictureRequest) -> list[PictureRequest]:
    several = len(request.images) > 1
    return [
        replace(request, seeds=(seed,), images=(request.images[number],) if several else request.images)
        for number, seed in enumerate(request.seeds)
    ]


def _no_memory(one: Pass, reason: str) -> ExecutorError:
    size = f"{one.request.width}x{one.request.height}"
    return ExecutorError(f"{one.model}: too little memory for a picture of {size}: {reason}", "out_of_memory")


def _fitted(image: Image, size: tuple[int, int]) -> Image:
    from PIL.Image import Resampling

    return image if image.size == size else image.resize(size, Resampling.LANCZOS)


def _kept(made: Image, start: Image, mask: Image) -> Image:
    """``made`` where the mask is white, elsewhere the picture that it began from, exactly: models change what they
    only look at, and the passes after the first know of no mask."""
    import PIL.Image

    size = made.size
    anew, where = made.convert("RGB"), _fitted(mask, size).convert("L")
    return PIL.Image.composite(anew, _fitted(start, size).convert("RGB"), where)


def _hand_over(
    capability: str, params: PictureParams, first: Pass, made: Sequence[Made], ctx: ExecutionContext
) -> dict[str, Any]:
    """Filter the pictures that the last pass made, hand them over as files, and say what they are."""
    from tron_plugin_stable_diffusion import pictures

    ctx.check_cancelled()
    images, facts = made[-1].images, made[0].facts
    hidden = _hidden(params, made)
    shown = [(image, seed) for image, seed, hide in zip(images, first.request.seeds, hidden, strict=True) if not hide]
    for number, (image, seed) in enumerate(shown, start=1):
        recipe = _recipe(capability, params, first, facts, image.size, seed)
        ctx.artifact(f"image-{number}.png", "image/png", pictures.png(image, recipe.texts()))
    if len(shown) > 1:
        sheet = pictures.png(pictures.contact_sheet([image for image, _ in shown]), {"Software": "TRON"})
        ctx.artifact("sheet.png", "image/png", sheet, role="sheet")
    ctx.progress(1.0)
    width, height = images[0].size
    output = {
        "seeds": [seed for _, seed in shown],
        "model": first.model,
        "steps": first.request.steps,
        "guidance": first.request.guidance,
        "width": width,
        "height": height,
        "filtered": sum(hidden),
        **facts,
    }
    notes = list(dict.fromkeys(note for one in made for note in one.facts.get("notes", ())))
    return {**output, "notes": notes, "note": " · ".join(notes)} if notes else output


def _hidden(params: PictureParams, made: Sequence[Made]) -> list[bool]:
    """For each picture, whether it is withheld: by a model's safety checker in any pass, or by an installed filter."""
    flagged = [any(of_one) for of_one in zip(*(one.flagged for one in made), strict=True)]
    if params.nsfw:
        return flagged
    asked = picture_filters.withheld(made[-1].images, params.model_dump(mode="json"))
    return [by_model or by_filter for by_model, by_filter in zip(flagged, asked, strict=True)]


def _recipe(
    capability: str, params: PictureParams, first: Pass, facts: Mapping[str, Any], size: tuple[int, int], seed: int
) -> Any:
    from tron_plugin_stable_diffusion.pictures import Recipe

    request = first.request
    return Recipe(
        capability=capability,
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        model=first.model,
        scheduler=str(facts.get("scheduler", "")),
        scheduler_args=request.scheduler.args if request.scheduler else {},
        steps=request.steps,
        guidance=request.guidance,
        guidance_rescale=request.guidance_rescale,
        seed=seed,
        width=size[0],
        height=size[1],
        strength=request.strength if request.images else None,
        loras=request.loras,
        hires=params.hires,
        refiner=params.refiner,
        facts={name: facts[name] for name in ("revision", "dtype", "device", "libraries") if name in facts},
    )
