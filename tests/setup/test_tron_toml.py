"""The tron.toml of `tron init`: whatever was answered, it can be read, and says it."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from tron_core.config import Settings
from tron_core.setup.tron_toml import Answers, tron_toml


def test_for_this_machine_alone_both_ports_stay_on_loopback() -> None:
    settings = Settings.model_validate(tomllib.loads(tron_toml(Answers())))
    assert (settings.hub.host, settings.http.host, settings.hub.tls_certificate) == ("127.0.0.1", "127.0.0.1", None)
    assert settings.discord.token is None


def test_for_workers_elsewhere_both_ports_are_open_and_encrypted() -> None:
    settings = Settings.model_validate(tomllib.loads(tron_toml(Answers("2001:db8::7", hub_port=7000))))
    assert settings.hub.public_url == "wss://[2001:db8::7]:7000"
    assert settings.http.public_url == "https://[2001:db8::7]:5000"
    assert settings.hub.tls_certificate is not None


@given(text=st.text(max_size=40), name=st.from_regex(r"[a-z][a-z0-9-]{0,10}", fullmatch=True))
def test_any_text_arrives_as_it_was_given(text: str, name: str) -> None:
    answers = Answers(database=text, discord_token=text, plugin_secrets={(name, "api_key"): text, (name, "b"): "c"})
    values = tomllib.loads(tron_toml(answers))
    assert values["database"]["url"] == values["discord"]["token"] == text
    assert values["plugins"] == {name: {"api_key": text, "b": "c"}}
