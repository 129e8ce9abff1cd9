"""The documentation's samples, installed as their readers would."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
SAMPLE = "docs/samples/tron-plugin-echo"


@pytest.fixture(scope="session")
def written_echo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a reader who has written the files that the tutorial shows, and no other."""
    folder = tmp_path_factory.mktemp("written") / "tron-plugin-echo"
    for shown in re.findall(rf'--8<-- "{SAMPLE}/(.*)"', (DOCS / "tutorial" / "first-plugin.md").read_text("utf-8")):
        (folder / shown).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(DOCS.parent / SAMPLE / shown, folder / shown)
    return folder


@pytest.fixture(scope="session")
def installed_echo(written_echo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the sample plugin ``echo`` was installed: a process sees the plugin with it on PYTHONPATH.

    The repository's own environment stays without it.
    """
    target = tmp_path_factory.mktemp("echo")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--target", str(target), str(written_echo)], check=True)
    return target


@pytest.fixture
def echo_environment(installed_echo: Path) -> dict[str, str]:
    """The environment of a process that has the sample plugin."""
    return {**os.environ, "PYTHONPATH": str(installed_echo)}
