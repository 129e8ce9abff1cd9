"""``tron models list`` and ``tron models install``."""

import json

import pytest
import typer
from typer.testing import CliRunner

from tron_core.cli import models as command
from tron_core.worker import ModelPackage, models
from tron_core.worker.models import Catalogue, InstallFailed, Listed

PENCIL = Listed("draw", ModelPackage("pencil", "pencil-weights>=1", "Grey [3 MB] lines", "MIT"), None)
INK = Listed("draw", ModelPackage("ink", "ink-weights>=1", "Black lines", "CC0"), "1.2")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked to be installed; the catalogue has a package that is there and one that is not."""
    asked: list[str] = []
    catalogue = Catalogue([PENCIL, INK], {"broken": "OSError: no disk"})
    monkeypatch.setattr(models, "read_catalogue", lambda: catalogue)
    monkeypatch.setattr(models, "install", lambda package: asked.append(package.requirement))
    return asked


def run(*arguments: str) -> tuple[int, str, str]:
    cli = typer.Typer()
    command.register(cli)
    result = CliRunner().invoke(cli, ["models", *arguments], catch_exceptions=False)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.usefixtures("installed")
def test_the_list_shows_each_package_and_whether_it_is_there() -> None:
    status, out, err = run("list")
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert status == 0
    assert " no " in rows["pencil"]
    assert "Grey [3 MB] lines" in rows["pencil"]
    assert " 1.2 " in rows["ink"]
    assert "broken" in err
    assert "no disk" in err


@pytest.mark.usefixtures("installed")
def test_the_list_as_json_is_an_array_of_objects() -> None:
    _, out, _ = run("list", "--json")
    pencil, ink = json.loads(out)
    assert pencil["installed"] is None
    assert ink == {
        "name": "ink",
        "plugin": "draw",
        "installed": "1.2",
        "requirement": "ink-weights>=1",
        "licence": "CC0",
        "description": "Black lines",
    }


def test_a_package_is_installed_by_its_name(installed: list[str]) -> None:
    status, out, _ = run("install", "pencil")
    assert (status, installed) == (0, ["pencil-weights>=1"])
    assert "restart the worker" in out


def test_a_package_that_is_there_is_left_alone(installed: list[str]) -> None:
    status, out, _ = run("install", "ink")
    assert (status, installed) == (0, [])
    assert "there already" in out


def test_one_unknown_name_installs_nothing(installed: list[str]) -> None:
    status, _, err = run("install", "pencil", "chalk")
    assert (status, installed) == (1, [])
    assert "There is no model package 'chalk'; there are: pencil, ink" in err


@pytest.mark.usefixtures("installed")
def test_a_failing_installer_ends_with_its_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(package: ModelPackage) -> None:
        raise InstallFailed("pip ended with status 1")

    monkeypatch.setattr(models, "install", fail)
    status, _, err = run("install", "pencil")
    assert status == 1
    assert "pip ended with status 1" in err
