"""From what a frontend hands over to a job that may be queued: settings, validation, files, plugins' say, limits."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tron_core.capability import Capability, FieldSpec, Params, fields_of
from tron_core.errors import InvalidParams, NotFound, Refused, TronError
from tron_core.job import Artifact, JobRequest, shown_name
from tron_core.plugins import Plugins
from tron_core.storage.artifacts import Artifacts
from tron_core.storage.saved_settings import SavedSettings


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that is complete and valid. ``inputs`` are its files as (field, artifact)."""

    request: JobRequest
    capability: Capability
    params: Params
    values: Mapping[str, Any]
    inputs: tuple[tuple[str, Artifact], ...]


class Intake:
    def __init__(self, plugins: Plugins, artifacts: Artifacts, saved_settings: SavedSettings) -> None:
        self._plugins = plugins
        self._artifacts = artifacts
        self._saved_settings = saved_settings
        self._fields: dict[str, tuple[FieldSpec, ...]] = {}

    async def prepare(self, request: JobRequest) -> Prepared:
        """Raises NotFound (capability), InvalidParams or Refused; nothing is kept of what is turned down."""
        missing = self._plugins.missing_required()
        if missing:
            raise Refused(f"Not now: {', '.join(missing)} must be active first.", code="plugin_failed")
        prepared = await self._complete(request, given=request.params)
        if not self._plugins.has("tron_job_submitting"):
            return prepared
        complete = replace(prepared.request, params=prepared.values)
        altered = await self._ask_plugins(complete)
        if altered is complete:
            return prepared
        return await self._complete(replace(altered, lenient=False), given=altered.params)

    async def _complete(self, request: JobRequest, given: Mapping[str, Any]) -> Prepared:
        capability = self._capability(request.capability)
        params = await self._parse(capability, request, given)
        values = params.model_dump(mode="json")
        request = replace(request, requester_name=shown_name(request.requester_name))
        return Prepared(request, capability, params, values, await self._inputs(capability, values))

    def _capability(self, name: str) -> Capability:
        capability = self._plugins.capabilities.get(name)
        if capability is not None:
            return capability
        near = difflib.get_close_matches(name, self._plugins.capabilities, 1)
        known = f"did you mean {near[0]}?" if near else f"there is: {', '.join(sorted(self._plugins.capabilities))}"
        raise NotFound(f"There is no capability {name!r}; {known}", code="unknown_capability")

    def _specs(self, capability: Capability) -> tuple[FieldSpec, ...]:
        if capability.name not in self._fields:
            self._fields[capability.name] = fields_of(capability.params)
        return self._fields[capability.name]

    async def _parse(self, capability: Capability, request: JobRequest, given: Mapping[str, Any]) -> Params:
        saved = await self._saved(capability, request, given)
        values = {**saved, **given}
        try:
            parsed: Params = capability.parse(values, lenient=request.lenient)
        except InvalidParams as error:
            wrong = {problem["field"] for problem in error.details["errors"]} if error.details else set()
            stale = wrong & saved.keys()
            if not stale:
                raise
            # What somebody saved long ago may not be allowed any more: it is left out, not held against them.
            kept = {name: value for name, value in values.items() if name not in stale}
            parsed = capability.parse(kept, lenient=request.lenient)
        return parsed

    async def _saved(self, capability: Capability, request: JobRequest, given: Mapping[str, Any]) -> Mapping[str, Any]:
        keys = {
            f"{spec.group or capability.name}.{spec.name}": spec.name
            for spec in self._specs(capability)
            if spec.kind == "setting" and spec.saved and spec.name not in given
        }
        if not keys:
            return {}
        saved = await self._saved_settings.layered(
            list(keys), requester=request.requester, channel=request.channel, guild=request.guild
        )
        return {keys[key]: value for key, value in saved.items()}

    async def _inputs(self, capability: Capability, values: Mapping[str, Any]) -> tuple[tuple[str, Artifact], ...]:
        specs = {spec.name: spec for spec in self._specs(capability)}
        found: list[tuple[str, Artifact]] = []
        for name, ids in capability.attachments(values):
            found.extend([(name, await self._input(specs[name], artifact_id)) for artifact_id in ids])
        return tuple(found)

    async def _input(self, spec: FieldSpec, artifact_id: str) -> Artifact:
        try:
            artifact = await self._artifacts.get(artifact_id)
        except NotFound:
            raise _wrong(spec, artifact_id, "there is no such upload or artifact") from None
        if not accepts(spec.accept, artifact.media_type):
            raise _wrong(spec, artifact_id, f"it is {artifact.media_type}")
        return artifact

    async def _ask_plugins(self, request: JobRequest) -> JobRequest:
        arguments = {"request": request}
        async for outcome in self._plugins.call_each("tron_job_submitting", arguments):
            if isinstance(outcome.error, TronError):
                raise outcome.error
            if outcome.error is not None:
                raise Refused(f"Not now: the plugin {outcome.plugin} failed.", code="plugin_failed")
            if isinstance(outcome.value, JobRequest):
                arguments["request"] = outcome.value  # the next plugin sees what this one made of it
        return arguments["request"]


def accepts(accept: str, media_type: str) -> bool:
    """Whether a media type is in ``accept``: types and ranges (``image/*``) separated by commas."""
    wanted = [part.strip() for part in accept.split(",")]
    return any(part in ("*/*", media_type) or part == media_type.split("/")[0] + "/*" for part in wanted)


def _wrong(spec: FieldSpec, value: str, message: str) -> InvalidParams:
    problem = {"field": spec.name, "value": value, "message": message, "allowed": spec.accept}
    return InvalidParams(f"{spec.name} ({value}): {message}; allowed: {spec.accept}", details={"errors": [problem]})


def request_hash(request: JobRequest) -> bytes:
    """What tells a repeated request from another one under the same idempotency key."""
    given = json.dumps([request.capability, dict(request.params), request.priority], sort_keys=True)
    return hashlib.sha256(given.encode()).digest()
