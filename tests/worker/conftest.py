"""A scripted hub, executors of the tests' own, and workers that run in this process with real executor processes."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

HERE = Path(__file__).parent
sys.path.append(str(HERE))  # scripted_hub is no test module

from scripted_hub import HubSession, Impatient, ScriptedHub  # noqa: E402

from tron_core.worker.config import WorkerSettings  # noqa: E402
from tron_core.worker.runtime import run_worker  # noqa: E402
from tron_core.worker.tokens import WorkerAuth  # noqa: E402


@pytest.fixture(scope="module")
def sample_plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The plugin ``sample`` as if it were installed, and the only one; executor processes inherit both."""
    site = tmp_path_factory.mktemp("site")
    shutil.copy(HERE / "sample_executors.py", site)
    info = site / "tron_plugin_sample-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tron-plugin-sample\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tron.executors]\nsample = sample_executors\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        patch.setenv("TRON_PLUGINS", "sample")
        yield site


class Desk:
    """A worker and its scripted hub; ``session`` is the present connection."""

    def __init__(
        self, hub: ScriptedHub, session: HubSession, stop: asyncio.Event, task: asyncio.Task[None], scratch: Path
    ) -> None:
        self.hub = hub
        self.session = session
        self.stop = stop
        self.task = task
        self.scratch = scratch

    async def reconnected(self) -> HubSession:
        """The connection after the present one."""
        self.session = await self.hub.session()
        return self.session


@asynccontextmanager
async def open_desk(folder: Path, *, slots: int = 1, cancel_grace: float = 0.3) -> AsyncIterator[Desk]:
    hub = ScriptedHub()
    await hub.start()
    settings = WorkerSettings.model_validate(
        {
            "hub": {"url": hub.url, "http": hub.http},
            "worker": {"name": "w1", "slots": slots, "cancel_grace": cancel_grace},
        }
    )
    auth = WorkerAuth.model_validate({"token": {"access_token": "good"}})
    stop = asyncio.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(folder))
        task = asyncio.create_task(run_worker(settings, auth, stop=stop, random=Impatient()))
        await asyncio.sleep(0)  # it makes its scratch folder
    (scratch,) = os.scandir(folder)
    try:
        waiting = asyncio.ensure_future(hub.session())
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            waiting.cancel()
            task.result()
        session = await waiting
        await session.welcome()
        yield Desk(hub, session, stop, task, Path(scratch))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await hub.stop()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def desk(sample_plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """One worker with one slot for a whole module: to start an executor process takes its time."""
    async with open_desk(tmp_path_factory.mktemp("scratch")) as desk:
        yield desk
