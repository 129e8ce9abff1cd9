"""Secrets as they are kept, and how plugins say that they want one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tron_core.config import PluginSettings
from tron_core.errors import ConfigError
from tron_core.plugins import Plugins
from tron_core.setup.secrets import Secret, file_of, keep, wanted_by

WANTS = '''
    import tron_core as tron
    from pydantic import BaseModel, ConfigDict, SecretStr

    class Config(BaseModel):
        model_config = ConfigDict(use_attribute_docstrings=True)

        key: SecretStr | None = None
        """The service's key, best written ``env:ORACLE_API_KEY``."""
        other: SecretStr | None = None
        """Nobody asks for this one."""
        plain: str = ""
        """Not a secret, even if it says ``env:PLAIN``."""

    @tron.hookimpl
    def tron_register_config():
        return Config
'''


def test_a_secret_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    assert keep(" s3cret\n", file_of("ORACLE_API_KEY"), tmp_path) == "file:secrets/oracle-api-key"
    file = tmp_path / "secrets" / "oracle-api-key"
    assert file.read_text() == "s3cret\n"
    assert (f"{file.stat().st_mode & 0o777:o}", f"{file.parent.stat().st_mode & 0o777:o}") == ("600", "700")


@pytest.mark.parametrize("reference", ["env:ORACLE_API_KEY", "file:/run/secrets/oracle"])
def test_a_reference_stays_what_it_is(tmp_path: Path, reference: str) -> None:
    assert keep(reference, file_of("ORACLE_API_KEY"), tmp_path) == reference
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["", "two\nlines", "a\0b"])
def test_what_is_no_key_is_refused_and_not_shown(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        keep(value, file_of("ORACLE_API_KEY"), tmp_path)
    assert caught.value.message == "secrets/oracle-api-key: what was given is not one line of text"


def test_a_plugin_is_asked_for_the_secret_whose_variable_it_names(shelf: Any) -> None:
    shelf.install("oracle", WANTS)
    shelf.install("silent", "")
    wanted = list(wanted_by(Plugins.load(PluginSettings())))
    meaning = "The service's key, best written ``env:ORACLE_API_KEY``."
    assert wanted == [Secret("plugins.oracle.key", "ORACLE_API_KEY", meaning)]
