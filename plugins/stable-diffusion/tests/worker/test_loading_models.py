"""Models as they lie on a worker: folders, snapshots of the Hugging Face hub, single files; what cannot be opened."""

from __future__ import annotations

import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tron_core.job import ErrorKind
from tron_core.worker import ExecutorError

torch = pytest.importorskip("torch", reason="torch is not installed here; make test-workers has it")

pytestmark = pytest.mark.workers

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def error(stage: Any, **params: Any) -> ExecutorError:
    with pytest.raises(ExecutorError) as raised:
        stage.draw(**params)
    return raised.value


@pytest.fixture(scope="module")
def file(models: Path) -> Path:
    from tiny_checkpoint import checkpoint

    return checkpoint(models / "checkpoint.safetensors", models / "sd")


class TestSingleFile:
    def test_it_draws_what_the_folder_with_its_weights_draws(self, stage: Any, file: Path) -> None:
        folder = stage.draw(model="sd")
        stage.configure(models={"file": {"path": str(file), "config": str(stage.models / "sd")}})
        drawn = stage.draw(model="file")
        assert (drawn.pictures[0] == folder.pictures[0]).all()
        assert drawn.output["revision"] != folder.output["revision"]

    def test_its_kind_is_read_off_its_tensors(self, file: Path, tmp_path: Path) -> None:
        from safetensors.torch import save_file

        from tron_plugin_stable_diffusion.engines.loading import class_of

        assert class_of(file, None) == "StableDiffusionPipeline"
        for name, kind in [
            ("conditioner.embedders.1.model.ln_final.bias", "StableDiffusionXLPipeline"),
            ("conditioner.embedders.0.model.ln_final.bias", "StableDiffusionXLImg2ImgPipeline"),
        ]:
            save_file({"a": torch.zeros(1), name: torch.zeros(1)}, tmp_path / "x.safetensors")
            assert class_of(tmp_path / "x.safetensors", None) == kind

    def test_one_that_is_no_checkpoint_is_refused(self, stage: Any) -> None:
        stage.configure(models={"file": str(stage.models / "lora" / "adapter.safetensors")})
        assert "is no checkpoint of SD 1, SD 2 or SDXL; name its configuration" in error(stage).message


class TestFolder:
    def test_half_precision_files_are_taken_where_there_are_no_others(self, stage: Any, tmp_path: Path) -> None:
        folder = shutil.copytree(stage.models / "sd", tmp_path / "half")
        for file in [*folder.rglob("diffusion_pytorch_model.safetensors"), folder / "text_encoder/model.safetensors"]:
            file.rename(file.with_suffix(".fp16.safetensors"))
        wanted = stage.draw(model="sd").files
        stage.configure(models={"sd": str(folder)})
        stage.executor.studio.cache.close_all()
        assert len(stage.draw(model="sd").files[0]) == len(wanted[0])

    def test_one_that_lost_a_part_since_the_start_is_said(self, stage: Any, tmp_path: Path) -> None:
        folder = shutil.copytree(stage.models / "sd", tmp_path / "broken")
        stage.configure(models={"broken": str(folder)})
        assert stage.executor.unavailable() is None
        shutil.rmtree(folder / "unet")
        raised = error(stage)
        assert raised.message == (
            f"broken: {folder} cannot be opened: {folder} has no unet/, which its model_index.json names"
        )
        assert raised.kind is ErrorKind.INTERNAL

    def test_a_pipeline_that_diffusers_does_not_have_is_said(self, stage: Any, tmp_path: Path) -> None:
        folder = shutil.copytree(stage.models / "sd", tmp_path / "strange")
        index = json.loads((folder / "model_index.json").read_text())
        (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": "MagicPipeline"}))
        stage.configure(models={"strange": str(folder)})
        assert f"strange: {folder} cannot be opened: " in error(stage).message

    def test_a_gpu_that_is_not_there_is_said_before_a_job_is_taken(self, stage: Any) -> None:
        stage.configure(device=f"cuda:{torch.cuda.device_count()}")
        assert str(stage.executor.unavailable()).startswith(f"device = 'cuda:{torch.cuda.device_count()}': torch ")

    def test_another_type_is_taken_where_the_worker_says_so(self, stage: Any) -> None:
        stage.configure(dtype="bfloat16")
        assert stage.draw(model="sd").output["dtype"] == "bfloat16"

    def test_attention_slicing_gives_the_same_picture_within_one_level(self, stage: Any) -> None:
        plain = stage.draw(model="sd").pictures[0]
        stage.executor.studio.cache.close_all()
        stage.configure(attention_slicing=True)
        assert abs(stage.draw(model="sd").pictures[0] - plain).max() <= 1


class TestHuggingFace:
    @pytest.fixture
    def cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """An empty cache of the Hugging Face hub."""
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        return tmp_path

    @pytest.fixture
    def server(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str | None]]:
        """Stands in for the Hugging Face hub: of ``owner/gated`` it asks a licence, others it does not know; gives the
        tokens that came."""
        tokens: list[str | None] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the name is http.server's
                tokens.append(self.headers["Authorization"])
                gated = "owner/gated" in self.path
                self.send_response(403 if gated else 404)
                self.send_header("X-Error-Code", "GatedRepo" if gated else "RepoNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
        monkeypatch.setattr("huggingface_hub.hf_api.api.endpoint", endpoint)
        monkeypatch.setattr(
            "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
            endpoint + "/{repo_id}/resolve/{revision}/{filename}",
        )
        yield tokens
        server.shutdown()
        server.server_close()

    def test_a_model_that_was_fetched_before_needs_no_network(self, stage: Any, cache: Path) -> None:
        repository = cache / "models--owner--name"
        shutil.copytree(stage.models / "sd", repository / "snapshots" / COMMIT)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(COMMIT)
        stage.configure(models=["owner/name"])
        assert stage.executor.models()[0] == "owner/name"
        drawn = stage.draw()
        assert drawn.output["revision"] == COMMIT
        assert drawn.output["model"] == "owner/name"

    def test_a_model_with_a_licence_wants_a_token(self, stage: Any, cache: Path, server: list[str | None]) -> None:
        stage.configure(models=["owner/gated"])
        raised = error(stage)
        assert "owner/gated wants a Hugging Face token: accept its licence" in raised.message
        assert "huggingface_token in [executors.stable-diffusion]" in raised.message
        assert raised.retryable

    def test_a_token_that_does_not_do_is_said_but_not_shown(
        self, stage: Any, cache: Path, server: list[str | None]
    ) -> None:
        stage.configure(models=["owner/gated"], huggingface_token="hf_secret")
        raised = error(stage)
        assert "may not be read with the huggingface_token of this worker" in raised.message
        assert "hf_secret" not in raised.message
        assert "Bearer hf_secret" in server

    def test_a_model_that_does_not_exist_is_said(self, stage: Any, cache: Path, server: list[str | None]) -> None:
        stage.configure(models=["owner/nothing"])
        sentence = "owner/nothing is neither a folder here nor a model of the Hugging Face hub that may be read"
        assert sentence in error(stage).message

    def test_without_a_network_the_job_is_tried_again(
        self, stage: Any, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        stage.configure(models=["owner/name"])
        raised = error(stage)
        assert raised.message.startswith("owner/name: owner/name cannot be fetched: ")
        assert raised.kind is ErrorKind.TRANSIENT
