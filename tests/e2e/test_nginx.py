"""docs/samples/nginx.conf in front of a hub on MariaDB: a worker by its kit, and artifacts as the hub has them."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from programs import Program, Site, Sites, eventually, free_port
from sqlalchemy import Engine
from typer.testing import CliRunner

from tests.conftest import mariadb_database
from tron_core.auth.certificate_folder import CertificateFolder
from tron_core.cli import app
from tron_core.storage import migrations

pytestmark = pytest.mark.mariadb

SAMPLE = Path(__file__).resolve().parents[2] / "docs" / "samples" / "nginx.conf"
PICTURE = Path(__file__).resolve().parents[1] / "data" / "harbour.png"
AROUND = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr warn;
{user}
events {{}}
http {{
    log_format served "$status $uri";
    access_log access.log served;
    client_body_temp_path bodies;
    proxy_temp_path proxied;
    fastcgi_temp_path unused; uwsgi_temp_path unused; scgi_temp_path unused;
    include tron.conf;
}}
"""
OF_THE_CONNECTION = {"date", "server", "connection", "keep-alive", "transfer-encoding"}


@pytest.fixture(scope="module")
def nginx() -> str:
    """The program; skips where there is none, fails where TRON_REQUIRE_SERVICES=1 needs one."""
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        message = "nginx is not installed"
        if os.environ.get("TRON_REQUIRE_SERVICES") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return found


@dataclass
class Front:
    """A hub with nginx in front: the hub's own address and nginx's, each with a client."""

    site: Site
    certificates: CertificateFolder
    workers_port: int
    http_port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"https://localhost:{self.http_port}"

    @property
    def trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificates.ca)

    def served(self) -> list[str]:
        """What nginx has sent, each as status and the path that it came from."""
        return (self.folder / "access.log").read_text().splitlines()


@pytest.fixture(scope="module")
def front(
    nginx: str, mariadb_server: Engine, make_shared_site: Sites, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("nginx")
    ports = free_port(), free_port()
    certificates = CertificateFolder(folder / "certs")
    certificates.create(["localhost"], datetime.now(UTC))
    with mariadb_database(mariadb_server) as url:
        migrations.upgrade(url, folder)
        site = make_shared_site(
            hub={"public_url": f"wss://localhost:{ports[0]}"},
            http={"public_url": f"https://localhost:{ports[1]}"},
            database={"url": url},
        )
        (folder / "tron.conf").write_text(_sample(site, certificates, ports))
        (folder / "nginx.conf").write_text(AROUND.format(user="user root;" if os.geteuid() == 0 else ""))
        command = [nginx, "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"]
        subprocess.run([*command, "-t"], check=True, capture_output=True)
        program = Program(command, folder=folder, environment=os.environ, log=site.folder / "nginx.log")
        site.programs.append(program)
        front = Front(site, certificates, *ports, folder)
        eventually(lambda: _answers(front, program), "nginx answers")
        yield front
        site.clear()


def _sample(site: Site, certificates: CertificateFolder, ports: tuple[int, int]) -> str:
    """The sample with the places changed that it says are to be changed, and the ports of this test."""
    text = SAMPLE.read_text(encoding="utf-8")
    changes = {
        "127.0.0.1:16789": f"127.0.0.1:{site.hub_port}",
        "127.0.0.1:15000": f"127.0.0.1:{site.http_port}",
        "listen 6789 ssl": f"listen 127.0.0.1:{ports[0]} ssl",
        "listen 443 ssl": f"listen 127.0.0.1:{ports[1]} ssl",
        "server_name hub.example.org": "server_name localhost",
        "/etc/letsencrypt/live/hub.example.org/fullchain.pem": str(certificates.server),
        "/etc/letsencrypt/live/hub.example.org/privkey.pem": str(certificates.server_key),
        "/srv/tron/artifacts/": f"{site.folder}/artifacts/",
    }
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return re.sub(r"^ *listen \[::\].*$\n", "", text, flags=re.MULTILINE)


def _answers(front: Front, program: Program) -> bool:
    assert program.status is None, program.words()
    try:
        return httpx.get(f"{front.url}/readyz", verify=front.trusted).is_success
    except httpx.HTTPError:
        return False


def test_a_worker_does_its_work_through_both_ports(front: Front, tmp_path: Path) -> None:
    site = front.site
    site.api.call("POST", "/users", json={"username": "shed", "password": "a long password", "scope": "worker"})
    options = ["--kit", str(tmp_path / "kit"), "--ca", str(front.certificates.ca)]
    made = CliRunner().invoke(
        app, ["--config", str(site.folder / "tron.toml"), "create-client-tokens", "--username", "shed", *options]
    )
    assert made.exit_code == 0, made.output
    worker = site.tron("worker", "--kit", str(tmp_path / "kit"), "--name", "shed", log="shed")

    def connected() -> bool:
        assert worker.status is None, worker.words()
        return site.api.worker("shed") is not None

    eventually(connected, "the worker is connected through nginx")
    note = _upload(front, "note.txt", b"carried by the worker")
    done = site.api.reached(site.api.submit(label="through", megabytes=2, file=note["id"]), "succeeded")
    assert done["output"]["size"] == len(b"carried by the worker")
    [artifact] = done["artifacts"]
    assert artifact["url"].startswith(f"{front.url}/artifacts/")
    assert len(httpx.get(artifact["url"], verify=front.trusted).content) == 2_000_000
    assert any(line.startswith("201 /api/v1/jobs/") for line in front.served()), "the worker's upload took another way"


def _upload(front: Front, name: str, content: bytes) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {front.site.api.token}", "X-Filename": name}
    answer = httpx.post(f"{front.url}/api/v1/uploads", content=content, headers=headers, verify=front.trusted)
    assert answer.status_code == 201, answer.text
    uploaded: dict[str, Any] = answer.json()
    return uploaded


FILES = {
    "harbour.png": PICTURE.read_bytes(),
    "note.txt": "grüße\n".encode() * 100,
    "page.html": b"<!doctype html><script>alert(1)</script>" * 10,
    "data.bin": bytes(range(256)) * 40,
}
REQUESTS: dict[str, dict[str, str]] = {
    "all of it": {},
    "a part": {"Range": "bytes=10-99"},
    "the end": {"Range": "bytes=-7"},
    "from a byte on": {"Range": "bytes=100-"},
    "two parts": {"Range": "bytes=0-1,3-4"},
    "no range": {"Range": "lines=1-2"},
    "beyond the end": {"Range": "bytes=99999999-"},
    "what is there already": {"If-None-Match": "ETAG"},
    "what has another tag": {"If-None-Match": '"other"'},
    "a part of the same": {"Range": "bytes=0-9", "If-Range": "ETAG"},
    "a part of another": {"Range": "bytes=0-9", "If-Range": '"other"'},
    "since a date": {"If-Modified-Since": "Tue, 01 Jan 2999 00:00:00 GMT"},
}


@pytest.mark.parametrize("name", FILES)
def test_files_have_the_bytes_and_headers_that_the_hub_gives_them(front: Front, name: str) -> None:
    path = httpx.URL(_upload(front, name, FILES[name])["url"]).path
    with httpx.Client(verify=front.trusted) as client:
        etag = client.head(f"{front.url}{path}").headers["ETag"]
        for what, asked in REQUESTS.items():
            headers = {key: value.replace("ETAG", etag) for key, value in asked.items()}
            for method in ("GET", "HEAD"):
                by_nginx = client.request(method, f"{front.url}{path}", headers=headers)
                by_hub = client.request(method, f"{front.site.http_url}{path}", headers=headers)
                assert _of(by_nginx) == _of(by_hub), f"{method} {name}, {what}"
    key_and_name = path.removeprefix("/artifacts/")
    assert f"200 /internal/artifacts/{key_and_name}" in front.served(), "it was not nginx that sent the file"


def _of(answer: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    kept = {name: value for name, value in answer.headers.items() if name not in OF_THE_CONNECTION}
    return answer.status_code, kept, answer.content


def test_nobody_comes_to_a_file_but_by_the_hub(front: Front) -> None:
    path = httpx.URL(_upload(front, "data.bin", b"secret")["url"]).path
    inside = path.replace("/artifacts/", "/internal/artifacts/")
    with httpx.Client(verify=front.trusted) as client:
        assert client.get(f"{front.url}{inside}").status_code == 404
        assert client.get(f"{front.url}{path}x").status_code == 404
        asked = {"X-Tron-Internal": "/internal/artifacts/../.."}
        assert client.get(f"{front.site.http_url}{path}", headers=asked).content == b"secret"


def test_events_arrive_as_they_happen(front: Front) -> None:
    job = front.site.api.submit("work", seconds=0, label="watched")
    headers = {"Authorization": f"Bearer {front.site.api.token}"}
    with (
        httpx.Client(verify=front.trusted, timeout=30) as client,
        client.stream("GET", f"{front.url}/api/v1/jobs/{job}/events", headers=headers) as events,
    ):
        assert next(events.iter_lines()).startswith(("event:", "id:", ":"))
