"""What belongs to drawing besides drawing: capabilities that the hub does at once."""

from __future__ import annotations

from tron_plugin_stable_diffusion.commands.base import HubCommand
from tron_plugin_stable_diffusion.commands.choosing import (
    ChooseModel,
    ChooseResolution,
    ChooseScheduler,
    ChooseSeed,
    ChooseStyle,
    ListStyles,
)
from tron_plugin_stable_diffusion.commands.copying import CopySeed, CopySettings
from tron_plugin_stable_diffusion.commands.keeping import Keep
from tron_plugin_stable_diffusion.commands.looking_back import Random, Search
from tron_plugin_stable_diffusion.commands.models import (
    AddModel,
    AllowModel,
    ApproveModel,
    DefaultsOfModel,
    DeleteModel,
    DescribeModel,
    ListModels,
    ShowModel,
)
from tron_plugin_stable_diffusion.commands.repeating import Repeat, RepeatRandom
from tron_plugin_stable_diffusion.commands.schedulers import (
    AddScheduler,
    DeleteScheduler,
    DescribeScheduler,
    ListSchedulers,
    UseScheduler,
)

COMMANDS: tuple[type[HubCommand], ...] = (
    Repeat,
    RepeatRandom,
    ChooseStyle,
    ListStyles,
    ChooseResolution,
    ChooseSeed,
    ChooseModel,
    ListModels,
    ShowModel,
    AddModel,
    ApproveModel,
    DeleteModel,
    DescribeModel,
    AllowModel,
    DefaultsOfModel,
    ChooseScheduler,
    ListSchedulers,
    AddScheduler,
    DeleteScheduler,
    DescribeScheduler,
    UseScheduler,
    CopySettings,
    CopySeed,
    Keep,
    Search,
    Random,
)
