from enum import Enum
from typing import Literal

import tron_core as tron


class Shape(Enum):
    WIDE = "wide"
    TALL = "tall"


class EveryField(tron.Params):
    prompt: str = tron.Prompt("What to draw")
    style: str = tron.Setting("", max_length=100, help="A style's name")
    steps: int = tron.Setting(20, ge=1, le=50, help="How many steps", group="pictures")
    guidance: float = tron.Setting(7.5, ge=0, le=30, help="How closely to follow the words")
    tiling: bool = tron.Setting(False, help="A picture that can be repeated")
    shape: Shape = tron.Setting(Shape.WIDE, help="Wide or tall")
    factor: Literal[2, 4] = tron.Setting(2, help="How much larger")
    seed: int | None = tron.Setting(None, saved=False, help="The same seed gives the same picture")
    image: tron.Attachment | None = tron.Input("The picture to begin with", accept="image/*", default=None)
    references: list[tron.Attachment] = tron.Input("Pictures to look at", accept="image/*", default=[])
