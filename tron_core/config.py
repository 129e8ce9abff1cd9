"""The hub's settings: tron.toml, and each key also as an environment variable (``TRON_DATABASE__URL``).

Durations are in seconds, sizes in bytes. Paths and ``sqlite:///`` URLs are relative to the configuration file.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from tron_core.errors import ConfigError
from tron_core.sections import HIDDEN, did_you_mean, is_secret, is_true, read_secret, read_toml, validate

FILE = "tron.toml"
NOT_SETTINGS = re.compile(r"TRON_(PLUGINS|CONFIG|TRACE_PLUGINS|REQUIRE_SERVICES|TEST_.*)", re.IGNORECASE)
"""Variables that are read before, or beside, the settings."""


class Section(BaseModel):
    """The base of every section: what stands in no field is an error, and the docstrings become the reference."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


Port = Annotated[int, Field(ge=0, le=65535)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class HubSettings(Section):
    """Where workers connect, and TLS for both ports."""

    host: str = "127.0.0.1"
    """The address to bind."""
    port: Port = 6789
    """The port to bind; 0 takes a free one."""
    public_url: str | None = None
    """How workers reach the hub from outside (``wss://hub.example.org``)."""
    drain_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 30
    """What running jobs get at shutdown."""
    tls_certificate: Path | None = None
    """Certificate chain (PEM) for both ports."""
    tls_key: Path | None = None
    """Its private key (PEM)."""
    tls_client_ca: Path | None = None
    """Where set, clients need a certificate of this CA (PEM)."""
    allow_plaintext: bool = False
    """Allow a bind beyond loopback without TLS, behind a proxy that has it."""

    @model_validator(mode="after")
    def _certificate_and_key_come_together(self) -> HubSettings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key are set together, or not at all")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise ValueError("tls_client_ca needs tls_certificate and tls_key")
        return self


class HttpSettings(Section):
    """REST and the web page."""

    host: str = "127.0.0.1"
    """The address to bind."""
    port: Port = 5000
    """The port to bind; 0 takes a free one, which is printed and written to run.json."""
    public_url: str | None = None
    """How people reach it from outside; unset, URLs for a worker are built from the host it dialled."""


class DatabaseSettings(Section):
    """Where jobs, users and settings are kept."""

    url: str = "sqlite:///tron.db"
    """``sqlite:///PATH`` or ``mysql+pymysql://USER:PASSWORD@HOST/NAME``; ``env:NAME`` and ``file:PATH`` point to it."""
    auto_upgrade: bool = True
    """Bring an outdated schema up to date at start (SQLite alone)."""
    synchronous: Literal["full", "normal"] = "full"
    """``full`` survives a power cut, ``normal`` a crash of the hub alone."""


class ArtifactSettings(Section):
    """Where pictures, audio and other files are kept."""

    url: str = "file:artifacts"
    """``file:PATH``, or another scheme that a plugin brings."""
    public_url: str | None = None
    """Where a web server of your own serves them; unset, the hub does."""
    keep_days: Positive | None = None
    """Days after which an artifact is deleted; unset, never."""
    max_bytes: Count | None = None
    """What all artifacts together may take; the oldest go first. Unset, no limit."""


class BusSettings(Section):
    """What connects several hubs."""

    url: str = "local:"
    """``local:`` for one hub, or a scheme that a plugin brings."""


class SchedulingSettings(Section):
    """The queue and the leases."""

    heartbeat_seconds: Positive = 10
    """How often an idle worker says that it is there."""
    resume_grace: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 30
    """How long a dropped session keeps its jobs."""
    max_attempts: Count = 3
    """Attempts after which a job that was lost or failed each time fails for good."""
    no_worker: Literal["queue", "reject"] = "queue"
    """What to do with a job that nobody connected can do."""
    queue_ttl: Positive = 1800
    """How long a job may wait before it expires."""
    max_queued_per_user: Count = 20
    """Jobs that one requester may have waiting."""


class LimitSettings(Section):
    """What one client may ask of the hub."""

    requests_per_minute: Count = 600
    """REST calls, per credential."""
    login_attempts_per_minute: Count = 10
    """Sign-ins and token requests, per address."""
    upload_bytes: Count = 268_435_456
    """The largest upload or artifact."""
    picture_pixels: Count = 64_000_000
    """The largest picture, width times height."""


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


class DiscordSettings(Section):
    """The Discord frontend; without a token there is none."""

    token: Annotated[SecretStr | None, BeforeValidator(_none_if_empty)] = None
    """The bot's token, best written ``env:DISCORD_TOKEN`` or ``file:PATH``."""
    prefix: Annotated[str, Field(min_length=1, max_length=8)] = "!"
    """What commands begin with."""
    api_url: str = "https://discord.com/api/v10"
    """Discord's REST API; the gateway is asked for there."""


class LoggingSettings(Section):
    """The log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """What is written."""
    format: Literal["console", "json"] = "console"
    """For people, or one JSON object a line."""


def _split_commas(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return [name.strip() for name in value.split(",") if name.strip()]


class PluginSettings(Section):
    """``disabled``, and one table a plugin: the plugin's own, which it declares and which is validated with it."""

    model_config = ConfigDict(extra="allow")

    disabled: Annotated[list[str], NoDecode, BeforeValidator(_split_commas)] = []
    """Names of plugins that are not loaded."""

    @model_validator(mode="after")
    def _the_rest_are_tables(self) -> PluginSettings:
        for name, value in (self.model_extra or {}).items():
            if not isinstance(value, Mapping):
                hint = did_you_mean(name, ["disabled"])
                raise ValueError(f"{name} is neither a table [plugins.{name}] nor a key of the core{hint}")
            try:
                is_true(value.get("required", False))
            except ValueError:
                raise ValueError(f"{name}.required = {value['required']!r}: must be true or false") from None
        return self

    @property
    def sections(self) -> Mapping[str, Mapping[str, Any]]:
        """The tables ``[plugins.NAME]`` as they were written, by name."""
        return self.model_extra or {}


class Settings(BaseSettings):
    """Every setting with its default. ``Settings()`` is the defaults alone; ``load`` reads file and environment."""

    model_config = SettingsConfigDict(
        env_prefix="TRON_", env_nested_delimiter="__", extra="forbid", frozen=True, use_attribute_docstrings=True
    )

    hub: HubSettings = HubSettings()
    http: HttpSettings = HttpSettings()
    database: DatabaseSettings = DatabaseSettings()
    artifacts: ArtifactSettings = ArtifactSettings()
    bus: BusSettings = BusSettings()
    scheduling: SchedulingSettings = SchedulingSettings()
    limits: LimitSettings = LimitSettings()
    discord: DiscordSettings = DiscordSettings()
    logging: LoggingSettings = LoggingSettings()
    plugins: PluginSettings = PluginSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is handed over: ``load`` reads the sources itself, to know each value's origin."""
        return (init_settings,)

    @model_validator(mode="after")
    def _plaintext_stays_on_this_machine(self) -> Settings:
        if self.hub.tls_certificate is not None or self.hub.allow_plaintext:
            return self
        for name, host in (("hub.host", self.hub.host), ("http.host", self.http.host)):
            if not is_loopback(host):
                raise ValueError(
                    f"{name} = {host!r} would be reached from other machines without encryption: set "
                    "hub.tls_certificate and hub.tls_key (tron certs create makes them), or "
                    "hub.allow_plaintext = true behind a proxy"
                )
        return self


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what is bound to ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def cannot_listen(section: str, host: str, port: int, error: OSError) -> ConfigError:
    """Why ``host`` and ``port`` of ``[section]`` cannot be bound, and what to do."""
    if error.errno == errno.EADDRINUSE:
        cure = f"end it, or set {section}.port to another one (0 takes a free one)"
        return ConfigError(f"{section}.port = {port}: another program listens at {host}:{port}; {cure}")
    if error.errno == errno.EACCES:
        return ConfigError(f"{section}.port = {port}: this user may not listen there; allowed: ports from 1024 on")
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return ConfigError(f"{section}.host = {host!r}: this machine has no such address; 0.0.0.0 is all that it has")
    return ConfigError(f"{section}.host, {section}.port: cannot listen at {host}:{port}: {error.strerror or error}")


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings and where they come from.

    ``path`` is the file, None without one; ``folder`` what relative paths are relative to; ``origins`` the source of
    each key that is not at its default, by dotted key: the file, or the environment variable.
    """

    settings: Settings
    path: Path | None
    folder: Path
    origins: Mapping[str, str]

    def source_of(self, key: str) -> str:
        """Where a key stands, or would stand."""
        return self.origins.get(key, str(self.path or FILE))


def find(path: Path | None = None) -> Path | None:
    """The configuration file: ``path``, else ``TRON_CONFIG``, else tron.toml here; None where there is none.

    Raises ConfigError where one was named that is not there.
    """
    named = path or (Path(os.environ["TRON_CONFIG"]) if os.environ.get("TRON_CONFIG") else None)
    if named is None:
        here = Path.cwd() / FILE
        return here if here.is_file() else None
    if not named.is_file():
        raise ConfigError(
            f"{named}: there is no such configuration file (named by {'--config' if path else 'TRON_CONFIG'})"
        )
    return named.absolute()


def load(path: Path | None = None) -> Loaded:
    """Read the settings; raises ConfigError with the key, the value and what is allowed."""
    file = find(path)
    folder = file.parent if file else Path.cwd()
    from_file = read_toml(file) if file else {}
    from_environment = read_environment()
    origins = dict.fromkeys((key for key, _ in flatten(from_file)), str(file))
    origins |= {key: variable_of(key) for key, _ in flatten(from_environment)}
    values = _merge(from_file, from_environment)
    _resolve_database_url(values, folder)
    _resolve_paths(values, folder)
    unread = Loaded(Settings(), file, folder, origins)
    settings = validate(Settings, values, prefix="", source=unread.source_of, folder=folder)
    return replace(unread, settings=settings)


def read_environment() -> dict[str, Any]:
    """What ``TRON_SECTION__KEY`` variables say; raises ConfigError for a section that there is not."""
    source = EnvSettingsSource(Settings)
    names = [name for name in source.env_vars if name.startswith("tron_") and "__" in name]
    wanted = [name for name in names if not NOT_SETTINGS.fullmatch(name)]
    for name in wanted:
        section = name.removeprefix("tron_").split("__")[0]
        if section not in Settings.model_fields:
            hint = did_you_mean(section, Settings.model_fields)
            raise ConfigError(f"{name.upper()}: there is no section {section!r}{hint}")
    # Only these: TRON_PLUGINS alone would be read as the whole section.
    source.env_vars = {name: source.env_vars[name] for name in wanted}
    return source()


def variable_of(key: str) -> str:
    """The environment variable of a dotted key."""
    return "TRON_" + key.replace(".", "__").replace("-", "_").upper()


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and their values."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            value = _merge(old, value)
        merged[name] = value
    return merged


def _resolve_database_url(values: Mapping[str, Any], folder: Path) -> None:
    """The URL holds a password, so it may stand elsewhere as a secret may."""
    database = values.get("database")
    if isinstance(database, dict) and isinstance(database.get("url"), str):
        database["url"] = read_secret("database.url", database["url"], folder)


def _resolve_paths(values: Mapping[str, Any], folder: Path) -> None:
    hub = values.get("hub")
    if not isinstance(hub, dict):
        return
    for key in ("tls_certificate", "tls_key", "tls_client_ca"):
        if isinstance(hub.get(key), str):
            hub[key] = str(folder / hub[key])


def shown(settings: Settings) -> Iterator[tuple[str, Any]]:
    """Every key with its effective value, as it may be shown: secrets and passwords in URLs are masked."""
    for section, model in settings:
        for name, value in model:
            if isinstance(value, Mapping):
                yield from ((f"{section}.{name}.{key}", mask(key, inner)) for key, inner in flatten(value))
            elif name in type(model).model_fields and is_secret(type(model), name):
                yield f"{section}.{name}", HIDDEN if value else None
            else:
                yield f"{section}.{name}", mask(name, value)


_SECRET_NAME = re.compile(r"token|secret|password|(^|_)key$", re.IGNORECASE)
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^/@:]*):([^/@]+)@")


def mask(key: str, value: Any) -> Any:
    """``value`` as it may be shown. A plugin's secrets are known by their names, as its model may not be loaded."""
    if not isinstance(value, str):
        return str(value) if isinstance(value, Path) else value
    if _SECRET_NAME.search(key) and not value.startswith(("env:", "file:")):
        return HIDDEN
    return _PASSWORD_IN_URL.sub(rf"\1:{HIDDEN}@", value)
