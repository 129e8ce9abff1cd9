"""The worker's settings: worker.toml. What the command line gives goes before what stands here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tron_core.errors import ConfigError
from tron_core.sections import read_toml, validate

FILE = "worker.toml"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class WorkerHubSettings(_Section):
    """The hub to work for."""

    url: str | None = None
    """Its address: ``wss://hub.example.org:6789``, or ``ws://`` where it has no TLS."""
    http: str | None = None
    """The hub's REST side; unset, the same host, port 5000."""
    ca: Path | None = None
    """The CA certificate (PEM) that the hub's certificate is checked against; unset, the machine's own."""
    certificate: Path | None = None
    """This worker's own certificate (PEM), where the hub wants one of its clients."""
    key: Path | None = None
    """The key of ``certificate`` (PEM)."""
    auth: Path | None = None
    """The file that ``tron create-client-tokens --output`` wrote."""

    @model_validator(mode="after")
    def _certificate_and_key_come_together(self) -> WorkerHubSettings:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key are set together, or not at all")
        return self


class WorkerIdentity(_Section):
    """This worker."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = None
    """What the hub and its operators call it; unset, the machine's name."""
    slots: Annotated[int, Field(ge=1, le=64)] = 1
    """Jobs at a time, each in a child process of its own."""
    cancel_grace: Annotated[float, Field(ge=0, le=600)] = 10.0
    """Seconds that a cancelled job gets to stop by itself; then its process is killed."""


class WorkerSettings(_Section):
    """Every setting of a worker. Paths are absolute once ``load_worker`` returned."""

    hub: WorkerHubSettings = WorkerHubSettings()
    worker: WorkerIdentity = WorkerIdentity()
    executors: Mapping[str, Mapping[str, Any]] = {}
    """The tables ``[executors.PLUGIN]`` as they were written; each executor declares and validates its own."""


def load_worker(path: Path | None = None) -> WorkerSettings:
    """Read ``path``, or worker.toml here if there is one.

    Raises ConfigError with the key, the value and what is allowed, or where ``path`` does not exist.
    """
    file = path or Path(FILE)
    if not file.is_file():
        if path is not None:
            raise ConfigError(f"{path}: there is no such configuration file")
        return WorkerSettings()
    folder = file.absolute().parent
    values = read_toml(file)
    _make_absolute(values, folder)
    return validate(WorkerSettings, values, prefix="", source=str(file), folder=folder)


def _make_absolute(values: dict[str, Any], folder: Path) -> None:
    hub = values.get("hub")
    if isinstance(hub, dict):
        for key in ("ca", "certificate", "key", "auth"):
            if isinstance(hub.get(key), str):
                hub[key] = str(folder / hub[key])
