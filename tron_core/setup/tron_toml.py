"""tron.toml as `tron init` writes it: what was answered, and comments that say what else there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import tomlkit

HEAD = """\
# The hub's configuration, written by `tron init`. Every key with its meaning and default: docs/reference/configuration.
# `tron config show` prints what holds, `tron doctor` what is wrong. Paths are relative to this file. A secret is
# best written "env:NAME" (an environment variable) or "file:PATH".
"""


@dataclass(frozen=True, slots=True)
class Answers:
    """What was asked. ``public_host`` is None where workers run on this machine alone; ``database``, ``discord_token``
    and the values of ``plugin_secrets`` (by section and key) are as they are to be written."""

    public_host: str | None = None
    hub_port: int = 6789
    http_port: int = 5000
    database: str = "sqlite:///tron.db"
    discord_token: str | None = None
    plugin_secrets: Mapping[tuple[str, str], str] = field(default_factory=dict)


def tron_toml(answers: Answers) -> str:
    """The content of the file."""
    return "\n".join(
        [HEAD, *_hub(answers), *_http(answers), *_storage(answers), *_discord(answers), *_plugins(answers)]
    )


def _hub(answers: Answers) -> list[str]:
    lines = ["[hub]", "# Where workers connect."]
    host = _bracketed(answers.public_host)
    if host is None:
        return [
            *lines,
            _pair("host", "127.0.0.1"),
            _pair("port", answers.hub_port),
            "# For workers elsewhere: `tron certs create --name HOST`, then",
            '# host = "0.0.0.0"',
            f'# public_url = "wss://HOST:{answers.hub_port}"',
            '# tls_certificate = "certs/server.pem"',
            '# tls_key = "certs/server-key.pem"',
            "",
        ]
    return [
        *lines,
        _pair("host", "0.0.0.0"),
        _pair("port", answers.hub_port),
        _pair("public_url", f"wss://{host}:{answers.hub_port}"),
        "# For both ports. `tron certs create` renews it; files of an ACME client (fullchain.pem, privkey.pem) do too.",
        _pair("tls_certificate", "certs/server.pem"),
        _pair("tls_key", "certs/server-key.pem"),
        "",
    ]


def _http(answers: Answers) -> list[str]:
    host = _bracketed(answers.public_host)
    lines = [
        "[http]",
        "# REST and the web page.",
        _pair("host", "127.0.0.1" if host is None else "0.0.0.0"),
        _pair("port", answers.http_port),
    ]
    if host is not None:
        lines.append(_pair("public_url", f"https://{host}:{answers.http_port}"))
    return [*lines, ""]


def _storage(answers: Answers) -> list[str]:
    return [
        "[database]",
        _pair("url", answers.database),
        "",
        "[artifacts]",
        "# Pictures, audio and other files.",
        _pair("url", "file:artifacts"),
        "# keep_days = 30",
        "# max_bytes = 100_000_000_000",
        "",
    ]


def _discord(answers: Answers) -> list[str]:
    if answers.discord_token is None:
        return ["# [discord]", '# token = "env:DISCORD_TOKEN"', '# prefix = "!"', ""]
    return ["[discord]", _pair("token", answers.discord_token), '# prefix = "!"', ""]


def _plugins(answers: Answers) -> list[str]:
    sections: dict[str, list[str]] = {}
    for (section, key), value in answers.plugin_secrets.items():
        sections.setdefault(section, []).append(_pair(key, value))
    return [line for name, pairs in sections.items() for line in (f"[plugins.{_key(name)}]", *pairs, "")]


def _pair(key: str, value: Any) -> str:
    return f"{key} = {tomlkit.item(value).as_string()}"


def _key(name: str) -> str:
    return tomlkit.key(name).as_string()


def _bracketed(host: str | None) -> str | None:
    return f"[{host}]" if host is not None and ":" in host else host
