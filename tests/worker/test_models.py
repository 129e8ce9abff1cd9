"""The catalogue of packages with model weights, and the command that installs one."""

import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest

from tron_core.errors import NotFound
from tron_core.plugins import EXECUTORS, Plugins
from tron_core.worker import Executor, ModelPackage, hookimpl
from tron_core.worker.models import (
    Catalogue,
    InstallFailed,
    Listed,
    install,
    install_command,
    installed_version,
    read_catalogue,
)

PENCIL = ModelPackage("pencil", "pencil-weights>=1", "Grey lines (3 MB)", "MIT")


class Drawing(Executor):
    capability = "draw"
    model_packages = (PENCIL,)

    def unavailable(self) -> str:
        return "no pencil"


def plugin(answer: Callable[[], object]) -> object:
    """What a plugin's worker half looks like to the loader."""
    return SimpleNamespace(tron_register_executors=hookimpl(answer))


def listed(plugin: str, name: str, requirement: str) -> Listed:
    return Listed(plugin, ModelPackage(name, requirement, "", "MIT"), None)


def test_packages_are_listed_even_where_the_executor_cannot_work_yet() -> None:
    plugins = Plugins(group=EXECUTORS)
    plugins.register("draw", plugin(lambda: [Drawing()]))
    assert read_catalogue(plugins) == Catalogue([Listed("draw", PENCIL, None)])


def test_a_plugin_that_raises_hides_no_other() -> None:
    def fail() -> object:
        raise OSError("no disk")

    plugins = Plugins(group=EXECUTORS)
    plugins.register("broken", plugin(fail))
    plugins.register("draw", plugin(lambda: [Drawing()]))
    catalogue = read_catalogue(plugins)
    assert [row.plugin for row in catalogue.listed] == ["draw"]
    assert "no disk" in catalogue.failed["broken"]


def test_the_installed_plugins_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRON_PLUGINS", "none-of-them")
    assert read_catalogue().listed == []


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(NotFound, match="There is no model package 'ink'; there are: pencil"):
        Catalogue([listed("draw", "pencil", "p")]).find("ink")


def test_a_name_of_two_plugins_is_asked_back() -> None:
    catalogue = Catalogue([listed("draw", "small", "p>=1"), listed("speak", "small", "q>=1")])
    with pytest.raises(NotFound, match="say draw/small or speak/small"):
        catalogue.find("small")
    assert catalogue.find("speak/small").package.requirement == "q>=1"


def test_two_plugins_may_name_the_same_package() -> None:
    catalogue = Catalogue([listed("draw", "small", "p>=1"), listed("speak", "small", "p>=1")])
    assert catalogue.find("small").plugin == "draw"


def test_a_version_that_does_not_fit_counts_as_not_installed() -> None:
    assert installed_version("pytest>=1") == version("pytest")
    assert installed_version("pytest>=99") is None
    assert installed_version("a-package-that-nobody-has") is None


def test_pip_is_asked_to_leave_dependencies_out() -> None:
    command = install_command("pencil-weights>=1", has_pip=True, uv=None)
    assert command == [sys.executable, "-m", "pip", "install", "--no-deps", "pencil-weights>=1"]


def test_uv_steps_in_where_there_is_no_pip() -> None:
    command = install_command("pencil-weights", has_pip=False, uv="/bin/uv")
    assert command == ["/bin/uv", "pip", "install", "--python", sys.executable, "--no-deps", "pencil-weights"]


def test_without_pip_and_uv_the_way_to_pip_is_named() -> None:
    with pytest.raises(InstallFailed, match="ensurepip"):
        install_command("pencil-weights", has_pip=False, uv=None)


def test_an_installer_that_fails_is_an_error_that_names_its_command(tmp_path: Path) -> None:
    with pytest.raises(InstallFailed, match=r"--no-deps .* ended with status"):
        install(ModelPackage("none", f"pencil-weights @ file://{tmp_path}/nothing.whl", "", "MIT"))


def test_a_package_is_installed_without_its_dependencies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = build_wheel(tmp_path)
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False, symlinks=True)
    python = environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr("tron_core.worker.models.importlib.util.find_spec", lambda name: None)
    install(ModelPackage("pencil", f"pencil-weights @ {wheel.as_uri()}", "", "MIT"))
    script = "from importlib.metadata import version; print(version('pencil-weights'))"
    found = subprocess.run([python, "-c", script], check=True, capture_output=True, text=True).stdout
    assert found.strip() == "1.0"


def build_wheel(folder: Path) -> Path:
    """A wheel of three files, written by hand: it asks for a package that does not exist."""
    metadata = (
        "Metadata-Version: 2.1\nName: pencil-weights\nVersion: 1.0\nRequires-Dist: a-package-that-nobody-has>=99\n"
    )
    wheel = folder / "pencil_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("pencil_weights-1.0.dist-info/METADATA", metadata)
        archive.writestr(
            "pencil_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("pencil_weights-1.0.dist-info/RECORD", "")
    return wheel
