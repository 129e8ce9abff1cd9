"""Counting: encodings from a package, from the folder, and not at all."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tron_plugin_gpt import tokens
from tron_plugin_gpt.tokens import BY_BYTES, Encodings, encoding_of


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4o-mini", "o200k_base"),
        ("gpt-5", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("gpt-3.5-turbo", "cl100k_base"),
        ("smollm2-135m-instruct", None),
    ],
)
def test_each_model_has_its_encoding(model: str, encoding: str | None) -> None:
    assert encoding_of(model) == encoding


def test_an_encoding_comes_from_a_package_and_is_kept_in_the_folder(encodings: Path) -> None:
    made = Encodings(encodings)
    assert made.counter("gpt-4o-mini") is BY_BYTES
    made.prepare("gpt-4o-mini")
    made.wait(30)
    assert made.counter("gpt-4o-mini").message("hello world") == 4 + 2
    assert (encodings / "fb374d419588a4632f3f557e76b4b70aebbca790").is_file()


def test_an_encoding_of_ones_own_choice_counts_for_any_model(encodings: Path) -> None:
    made = Encodings(encodings)
    made.prepare("mistral", "cl100k_base")
    made.wait(30)
    assert made.counter("mistral", "cl100k_base").name == "cl100k_base"
    assert made.counter("mistral") is BY_BYTES


def test_without_network_and_package_bytes_are_counted_and_that_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(tokens, "packaged_files", list)

    def no_network(name: str) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr("tiktoken.get_encoding", no_network)
    caplog.set_level(logging.WARNING)
    made = Encodings(tmp_path / "tiktoken")
    for _ in range(3):
        made.prepare("gpt-4o-mini")
        made.wait(30)
    assert made.counter("gpt-4o-mini").length("é") == 2
    (record,) = caplog.records
    assert "no network" in record.message
    assert "bytes" in record.message


@given(text=st.text(max_size=200))
def test_bytes_are_never_fewer_than_tokens(encodings: Path, text: str) -> None:
    made = Encodings(encodings)
    for model in ("gpt-4o-mini", "gpt-4"):
        made.prepare(model)
    made.wait(30)
    for model in ("gpt-4o-mini", "gpt-4"):
        assert made.counter(model).message(text) <= BY_BYTES.message(text)
