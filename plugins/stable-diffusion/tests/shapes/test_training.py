"""The scripts that made tron/shapes make a model that the engine runs, however badly it draws after two steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from tron_plugin_stable_diffusion.engines import EngineSettings, PictureRequest
from tron_plugin_stable_diffusion.engines.onnx import OnnxEngine

pytestmark = pytest.mark.workers


@pytest.mark.filterwarnings("ignore")  # of exporters, which warn of each other's next versions
@pytest.mark.timeout(240)
def test_a_model_is_trained_and_exported_from_nothing(tmp_path: Path) -> None:
    for library in ("torch", "diffusers", "onnx"):
        pytest.importorskip(library)
    import export
    import train

    model = tmp_path / "model"
    train.train_autoencoder(model, steps=2, batch=4, resume=False)
    train.train_diffusion(model, steps=2, batch=4, pictures=8, resume=False)
    train.train_diffusion(model, steps=1, batch=4, pictures=8, resume=True)
    train.train_autoencoder(model, steps=1, batch=4, resume=True)
    export.export(model, tmp_path / "shipped")
    engine = OnnxEngine("shapes", tmp_path / "shipped", EngineSettings())
    made = engine.generate(PictureRequest("a circle", "", 2, 5.0, 0.0, (1,), 96, 96), lambda done, steps, preview: None)
    assert made.images[0].size == (96, 96)
