"""Kits of a plugin: the folder that a worker of its own protocol is given. Experimental."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class KitContents:
    """What there is to put into a kit: the blocks of the api key and of its first token, the addresses of the hub and
    of its REST side without a trailing slash, and the authority of their certificate (PEM), None where every system
    trusts it already or there is none."""

    api_key: Mapping[str, Any]
    token: Mapping[str, Any]
    hub: str
    http: str
    authority: bytes | None = None


@dataclass(frozen=True, slots=True)
class Kit:
    """What ``tron create-client-tokens --OPTION DIR`` writes. The credential is good at the plugin's doors alone.

    ``files`` returns the content of each file by its name below DIR. ``after`` is said once they are there; in it
    ``{folder}`` stands for DIR.
    """

    option: str
    help: str
    files: Callable[[KitContents], Mapping[str, bytes]]
    after: str = "{folder} is the worker's kit: carry it there"
