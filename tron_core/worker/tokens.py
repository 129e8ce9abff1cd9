"""The worker's credential and the access tokens that it gets for it."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import datetime
from pathlib import Path

import httpx
import pydantic
from pydantic import BaseModel, ConfigDict

from tron_core.clock import Clock, SystemClock
from tron_core.errors import ConfigError
from tron_core.worker.stopped import ExitCode, WorkerStopped

TOKEN_PATH = "/api/v1/token"  # noqa: S105 - a path
SKEW = 30.0
"""Seconds before its end at which a token is renewed."""
TIMEOUT = 20.0


class ApiKey(BaseModel):
    """The credential: ``api_key`` is its secret."""

    model_config = ConfigDict(extra="allow")

    client_id: str
    api_key: str


class Token(BaseModel):
    """An access token; ``expires_in`` in seconds from ``issued_at``."""

    model_config = ConfigDict(extra="allow")

    access_token: str
    refresh_token: str | None = None
    expires_in: float | None = None
    issued_at: datetime | None = None

    def expired(self, now: float) -> bool:
        """Whether it is (nearly) over; one that does not say when counts as good until it is refused."""
        if self.expires_in is None or self.issued_at is None:
            return False
        return now >= self.issued_at.timestamp() + self.expires_in - SKEW


class WorkerAuth(BaseModel):
    """The content of auth.json, as ``tron create-client-tokens --output`` writes it.

    ``token_url`` and ``http`` may name the token endpoint or the REST side, where it is not the hub's host, port 5000.
    """

    model_config = ConfigDict(extra="allow")

    api_key: ApiKey | None = None
    token: Token | None = None
    token_url: str | None = None
    http: str | None = None


def load_auth(path: Path) -> WorkerAuth:
    """Read auth.json; raises ConfigError."""
    remedy = "tron create-client-tokens --username NAME --output auth.json, on the hub, writes one"
    try:
        auth = WorkerAuth.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"auth = {str(path)!r}: cannot be read ({error.strerror}); {remedy}") from None
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigError(f"auth = {str(path)!r}: {where}: {first['msg']}; {remedy}") from None
    if auth.api_key is None and auth.token is None:
        raise ConfigError(f"auth = {str(path)!r}: has neither 'api_key' nor 'token'; {remedy}")
    return auth


class TokenSource:
    """Hands out an access token, and gets a new one when the old one is over or was refused.

    With an api key a new token is a new grant; without one the refresh token is spent, and the one that comes with
    the answer written back to ``path``, because the hub takes a second use of a spent one for theft.
    """

    def __init__(
        self,
        auth: WorkerAuth,
        url: str,
        http: httpx.AsyncClient,
        *,
        path: Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._auth = auth
        self._url = url
        self._http = http
        self._path = path
        self._clock = clock or SystemClock()
        self._token = auth.token

    async def token(self) -> str:
        """An access token that should be good; raises as ``renew`` does."""
        if self._token is None or self._token.expired(self._clock.now()):
            return await self.renew()
        return self._token.access_token

    async def renew(self) -> str:
        """A new access token. Raises WorkerStopped where the hub does not accept the credential, httpx.HTTPError
        where it cannot be asked."""
        response = await self._http.post(self._url, data=self._grant(), timeout=TIMEOUT)
        if response.status_code in (400, 401, 403):
            raise WorkerStopped(self._refusal(response), ExitCode.REFUSED)
        response.raise_for_status()
        self._token = _parse_token(response, self._url)
        await asyncio.to_thread(self._write_back)
        return self._token.access_token

    def _grant(self) -> dict[str, str]:
        if self._auth.api_key is not None:
            key = self._auth.api_key
            return {"grant_type": "client_credentials", "client_id": key.client_id, "client_secret": key.api_key}
        if self._token is not None and self._token.refresh_token:
            return {"grant_type": "refresh_token", "refresh_token": self._token.refresh_token}
        raise WorkerStopped(
            "auth.json has neither an api key nor a refresh token, so that no new access token can be had. "
            "Write a new one: tron create-client-tokens --username NAME --output auth.json",
            ExitCode.REFUSED,
        )

    def _refusal(self, response: httpx.Response) -> str:
        who = f"the credential {self._auth.api_key.client_id}" if self._auth.api_key else "the refresh token"
        return (
            f"The hub does not accept {who} ({_problem(response)}). It may have been revoked. "
            "Write a new auth.json: tron create-client-tokens --username NAME --output auth.json"
        )

    def _write_back(self) -> None:
        if self._path is None or self._auth.api_key is not None or self._token is None:
            return
        content = self._auth.model_copy(update={"token": self._token}).model_dump(mode="json", exclude_none=True)
        scratch = self._path.with_suffix(".new")
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
        scratch.replace(self._path)


def _parse_token(response: httpx.Response, url: str) -> Token:
    try:
        return Token.model_validate_json(response.content)
    except pydantic.ValidationError:
        raise WorkerStopped(
            f"{url} answers, but not with a token: is it the hub's REST side? `http` in auth.json names another",
            ExitCode.REFUSED,
        ) from None


def _problem(response: httpx.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        return f"HTTP {response.status_code}"
    sentence = (
        body.get("error_description") or body.get("detail") or body.get("error") if isinstance(body, dict) else None
    )
    return f"HTTP {response.status_code}: {sentence}" if sentence else f"HTTP {response.status_code}"
