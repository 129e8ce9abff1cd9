"""A model's files: in a folder, or of an id of the Hugging Face hub, whose files are kept in a cache."""

from __future__ import annotations

from pathlib import Path

from tron_plugin_bark.config import BarkConfig

PUBLISHED = ("suno/bark", "suno/bark-small")
"""The models of Bark's authors, which have all voices."""

MODEL_FILE = "config.json"
"""The file by which a folder is known as a model's."""


class ModelFiles:
    """Finds and fetches; no model library is imported."""

    def __init__(self, config: BarkConfig) -> None:
        self._id = config.model
        self.revision = config.revision
        folder = Path(config.model).expanduser()
        self._folder = folder if folder.is_dir() or config.model.startswith(("/", "~", ".")) else None

    @property
    def name(self) -> str:
        """What people are told: the id, or the folder without what leads to it."""
        return self._folder.name if self._folder else self._id

    @property
    def source(self) -> str:
        """What transformers loads from."""
        return str(self._folder or self._id)

    @property
    def remote(self) -> bool:
        """Whether it is an id, so that what is not here can be fetched."""
        return self._folder is None

    @property
    def published(self) -> bool:
        return self.remote and self._id in PUBLISHED

    @property
    def offline(self) -> bool:
        """Whether the operator forbids the network, by HF_HUB_OFFLINE."""
        from huggingface_hub import constants

        return bool(constants.HF_HUB_OFFLINE)

    def here(self, name: str) -> Path | None:
        """A file on this machine, None where it is not."""
        if self._folder is not None:
            file = self._folder / name
            return file if file.is_file() else None
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(self._id, name, revision=self.revision)
        return Path(found) if isinstance(found, str) else None

    def fetch(self, name: str) -> Path:
        """A file, downloaded where it is not here; raises OSError or ValueError."""
        if found := self.here(name):
            return found
        if self._folder is not None:
            raise FileNotFoundError(f"{self._folder / name} is missing")
        from huggingface_hub import hf_hub_download

        return Path(hf_hub_download(self._id, name, revision=self.revision))

    def problem(self) -> str | None:
        """A sentence why the model cannot be loaded, None where it can, though perhaps after a download."""
        if self.here(MODEL_FILE) is not None:
            return None
        if self._folder is not None:
            return f"no model in {self.source} ([executors.bark] model): a folder with {MODEL_FILE}, or an id"
        if self.offline:
            return f"the model {self._id} is not on this machine, and HF_HUB_OFFLINE is set"
        return None
