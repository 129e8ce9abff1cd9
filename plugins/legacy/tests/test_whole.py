"""A hub as a process of its own, with every plugin of the project, over TLS; clients have nothing but their kit."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from old_client import OldClient

TRON = (sys.executable, "-m", "tron_core")
PATIENCE = 60.0

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]


def eventually(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Site:
    """A folder with a hub in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clients: list[OldClient] = []
        self._hub: subprocess.Popen[bytes] | None = None
        plugins = "bark,img2img,legacy,stable-diffusion,wizardlm"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TRON_")}
        self._environment = {**kept, "TRON_PLUGINS": plugins, "PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1"}
        self.tron("certs", "create", "--name", "localhost", "--dir", "certs")
        (folder / "tron.toml").write_text(
            f"[hub]\nport = {free_port()}\ntls_certificate = 'certs/server.pem'\ntls_key = 'certs/server-key.pem'\n"
            f"[http]\nport = {free_port()}\n[scheduling]\nresume_grace = 1\n"
        )

    def tron(self, *arguments: str) -> str:
        """What a command prints."""
        done = subprocess.run(
            [*TRON, *arguments],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self) -> None:
        with (self.folder / "hub.log").open("ab") as log:
            self._hub = subprocess.Popen([*TRON, "run"], cwd=self.folder, env=self._environment, stdout=log, stderr=log)
        eventually(lambda: (self.folder / "run.json").exists(), "the hub")

    def kill(self) -> None:
        """As the power fails."""
        if self._hub is not None:
            self._hub.send_signal(signal.SIGKILL)
            self._hub.wait()
            (self.folder / "run.json").unlink(missing_ok=True)

    def client(self, kit: Path, **options: Any) -> OldClient:
        """A client that knows what its files say."""
        ticket, config = (json.loads((kit / name).read_text()) for name in ("auth.json", "config.json"))
        hub = config["websocket_hub"]
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = hub["verify_ssl"]
        context.verify_mode = ssl.CERT_REQUIRED if hub["verify_ssl"] else ssl.CERT_NONE
        context.load_cert_chain(kit / "server_cert.pem", kit / "server_key.pem")
        context.load_verify_locations(kit / "server_cert.pem")
        url = f"{'wss' if hub['tls'] else 'ws'}://{hub['host']}:{hub['port']}/"
        made = OldClient(url, config["master_url"], ticket, config["master_api_key"], tls=context, **options)
        self.clients.append(made)
        return made.start()

    def workers(self) -> set[str]:
        return {each["name"] for each in json.loads(self.tron("workers", "list", "--json"))}

    def submit(self, capability: str, **params: str) -> Any:
        """A job, as it is at its end."""
        fields = [word for name, value in params.items() for word in (f"--{name}", value)]
        return json.loads(self.tron("submit", capability, *fields, "--json"))

    def close(self) -> None:
        for client in self.clients:
            client.kill()
        self.kill()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("whole"))
    try:
        site.tron("create-worker-user", "--username", "gpu-1", "--password", "a long password")
        site.start()
        site.tron("create-client-tokens", "--username", "gpu-1", "--legacy", "kit")
        kinds = ("gpu", "variation", "llama", "stablevicuna", "tts_bark")
        client = site.client(site.folder / "kit", offers=kinds, worker_id="old-0")
        eventually(lambda: client.dead or "old-0" in site.workers(), "the client")
        assert client.dead is None
        yield site
    finally:
        site.close()


def test_pictures_speech_and_text_come_from_an_old_worker(site: Site) -> None:
    site.clients[0].pictures = 2
    drawn = site.submit("txt2img", prompt="a cat", seed="7")
    assert (drawn["state"], drawn["attempts"][0]["worker"]) == ("succeeded", "old-0")
    assert drawn["output"]["seeds"] == [7, 7]
    assert len([each for each in drawn["artifacts"] if each["role"] == "result"]) == 2
    said = site.submit("tts", text="Hello there.", voice="v2/en_speaker_6")
    assert said["output"] == {"voice": "v2/en_speaker_6", "seconds": 0.5}
    assert "v2/en_speaker_6, 0.5 s" in said["reply"]["text"]
    assert site.submit("llm", prompt="Why?")["output"]["text"] == "It is `blue`."
    assert site.submit("vicuna", prompt="Why?")["output"]["text"] == "It is `blue`."
    assert [job["job_type"] for job in site.clients[0].jobs] == ["gpu", "tts_bark", "llama", "stablevicuna"]


def test_a_picture_is_varied_by_an_old_worker(site: Site) -> None:
    (site.folder / "cat.png").write_bytes((Path(__file__).parents[3] / "tests" / "data" / "harbour.png").read_bytes())
    drawn = site.submit("img2img", prompt="in winter", image="cat.png")
    assert drawn["state"] == "succeeded"
    assert site.clients[0].jobs[-1]["image_data"].startswith("https://127.0.0.1:")
    assert site.submit("img2img", image="cat.png")["state"] == "succeeded"
    assert site.clients[0].jobs[-1]["module_command"] == "promptless_variation"


def test_a_job_outlives_the_hub(site: Site) -> None:
    client = site.clients[0]
    client.gate = threading.Event()
    client.pictures = 1
    before, connects = len(client.jobs), client.connects
    asking = subprocess.Popen(
        [*TRON, "submit", "txt2img", "--prompt", "a dog"], cwd=site.folder, env=site._environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    eventually(lambda: len(client.jobs) > before, "the job")
    asking.kill()
    asking.wait()
    site.kill()
    site.start()
    eventually(lambda: client.connects > connects, "the client")
    client.gate.set()
    job = client.jobs[-1]["job_id"].rpartition("-")[0]
    done = eventually(lambda: _over(json.loads(site.tron("jobs", "show", job, "--json"))), "the end")
    assert (done["state"], len(done["attempts"])) == ("succeeded", 1)
    assert len(client.jobs) == before + 1


def test_what_is_revoked_comes_in_no_more(site: Site) -> None:
    site.tron("create-client-tokens", "--username", "gpu-1", "--legacy", "other")
    client = site.client(site.folder / "other", offers=("ollama",), worker_id="other-0")
    eventually(lambda: "other-0" in site.workers(), "the client")
    site.tron("tokens", "revoke", client.ticket["client_id"])
    eventually(lambda: client.attempts == 2 and "other-0" not in site.workers(), "its end")
    assert client.connects == 1


def _over(job: Any) -> Any:
    return job if job["state"] not in ("queued", "running") and job["reply"] else None
