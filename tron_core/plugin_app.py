"""The App that each plugin is handed: a narrow view of the hub's services."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from tron_core.api import ArtifactAccess, CredentialAccess, DatabaseAccess, Grant, HookAccess, SettingsAccess
from tron_core.auth.errors import InvalidGrant
from tron_core.errors import Forbidden, NotFound, Unauthorized
from tron_core.frontends import setting_keys
from tron_core.hub.plugin_sessions import PluginWorkers
from tron_core.job import Artifact, Job, JobRequest, Role
from tron_core.plugins import Plugins
from tron_core.services import Services
from tron_core.sessions import WorkerAccess

M = TypeVar("M", bound=BaseModel)


class PluginArtifacts:
    """The stored binaries, as ``ArtifactAccess`` says."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def put(
        self,
        name: str,
        data: bytes | AsyncIterator[bytes],
        *,
        owner: str | None = None,
        role: Role = Role.RESULT,
        job: str | None = None,
        attempt: int | None = None,
    ) -> Artifact:
        return await self._services.artifacts.put(name, data, owner=owner, role=role, job=job, attempt=attempt)

    async def open(self, artifact_id: str) -> tuple[Artifact, AsyncIterator[bytes]]:
        return await self._services.artifacts.open(artifact_id)

    async def for_job(self, job: str) -> Sequence[Artifact]:
        return await self._services.artifacts.for_job(job)

    async def remove(self, ids: Collection[str]) -> None:
        await self._services.artifacts.remove(ids)


class PluginSettings:
    """The saved settings, as ``SettingsAccess`` says."""

    def __init__(self, plugin: str, services: Services) -> None:
        self._plugin = plugin
        self._services = services

    async def get(self, requester: str, guild: str | None, field: str) -> Any:
        return await self._services.saved_settings.get(requester, guild, field)

    async def save(self, requester: str, field: str, value: Any) -> None:
        meant = setting_keys.find(self._services.plugins, field)
        if all(each.plugin != self._plugin for each in meant):
            raise NotFound(f"The setting {field!r} is not of the plugin {self._plugin}", code="unknown_setting")
        if value is None:
            await self._services.saved_settings.reset(requester, key=field)
            return
        for each in meant:
            each.check(value)
        await self._services.saved_settings.set(requester, self._plugin, field, value)


class PluginCredentials:
    """Credentials at the doors of one plugin, as ``CredentialAccess`` says."""

    def __init__(self, plugin: str, services: Services) -> None:
        self._plugin = plugin
        self._services = services

    async def authenticate(self, access_token: str | None) -> Grant:
        try:
            principal = await self._services.auth.authenticate(access_token, plugin=self._plugin)
        except Forbidden as error:
            raise Unauthorized(error.message) from None
        return Grant(principal.client_id, principal.username, frozenset(principal.scopes))

    async def by_api_key(self, client_id: str, api_key: str) -> Mapping[str, Any]:
        auth = self._services.auth
        return (await auth.grant_client_credentials(client_id, api_key, plugin=self._plugin)).block()

    async def by_refresh_token(self, refresh_token: str) -> Mapping[str, Any]:
        try:
            pair = await self._services.auth.renew(refresh_token, plugin=self._plugin)
        except InvalidGrant as error:
            raise Unauthorized(error.message, code=error.code) from None
        return pair.block()


class PluginHooks:
    """Calls of hooks, as ``HookAccess`` says."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins

    async def call_all(self, hook: str, /, **arguments: Any) -> list[Any]:
        return [answer.value for answer in await self._plugins.call_all(hook, **arguments)]

    async def call_first(self, hook: str, /, **arguments: Any) -> Any:
        return await self._plugins.call_first(hook, **arguments)


class PluginApp:
    """What one plugin may use of the hub; the contract is ``tron_core.App``."""

    def __init__(self, plugin: str, services: Services) -> None:
        self.plugin = plugin
        self.folder = services.folder
        self.database: DatabaseAccess = services.database
        self.artifacts: ArtifactAccess = PluginArtifacts(services)
        self.settings: SettingsAccess = PluginSettings(plugin, services)
        self.hooks: HookAccess = PluginHooks(services.plugins)
        self.workers: WorkerAccess = PluginWorkers(services.bus, services.scheduler.leased)
        self.credentials: CredentialAccess = PluginCredentials(plugin, services)
        self._services = services

    def config(self, model: type[M]) -> M:
        """The plugin's own section; its defaults where the file has none. Raises TypeError where ``model`` is not
        the one that ``tron_register_config`` returned."""
        section = self._services.plugins.config(self.plugin)
        if section is None:
            return model()
        if not isinstance(section, model):
            raise TypeError(
                f"{self.plugin}: config({model.__name__}), but tron_register_config gave {type(section).__name__}"
            )
        return section

    async def submit(self, request: JobRequest) -> Job:
        """Submit a job; raises Refused, InvalidParams or TooMany."""
        return (await self._services.scheduler.submit(request)).job

    async def job(self, job: str) -> Job:
        """A job by its id; raises NotFound."""
        return (await self._services.scheduler.get(job)).job

    def choices(self, capability: str, field: str) -> Sequence[str]:
        """What ``field`` may be now: what the plugin knows and what connected workers announced."""
        return self._services.scheduler.choices(capability, field)
