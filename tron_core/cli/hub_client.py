"""The one place where commands find the hub that runs, and speak REST with it."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlsplit, urlunsplit

import typer

from tron_core.errors import ConfigError, TronError, Unavailable
from tron_core.frontends.server_sent import ServerSent, events_of

if TYPE_CHECKING:
    import httpx

    from tron_core.config import Loaded
    from tron_core.run_file import Running

API = "/api/v1"
SILENCE = 45.0
"""Seconds without a byte after which a stream of events is taken for dead; the hub says something every 15."""
SECONDS = 60.0
"""The longest wait for an answer."""

Url = Annotated[
    str | None,
    typer.Option(
        "--url", envvar="TRON_URL", metavar="URL", help="The REST side of another hub than this configuration's."
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="TRON_TOKEN",
        metavar="TOKEN",
        help="The access token to use; unset, the local administrator's of the hub that runs here.",
    ),
]


class HubAway(Unavailable):
    """The hub does not answer."""

    code = "hub_away"


class HubClient:
    """REST with one hub at ``base``. Each method raises TronError: what the hub says is wrong, or HubAway."""

    def __init__(
        self,
        base: str,
        token: str,
        *,
        verify: ssl.SSLContext | bool = True,
        through_proxy: bool = True,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        import httpx

        self.base = base.rstrip("/")
        self._token = {"Authorization": f"Bearer {token}"}
        limits = httpx.Timeout(SECONDS, connect=10.0, write=None)
        self._http = httpx.Client(verify=verify, timeout=limits, trust_env=through_proxy, transport=transport)

    def __enter__(self) -> HubClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """The JSON at ``path`` (below /api/v1)."""
        return self._call("GET", path, params={key: value for key, value in (params or {}).items() if value})

    def post(self, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None) -> Any:
        """POST ``body`` as JSON."""
        return self._call("POST", path, json={} if body is None else body, headers=headers)

    def patch(self, path: str, body: Any) -> Any:
        """PATCH with ``body`` as JSON."""
        return self._call("PATCH", path, json=body)

    def put(self, path: str, body: Any = None) -> Any:
        """PUT ``body`` as JSON, or nothing; None where the answer has no body."""
        return self._call("PUT", path, **({} if body is None else {"json": body}))

    def delete(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """DELETE; None where the answer has no body."""
        return self._call("DELETE", path, params={key: value for key, value in (params or {}).items() if value})

    def items(self, path: str, params: Mapping[str, Any] | None = None, *, most: int | None = None) -> list[Any]:
        """The items of a list over all its pages, at most ``most``."""
        found: list[Any] = []
        cursor: str | None = None
        while True:
            page = self.get(path, {**(params or {}), "cursor": cursor})
            found += page["items"]
            cursor = page["next"]
            if cursor is None or (most is not None and len(found) >= most):
                return found[:most]

    def is_ready(self) -> bool:
        """Whether the hub takes requests now."""
        import httpx

        try:
            return self._http.get(f"{self.base}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def accepts(self, client_id: str, api_key: str) -> bool:
        """Whether a credential may be used here."""
        import httpx

        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": api_key}
        try:
            return self._http.post(f"{self.base}{API}/token", data=form).status_code == 200
        except httpx.TransportError as error:
            raise self._away(error) from error

    def upload(self, file: Path) -> dict[str, Any]:
        """Upload a file; the artifact that it became."""
        headers = {"Content-Type": "application/octet-stream", "X-Filename": quote(file.name)}
        with file.open("rb") as content:
            uploaded: dict[str, Any] = self._call("POST", "/uploads", content=content, headers=headers)
        return uploaded

    def events(self, job: str) -> Iterator[ServerSent]:
        """The events of a job from now on, until its end or the connection's; raises HubAway where that breaks."""
        import httpx

        limits = httpx.Timeout(SILENCE, connect=10.0)
        try:
            with self._http.stream(
                "GET", f"{self.base}{API}/jobs/{job}/events", headers=self._token, timeout=limits
            ) as response:
                if response.is_error:
                    response.read()
                    raise _refusal(response)
                yield from events_of(response.iter_lines())
        except httpx.TransportError as error:
            raise self._away(error) from error

    def download(self, url: str) -> Iterator[bytes]:
        """The bytes of an artifact. Its key is all that is needed: the token is not sent, the URL may be elsewhere."""
        import httpx

        try:
            with self._http.stream("GET", url) as response:
                if response.is_error:
                    response.read()
                    raise _refusal(response)
                yield from response.iter_bytes()
        except httpx.TransportError as error:
            raise self._away(error) from error

    def _call(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **body: Any) -> Any:
        import httpx

        try:
            response = self._http.request(
                method, f"{self.base}{API}{path}", headers={**self._token, **(headers or {})}, **body
            )
        except httpx.TransportError as error:
            raise self._away(error) from error
        if response.is_error:
            raise _refusal(response)
        return response.json() if response.content else None

    def _away(self, error: Exception) -> HubAway:
        return HubAway(f"the hub at {self.base} does not answer: {str(error) or type(error).__name__}")


def _refusal(response: httpx.Response) -> TronError:
    """The hub's own sentence, or the status where something else answered."""
    try:
        problem = response.json()
        refused = TronError(problem["detail"], code=problem["code"], details=problem)
    except (ValueError, KeyError, TypeError):
        refused = TronError(f"{response.url}: HTTP {response.status_code}, and not from a hub", code="not_a_hub")
    refused.status = response.status_code
    return refused


def find_hub(loaded: Loaded, url: str | None = None, token: str | None = None) -> HubClient | None:
    """The hub of ``--url``, else the one that runs with this configuration; None where none does.

    ``token`` is used with either; the hub that runs here needs none. Raises ConfigError for a ``--url`` that is none or
    without ``--token``, and for a ``--token`` where there is no hub to use it with.
    """
    if url is not None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ConfigError(f"--url {url!r}: must be http:// or https://, for example https://hub.example.org")
        if token is None:
            raise ConfigError("--url needs an access token of that hub: --token, or the variable TRON_TOKEN")
        return HubClient(url, token)
    running = find_running(loaded)
    if running is None:
        if token is not None:
            raise ConfigError(f"--token: no hub runs in {loaded.folder} to use it with; name another with --url")
        return None
    return client_of(running, loaded, token)


def require_hub(loaded: Loaded, url: str | None = None, token: str | None = None) -> HubClient:
    """As ``find_hub``, but raises ConfigError where no hub runs."""
    client = find_hub(loaded, url, token)
    if client is None:
        raise ConfigError(
            f"no hub runs in {loaded.folder} (there is no live run.json): start one with `tron run`, "
            "name its configuration with --config, or another hub with --url and --token"
        )
    return client


def find_running(loaded: Loaded) -> Running | None:
    """What run.json says, if the process lives and answers."""
    import httpx

    from tron_core.run_file import RunFile

    running = RunFile(loaded.folder).read()
    if running is None or not _is_alive(running.pid):
        return None
    try:
        answer = httpx.get(f"{dialled(running.http)}/healthz", verify=_pinned(loaded), trust_env=False, timeout=5)
    except httpx.TransportError:
        return None
    return running if answer.status_code == 200 else None


def client_of(running: Running, loaded: Loaded, token: str | None = None) -> HubClient:
    """Speak with the hub of a run file: directly, and where it has TLS, with nobody but the holder of its key.

    As its local administrator, or as whoever ``token`` is of.
    """
    return HubClient(dialled(running.http), token or running.token, verify=_pinned(loaded), through_proxy=False)


def dialled(address: str) -> str:
    """The address to dial for one that is bound: ``0.0.0.0`` and ``::`` are everybody's, loopback is ours."""
    parts = urlsplit(address)
    hosts = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
    if parts.hostname not in hosts:
        return address
    return urlunsplit(parts._replace(netloc=f"{hosts[parts.hostname]}:{parts.port}"))


def _pinned(loaded: Loaded) -> ssl.SSLContext | bool:
    """Trust the hub's own certificate and no other, under any name: it was made for the name that others dial."""
    hub = loaded.settings.hub
    certificate = hub.tls_certificate
    if certificate is None:
        return True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(certificate)
        if hub.tls_client_ca is not None and hub.tls_key is not None:
            context.load_cert_chain(certificate, hub.tls_key)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"hub.tls_certificate: {certificate}: cannot be used: {error}") from None
    return context


def _is_alive(pid: int) -> bool:
    if sys.platform == "win32":  # there os.kill would end it; /healthz must do
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
