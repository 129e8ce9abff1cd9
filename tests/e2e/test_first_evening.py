"""docs/how-to/first-evening.md, run as it stands: each of its commands, in a folder for the hub and one for the worker.

What stands in for the two machines: ``hub.example.org`` is localhost with two free ports, ``scp`` copies into the
worker's folder, and ``pip`` only says whether what it is to install is there, as the tests have no network.
"""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from programs import Program, eventually, free_port

from tron_core.auth.certificate_folder import CertificateFolder
from tron_core.auth.certificates import load_chain

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "first-evening.md"
BLOCK = re.compile(r'^```bash title="on the (hub|worker)(, left running)?"\n(.*?)^```$', re.MULTILINE | re.DOTALL)

STAND_INS = {
    "tron": f'exec "{sys.executable}" -m tron_core "$@"',
    "scp": 'cp -r "$2" "$WORKER_FOLDER/"',
    "pip": """shift; exec "$PYTHON" -c '
import sys
from importlib.metadata import version
from packaging.requirements import Requirement
for line in sys.argv[1:]:
    version(Requirement(line).name)' "$@" """,
}


@dataclass(frozen=True)
class Step:
    """A block of the page."""

    where: str
    stays: bool
    commands: str


def steps() -> list[Step]:
    return [Step(found[1], bool(found[2]), found[3]) for found in BLOCK.finditer(PAGE.read_text(encoding="utf-8"))]


class Evening:
    """The two folders, and what is left running in them."""

    def __init__(self, folder: Path) -> None:
        self.folders = {"hub": folder / "hub", "worker": folder / "worker"}
        self.ports = free_port(), free_port()
        self.programs: dict[str, Program] = {}
        tools = folder / "bin"
        for made in (*self.folders.values(), tools):
            made.mkdir()
        for name, script in STAND_INS.items():
            (tools / name).write_text(f"#!/bin/sh\n{script}\n")
            (tools / name).chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TRON_")}
        self.environment = {
            **kept,
            "PATH": f"{tools}:{kept['PATH']}",
            "PYTHON": sys.executable,
            "TRON_PLUGINS": "upscale",
            "WORKER_FOLDER": str(self.folders["worker"]),
        }

    def take(self, step: Step) -> str:
        """Run the commands of a step; what they print."""
        hub, http = self.ports
        commands = step.commands.replace(
            "--public hub.example.org", f"--public localhost --hub-port {hub} --http-port {http}"
        )
        folder = self.folders[step.where]
        if step.stays:
            log = folder / "left-running.log"
            command = ["bash", "-c", f"exec {commands}"]
            self.programs[step.where] = Program(command, folder=folder, environment=self.environment, log=log)
            return ""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}\n{self.logs()}"
        return done.stdout

    def logs(self) -> str:
        return "\n".join(program.words() for program in self.programs.values())

    def ask(self, path: str) -> Any:
        """The JSON at ``path`` of the hub, None while it does not answer; its certificate is verified."""
        folder = self.folders["hub"]
        try:
            trusted = ssl.create_default_context(cafile=folder / "certs" / "ca.pem")
            token = json.loads((folder / "run.json").read_text())["token"]
            headers = {"Authorization": f"Bearer {token}"}
            return httpx.get(f"https://localhost:{self.ports[1]}{path}", headers=headers, verify=trusted).json()
        except (OSError, httpx.HTTPError):
            return None

    def is_ready(self, where: str) -> bool:
        """Whether what was left running there is up."""
        assert self.programs[where].status is None, self.logs()
        if where == "hub":
            return bool(self.ask("/readyz"))
        return [worker["state"] for worker in self.ask("/api/v1/workers")["items"]] == ["idle"]


@pytest.fixture
def evening(tmp_path: Path) -> Iterator[Evening]:
    evening = Evening(tmp_path)
    yield evening
    for program in evening.programs.values():
        program.clear()


@pytest.mark.slow
def test_from_an_empty_folder_to_a_picture_from_a_worker_elsewhere(evening: Evening) -> None:
    Image.new("RGB", (8, 6), "red").save(evening.folders["hub"] / "holiday.png")
    printed = []
    for step in steps():
        printed.append(evening.take(step))
        if step.stays:
            eventually(lambda where=step.where: evening.is_ready(where), f"the {step.where} is up", seconds=90)
    pictures = list((evening.folders["hub"] / "results").glob("*.png"))
    with Image.open(pictures[0]) as picture:
        assert picture.size == (32, 24)
    hub, http = evening.ports
    assert f"wss://localhost:{hub} answers, with a certificate that workers accept" in printed[-1]
    assert f"https://localhost:{http} answers, with a certificate that workers accept" in printed[-1]
    _check_that_the_worker_has_its_kit_alone(evening)
    _check_that_a_renewed_certificate_is_served(evening)
    _check_that_another_authority_is_refused(evening)


def _check_that_the_worker_has_its_kit_alone(evening: Evening) -> None:
    found = {path.name for path in evening.folders["worker"].rglob("*") if path.is_file()}
    assert found == {"README.txt", "auth.json", "ca.pem", "worker.toml", "left-running.log"}
    content = b"".join(path.read_bytes() for path in evening.folders["worker"].rglob("*") if path.is_file())
    assert b"PRIVATE KEY" not in content


def _check_that_a_renewed_certificate_is_served(evening: Evening) -> None:
    """At both ports, by the process that runs, on SIGHUP."""
    folder = CertificateFolder(evening.folders["hub"] / "certs")
    folder.create(["localhost"], datetime.now(UTC))
    renewed = load_chain(folder.server.read_bytes())[0]
    evening.programs["hub"].signal(signal.SIGHUP)
    for port in evening.ports:

        def served(port: int = port) -> bool:
            return load_chain(ssl.get_server_certificate(("localhost", port)).encode())[0] == renewed

        eventually(served, f"the renewed certificate is served at port {port}")
    assert evening.programs["hub"].status is None


def _check_that_another_authority_is_refused(evening: Evening) -> None:
    """The worker connects again with a ca.pem that is not the hub's: nobody gets its token."""
    evening.programs.pop("worker").clear()
    folder = evening.folders["worker"]
    other = CertificateFolder(folder / "other")
    other.create(["localhost"], datetime.now(UTC))
    other.ca.replace(folder / "kit-gpu-1" / "ca.pem")
    evening.take(Step("worker", True, "tron worker --kit kit-gpu-1"))
    log = folder / "left-running.log"
    eventually(lambda: "CERTIFICATE_VERIFY_FAILED" in log.read_text(), "the worker refuses the hub's certificate")
