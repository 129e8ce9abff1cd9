"""The documentation's samples, installed as their readers would."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).resolve().parents[2] / "docs" / "samples"


@pytest.fixture(scope="session")
def installed_echo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the sample plugin ``echo`` was installed: a process sees the plugin with it on PYTHONPATH.

    The repository's own environment stays without it.
    """
    target = tmp_path_factory.mktemp("echo")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    sample = str(SAMPLES / "tron-plugin-echo")
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--target", str(target), sample], check=True)
    return target


@pytest.fixture
def echo_environment(installed_echo: Path) -> dict[str, str]:
    """The environment of a process that has the sample plugin."""
    return {**os.environ, "PYTHONPATH": str(installed_echo)}
