"""What the distributions of this repository promise to those who install them."""

import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = sorted(path.parent for path in (ROOT / "plugins").glob("*/pyproject.toml"))

HUB_LIBRARIES = {
    "alembic", "argon2", "cryptography", "discord", "fastapi", "obstore",
    "PIL", "pymysql", "sqlalchemy", "starlette", "uvicorn",
}  # fmt: skip


def pyproject(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


def published_requirements(folder: Path) -> set[str]:
    project = pyproject(folder)["project"]
    extras = project.get("optional-dependencies", {}).values()
    lines = chain(project["dependencies"], *extras)
    return {Requirement(line).name for line in lines}


@pytest.mark.parametrize("folder", [ROOT, *PLUGINS], ids=lambda path: path.name)
def test_no_published_extra_names_a_package_wanted_without_its_dependencies(folder: Path) -> None:
    bare = {entry["name"] for entry in pyproject(ROOT)["tool"]["uv"]["dependency-metadata"]}
    assert not published_requirements(folder) & bare


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_has_one_name_everywhere(folder: Path) -> None:
    project = pyproject(folder)["project"]
    name, module = folder.name, "tron_plugin_" + folder.name.replace("-", "_")
    assert project["name"] == f"tron-plugin-{name}"
    assert project["entry-points"]["tron.plugins"] == {name: module}
    assert project["entry-points"].get("tron.executors", {}) in ({}, {name: f"{module}.executor"})
    assert (folder / "src" / module / "__init__.py").is_file()
    assert "tron-core" in published_requirements(folder)


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda path: path.name)
def test_the_workspace_knows_every_plugin(folder: Path) -> None:
    root, name = pyproject(ROOT), f"tron-plugin-{folder.name}"
    module = name.replace("-", "_")
    in_group = {Requirement(line).name for line in root["dependency-groups"]["workspace"]}
    assert name in in_group
    assert name in root["tool"]["uv"]["sources"]
    assert module in root["tool"]["importlinter"]["root_packages"]
    for contract in root["tool"]["importlinter"]["contracts"][1:3]:
        assert module in contract["source_modules"] + contract["forbidden_modules"], contract["name"]


@pytest.mark.parametrize("module", ["tron_core", "tron_core.worker", "tron_core.hub.protocol", "tron_core.cli"])
def test_importing_what_a_worker_needs_loads_no_library_of_the_hub(module: str) -> None:
    script = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert not HUB_LIBRARIES & set(loaded.split())


def test_the_folder_of_migrations_does_not_shadow_the_library() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists()
    script = "import alembic.command; print(alembic.__file__)"
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT).stdout
    assert "site-packages" in found
