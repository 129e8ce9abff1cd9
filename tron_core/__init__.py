"""The public API for plugin authors: what is not here is private. Worker halves import ``tron_core.worker``."""

from tron_core.api import (
    App,
    Candidate,
    Frontend,
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
)
from tron_core.errors import Refused, TronError
from tron_core.hooks import hookimpl, hookspec
from tron_core.job import (
    Artifact,
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

__version__ = "0.1.0"

__all__ = [
    "Action",
    "App",
    "Artifact",
    "Asker",
    "Attachment",
    "Candidate",
    "Capability",
    "Command",
    "Demo",
    "Frontend",
    "Input",
    "Job",
    "JobEvent",
    "JobRequest",
    "JobState",
    "Message",
    "Params",
    "Priority",
    "Progress",
    "Prompt",
    "Refused",
    "Reply",
    "Requirements",
    "Result",
    "Role",
    "Setting",
    "SettingSpec",
    "Target",
    "TronError",
    "UndeliverableError",
    "WorkerProtocol",
    "__version__",
    "hookimpl",
    "hookspec",
]
