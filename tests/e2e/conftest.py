"""Sites: a hub and workers as processes of their own, with the plugin ``work`` alone. All end with the test."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path.append(str(HERE))  # the modules beside this one are no test modules

from programs import Sites  # noqa: E402
from tcp_proxy import TcpProxy  # noqa: E402

TIMEOUT = 180
"""Seconds for a test that starts several programs, each of which takes some on a busy machine."""
LOG_END = 6000
"""Characters of a log that are shown."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("e2e")
            item.add_marker(pytest.mark.timeout(TIMEOUT))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for site in (site for sites in item.funcargs.values() if isinstance(sites, Sites) for site in sites.made):
            for log in sorted(site.folder.glob("*.log")):
                report.sections.append((log.name, log.read_text(errors="replace")[-LOG_END:]))
    return report


@pytest.fixture(scope="session")
def work_plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugin ``work`` as if pip had installed it there."""
    target = tmp_path_factory.mktemp("site-packages")
    shutil.copytree(HERE / "plugin", target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    info = target / "tron_plugin_work-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tron-plugin-work\nVersion: 1.0\n")
    points = "[tron.plugins]\nwork = tron_plugin_work\n\n[tron.executors]\nwork = tron_plugin_work.executor\n"
    (info / "entry_points.txt").write_text(points)
    return target


@pytest.fixture(scope="session")
def environment(work_plugin: Path) -> dict[str, str]:
    """The environment of every program: the plugin ``work`` alone, no settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRON_")}
    return {**kept, "PYTHONPATH": str(work_plugin), "PYTHONUNBUFFERED": "1", "TRON_PLUGINS": "work"}


def _sites(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[Sites]:
    sites = Sites(lambda: tmp_path_factory.mktemp("hub"), environment)
    try:
        yield sites
    finally:
        sites.clear()


make_site = pytest.fixture(_sites, name="make_site")
make_shared_site = pytest.fixture(_sites, scope="module", name="make_shared_site")
"""For what the tests of a module share."""


@pytest.fixture
def make_proxy() -> Iterator[Callable[..., TcpProxy]]:
    """Makes a proxy to a port, with the arguments of TcpProxy."""
    made: list[TcpProxy] = []

    def make(port: int, **options: Any) -> TcpProxy:
        made.append(TcpProxy(port, **options))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()
