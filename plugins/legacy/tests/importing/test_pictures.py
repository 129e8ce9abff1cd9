"""The catalogue, the settings of pictures, the lists of guilds and the histories of the original."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from original_hub import ANN, BOB, GUILD, OriginalHub, profile
from reports import item, reason

from tron_plugin_stable_diffusion import history, legacy_import, records
from tron_plugin_stable_diffusion.catalogue import Catalogue

SDXL = "stabilityai/stable-diffusion-xl-base-1.0"


@pytest.fixture(autouse=True)
def with_pictures(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRON_PLUGINS", "img2img,legacy,stable-diffusion")


def catalogue(hub: Any) -> Catalogue:
    found: Catalogue = hub.read(records.load)
    return found


def add_model(original: OriginalHub, name: str, **changed: Any) -> None:
    owner, _, model = name.partition("/")
    row = {"model_owner": owner, "model_id": model, "model_type": "image", "approved": True, "added_by": ANN}
    original.add("transformers", row | changed)


def add_scheduler(original: OriginalHub, name: str, **changed: Any) -> None:
    row = {
        "name": name,
        "scheduler": "EulerDiscreteScheduler",
        "use_cases": json.dumps(["txt2img"]),
        "steps_range_begin": 10,
        "steps_range_end": 100,
    }
    original.add("schedulers", row | changed)


def drawn(number: int, **changed: Any) -> dict[str, Any]:
    """A row of the history; its settings are the JSON of JSON."""
    made = {"model": "me/mine", "seed": number}
    row = {"user": ANN, "message": str(number), "prompt": f"a cat {number}", "date_created": 1_700_000_000 + number}
    return row | {"config_blob": json.dumps(json.dumps(made))} | changed


def test_a_model_comes_into_the_catalogue(original: OriginalHub, hub: Any) -> None:
    add_model(original, "me/Mine", description="Mine.", recommended_negative="blurry", tags="anime")
    assert item(hub.take(original), "table", "transformers") == {"plugin": "stable-diffusion", "taken": 1, "why": []}
    model = catalogue(hub).model("me/mine")
    assert (model.name, model.approved, model.description) == ("me/Mine", True, "Mine.")
    assert (model.negative_prompt, model.positive_prompt, model.added_by) == ("blurry", None, f"discord:{ANN}")


def test_a_model_that_is_there_stays_as_it_is(original: OriginalHub, hub: Any) -> None:
    before = catalogue(hub).model(SDXL)
    add_model(original, SDXL.upper(), approved=False)
    assert item(hub.take(original), "table", "transformers")["there"] == 1
    assert catalogue(hub).model(SDXL) == before


def test_a_model_without_approval_waits_for_it(original: OriginalHub, hub: Any) -> None:
    add_model(original, "me/mine", approved=False)
    original.configure({ANN: profile(model="me/mine")})
    report = hub.take(original)
    assert item(report, "table", "transformers")["mapped"] == 1
    assert not catalogue(hub).model("me/mine").approved
    assert item(report, "setting", "model")["why"] == ["broken: me/mine waits for an approval here"]


def test_models_that_draw_nothing_or_have_no_name_are_left(original: OriginalHub, hub: Any) -> None:
    add_model(original, "me/writer", model_type="text")
    add_model(original, "me/a b")
    report = item(hub.take(original), "table", "transformers")
    assert report["why"] == [
        "a model of the kind 'text', which draws nothing",
        "broken: 'me/a b' is no name of a model",
    ]


def test_a_scheduler_comes_into_the_catalogue(original: OriginalHub, hub: Any) -> None:
    add_scheduler(original, "Best", config_blob='{"use_karras_sigmas": true}', description="Finest.")
    add_scheduler(original, "endless", use_cases=json.dumps("[ txt2img ]"), steps_range_end=500)
    report = item(hub.take(original), "table", "schedulers")
    assert (report["taken"], report["mapped"]) == (1, 1)
    found = catalogue(hub).scheduler("best")
    assert (found.class_name, found.args) == ("EulerDiscreteScheduler", {"use_karras_sigmas": True})
    assert (found.min_steps, found.max_steps, found.uses) == (10, 100, ("txt2img",))
    assert catalogue(hub).scheduler("endless").max_steps == 150


def test_schedulers_that_differ_or_are_broken_are_left(original: OriginalHub, hub: Any) -> None:
    add_scheduler(original, "fast", scheduler="DDIMScheduler")
    add_scheduler(original, "ddim", scheduler="DDIMScheduler")
    add_scheduler(original, "broken", config_blob="{")
    add_scheduler(original, "made up", scheduler="Sampler")
    report = item(hub.take(original), "table", "schedulers")
    assert (report.get("taken", 0), report["there"], report["left"]) == (0, 1, 3)
    assert report["why"][0] == "fast is UniPCMultistepScheduler here, and DDIMScheduler there"
    assert [why.partition(":")[0] for why in report["why"][1:]] == ["broken", "broken"]


def test_what_people_chose_for_pictures_is_theirs(original: OriginalHub, hub: Any) -> None:
    add_model(original, "Me/Mine")
    add_scheduler(original, "best")
    chosen = {
        "seed": "42", "steps": 33, "guidance_scaling": "7.5", "guidance_rescale": 0.5, "negative_prompt": "",
        "positive_prompt": "sharp", "resolution": {"width": 768, "height": "512"}, "scheduler": "best",
        "style": "anime", "model": "me/mine", "strength": 0.8,
    }  # fmt: skip
    original.configure({ANN: profile(**chosen), BOB: profile()})
    report = hub.take(original)
    assert hub.settings(f"discord:{ANN}") == {
        "pictures.seed": 42,
        "pictures.steps": 33,
        "pictures.guidance": 7.5,
        "pictures.guidance_rescale": 0.5,
        "pictures.negative_prompt": "none",
        "pictures.positive_prompt": "sharp",
        "pictures.resolution": "768x512",
        "pictures.scheduler": "best",
        "pictures.style": "anime",
        "pictures.model": "Me/Mine",
        "pictures.strength": 0.8,
    }
    assert hub.settings(f"discord:{BOB}") == {}
    assert item(report, "setting", "seed")["why"][0] == "kept as text in the original"
    assert item(report, "setting", "resolution")["why"][0] == "as WIDTHxHEIGHT"
    assert hub.take(original)["taken"] == 0


UNUSABLE = [
    ("seed", 2**40, "broken: seed (1099511627776): "),
    ("seed", "random", "broken: 'random' is not a number"),
    ("steps", 0, "broken: steps (0): "),
    ("guidance_scaling", 99, "broken: guidance (99"),
    ("resolution", {"width": 1000}, "broken: 'height' is missing"),
    ("resolution", {"width": 1001, "height": 1000}, "broken: resolution ('1001x1000'): "),
    ("resolution", "1024x768", "broken: '1024x768' is not an object"),
    ("scheduler", "gone", "broken: scheduler (gone): there is none; allowed: "),
    ("style", "alec-baldwin", "broken: there is no style 'alec-baldwin' here"),
    ("model", "gone/gone", "broken: model (gone/gone): it is not in the catalogue; "),
    ("hires_fix", True, "nothing here is like it"),
    ("df_x4_upscaler", True, "nothing here is like it"),
    ("negative_prompt", "x" * 3000, "broken: negative_prompt ("),
    ("strength", 1.5, "broken: strength (1.5): "),
]


def test_what_cannot_be_chosen_here_is_left(original: OriginalHub, hub: Any) -> None:
    people = {f"{111111111111111000 + number}": case for number, case in enumerate(UNUSABLE)}
    original.configure({person: profile() | {key: value} for person, (key, value, _) in people.items()})
    report = hub.take(original)
    for person, (key, _, why) in people.items():
        assert reason(report, "setting", key, person).startswith(why)
        assert hub.settings(f"discord:{person}") == {}


def test_a_guilds_list_never_becomes_wider(original: OriginalHub, hub: Any) -> None:
    original.rule(
        {
            GUILD: {"allowed_models": [SDXL, "gone/gone"]},
            "2": {"allowed_models": ["gone/gone"]},
            "3": {"allowed_models": []},
            "4": {"allowed_models": SDXL},
        }
    )
    report = item(hub.take(original), "guilds", "allowed_models")
    assert (report["mapped"], report["left"]) == (2, 2)
    assert catalogue(hub).allowed == {GUILD: {SDXL, "gone/gone"}, "2": {"gone/gone"}}
    assert not catalogue(hub).allows("2", SDXL)
    assert item(hub.take(original), "guilds", "allowed_models")["there"] == 2


def test_a_guilds_list_has_the_names_of_the_catalogue(original: OriginalHub, hub: Any) -> None:
    add_model(original, "Me/Mine")
    original.rule({GUILD: {"allowed_models": ["me/mine"]}})
    hub.take(original)
    assert catalogue(hub).allows(GUILD, "Me/Mine")


def test_what_people_had_drawn_is_in_their_history(original: OriginalHub, hub: Any) -> None:
    original.add("user_history", drawn(1), drawn(2, user=BOB), drawn(3, config_blob='"{cut', prompt="p" * 768))
    report = item(hub.take(original), "table", "user_history")
    assert (report["mapped"], report["why"]) == (3, ["counted as one picture, as the number is not kept there"])
    newest, oldest = hub.read(lambda connection: history.newest(connection, f"discord:{ANN}"))
    assert (oldest.prompt, oldest.model, oldest.seed, oldest.made_at) == ("a cat 1", "me/mine", 1, 1_700_000_001.0)
    assert (newest.model, newest.seed) == ("", -1)
    assert hub.take(original)["mapped"] == 0


def test_a_history_of_nobody_is_left(original: OriginalHub, hub: Any) -> None:
    original.add("user_history", drawn(1, user="ann"), drawn(2))
    report = item(hub.take(original), "table", "user_history")
    assert (report["mapped"], report["left"]) == (1, 1)


def test_of_a_long_history_the_newest_is_taken(
    original: OriginalHub, hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(legacy_import, "KEPT", 2)
    original.add("user_history", *(drawn(number) for number in range(5)), drawn(9, user=BOB))
    report = item(hub.take(original), "table", "user_history")
    assert (report["mapped"], report["left"]) == (3, 3)
    kept = hub.read(lambda connection: history.newest(connection, f"discord:{ANN}"))
    assert [entry.prompt for entry in kept] == ["a cat 4", "a cat 3"]
    assert hub.take(original)["mapped"] == 0


@pytest.mark.mariadb
def test_pictures_may_come_from_mariadb_into_mariadb(
    make_database: Callable[[], str], hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = OriginalHub(make_database(), tmp_path)
    add_model(original, "me/mine", approved=False)
    add_scheduler(original, "best", config_blob="{}")
    original.add("user_history", drawn(1, prompt="eine Katze 🐈"))
    original.rule({GUILD: {"allowed_models": ["me/mine"]}})
    target = make_database()
    monkeypatch.setenv("TRON_DATABASE__URL", target)
    assert hub.tron("db", "upgrade").exit_code == 0
    hub.connect(target)
    report = hub.take(original)
    assert report["failed"] == {}
    assert catalogue(hub).model("me/mine").name == "me/mine"
    [entry] = hub.read(lambda connection: history.newest(connection, f"discord:{ANN}"))
    assert entry.prompt == "eine Katze 🐈"
    again = hub.take(original)
    assert (again["taken"], again["mapped"]) == (0, 0)
    original.engine.dispose()
