"""The section ``[plugins.legacy]``."""

from __future__ import annotations

from pydantic import BaseModel, Field


class LegacyConfig(BaseModel):
    """``resume_grace`` in seconds: how long a worker that lost its connection keeps its jobs."""

    resume_grace: float = Field(default=120.0, ge=0, le=3600)
