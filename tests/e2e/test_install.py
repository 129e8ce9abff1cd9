"""A plugin that comes to a hub already in use, from its wheel, and goes again."""

from __future__ import annotations

import subprocess
import sys
import venv
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from programs import Site, Sites

SAMPLE = Path(__file__).resolve().parents[2] / "docs" / "samples" / "tron-plugin-echo"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
OFFLINE = ["--quiet", "--no-index", "--no-deps"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the sample plugin ``echo``."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ["wheel", *OFFLINE, "--no-build-isolation", "--wheel-dir", str(folder), str(SAMPLE)]
    subprocess.run([*PIP, *build], check=True)
    (built,) = folder.glob("*.whl")
    return built


class Environment:
    """A virtual environment that has everything of ours, and into which pip installs more."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = str(folder / "bin" / "python")
        (packages,) = folder.glob("lib/python*/site-packages")
        ours = next(path for path in sys.path if path.endswith("site-packages"))
        (packages / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")

    def pip(self, *arguments: str) -> None:
        subprocess.run([*PIP, "--python", self.python, *arguments], check=True)


def capabilities(site: Site) -> set[str]:
    return {each["name"] for each in site.api.call("GET", "/capabilities")["items"]}


def listed(site: Site) -> list[dict[str, Any]]:
    """The jobs as people see them, newest first."""
    items: list[dict[str, Any]] = site.api.call("GET", "/jobs")["items"]
    return items


def upgrade(site: Site) -> str:
    """``tron db upgrade``; what it says."""
    command = site.tron("--config", "tron.toml", "db", "upgrade", log="upgrade")
    assert command.wait() == 0, command.words()
    return command.words()


@pytest.mark.slow
def test_a_plugin_comes_to_a_hub_in_use_and_goes_again(make_site: Sites, tmp_path: Path, wheel: Path) -> None:
    environment = Environment(tmp_path / "venv")
    others = [point.name for point in entry_points(group="tron.plugins")]
    site = make_site(start=False, plugins={"disabled": others})
    site.python = environment.python
    del site.environment["TRON_PLUGINS"]
    site.worker_environment["TRON_PLUGINS"] = "work,echo"

    site.start_hub()
    worker = site.start_worker("w1")
    before = site.api.reached(site.api.submit(label="before"), "succeeded")
    assert capabilities(site) == {"work"}
    worker.clear()
    assert site.stop_hub() == 0

    environment.pip("install", *OFFLINE, str(wheel))
    assert "core: up to date already" in upgrade(site)
    site.start_hub()
    assert capabilities(site) == {"work", "echo"}
    assert listed(site) == [before]
    site.start_worker("w2")
    said = site.api.reached(site.api.submit("echo", text="hello", times=2), "succeeded")
    assert said["reply"]["text"] == "hello hello"
    assert site.stop_hub() == 0

    environment.pip("uninstall", "--quiet", "--yes", "tron-plugin-echo")
    upgrade(site)
    site.start_hub()
    assert capabilities(site) == {"work"}
    assert listed(site) == [said, before]
    refused = site.api.refused("POST", "/jobs", json={"capability": "echo", "params": {"text": "x"}})
    assert (refused["status"], refused["code"]) == (404, "unknown_capability")
    site.api.reached(site.api.submit(label="after"), "succeeded")
