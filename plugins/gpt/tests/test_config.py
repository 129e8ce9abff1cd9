"""``[plugins.gpt]``: what it refuses, and what follows from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tron_core.plugins import Plugins
from tron_plugin_gpt.config import GPTConfig
from tron_plugin_gpt.models import KNOWN, known
from tron_plugin_gpt.plugin import GPT


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"conversation": "guild"}, "'user', 'channel' or 'thread'"),
        ({"context_tokens": 10}, "greater than or equal to 512"),
        ({"context_tokens": 1024, "reply_tokens": 1000}, "leaves 24 tokens for the request; at least 256"),
        ({"models": {"gpt-4": {"reply_tokens": 8000}}}, "gpt-4: reply_tokens = 8000 of context_tokens = 8192"),
        ({"base_url": "api.openai.com"}, "https?://"),
        ({"temperature": 3}, "less than or equal to 2"),
        ({"demo_server": True, "api_key": "sk-1"}, "leave base_url and api_key unset"),
        ({"modell": "gpt-4"}, "Extra inputs"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(section: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence.replace("?", r"\?")):
        GPTConfig(**section)


def test_the_key_is_read_from_where_it_stands_and_shown_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAT_KEY", "sk-very-secret")
    plugins = Plugins({"gpt": {"api_key": "env:CHAT_KEY"}}, folder=tmp_path)
    plugins.register("gpt", GPT())
    config = plugins.config("gpt")
    assert isinstance(config, GPTConfig)
    assert config.missing is None
    assert config.api_key is not None
    assert config.api_key.get_secret_value() == "sk-very-secret"
    assert "very-secret" not in repr(config)


@pytest.mark.parametrize(
    ("section", "is_missing"),
    [({}, True), ({"api_key": ""}, True), ({"api_key": "x"}, False), ({"base_url": "http://h/v1"}, False)],
)
def test_a_key_is_missed_where_openai_itself_is_asked(section: dict[str, Any], is_missing: bool) -> None:
    assert (GPTConfig(**section).missing is not None) == is_missing


@pytest.mark.parametrize(
    ("name", "context", "sees"),
    [
        ("gpt-4o-mini-2024-07-18", 128_000, True),
        ("gpt-4-0613", 8_192, False),
        ("gpt-4.1-nano", 1_047_576, True),
        ("gpt-4opus", 4_096, False),
        ("mistral", 4_096, False),
    ],
)
def test_the_longest_name_that_fits_says_what_is_known(name: str, context: int, sees: bool) -> None:
    assert (known(name).context, known(name).image_tokens is not None) == (context, sees)


def test_a_model_is_what_its_section_says_and_what_is_known_of_it() -> None:
    config = GPTConfig(
        context_tokens=2048, input_price=1.0, models={"llava": {"vision": True, "output_price": 2.0}, "gpt-4": {}}
    )
    assert config.names == ("gpt-4o-mini", "llava", "gpt-4")
    assert config.model_named("gpt-4o-mini").budget.context == 2048
    assert config.model_named("gpt-4").budget.context == 8_192
    llava = config.model_named("llava")
    assert llava.image_tokens == 2_000
    assert llava.cost(1_000_000, 1_000_000) == 2.0


def test_the_documentation_lists_every_model_with_its_budget() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "plugin-gpt.md").read_text(encoding="utf-8")
    for name, facts in KNOWN.items():
        pictures = "-" if facts.image_tokens is None else f"{facts.image_tokens:,}"
        assert f"| `{name}` | {facts.context:,} | {facts.context - 1024:,} | {pictures} |" in page
