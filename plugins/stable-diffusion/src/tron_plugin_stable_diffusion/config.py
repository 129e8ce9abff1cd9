"""What ``[plugins.stable-diffusion]`` of tron.toml may say."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, SecretStr, field_validator

from tron_plugin_stable_diffusion.params import NAME
from tron_plugin_stable_diffusion.word_filter import WordFilter


class HubConfig(BaseModel):
    """``[plugins.stable-diffusion]``."""

    default_model: str | None = Field(None, max_length=128, pattern=NAME)
    """Taken where nobody asks for another and a worker has it; unset, the catalogue's first that a worker has."""
    blocked_prompts: list[str] = []
    """Words, phrases and ``/regular expressions/`` that no prompt may contain."""
    adult_prompts: list[str] = []
    """The same, for prompts that only age-restricted channels may ask for."""
    adult: Literal["never", "age-restricted", "always"] = "age-restricted"
    """Where pictures are not filtered, and ``adult_prompts`` may be asked for."""
    max_repeats: int = Field(8, ge=1, le=16)
    """The most jobs of one ``generate-x`` or ``generate-random-x``."""
    catalogue_guilds: list[str] = []
    """The ids of the guilds whose administrators may change the catalogue for all; empty, those of every guild."""
    huggingface_token: SecretStr | None = None
    """For the metadata of gated models, best written ``env:HF_TOKEN`` or ``file:PATH``. Workers have their own."""
    huggingface_url: str = Field("https://huggingface.co", pattern=r"^https?://")
    """Where the metadata of models come from."""

    @field_validator("blocked_prompts", "adult_prompts")
    @classmethod
    def _usable(cls, entries: list[str]) -> list[str]:
        WordFilter(entries)
        return entries
