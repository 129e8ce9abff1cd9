"""One loaded network on ncnn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ncnn
import numpy as np

from tron_plugin_upscale.tiles import Pixels

_OUT_OF_MEMORY = -100


class Network:
    """A Real-ESRGAN network on the CPU. ``files`` is the path of the pair without its ending."""

    steps = 1
    takes_alpha = True

    def __init__(self, files: Path, *, threads: int | None = None) -> None:
        """Load the weights; raises ValueError where they are not a network of one input and one output."""
        self._net = ncnn.Net()
        self._net.opt.use_vulkan_compute = False
        if threads is not None:
            self._net.opt.num_threads = threads
        for load, ending in ((self._net.load_param, ".param"), (self._net.load_model, ".bin")):
            if load(f"{files}{ending}") != 0:
                raise ValueError(f"{files}{ending} is not a file of an ncnn network")
        inputs, outputs = self._net.input_names(), self._net.output_names()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ValueError(f"{files} has {len(inputs)} inputs and {len(outputs)} outputs; one each is wanted")
        self._input, self._output = inputs[0], outputs[0]

    def enlarge(self, pixels: Pixels, step: Callable[[], None]) -> Pixels:
        """See Enlarger; raises MemoryError where there is too little for it."""
        planes = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32) / np.float32(255)
        mat = ncnn.Mat(planes)
        extractor = self._net.create_extractor()
        extractor.input(self._input, mat)
        status, output = extractor.extract(self._output)
        if status == _OUT_OF_MEMORY:
            raise MemoryError(f"no memory for a tile of {pixels.shape[1]} x {pixels.shape[0]} pixels")
        if status != 0:
            raise RuntimeError(f"ncnn gave up with status {status}")
        enlarged: Pixels = np.rint(np.clip(np.array(output), 0, 1) * 255).astype(np.uint8)
        step()
        return enlarged.transpose(1, 2, 0)
