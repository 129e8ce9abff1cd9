"""A worker on the hub's own machine: its credential, its process."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from tron_core.cli.administration import RemoteAdministration
from tron_core.cli.hub_client import HubClient, client_of, dialled
from tron_core.cli.processes import TronProcess, wait_for
from tron_core.cli.tokens import write_auth
from tron_core.errors import ConfigError, TronError

if TYPE_CHECKING:
    from tron_core.config import Loaded
    from tron_core.run_file import Running

USERNAME = "local-worker"
LISTED_SECONDS = 120.0
"""What a worker gets to load its executors and connect; a slow machine reads large libraries then."""
HUB_GONE_SECONDS = 1.0
"""What a worker gets to end by itself after its hub."""


class LocalWorker:
    """Works for the hub of ``running``, with the executors that are installed here and worker.toml, if there is one
    in the configuration's folder. Its log is worker.log there. ``renew``: see ``credential``."""

    def __init__(
        self,
        loaded: Loaded,
        running: Running,
        *,
        name: str | None = None,
        renew: bool = False,
    ) -> None:
        self._folder = loaded.folder
        self._certificate = loaded.settings.hub.tls_certificate
        self._running = running
        self._client = client_of(running, loaded)
        self._name = name
        self._renew = renew
        self.process: TronProcess | None = None

    def start(self) -> TronProcess:
        """Start it; raises TronError where the hub gives it no credential."""
        with self._client as client:
            auth = credential(client, self._folder, renew=self._renew)
        self.process = TronProcess("the worker", self._arguments(auth), log=self._folder / "worker.log")
        return self.process

    def stop(self) -> None:
        """End it once its hub has stopped: that had its time for running jobs, and nobody is left to take a result.
        Nothing happens where it does not run."""
        if self.process is not None:
            self.process.stop(drain_seconds=HUB_GONE_SECONDS)

    def _arguments(self, auth: Path) -> list[str]:
        hub, http = dialled(self._running.hub), dialled(self._running.http)
        arguments = ["worker", "--hub", hub, "--http", http, "--auth", str(auth)]
        if self._certificate is not None:
            arguments += ["--ca", str(self._certificate)]
        settings = self._folder / "worker.toml"
        if settings.is_file():
            arguments += ["--config", str(settings)]
        return arguments if self._name is None else [*arguments, "--name", self._name]


def credential(client: HubClient, folder: Path, *, renew: bool = False) -> Path:
    """``auth.json`` in ``folder``, made once, for a user that may do nothing but connect workers.

    Raises ConfigError for one that is there already and that the hub does not know; with ``renew`` it is replaced.
    """
    file = folder / "auth.json"
    if file.exists() and _is_known(client, file):
        return file
    if file.exists() and not renew:
        raise ConfigError(f"{file}: this hub does not know that credential; remove the file to have another made")
    administration = RemoteAdministration(client)
    try:
        administration.create_user(USERNAME, secrets.token_urlsafe(), None, "worker")
    except TronError as error:
        if error.code != "username_taken":
            raise
    api_key, token = administration.create_tokens(USERNAME)
    write_auth(file, api_key, token)
    return file


def _is_known(client: HubClient, file: Path) -> bool:
    try:
        api_key = json.loads(file.read_text(encoding="utf-8"))["api_key"]
        return client.accepts(api_key["client_id"], api_key["api_key"])
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"{file}: is not what `tron create-client-tokens --output` writes") from None


def wait_until_idle(client: HubClient, name: str, worker: TronProcess, others: list[TronProcess]) -> None:
    """Wait until the hub lists the worker as idle; raises TronError."""

    def listed() -> bool:
        return any(each["name"] == name and each["state"] == "idle" for each in client.items("/workers"))

    wait_for(f"the worker {name}", listed, LISTED_SECONDS, [worker, *others])
