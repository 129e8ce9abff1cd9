"""Models, schedulers, settings and histories of a discord-tron-master, for ``tron import-upstream`` of the plugin
``legacy``."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select

from tron_plugin_stable_diffusion import records
from tron_plugin_stable_diffusion import tables as own
from tron_plugin_stable_diffusion.catalogue import Catalogue, Model, Scheduler
from tron_plugin_stable_diffusion.commands.schedulers import new_scheduler
from tron_plugin_stable_diffusion.deriving import NONE
from tron_plugin_stable_diffusion.history import KEPT, Drawn
from tron_plugin_stable_diffusion.params import GROUP, MAX_SEED, NAME
from tron_plugin_stable_diffusion.styles import STYLES

if TYPE_CHECKING:
    from tron_plugin_legacy.api import Choice, GuildValue, Row, Taking

MARK = "up"
"""Begins what stands for the job of an imported entry; ids of jobs begin with a digit."""
MAX_NAME = 128
MAX_STEPS = 150

WITHOUT_COUNTERPART = (
    "resize", "hires_fix", "latent_refiner", "refiner_guidance", "refiner_guidance_rescale", "refiner_strength",
    "refiner_steps", "refiner_prompt_weighting", "aesthetic_score", "negative_aesthetic_score", "first_inference_step",
    "max_inference_steps", "tile_negative", "tile_positive", "tile_strength", "df_guidance_scale_1",
    "df_guidance_scale_2", "df_guidance_scale_3", "df_x4_upscaler", "df_latent_refiner", "df_esrgan_upscaler",
    "df_controlnet_upscaler", "df_controlnet_strength", "df_stage3_strength", "enable_deepcache",
    "deepcache_branch_id", "deepcache_interval", "enable_teacache", "teacache_distance", "enable_sageattn",
    "auto_model", "model_adapter_1", "flux_adapter_1", "flux_guidance_scale", "skip_guidance_layers",
)  # fmt: skip
"""Settings of pictures that were the worker's business there, and have no equal here."""

WAITS = "not approved; there it could be used all the same, here `tron image-models approve` comes first"
NO_COUNTERPART = "nothing here is like it"
ONE_PICTURE = "counted as one picture, as the number is not kept there"


class PictureImport:
    """The catalogue first, as settings and rules name what is in it."""

    tables = ("transformers", "schedulers", "user_history")
    settings = (
        "seed", "steps", "guidance_scaling", "guidance_rescale", "negative_prompt", "positive_prompt", "resolution",
        "scheduler", "style", "model", *WITHOUT_COUNTERPART,
    )  # fmt: skip
    guild_values = ("allowed_models",)

    def take(self, taking: Taking) -> None:
        """All of it."""
        _take_models(taking)
        _take_schedulers(taking.connection, taking.rows("schedulers"))
        catalogue = records.load(taking.connection)
        _take_settings(taking, catalogue)
        for value in taking.guild_values("allowed_models"):
            with value:
                _allow(taking.connection, catalogue, value)
        _take_history(taking)


def _take_models(taking: Taking) -> None:
    known = {name.casefold() for name in records.load(taking.connection).models}
    for row in taking.rows("transformers"):
        with row:
            name, kind = f"{row['model_owner']}/{row['model_id']}", str(row["model_type"])
            if kind.casefold() not in ("image", "diffusion"):
                row.left(f"a model of the kind {kind[:16]!r}, which draws nothing")
            elif not re.fullmatch(NAME, name) or len(name) > MAX_NAME:
                raise ValueError(f"{name!r} is no name of a model")
            elif name.casefold() in known:
                row.there()
            else:
                records.add_model(taking.connection, _model(name, row, taking.now))
                row.taken("" if row["approved"] else WAITS)


def _model(name: str, row: Row, now: float) -> Model:
    added_by = str(row["added_by"])
    return Model(
        name,
        description=row["description"] or "",
        kind="refiner" if "refiner" in name.casefold() else "base",
        approved=bool(row["approved"]),
        added_by=f"discord:{added_by}" if added_by.isdecimal() else added_by[:96],
        added_at=now,
        positive_prompt=row["recommended_positive"] or None,
        negative_prompt=row["recommended_negative"] or None,
    )


def _take_schedulers(connection: Connection, rows: Iterable[Row]) -> None:
    known = records.load(connection).schedulers
    for row in rows:
        with row:
            given = _scheduler(row)
            there = known.get(given.name)
            if there is None:
                records.add_scheduler(connection, given)
                same = (row["steps_range_begin"], row["steps_range_end"]) == (given.min_steps, given.max_steps)
                row.taken("" if same else f"for 1 to {MAX_STEPS} steps at most")
            elif there.class_name == given.class_name:
                row.there()
            else:
                row.left(f"{given.name} is {there.class_name} here, and {given.class_name} there")


def _scheduler(row: Row) -> Scheduler:
    """Raises ValueError and InvalidParams for what is none."""
    least = max(1, row["steps_range_begin"] or 1)
    most = min(MAX_STEPS, row["steps_range_end"] or MAX_STEPS)
    args = json.loads(row["config_blob"]) if row["config_blob"] else {}
    if not isinstance(args, dict):
        raise ValueError("config_blob is no object")
    found = new_scheduler(
        name=str(row["name"]).casefold(),
        class_name=row["scheduler"],
        args=args,
        description=row["description"] or "",
        steps=(least, most),
    )
    return Scheduler(
        found.name, found.class_name, found.args, found.description, found.min_steps, found.max_steps, _uses(row)
    )


def _uses(row: Row) -> Sequence[str]:
    """What it is good for: JSON, or the JSON of JSON; nothing where it is neither."""
    found: Any = row["use_cases"]
    for _ in range(2):
        try:
            found = json.loads(found) if isinstance(found, str) else found
        except ValueError:
            return ()
    return tuple(str(each)[:32] for each in found[:20]) if isinstance(found, list) else ()


def _take_settings(taking: Taking, catalogue: Catalogue) -> None:
    for key, read in _READ.items():
        for choice in taking.choices(key):
            with choice:
                _save(choice, key, read(choice.value, catalogue))
    for key in WITHOUT_COUNTERPART:
        for choice in taking.choices(key):
            with choice:
                choice.left(NO_COUNTERPART)


def _save(choice: Choice, key: str, value: Any) -> None:
    how = "" if value == choice.value else _HOW[key]
    choice.save(f"{GROUP}.{_NAMES.get(key, key)}", value, how)


def _as_it_is(value: Any, catalogue: Catalogue) -> Any:
    return value


def _words(value: str, catalogue: Catalogue) -> str:
    """An empty text meant that there is none, not even the model's own."""
    return value if value.strip() else NONE


def _resolution(value: Mapping[str, Any], catalogue: Catalogue) -> str:
    width, height = (int(value[side]) for side in ("width", "height"))
    return f"{width}x{height}"


def _scheduler_name(value: str, catalogue: Catalogue) -> str:
    return catalogue.scheduler(value).name


def _style(value: str, catalogue: Catalogue) -> str:
    if value not in STYLES:
        raise ValueError(f"there is no style {value!r} here")
    return value


def _model_name(value: str, catalogue: Catalogue) -> str:
    model = catalogue.model(value)
    if not model.approved:
        raise ValueError(f"{model.name} waits for an approval here")
    return model.name


_READ: Mapping[str, Callable[[Any, Catalogue], Any]] = {
    "seed": _as_it_is,
    "steps": _as_it_is,
    "guidance_scaling": _as_it_is,
    "guidance_rescale": _as_it_is,
    "negative_prompt": _words,
    "positive_prompt": _words,
    "resolution": _resolution,
    "scheduler": _scheduler_name,
    "style": _style,
    "model": _model_name,
}
_NAMES = {"guidance_scaling": "guidance"}
_HOW = {
    "negative_prompt": f"empty there, {NONE} here",
    "positive_prompt": f"empty there, {NONE} here",
    "resolution": "as WIDTHxHEIGHT",
    "scheduler": "in the capitals of the catalogue",
    "model": "in the capitals of the catalogue",
}


def _allow(connection: Connection, catalogue: Catalogue, value: GuildValue) -> None:
    """A guild's list. What the catalogue does not have stays on it: without, the guild might use everything."""
    if not isinstance(value.value, list) or not all(isinstance(each, str) for each in value.value):
        raise ValueError(f"{value.value!r} is no list of models")
    if not re.fullmatch(r"\d{1,20}", value.guild, re.ASCII):
        raise ValueError(f"{value.guild!r} is no id of a guild")
    known = {each: catalogue.find(each) for each in value.value if re.fullmatch(NAME, each) and len(each) <= MAX_NAME}
    names = dict.fromkeys(each if model is None else model.name for each, model in known.items())
    new = [name for name in names if name not in catalogue.allowed.get(value.guild, frozenset())]
    for name in new:
        records.allow_model(connection, value.guild, name, allowed=True)
    unknown = sum(model is None for model in known.values()) + len(value.value) - len(known)
    if not value.value:
        value.left("empty: every model that is approved may be used, as there")
    elif new:
        value.taken("" if not unknown else "with names that the catalogue does not have")
    else:
        value.there()


def _take_history(taking: Taking) -> None:
    """The newest of each person, as many as are kept here."""
    to_skip = Counter(str(row["user"]) for row in taking.rows("user_history"))
    to_skip.subtract(dict.fromkeys(to_skip, KEPT))
    imported = select(own.history.c.job).where(own.history.c.job.like(MARK + "%"))
    known = set(taking.connection.scalars(imported))
    adding = insert(own.history)  # one for all: a hub may have a hundred thousand rows
    for row in taking.rows("user_history"):
        with row:
            person = str(row["user"])
            to_skip[person] -= 1
            drawn = _drawn(person, row)
            if to_skip[person] >= 0:
                row.left(f"older than the {KEPT} newest of a person, which are kept here")
            elif drawn.job in known:
                row.there()
            else:
                taking.connection.execute(adding, asdict(drawn))
                known.add(drawn.job)
                row.taken(ONE_PICTURE)


def _drawn(person: str, row: Row) -> Drawn:
    """The entry, with the same id each time; raises ValueError for nobody's."""
    if not re.fullmatch(r"\d{1,20}", person, re.ASCII):
        raise ValueError("the user is no id of a person")
    told = json.dumps([person, row["message"], row["date_created"], row["prompt"]]).encode()
    profile = _profile(row["config_blob"])
    return Drawn(
        job=MARK + hashlib.sha256(told).hexdigest()[:24],
        requester=f"discord:{person}",
        made_at=float(row["date_created"]),
        prompt=row["prompt"],
        model=str(profile.get("model") or "")[:MAX_NAME],
        pictures=1,
        seed=_seed(profile.get("seed")),
    )


def _profile(stored: Any) -> Mapping[str, Any]:
    """The settings with which it was drawn: the JSON of JSON; none where that cannot be read."""
    found = stored
    for _ in range(2):
        try:
            found = json.loads(found) if isinstance(found, str) else found
        except ValueError:
            return {}
    return found if isinstance(found, dict) else {}


def _seed(value: Any) -> int:
    """The seed if it was one; -1 where it was drawn by the worker, which is not kept."""
    known = isinstance(value, str) and value.isdecimal() and len(value) <= 10
    number = int(value) if known or (isinstance(value, int) and not isinstance(value, bool)) else -1
    return number if 0 <= number <= MAX_SEED else -1
