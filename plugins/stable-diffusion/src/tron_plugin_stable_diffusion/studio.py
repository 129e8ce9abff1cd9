"""The models of a worker as engines: opened when they are asked for, within the memory budget."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tron_core.worker import ExecutionContext, ExecutorError
from tron_plugin_stable_diffusion import folders
from tron_plugin_stable_diffusion.engines import Engine, open_engine
from tron_plugin_stable_diffusion.memory import default_budget_mb, find_device
from tron_plugin_stable_diffusion.pipelines import PipelineCache
from tron_plugin_stable_diffusion.sources import ModelSource, PictureConfig, available, engine_of

_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True, slots=True)
class Studio:
    """What draws here: the configuration's models in the process's cache."""

    config: PictureConfig
    cache: PipelineCache

    def models(self) -> Sequence[str]:
        """The models by name, the default first."""
        return list(available(self.config))

    def loaded(self) -> Sequence[str]:
        """Those in memory."""
        return [name for name in self.cache.loaded if name in available(self.config)]

    def chosen(self, field: str, name: str | None) -> str:
        """``name``, or the default; raises ExecutorError (invalid) that names ``field`` for one that is not here."""
        models = self.models()
        if not models:
            raise ExecutorError("this worker has no model any more", "transient")
        if name is None:
            return models[0]
        if name not in models:
            raise ExecutorError(f"{field}: {name!r} is not on this worker; allowed: {', '.join(models)}", "invalid")
        return name

    def engine(self, name: str, ctx: ExecutionContext, *, fraction: float = 0.0) -> Engine:
        """The model in memory; what it takes to load it is told to ``ctx``, of whose work ``fraction`` is done.

        Raises ExecutorError where it cannot be opened, ``out_of_memory`` where it does not fit even alone.
        """
        if name not in self.cache.loaded:
            ctx.progress(fraction, f"loading {name}")
        source = available(self.config)[name]
        started = time.monotonic()
        opened: list[Engine] = []

        def open_it() -> Engine:
            opened.append(self._open(name, source))
            return opened[-1]

        try:
            engine = self.cache.get(name, open_it, needs_mb=self._needs_mb(source), budget_mb=self._budget_mb())
        except MemoryError as error:
            raise ExecutorError(
                f"{name} does not fit into the memory of this worker: {error}", "out_of_memory"
            ) from None
        if opened:
            ctx.loading(time.monotonic() - started)
        return engine

    def _open(self, name: str, source: ModelSource) -> Engine:
        settings = replace(self.config.engine_settings, config=source.config)
        return open_engine(name, source.path, engine_of(source, self.config), settings)

    def _budget_mb(self) -> float:
        if self.config.memory_budget_mb != "auto":
            return self.config.memory_budget_mb
        return default_budget_mb(find_device(self.config.device))

    def _needs_mb(self, source: ModelSource) -> float:
        """Estimated before it is loaded; 0 for one that is not on this machine yet."""
        local = source.local
        if local is None or not local.exists():
            return 0.0
        on_cpu = find_device(self.config.device) == "cpu"
        dtype = self.config.dtype if self.config.dtype != "auto" else "float32" if on_cpu else "float16"
        try:
            return folders.memory_mb(local, _BYTES[dtype])
        except (OSError, ValueError):
            return 0.0  # opening it will say what is wrong
