"""What can be asked of a language model."""

from __future__ import annotations

import tron_core as tron
from tron_plugin_wizardlm.templates import Name

MAX_SEED = 2**32 - 2
"""llama.cpp reads the next number as "take a random one"."""

GROUP = "llm"
"""Settings of this group are one for all the commands that ask a language model."""


class TextParams(tron.Params):
    """What every command takes."""

    prompt: str = tron.Prompt("What to answer or to write", max_length=32_000)
    system: str = tron.Setting("", group=GROUP, max_length=4000, help="Who the model is and how it answers")
    temperature: float = tron.Setting(
        0.9, group=GROUP, ge=0, le=2, help="0 always takes the likeliest word, higher is bolder"
    )
    top_p: float = tron.Setting(
        0.95, group=GROUP, ge=0, le=1, help="Choose among the likeliest words that make up this share"
    )
    top_k: int = tron.Setting(
        40, group=GROUP, ge=0, le=1000, help="Choose among so many of the likeliest words; 0 for all"
    )
    repeat_penalty: float = tron.Setting(
        1.1, group=GROUP, ge=0.5, le=2, help="Above 1 makes words that occurred less likely"
    )
    max_tokens: int = tron.Setting(
        1024, group=GROUP, ge=1, le=4096, help="Longest answer; a token is about 3/4 of a word"
    )
    stop: str = tron.Setting("", group=GROUP, max_length=100, help="The answer ends before this text")
    seed: int | None = tron.Setting(None, ge=0, le=MAX_SEED, saved=False, help="The same seed gives the same text")
    model: str | None = tron.Setting(None, max_length=100, help="Which model; the worker's first one unless said")


class LLMParams(TextParams):
    """The params of ``llm``."""

    template: Name | None = tron.Setting(
        None, help="How the model reads a conversation, where neither its file nor the worker's settings are to say"
    )
