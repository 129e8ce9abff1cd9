"""The page of hooks says what the code says, and the core names no capability of the project's own."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tron_core import hookspecs

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "reference" / "hooks.md").read_text(encoding="utf-8")
SPECS: dict[str, Callable[..., Any]] = {
    name: function for name, function in vars(hookspecs).items() if hasattr(function, "tron_spec")
}

ARGUMENTS = {"app", "bot", "candidates", "cli", "event", "job", "message", "reply", "request", "requester", "router"}
"""One name for one thing, in whichever hook it comes."""

OWN_NAMES = re.compile(
    r"(?<![a-z0-9])(txt2img|img2img|upscale|tts|bark|llm|wizardlm|chat|gpt|stable[-_ ]diffusion|legacy)(?![a-z0-9])",
    re.I,
)


def row(name: str) -> str:
    function = SPECS[name]
    call = f"{name}({', '.join(inspect.signature(function).parameters)})"
    kind = "first answer" if getattr(function, "tron_spec")["firstresult"] else "all"  # noqa: B009 - set by pluggy
    kind += ", async" if inspect.iscoroutinefunction(function) else ""
    return f"| [`{call}`](#tron_core.hookspecs.{name}) | {kind} | "


def test_the_page_lists_every_hook_in_the_order_of_the_code() -> None:
    assert re.findall(r"^\| \[`(\w+)\(", PAGE, re.M) == list(SPECS)
    assert re.findall(r"^::: tron_core\.hookspecs\.(\w+)$", PAGE, re.M) == list(SPECS)


@pytest.mark.parametrize("name", SPECS)
def test_the_page_says_a_hooks_arguments_kind_and_stability(name: str) -> None:
    [line] = [line for line in PAGE.splitlines() if line.startswith(row(name))]
    experimental = "Experimental" in (SPECS[name].__doc__ or "")
    assert line.endswith("| experimental |" if experimental else "| stable |")


@pytest.mark.parametrize("name", SPECS)
def test_a_hook_has_its_contract_and_an_example(name: str) -> None:
    contract = inspect.getdoc(SPECS[name]) or ""
    assert set(inspect.signature(SPECS[name]).parameters) <= ARGUMENTS
    assert re.search(r"^(Called|Awaited) ", contract, re.M)
    assert re.search(r"\brais(e|es|ed|ing)\b", contract, re.I)
    example = inspect.cleandoc(contract.partition("Example::")[2])
    assert f"def {name}(" in example
    compile(example, name, "exec")


@pytest.mark.parametrize("path", sorted((ROOT / "tron_core").rglob("*.py")), ids=lambda path: path.name)
def test_the_core_names_no_capability_or_plugin_of_the_project(path: Path) -> None:
    text = re.sub(r".*# Discord's own word\n", "\n", path.read_text(encoding="utf-8"))
    found = [f"line {text.count(chr(10), 0, match.start()) + 1}: {match[0]}" for match in OWN_NAMES.finditer(text)]
    assert not found
