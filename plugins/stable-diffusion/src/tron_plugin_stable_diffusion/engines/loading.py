"""Opening a model with diffusers: from a folder, the Hugging Face hub or a single .safetensors file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import huggingface_hub.errors as hub_errors
import transformers

from tron_core.worker import ExecutorError
from tron_plugin_stable_diffusion import folders
from tron_plugin_stable_diffusion.engines import EngineSettings

# A worker's console is no terminal that could draw a bar.
diffusers.utils.logging.disable_progress_bar()
transformers.utils.logging.disable_progress_bar()

Pipeline = Any
"""A DiffusionPipeline; diffusers is not typed."""

_SAFETY = ("safety_checker", "feature_extractor", "image_encoder")

_FROM_THE_HUB = (
    hub_errors.HfHubHTTPError,
    hub_errors.LocalEntryNotFoundError,
    hub_errors.OfflineModeIsEnabled,
    ConnectionError,
)
"""That a model of the Hugging Face hub cannot be had, rather than that it is broken."""

_SINGLE_FILES = {
    "conditioner.embedders.1.": "StableDiffusionXLPipeline",
    "conditioner.embedders.0.": "StableDiffusionXLImg2ImgPipeline",
    "cond_stage_model.": "StableDiffusionPipeline",
}
"""What the names of a checkpoint's tensors say about what it is, the first that fits: SDXL, its refiner, SD 1 and 2."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A pipeline on the CPU, and which weights it has."""

    pipeline: Pipeline
    revision: str


def locate(name: str, source: str, settings: EngineSettings, *, half: bool) -> Path:
    """The folder or file of the model ``name``, fetched from the Hugging Face hub where it is not here.

    ``half``: whether half precision is wanted. Raises ExecutorError with a sentence.
    """
    path = Path(source).expanduser()
    if path.exists():
        return path
    try:
        return fetch(source, settings.token, half=half)
    except (OSError, ValueError) as error:
        raise _refusal(name, source, error, settings.token) from error


def open_pipeline(name: str, path: Path, dtype: Any, settings: EngineSettings) -> Opened:
    """Load the model ``name``; raises ExecutorError with a sentence, or what torch raises when memory runs out."""
    try:
        load = _from_file if path.is_file() else _from_folder
        return Opened(load(path, dtype, settings), folders.revision(path))
    except (OSError, ValueError, ImportError, AttributeError, KeyError) as error:
        raise _refusal(name, str(path), error, settings.token) from error


def fetch(model_id: str, token: str | None, *, half: bool) -> Path:
    """The folder of a model of the Hugging Face hub: what was fetched before, else what is fetched now.

    Half precision takes the half precision files where there are any: they are half as large.
    """
    variants = ("fp16", None) if half else (None,)
    for here_alone in (True, False):
        for variant in variants:
            try:
                folder = Path(
                    diffusers.DiffusionPipeline.download(
                        model_id, variant=variant, token=token, local_files_only=here_alone
                    )
                )
                if not here_alone or folders.problem(folder, optional=_SAFETY) is None:
                    return folder
            except hub_errors.LocalEntryNotFoundError:
                if not here_alone:
                    raise
            except (OSError, ValueError):  # no such variant
                if not here_alone and variant is None:
                    raise
    raise AssertionError("the last try returns or raises")


def _from_folder(folder: Path, dtype: Any, settings: EngineSettings) -> Pipeline:
    wrong = folders.problem(folder, optional=_SAFETY)
    if wrong is not None:
        raise ValueError(wrong)
    index = folders.read_index(folder)
    return diffusers.DiffusionPipeline.from_pretrained(
        str(folder),
        dtype=dtype,
        variant=folders.variant(folder),
        local_files_only=True,
        **_left_out(folder, index, settings),
    )


def _left_out(folder: Path, index: Mapping[str, Any], settings: EngineSettings) -> dict[str, None]:
    """The optional parts that are named but not there, or not wanted."""
    named = [name for name in _SAFETY if name in folders.parts(index)]
    absent = [name for name in named if not (folder / name).is_dir()]
    if not settings.safety_checker and "safety_checker" in named:
        absent.append("safety_checker")
    return dict.fromkeys(absent)


def _from_file(file: Path, dtype: Any, settings: EngineSettings) -> Pipeline:
    kind = getattr(diffusers, class_of(file, settings.config))
    return kind.from_single_file(
        str(file),
        dtype=dtype,
        config=settings.config,
        token=settings.token,
        local_files_only=settings.config is not None and Path(settings.config).is_dir(),
    )


def class_of(file: Path, config: str | None) -> str:
    """The pipeline class of a checkpoint: that of its configuration's folder, else what its tensors show."""
    if config is not None and Path(config).is_dir():
        return str(folders.read_index(Path(config)).get("_class_name"))
    names = folders.tensors(file)
    for prefix, kind in _SINGLE_FILES.items():
        if any(tensor.startswith(prefix) for tensor in names):
            return kind
    raise ValueError("it is no checkpoint of SD 1, SD 2 or SDXL; name its configuration: {{ path = …, config = … }}")


def _refusal(name: str, source: str, error: Exception, token: str | None) -> ExecutorError:
    """What to say of ``error``; diffusers hides what the hub answered behind an OSError of its own."""
    answer = error.__cause__ if isinstance(error.__cause__, _FROM_THE_HUB) else error
    if isinstance(answer, hub_errors.GatedRepoError):
        return ExecutorError(_gated(name, source, token))
    if isinstance(answer, hub_errors.RepositoryNotFoundError):
        return ExecutorError(
            f"{name}: {source} is neither a folder here nor a model of the Hugging Face hub that may be read"
        )
    if isinstance(answer, _FROM_THE_HUB):
        return ExecutorError(f"{name}: {source} cannot be fetched: {_first_line(answer)}", "transient")
    return ExecutorError(f"{name}: {source} cannot be opened: {_first_line(answer)}")


def _gated(name: str, source: str, token: str | None) -> str:
    if token is None:
        return (
            f"{name}: {source} wants a Hugging Face token: accept its licence at https://huggingface.co/{source}, "
            "then set huggingface_token in [executors.stable-diffusion]"
        )
    return (
        f"{name}: {source} may not be read with the huggingface_token of this worker: "
        f"accept its licence at https://huggingface.co/{source}"
    )


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:500] if text else type(error).__name__
