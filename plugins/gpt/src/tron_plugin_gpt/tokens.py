"""Counting tokens before they are sent.

With an encoding of tiktoken the count is the server's own. Where there is none (a model that tiktoken does not know, or
no network to fetch the encoding) the bytes of the text are counted: a byte-level BPE, as all these models have,
begins with one token a byte and only ever joins them.

What a message costs beside its text is from OpenAI's cookbook, "How to count tokens with tiktoken",
https://github.com/openai/openai-cookbook/blob/main/examples/How_to_count_tokens_with_tiktoken.ipynb:
three tokens a message and its role's name, and three for the reply that is begun.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

BYTES = "utf-8"
"""The name of counting bytes, among the names of encodings."""


@dataclass(frozen=True, slots=True)
class Counter:
    """One way of counting. ``per_message`` and ``per_request`` are added to what the texts cost."""

    name: str
    length: Callable[[str], int]
    per_message: int
    per_request: int

    def message(self, text: str) -> int:
        """Tokens of one message with this text, whatever its role."""
        return self.per_message + self.length(text)

    def messages(self, texts: Iterable[str]) -> int:
        """Tokens of a request with these messages."""
        return self.per_request + sum(self.message(text) for text in texts)


def _utf8_length(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


# Chat templates put markers around each message (ChatML: <|im_start|>role\n … <|im_end|>\n), and some add a system text
# of their own where there is none; the plugin always sends one.
BY_BYTES = Counter(BYTES, _utf8_length, per_message=12, per_request=16)


class Encodings:
    """The encodings of tiktoken, kept below ``folder``.

    ``prepare`` gets one in the background: from the folder, from an installed package that carries it, or from the
    network. Until it is there, and where it cannot be had, ``counter`` counts bytes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = Path(os.environ.get("TIKTOKEN_CACHE_DIR") or folder)
        self._ready: dict[str, Counter] = {}
        self._threads: dict[str, threading.Thread] = {}

    def counter(self, model: str, encoding: str | None = None) -> Counter:
        """How to count for ``model``; ``encoding`` overrides what tiktoken knows of it."""
        name = encoding or encoding_of(model)
        return self._ready.get(name, BY_BYTES) if name else BY_BYTES

    def prepare(self, model: str, encoding: str | None = None) -> None:
        """Begin to get the encoding of ``model``; returns at once. A second call for the same one does nothing."""
        name = encoding or encoding_of(model)
        if name is None:
            logger.info("tiktoken does not know the model %s: its tokens are bounded by the bytes of the text", model)
        elif name not in self._threads:
            # A daemon: tiktoken downloads without a time limit, and nobody is to wait for that at exit.
            thread = threading.Thread(target=self._load, args=(name,), name=f"tiktoken {name}", daemon=True)
            self._threads[name] = thread
            thread.start()

    def wait(self, seconds: float) -> None:
        """Wait so long for what was begun; blocks."""
        for thread in self._threads.values():
            thread.join(seconds)

    def _load(self, name: str) -> None:
        import tiktoken

        try:
            self._unpack()
            os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(self._folder))
            encode = tiktoken.get_encoding(name).encode_ordinary
        except Exception as error:  # the network's, the disk's, or tiktoken's own
            logger.warning(
                "the encoding %s cannot be had (%s): the bytes of the text, which are never less, are counted instead",
                name, error,
            )  # fmt: skip
            return
        self._ready[name] = Counter(name, lambda text: len(encode(text)), per_message=4, per_request=3)

    def _unpack(self) -> None:
        """Copy the files of an installed package into the folder; their names are tiktoken's."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for file in packaged_files():
            if not (self._folder / file.name).exists():
                shutil.copyfile(file, self._folder / file.name)


def encoding_of(model: str) -> str | None:
    """The encoding that tiktoken knows for ``model``; None where it does not know the model."""
    import tiktoken

    try:
        return tiktoken.encoding_name_for_model(model)
    except KeyError:
        return None


def packaged_files() -> list[Path]:
    """Files of encodings in the package llama-index-core, which is found and never imported; none without it."""
    spec = importlib.util.find_spec("llama_index")
    folders = [
        Path(place) / "core/_static/tiktoken_cache" for place in (spec and spec.submodule_search_locations) or ()
    ]
    return [file for folder in folders if folder.is_dir() for file in folder.iterdir() if len(file.name) == 40]
