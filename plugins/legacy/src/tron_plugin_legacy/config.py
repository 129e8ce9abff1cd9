"""The section ``[plugins.legacy]``."""

from __future__ import annotations

from pydantic import BaseModel, Field


class LegacyConfig(BaseModel):
    """``resume_grace`` in seconds: how long a worker that lost its connection keeps its jobs. ``inputs_url``: where
    workers fetch the inputs of their jobs from; unset, the hub's REST side as it stands."""

    resume_grace: float = Field(default=120.0, ge=0, le=3600)
    inputs_url: str | None = Field(default=None, pattern=r"^https?://[^\s/]+(/\S*)?$")
