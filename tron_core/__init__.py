"""The public API for plugin authors: what is not here is private. Worker halves import ``tron_core.worker``."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tron_core.adoption import Adoption
    from tron_core.api import (
        App,
        Candidate,
        Frontend,
        Grant,
        Message,
        SettingSpec,
        UndeliverableError,
        WorkerProtocol,
    )
    from tron_core.capability import (
        Action,
        Asker,
        Attachment,
        Capability,
        Command,
        Demo,
        Input,
        Params,
        Prompt,
        Reply,
        Requirements,
        Setting,
        VoiceMessage,
    )
    from tron_core.errors import InvalidParams, Refused, TronError, Unauthorized
    from tron_core.hooks import hookimpl, hookspec
    from tron_core.job import (
        Artifact,
        ErrorKind,
        Job,
        JobEvent,
        JobRequest,
        JobState,
        Priority,
        Progress,
        Result,
        Role,
        Target,
    )
    from tron_core.kits import Kit, KitContents
    from tron_core.offline_hub import OfflineHub, open_offline_hub
    from tron_core.sessions import Assignment, InputFile, Offer, SessionListener, WorkerHello, WorkerSession

__version__ = "0.1.0"

__all__ = [
    "Action",
    "Adoption",
    "App",
    "Artifact",
    "Asker",
    "Assignment",
    "Attachment",
    "Candidate",
    "Capability",
    "Command",
    "Demo",
    "ErrorKind",
    "Frontend",
    "Grant",
    "Input",
    "InputFile",
    "InvalidParams",
    "Job",
    "JobEvent",
    "JobRequest",
    "JobState",
    "Kit",
    "KitContents",
    "Message",
    "Offer",
    "OfflineHub",
    "Params",
    "Priority",
    "Progress",
    "Prompt",
    "Refused",
    "Reply",
    "Requirements",
    "Result",
    "Role",
    "SessionListener",
    "Setting",
    "SettingSpec",
    "Target",
    "TronError",
    "Unauthorized",
    "UndeliverableError",
    "VoiceMessage",
    "WorkerHello",
    "WorkerProtocol",
    "WorkerSession",
    "__version__",
    "hookimpl",
    "hookspec",
    "open_offline_hub",
]

_MODULES = ("errors", "hooks", "job", "capability", "sessions", "kits", "api", "adoption", "offline_hub")
"""Where the names above are defined, the light ones first."""


def __getattr__(name: str) -> Any:
    # Imported when asked for, so that `tron --help` does without pydantic.
    if name in __all__:
        for module in _MODULES:
            found = vars(importlib.import_module(f"{__name__}.{module}"))
            if name in found:
                return found[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
